//! What operators are told: every event of this library, as one type.

use std::fmt;
use std::time::Duration;

use crate::model::decision::record::DecisionRecord;
use crate::model::error::rejection::Rejection;
use crate::model::time::UnixTime;

/// Something that an operator may want to know. It is made where it happens and written down in
/// one place, which knows the level, the message and the names of the fields.
#[derive(Clone, Copy)]
#[cfg_attr(
    not(all(
        feature = "tracing",
        feature = "axum",
        feature = "redis",
        feature = "ssf"
    )),
    allow(dead_code)
)]
pub(crate) enum Event<'e> {
    /// An optional layer let a request without a token through.
    NothingSent,
    /// A layer admitted a request.
    TokenAdmitted {
        issuer: &'e str,
        caller: &'static str,
        /// What the token is bound to: `none`, `dpop`, `mutual_tls` or `dpop+mutual_tls`.
        binding: &'static str,
        /// Where the server's setting asks for them.
        names: Option<CallerNames<'e>>,
    },
    /// A layer, a guard or the application refused a request.
    RequestRefused {
        rejection: &'e Rejection,
        /// Those of a good token, where the server's setting asks for them.
        names: Option<CallerNames<'e>>,
    },
    /// Refusals of one kind and issuer since the last summary.
    RefusalsSummarized {
        last: &'e Rejection,
        issuer: Option<&'e str>,
        count: u64,
        /// How many for each fault, such as `expired=12 signature=1`.
        faults: &'e str,
    },
    /// A request was decided, by the layer and all guards together.
    RequestDecided { record: &'e DecisionRecord },
    /// The application's sink did not take a decision record.
    DecisionSinkFailed {
        /// Escaped and cut.
        error: &'e str,
    },
    /// A layer was made that only observes, until then; or whose end is over or too far away.
    ObserveOnly {
        resource: &'e str,
        until: UnixTime,
        is_observing: bool,
    },
    /// Requests go on that would have been refused.
    RefusalsObserved {
        resource: &'e str,
        until: UnixTime,
        /// Since the layer was made.
        passed: u64,
    },
    /// The issuers of a running server were replaced.
    ConfigurationReplaced {
        revision: u64,
        /// What has changed, in one line.
        difference: &'e dyn fmt::Display,
    },
    /// A request needs what only `connect()` loads, and it was never called.
    NotConnected,
    /// A layer that ends streams passed an upgraded connection that no lease ends.
    UpgradeWithoutLease,
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
    /// A security event was verified, and nothing maps its subject, or its transmitter does not speak
    /// for the subject's issuer.
    SecurityEventUnmapped {
        transmitter: &'e str,
        /// Escaped and cut.
        event_type: &'e str,
        is_foreign: bool,
    },
    /// A security event was refused.
    SecurityEventRefused {
        /// Absent where the token names no configured one.
        transmitter: Option<&'e str>,
        /// Of RFC 8935 section 2.4.
        code: &'static str,
        why: &'e str,
        /// A token that the transmitter has signed, for the first time in a minute.
        is_warning: bool,
    },
    /// A security event could not be judged or stored, and is sent again.
    SecurityEventUnavailable {
        transmitter: Option<&'e str>,
        why: &'e str,
    },
    /// A transmitter of security events has changed the status of its stream.
    StreamUpdated {
        transmitter: &'e str,
        status: &'e str,
    },
    /// Security events could not be polled.
    PollFailed {
        transmitter: &'e str,
        error: &'e str,
    },
    /// Security events are polled again.
    PollRecovered { transmitter: &'e str },
    /// A look-up at an issuer's endpoint failed.
    LookupFailed {
        issuer: &'e str,
        error: &'e str,
        kind: &'static str,
        message: &'static str,
    },
    /// The endpoint answers again.
    LookupRecovered {
        issuer: &'e str,
        message: &'static str,
    },
    /// A key set was fetched, or confirmed.
    KeySetRefreshed {
        issuer: &'e str,
        keys: usize,
        skipped: usize,
        changed: bool,
    },
    /// A key set could not be fetched.
    KeySetNotRefreshed {
        issuer: &'e str,
        error: &'e dyn fmt::Display,
    },
    /// The keys of a stored copy are used, since no fetch has brought keys.
    KeySetCopyUsed {
        issuer: &'e str,
        keys: usize,
        /// Since the fetch that brought them.
        age: Duration,
    },
    /// A stored copy does not count, or could not be read, written or removed.
    KeySetCopyFailed {
        issuer: &'e str,
        /// `read`, `write` or `remove`.
        action: &'static str,
        /// `altered`, `other_key`, `other_issuer`, `from_the_future`, `too_old` or `file`.
        problem: &'static str,
        /// What the file system said; empty for the other problems.
        error: &'e str,
    },
    /// A status list could not be fetched.
    #[cfg(feature = "status-list")]
    StatusListNotRefreshed { issuer: &'e str, error: &'e str },
    /// An entry of a key set cannot be used.
    KeySkipped {
        issuer: &'e str,
        index: usize,
        reason: &'e str,
        /// Whether the set was fetched; else it is configured.
        is_fetched: bool,
    },
    /// The application's directory failed.
    DirectoryFailed {
        /// Escaped and cut.
        error: &'e dyn fmt::Display,
    },
    /// The shared store answers, or answers again.
    SharingRestored,
    /// The shared store does not answer.
    SharingFailed { error: &'e dyn fmt::Display },
    /// The stream of revocations in the shared store was full.
    StreamRenewed,
}

/// Whose authority a request has and who acts with it, as the token states them: not escaped, not cut.
#[derive(Clone, Copy)]
#[cfg_attr(not(feature = "tracing"), allow(dead_code))]
pub(crate) struct CallerNames<'e> {
    pub(crate) subject: Option<&'e str>,
    pub(crate) client: Option<&'e str>,
    /// The id of the outermost actor, and its issuer.
    pub(crate) actor: Option<(&'e str, &'e str)>,
}
