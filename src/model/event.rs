//! What operators are told: every event of this library, as one type.

use std::fmt;
use std::time::Duration;

use crate::model::error::rejection::Rejection;

/// Something that an operator may want to know. It is made where it happens and written down in
/// one place, which knows the level, the message and the names of the fields.
#[derive(Clone, Copy)]
#[cfg_attr(not(feature = "tracing"), allow(dead_code))]
pub(crate) enum Event<'e> {
    /// An optional layer let a request without a token through.
    NothingSent,
    /// A layer admitted a request.
    TokenAdmitted {
        issuer: &'e str,
        caller: &'static str,
    },
    /// A layer, a guard or the application refused a request.
    RequestRefused(&'e Rejection),
    /// Refusals of one kind and issuer since the last summary.
    RefusalsSummarized {
        last: &'e Rejection,
        issuer: Option<&'e str>,
        count: u64,
        /// How many for each fault, such as `expired=12 signature=1`.
        faults: &'e str,
    },
    /// A request needs what only `connect()` loads, and it was never called.
    NotConnected,
    /// A token names a key that is in none of its issuer's key sets.
    KeyNotFound {
        issuer: &'e str,
        key: &'e dyn fmt::Display,
    },
    /// The introspection endpoint cannot introspect tokens of this type.
    UnsupportedTokenType { issuer: &'e str },
    /// A userinfo response is not about the token's user.
    UserInfoUnusable { issuer: &'e str, error: &'e str },
    /// Something was revoked.
    Revoked { issuer: &'e str, kind: &'static str },
    /// The application's loader of revocations failed.
    RevocationsNotLoaded {
        /// Escaped and cut.
        error: &'e dyn fmt::Display,
        again_in: Duration,
    },
    /// A logout token was refused.
    LogoutRefused { why: &'e str },
    /// A logout token that its issuer has signed was refused.
    SignedLogoutRefused { why: &'e str },
    /// A logout token could not be verified, or its revocations could not be stored.
    LogoutUnavailable { why: &'e str },
}
