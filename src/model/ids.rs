//! Ids of tenants and callers: each kind is a type of its own.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;
use std::sync::Arc;

use crate::model::shared_str::{Arena, SharedStr};
use crate::model::text_conversions::{converts_from_text, converts_to_text};

/// The longest id that tenant rules accept, in bytes.
pub(crate) const MAX_ID_BYTES: usize = 256;

/// The longest id of a token, session, subject or client, in bytes. The issuer chooses it, and it
/// may be a name in a directory or an address. The list of revocations holds ids of this length,
/// so that every accepted id can be revoked.
pub(crate) const MAX_FOREIGN_ID_BYTES: usize = 1024;

/// A text that cannot be an id: empty, longer than 256 bytes, or with control characters.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an id: write 1 to 256 bytes without control characters")]
pub struct InvalidId(());

fn check(text: &str) -> Result<(), InvalidId> {
    let fits = !text.is_empty() && text.len() <= MAX_ID_BYTES;
    if fits && !has_controls(text) {
        Ok(())
    } else {
        Err(InvalidId(()))
    }
}

fn has_controls(text: &str) -> bool {
    if text.is_ascii() {
        // Without an early exit, so that the compiler vectorizes the loop.
        return text
            .bytes()
            .fold(false, |found, byte| found | byte.is_ascii_control());
    }
    text.chars().any(char::is_control)
}

/// `Debug` without the text: ids come from tokens, and `Debug` output reaches logs. `Display` and
/// `as_str` give the text.
macro_rules! redacted_debug {
    ($name:ident) => {
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "(..)"))
            }
        }
    };
}

macro_rules! application_id {
    ($(#[$meta:meta])* $name:ident) => {
        $(#[$meta])*
        ///
        /// 1 to 256 bytes without control characters. Equality is byte for byte. It is made from
        /// text by [`new`](Self::new), `FromStr`, `TryFrom` and `Deserialize`, which check alike.
        ///
        /// `Clone` is cheap: an id from a token shares the texts that are kept of the token.
        /// For an id that outlives the request take [`detach`](Self::detach). `Debug` does not show
        /// the text; `Display` does.
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(SharedStr);

        impl $name {
            /// Checks a text and copies it.
            ///
            /// # Errors
            ///
            /// [`InvalidId`] when `text` is empty, longer than 256 bytes, or has control characters.
            pub fn new(text: &str) -> Result<Self, InvalidId> {
                check(text).map(|()| Self(SharedStr::new(text)))
            }

            pub(crate) fn of(text: SharedStr) -> Result<Self, InvalidId> {
                check(text.as_str()).map(|()| Self(text))
            }

            /// A copy with memory of its own, which does not keep the other texts of a token in memory.
            #[must_use]
            pub fn detach(&self) -> Self {
                Self(self.0.detach())
            }

            /// The heap memory that it keeps alive in addition to `arena`, in bytes.
            pub(crate) fn bytes_beside(&self, arena: &Arc<Arena>) -> usize {
                self.0.bytes_beside(arena)
            }

            /// The text, to be moved into another buffer.
            pub(crate) const fn text_mut(&mut self) -> &mut SharedStr {
                &mut self.0
            }

            /// The id's text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                self.0.as_str()
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                Self::new(text)
            }
        }

        redacted_debug!($name);
        converts_to_text!($name);
        converts_from_text!($name, InvalidId);
    };
}

application_id! {
    /// An account: the tenant. The application's own name for it.
    #[doc(alias("tenant", "organization", "org"))]
    AccountId
}
application_id! {
    /// A workspace of an account: the isolation boundary. The application's own name for it.
    #[doc(alias("tenant", "project"))]
    WorkspaceId
}

/// The issuer's own text, of any characters.
fn check_foreign(text: &str) -> Result<(), InvalidId> {
    if (1..=MAX_FOREIGN_ID_BYTES).contains(&text.len()) {
        Ok(())
    } else {
        Err(InvalidId(()))
    }
}

macro_rules! issuer_id {
    ($(#[$meta:meta])* $name:ident, $check:ident) => {
        $(#[$meta])*
        ///
        /// Two of them are equal only when the same configured issuer vouches for both: the same
        /// text from another issuer is another id. The two issuer forms of one Cognito pool count as
        /// one issuer. A text alone has no issuer, so there is no `FromStr`, `TryFrom` or
        /// `Deserialize`; `Display` and `Serialize` write the text alone. Store
        /// [`issuer`](Self::issuer) beside it where a server trusts several issuers.
        ///
        /// `Clone` is cheap: an id from a token shares the texts that are kept of the token.
        /// For an id that outlives the request take [`detach`](Self::detach). `Debug` does not show
        /// the text.
        #[derive(Clone)]
        pub struct $name(SharedStr);

        impl $name {
            pub(crate) fn of(issuer: &Arc<str>, text: SharedStr) -> Result<Self, InvalidId> {
                $check(text.as_str()).map(|()| Self(text.vouched_by(issuer)))
            }

            /// A copy with memory of its own, which does not keep the other texts of a token in memory.
            #[must_use]
            pub fn detach(&self) -> Self {
                Self(self.0.detach())
            }

            /// The heap memory that it keeps alive in addition to `arena`, in bytes.
            pub(crate) fn bytes_beside(&self, arena: &Arc<Arena>) -> usize {
                self.0.bytes_beside(arena)
            }

            /// The text, to be moved into another buffer.
            pub(crate) const fn text_mut(&mut self) -> &mut SharedStr {
                &mut self.0
            }

            /// The configured issuer, to vouch for another id.
            #[allow(dead_code)] // Not called for every kind of id.
            pub(crate) fn realm(&self) -> Option<&Arc<str>> {
                self.0.realm()
            }

            /// What makes two of them equal.
            fn key(&self) -> (&str, &str) {
                (self.issuer(), self.as_str())
            }

            /// The id's text, as the issuer wrote it.
            #[must_use]
            pub fn as_str(&self) -> &str {
                self.0.as_str()
            }

            /// The configured issuer that vouches for it.
            #[doc(alias("iss", "realm"))]
            #[must_use]
            pub fn issuer(&self) -> &str {
                // INVARIANT: the one constructor has set it.
                self.0.realm().map_or("", |issuer| issuer)
            }
        }

        impl PartialEq for $name {
            fn eq(&self, other: &Self) -> bool {
                self.key() == other.key()
            }
        }

        impl Eq for $name {}

        impl PartialOrd for $name {
            fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
                Some(self.cmp(other))
            }
        }

        impl Ord for $name {
            fn cmp(&self, other: &Self) -> Ordering {
                self.key().cmp(&other.key())
            }
        }

        impl Hash for $name {
            fn hash<H: Hasher>(&self, state: &mut H) {
                self.key().hash(state);
            }
        }

        redacted_debug!($name);
        converts_to_text!($name);
    };
}

issuer_id! {
    /// The application's id of a user inside a workspace: 1 to 256 bytes without control characters.
    UserId, check
}
issuer_id! {
    /// The platform's id of a principal, who may act across accounts: 1 to 256 bytes without control
    /// characters.
    PrincipalId, check
}
issuer_id! {
    /// The `sub` of a token (RFC 7519 section 4.1.2): 1 to 1,024 bytes, of whatever characters the
    /// issuer writes. Escape it where you show it.
    #[doc(alias("sub", "user_id"))]
    SubjectId, check_foreign
}
issuer_id! {
    /// The OAuth client that a token was issued to (RFC 9068 section 2.2): 1 to 1,024 bytes, of
    /// whatever characters the issuer writes.
    #[doc(alias("azp", "cid", "appid"))]
    ClientId, check_foreign
}
