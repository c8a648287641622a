//! Ids of tenants and callers: texts that cannot be mistaken for one another.

use std::fmt;
use std::sync::Arc;

use crate::model::shared_str::SharedStr;

/// The longest id that tenant rules accept, in bytes.
pub(crate) const MAX_ID_BYTES: usize = 256;

/// The longest id of a token, session, subject or client that is accepted, in bytes. It is the
/// issuer's text, and may be a name in a directory or an address. The list of revocations holds
/// ids of this length, so that whatever is accepted can be revoked.
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
        // Without an early end, so that it takes many bytes at a time.
        return text
            .bytes()
            .fold(false, |found, byte| found | byte.is_ascii_control());
    }
    text.chars().any(char::is_control)
}

/// `Debug` without the value: ids come from tokens, and `Debug` ends up in logs. `Display`
/// and `as_str` are the deliberate ways to the text.
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
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(SharedStr);

        impl $name {
            /// Reads an id; equality is byte for byte.
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

            pub(crate) fn share(&self) -> Self {
                Self(self.0.share())
            }

            /// The memory that it takes beside this arena and beside itself.
            pub(crate) fn bytes_beside(&self, arena: &Arc<str>) -> usize {
                self.0.bytes_beside(arena)
            }

            /// The id's text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                self.0.as_str()
            }
        }

        redacted_debug!($name);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

application_id! {
    /// An account: the tenant. The application's own name for it.
    AccountId
}
application_id! {
    /// A workspace of an account: the isolation boundary. The application's own name for it.
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
        /// Two of them are equal only when the same configured issuer vouches for both:
        /// the same text from another issuer is somebody else. The two issuer forms of one
        /// Cognito pool count as one issuer.
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name {
            issuer: Arc<str>,
            text: SharedStr,
        }

        impl $name {
            pub(crate) fn of(issuer: &Arc<str>, text: SharedStr) -> Result<Self, InvalidId> {
                $check(text.as_str()).map(|()| Self { issuer: Arc::clone(issuer), text })
            }

            pub(crate) fn share(&self) -> Self {
                Self { issuer: Arc::clone(&self.issuer), text: self.text.share() }
            }

            /// The memory that it takes beside this arena and beside itself.
            pub(crate) fn bytes_beside(&self, arena: &Arc<str>) -> usize {
                self.text.bytes_beside(arena)
            }

            /// The configured issuer, to vouch for another id.
            #[allow(dead_code)] // not every kind of id is asked for it
            pub(crate) const fn realm(&self) -> &Arc<str> {
                &self.issuer
            }

            /// The id's text, as the issuer wrote it.
            #[must_use]
            pub fn as_str(&self) -> &str {
                self.text.as_str()
            }

            /// The configured issuer that vouches for it.
            #[must_use]
            pub fn issuer(&self) -> &str {
                &self.issuer
            }
        }

        redacted_debug!($name);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

issuer_id! {
    /// The application's id of a user inside a workspace.
    UserId, check
}
issuer_id! {
    /// The platform's id of a principal, who may act across accounts.
    PrincipalId, check
}
issuer_id! {
    /// The `sub` of a token (RFC 7519 section 4.1.2): 1 to 1,024 bytes, of whatever characters the
    /// issuer writes. Escape it where you show it.
    SubjectId, check_foreign
}
issuer_id! {
    /// The OAuth client that a token was issued to (RFC 9068 section 2.2): 1 to 1,024 bytes, of
    /// whatever characters the issuer writes.
    ClientId, check_foreign
}
