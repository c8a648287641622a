//! Times for people: as RFC 3339 writes them, and how far away they are.

use crate::model::time::UnixTime;

const DAY: i64 = 86_400;

/// The days of 400 years, after which the calendar repeats.
const DAYS_OF_ERA: i64 = 146_097;

/// The last second of the year 9999, behind which RFC 3339 has no form.
const LAST: i64 = 253_402_300_799;

/// A time as text, such as `2026-11-29T07:11:06Z`. One before 1970 or after 9999 is its number of seconds.
pub(super) fn date_and_time(time: UnixTime) -> String {
    let seconds = time.as_secs();
    if !(0..=LAST).contains(&seconds) {
        return seconds.to_string();
    }
    let (year, month, day) = date(seconds / DAY);
    let second = seconds % DAY;
    let (hour, minute) = (second / 3_600, second / 60 % 60);
    let second = second % 60;
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// What a token says, with the time that it is and its distance: `1795936266 (2026-11-29T07:11:06Z, 59 min
/// ago)`. What is no number of seconds stays as it is.
pub(super) fn claimed_time(claimed: &str, now: UnixTime) -> String {
    let seconds = claimed.split('.').next().unwrap_or_default();
    match seconds.parse() {
        Ok(time) => {
            let shown = date_and_time(time);
            format!("{claimed} ({shown}, {})", distance(time, now))
        }
        Err(_) => claimed.to_owned(),
    }
}

/// How far away a time is, in the largest unit of which there are at least two.
fn distance(time: UnixTime, now: UnixTime) -> String {
    let apart = time.as_secs().abs_diff(now.as_secs());
    let span = match apart {
        0 => return "now".to_owned(),
        1..120 => format!("{apart} s"),
        120..7_200 => format!("{} min", apart / 60),
        7_200..172_800 => format!("{} h", apart / 3_600),
        _ => format!("{} days", apart / 86_400),
    };
    if time > now {
        format!("in {span}")
    } else {
        format!("{span} ago")
    }
}

/// The date of a day, counted from 1970-01-01. Years are counted from March, so that a leap day is the
/// last of its year.
const fn date(days: i64) -> (i64, i64, i64) {
    // From 0000-03-01 to 1970-01-01 there are 719,468 days.
    let days = days + 719_468;
    let (era, day_of_era) = (days / DAYS_OF_ERA, days % DAYS_OF_ERA);
    let leap_days = day_of_era / 1_460 - day_of_era / 36_524 + day_of_era / 146_096;
    let year_of_era = (day_of_era - leap_days) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let year = era * 400 + year_of_era;
    if month_from_march < 10 {
        (year, month_from_march + 3, day)
    } else {
        (year + 1, month_from_march - 9, day)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn date_and_time_is_that_of_rfc_3339() {
        for (seconds, expected) in [
            (0, "1970-01-01T00:00:00Z"),
            (784_111_777, "1994-11-06T08:49:37Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_709_251_199, "2024-02-29T23:59:59Z"),
            (1_709_251_200, "2024-03-01T00:00:00Z"),
            (1_798_761_599, "2026-12-31T23:59:59Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
            (LAST, "9999-12-31T23:59:59Z"),
            (LAST + 1, "253402300800"),
            (-1, "-1"),
            (i64::MIN, "-9223372036854775808"),
        ] {
            assert_eq!(date_and_time(UnixTime::from_secs(seconds)), expected);
        }
    }

    #[test]
    fn claimed_time_says_how_far_away_it_is() {
        let now = UnixTime::from_secs(1_709_251_200);
        for (claimed, expected) in [
            ("1709251200", "(2024-03-01T00:00:00Z, now)"),
            ("1709251199.5", "(2024-02-29T23:59:59Z, 1 s ago)"),
            ("1709247660", "(2024-02-29T23:01:00Z, 59 min ago)"),
            ("1709254800", "(2024-03-01T01:00:00Z, in 60 min)"),
            ("1709424000", "(2024-03-03T00:00:00Z, in 2 days)"),
            ("1709410000", "(2024-03-02T20:06:40Z, in 44 h)"),
        ] {
            assert_eq!(claimed_time(claimed, now), format!("{claimed} {expected}"));
        }
        for odd in ["1e9", "\"soon\"", "null", ""] {
            assert_eq!(claimed_time(odd, now), odd);
        }
    }
}
