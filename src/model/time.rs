//! Times as tokens write them.

use std::fmt;
use std::num::ParseIntError;
use std::str::FromStr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// Whole seconds since 1970-01-01T00:00:00Z, ignoring leap seconds: a `NumericDate`
/// ([RFC 7519 section 2](https://www.rfc-editor.org/rfc/rfc7519#section-2)).
///
/// Fractions in a token are rounded so that the token is good for less time: down for `exp`, up for
/// `nbf`. Arithmetic and conversions saturate. It serializes as an integer and deserializes from one;
/// `FromStr` reads a decimal integer.
///
/// ```
/// use portcullis::time::UnixTime;
/// use std::time::Duration;
///
/// let t = UnixTime::from_secs(1_800_000_000);
/// assert!(t < t.saturating_add(Duration::from_secs(1)));
/// assert_eq!(UnixTime::from_secs(i64::MAX).saturating_add(Duration::MAX), UnixTime::from_secs(i64::MAX));
///
/// let system = std::time::UNIX_EPOCH + Duration::from_millis(1_500);
/// assert_eq!(UnixTime::from(system), UnixTime::from_secs(1));
/// assert_eq!(t.to_system_time(), Some(std::time::UNIX_EPOCH + Duration::from_secs(1_800_000_000)));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[doc(alias("NumericDate", "timestamp"))]
#[serde(transparent)]
pub struct UnixTime(i64);

impl UnixTime {
    /// The time `secs` seconds after the epoch; negative values are before it.
    #[must_use]
    pub const fn from_secs(secs: i64) -> Self {
        Self(secs)
    }

    /// Seconds since the epoch; negative before 1970.
    #[must_use]
    pub const fn as_secs(self) -> i64 {
        self.0
    }

    /// The same time for `std`. `None` where the platform's clock cannot represent it.
    #[must_use]
    pub fn to_system_time(self) -> Option<SystemTime> {
        let distance = Duration::from_secs(self.0.unsigned_abs());
        if self.0 < 0 {
            UNIX_EPOCH.checked_sub(distance)
        } else {
            UNIX_EPOCH.checked_add(distance)
        }
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

/// A time, or none, in eight bytes: for what is kept of many tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OptionalTime(i64);

impl OptionalTime {
    /// The first of all seconds stands for none: no date that is read lies so far back.
    const NONE: i64 = i64::MIN;

    pub(crate) const fn of(time: Option<UnixTime>) -> Self {
        match time {
            Some(UnixTime(secs)) => Self(secs),
            None => Self(Self::NONE),
        }
    }

    pub(crate) const fn get(self) -> Option<UnixTime> {
        match self.0 {
            Self::NONE => None,
            secs => Some(UnixTime(secs)),
        }
    }
}

/// Whole seconds, rounded down.
impl From<SystemTime> for UnixTime {
    fn from(time: SystemTime) -> Self {
        match time.duration_since(UNIX_EPOCH) {
            Ok(after) => Self(whole_secs(after)),
            Err(error) => {
                let before = error.duration();
                let rounds_down = i64::from(before.subsec_nanos() > 0);
                Self(
                    whole_secs(before)
                        .saturating_neg()
                        .saturating_sub(rounds_down),
                )
            }
        }
    }
}

impl FromStr for UnixTime {
    type Err = ParseIntError;

    fn from_str(secs: &str) -> Result<Self, ParseIntError> {
        secs.parse().map(Self)
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
