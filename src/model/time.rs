//! Points in time, as tokens write them.

use std::fmt;
use std::time::Duration;

/// Whole seconds since 1970-01-01T00:00:00Z, ignoring leap seconds: a `NumericDate`
/// ([RFC 7519 section 2](https://www.rfc-editor.org/rfc/rfc7519#section-2)).
///
/// Fractions in a token are rounded towards refusal: down for `exp`, up for `nbf`.
/// Arithmetic saturates; no value makes a comparison overflow.
///
/// ```
/// use portcullis::time::UnixTime;
/// use std::time::Duration;
///
/// let t = UnixTime::from_secs(1_800_000_000);
/// assert!(t < t.saturating_add(Duration::from_secs(1)));
/// assert_eq!(UnixTime::from_secs(i64::MAX).saturating_add(Duration::MAX), UnixTime::from_secs(i64::MAX));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixTime(i64);

impl UnixTime {
    /// The time that lies `secs` seconds after the epoch; negative values lie before it.
    #[must_use]
    pub const fn from_secs(secs: i64) -> Self {
        Self(secs)
    }

    /// Seconds since the epoch; negative before 1970.
    #[must_use]
    pub const fn as_secs(self) -> i64 {
        self.0
    }

    /// This time plus `span`, in whole seconds, ending at the largest representable time.
    #[must_use]
    pub fn saturating_add(self, span: Duration) -> Self {
        Self(self.0.saturating_add(whole_secs(span)))
    }

    /// This time minus `span`, in whole seconds, ending at the smallest representable time.
    #[must_use]
    pub fn saturating_sub(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(whole_secs(span)))
    }
}

fn whole_secs(span: Duration) -> i64 {
    i64::try_from(span.as_secs()).unwrap_or(i64::MAX)
}

impl fmt::Display for UnixTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}
