//! How and when the user of a token authenticated (RFC 9470 section 6): `acr` and `auth_time`.
//!
//! 1. A claim that is absent or of another type states nothing, and so meets no demand.
//! 2. `iat` never counts as the time of the authentication: a refreshed token is new, and its user's
//!    authentication is not.

use std::time::Duration;

use crate::model::shared_str::Piece;
use crate::model::time::UnixTime;
use crate::verify::json::claims_reader::{texts, value_at};
use crate::verify::json::name_list::push_stated;
use crate::verify::json::object::Object;
use crate::verify::policy::issuer_policy::IssuerPolicy;

/// Appends the values of the `acr` claim: one, or those of an array.
pub(in crate::verify) fn append_acr_values(
    claims: &Object<'_>,
    rules: &IssuerPolicy,
    text: &mut String,
) -> Piece {
    let start = text.len();
    let value = value_at(claims, &rules.acr_claim).ok().flatten();
    for one in value.and_then(texts).into_iter().flatten() {
        let Some(one) = one else {
            text.truncate(start);
            break;
        };
        push_stated(text, &one);
    }
    Piece::new(start, text.len()).unwrap_or_default()
}

/// Whether an authentication at this time is no older than `max_age`. One in the future is wrong by
/// more than the clocks differ, where it lies beyond the leeway, and then states nothing.
pub(in crate::verify) fn is_recent(
    authenticated_at: Option<UnixTime>,
    max_age: Duration,
    now: UnixTime,
    leeway: Duration,
) -> bool {
    authenticated_at
        .is_some_and(|at| at <= now.saturating_add(leeway) && now <= at.saturating_add(max_age))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn auth_time_is_recent_up_to_the_age_and_absence_never_is() {
        let at = UnixTime::from_secs;
        let (age, leeway) = (Duration::from_secs(300), Duration::from_secs(30));
        let now = at(1_800_000_000);
        for (seconds, recent) in [
            (1_799_999_700, true),
            (1_799_999_699, false),
            (1_800_000_000, true),
            (1_800_000_030, true),
            (1_800_000_031, false),
            (0, false),
        ] {
            let found = is_recent(Some(at(seconds)), age, now, leeway);
            assert_eq!(found, recent, "{seconds}");
        }
        assert!(!is_recent(None, age, now, leeway));
        assert!(!is_recent(None, Duration::MAX, now, leeway));
        let none = Duration::ZERO;
        assert!(is_recent(Some(now), none, now, leeway));
        assert!(!is_recent(Some(at(1_799_999_999)), none, now, leeway));
    }
}
