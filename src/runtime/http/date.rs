//! The date of a response (RFC 9110 section 5.6.7).

use crate::model::time::UnixTime;

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// The time of an IMF-fixdate, such as `Sun, 06 Nov 1994 08:49:37 GMT`. The obsolete forms are not
/// read.
pub(super) fn http_date(text: &str) -> Option<UnixTime> {
    let (_, rest) = text.split_once(", ")?;
    let mut parts = rest.split(' ');
    let day: i64 = parts.next()?.parse().ok()?;
    let name = parts.next()?;
    let month = MONTHS.iter().position(|month| *month == name)?;
    let year: i64 = parts.next()?.parse().ok()?;
    let mut clock = parts.next()?.split(':');
    let mut number = || clock.next()?.parse::<i64>().ok();
    let (hours, minutes, seconds) = (number()?, number()?, number()?);
    if parts.next() != Some("GMT") || !(1..=31).contains(&day) || !(1970..=9999).contains(&year) {
        return None;
    }
    let days = days_before(year, i64::try_from(month).ok()? + 1)? + day - 1;
    Some(UnixTime::from_secs(
        days * 86_400 + hours * 3_600 + minutes * 60 + seconds,
    ))
}

/// The days from 1970-01-01 to the first of a month, by counting years that begin in March.
fn days_before(year: i64, month: i64) -> Option<i64> {
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let leap_days = year / 4 - year / 100 + year / 400;
    let whole_years = year.checked_mul(365)?;
    // From 0000-03-01 to 1970-01-01 there are 719,468 days.
    Some(whole_years + leap_days + (153 * month + 2) / 5 - 719_468)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn date_of_a_response_is_read_in_its_current_form() {
        for (text, expected) in [
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(784_111_777)),
            ("Thu, 01 Jan 1970 00:00:00 GMT", Some(0)),
            ("Thu, 29 Feb 2024 23:59:59 GMT", Some(1_709_251_199)),
            ("Fri, 01 Mar 2024 00:00:00 GMT", Some(1_709_251_200)),
            ("Sat, 28 Nov 2026 00:00:00 GMT", Some(1_795_824_000)),
            ("Sunday, 06-Nov-94 08:49:37 GMT", None),
            ("Sun Nov  6 08:49:37 1994", None),
            ("Sun, 06 Nov 1994 08:49:37 CET", None),
            ("", None),
        ] {
            assert_eq!(http_date(text).map(UnixTime::as_secs), expected, "{text}");
        }
    }
}
