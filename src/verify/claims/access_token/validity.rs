//! The period in which a token is good: the check that every request repeats.

use crate::model::error::rejection::TokenFault;
use crate::model::time::{OptionalTime, UnixTime};

/// The period in which a token is good, leeway included.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Validity {
    pub(in crate::verify) from: OptionalTime,
    pub(in crate::verify) until: UnixTime,
}

impl Validity {
    /// The end, leeway included.
    #[cfg(feature = "jwks")]
    pub(crate) const fn until(self) -> UnixTime {
        self.until
    }

    /// The checks that time changes. RFC 7519 s4.1.4: on or after `exp` is too late;
    /// s4.1.5: before `nbf` is too early. A future `iat` is no fault (s4.1.6).
    pub(crate) fn check(self, now: UnixTime) -> Result<(), TokenFault> {
        if self.is_over(now) {
            return Err(TokenFault::Expired);
        }
        if !self.has_begun(now) {
            return Err(TokenFault::NotYetValid);
        }
        Ok(())
    }

    pub(crate) fn is_over(self, now: UnixTime) -> bool {
        now >= self.until
    }

    pub(crate) fn has_begun(self, now: UnixTime) -> bool {
        self.from.get().is_none_or(|from| now >= from)
    }
}
