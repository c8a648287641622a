//! Freshness from `Cache-Control` and `Age` (RFC 9111 sections 4.2 and 5.2.2).

use std::time::Duration;

use http::HeaderMap;
use http::header::{AGE, CACHE_CONTROL};

/// The `max-age` of a response less its `Age`.
///
/// `None` where there is no valid one. `no-store` and `no-cache` also give `None`: they say nothing
/// about how long keys last, and web frameworks send them with everything.
pub(super) fn max_age(headers: &HeaderMap) -> Option<Duration> {
    let mut found: Option<u64> = None;
    for line in headers.get_all(CACHE_CONTROL) {
        for directive in line.to_str().ok()?.split(',') {
            let (name, value) = directive.split_once('=').unwrap_or((directive, ""));
            let name = name.trim();
            if name.eq_ignore_ascii_case("no-store") || name.eq_ignore_ascii_case("no-cache") {
                return None;
            }
            if name.eq_ignore_ascii_case("max-age") {
                let seconds = delta_seconds(value.trim().trim_matches('"'))?;
                // RFC 9111 s4.2.1: of several, the shortest.
                found = Some(found.map_or(seconds, |other| other.min(seconds)));
            }
        }
    }
    let age = headers
        .get(AGE)
        .and_then(|value| delta_seconds(value.to_str().ok()?.trim()))
        .unwrap_or_default();
    found.map(|seconds| Duration::from_secs(seconds.saturating_sub(age)))
}

/// RFC 9111 s1.2.2: digits; a number that overflows means "very long".
pub(super) fn delta_seconds(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, HeaderValue::from_str(value).expect("a header value"));
        }
        headers
    }

    fn max_age_of(lines: &[(&'static str, &str)]) -> Option<u64> {
        max_age(&headers(lines)).map(|age| age.as_secs())
    }

    #[test]
    fn max_age_is_read_with_suspicion() {
        assert_eq!(max_age_of(&[]), None);
        assert_eq!(max_age_of(&[("cache-control", "max-age=600")]), Some(600));
        assert_eq!(
            max_age_of(&[("cache-control", "public, Max-Age = \"600\" , immutable")]),
            Some(600)
        );
        assert_eq!(max_age_of(&[("cache-control", "max-age=0")]), Some(0));
        assert_eq!(
            max_age_of(&[
                ("cache-control", "max-age=9"),
                ("cache-control", "max-age=7")
            ]),
            Some(7)
        );
        assert_eq!(
            max_age_of(&[("cache-control", "max-age=99999999999999999999999")]),
            Some(u64::MAX)
        );
        for nothing in [
            "max-age",
            "max-age=",
            "max-age=-1",
            "max-age=1.5",
            "max-age=+1",
            "s-maxage=5",
        ] {
            assert_eq!(max_age_of(&[("cache-control", nothing)]), None, "{nothing}");
        }
        assert_eq!(
            max_age_of(&[("cache-control", "no-store, max-age=600")]),
            None
        );
        assert_eq!(
            max_age_of(&[("cache-control", "max-age=600, no-cache")]),
            None
        );
    }

    #[test]
    fn the_age_of_a_cached_answer_is_subtracted() {
        let aged = |age| max_age_of(&[("cache-control", "max-age=600"), ("age", age)]);
        assert_eq!(aged("100"), Some(500));
        assert_eq!(aged("700"), Some(0));
        assert_eq!(aged("garbage"), Some(600));
        assert_eq!(max_age_of(&[("age", "100")]), None);
    }
}
