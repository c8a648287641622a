//! Which keys of a set survive its replacement.
//!
//! 1. A new set keeps the liveness of a key only with the same id, material, algorithms and issuer,
//!    beside the same other keys of that id.
//! 2. A token that named no key depends on the whole set: any change ends that liveness.

use std::collections::HashMap;

use crate::runtime::cache::validity::Liveness;
use crate::verify::jose::jwk_set::KeySet;

/// The liveness of a key set: of each key, and of the whole set.
#[derive(Debug)]
pub(crate) struct KeySetLiveness {
    whole: Liveness,
    by_id: HashMap<Box<str>, Liveness>,
}

impl KeySetLiveness {
    /// All live, for a new set.
    pub(crate) fn of(keys: &KeySet) -> Self {
        Self {
            whole: Liveness::default(),
            by_id: keys
                .ids()
                .map(|id| (id.into(), Liveness::default()))
                .collect(),
        }
    }

    /// The liveness of the set that follows. The caller ends what was not kept with
    /// [`end_except`](Self::end_except), once requests read that set.
    pub(crate) fn followed_by(&self, before: &KeySet, after: &KeySet) -> Self {
        let kept = |id: &str| {
            let liveness = self.by_id.get(id)?;
            before.is_alike_under(id, after).then(|| liveness.clone())
        };
        Self {
            whole: if before.is_alike(after) {
                self.whole.clone()
            } else {
                Liveness::default()
            },
            by_id: after
                .ids()
                .map(|id| (id.into(), kept(id).unwrap_or_default()))
                .collect(),
        }
    }

    /// Ends everything that the next set has not kept.
    pub(crate) fn end_except(&self, next: Option<&Self>) {
        if !next.is_some_and(|next| next.whole.is(&self.whole)) {
            self.whole.end();
        }
        for (id, liveness) in &self.by_id {
            let kept = next.and_then(|next| next.by_id.get(id));
            if !kept.is_some_and(|kept| kept.is(liveness)) {
                liveness.end();
            }
        }
    }

    /// The liveness of the keys with the id that a token named, or of the whole set.
    pub(crate) fn under(&self, id: Option<&str>) -> &Liveness {
        id.and_then(|id| self.by_id.get(id)).unwrap_or(&self.whole)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::algorithm::{Algorithm, AlgorithmSet};

    const X1: &str = "ejZuOHWLCxl1jLNedvEmcJ2OueiirqRO-g5BzOTBgQY";
    const X2: &str = "_KUg1pjGYRYLGez9wfL76U798W6HZwGUZgojWv0dd08";

    fn set(keys: &[(&str, &str)]) -> KeySet {
        let entries: Vec<String> = keys
            .iter()
            .map(|(id, x)| {
                let id = if id.is_empty() {
                    String::new()
                } else {
                    format!("\"kid\":\"{id}\",")
                };
                format!("{{{id}\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"{x}\"}}")
            })
            .collect();
        let json = format!("{{\"keys\":[{}]}}", entries.join(","));
        let allowed = AlgorithmSet::of(Algorithm::all());
        KeySet::parse(json.as_bytes(), allowed, 100).expect("a key set")
    }

    /// What of the first set is live after a swap to the second: under `a`, under `b`, whole.
    fn after(before: &[(&str, &str)], next: &[(&str, &str)]) -> [bool; 3] {
        let (before, next) = (set(before), set(next));
        let liveness = KeySetLiveness::of(&before);
        let following = liveness.followed_by(&before, &next);
        liveness.end_except(Some(&following));
        for id in next.ids() {
            assert!(
                following.under(Some(id)).is_live(),
                "of the set that is read"
            );
        }
        assert!(following.under(None).is_live());
        [Some("a"), Some("b"), None].map(|id| liveness.under(id).is_live())
    }

    #[test]
    fn key_liveness_survives_a_new_set_only_with_the_same_keys() {
        let (a, b) = (("a", X1), ("b", X2));
        assert_eq!(after(&[a, b], &[a, b]), [true, true, true]);
        assert_eq!(
            after(&[a, b], &[b, a]),
            [true, true, false],
            "another order"
        );
        assert_eq!(after(&[a, b], &[a]), [true, false, false]);
        assert_eq!(after(&[a, b], &[b]), [false, true, false]);
        assert_eq!(
            after(&[a, b], &[("a", X2), b]),
            [false, true, false],
            "other material"
        );
        assert_eq!(
            after(&[a, b], &[("c", X1), b]),
            [false, true, false],
            "another id"
        );
        assert_eq!(
            after(&[a, b], &[a, ("a", X2), b]),
            [false, true, false],
            "one beside it"
        );
        assert_eq!(
            after(&[a, b], &[a, b, ("", X1)]),
            [true, true, false],
            "one for all"
        );
    }

    #[test]
    fn dropped_keys_end_all_liveness() {
        let keys = set(&[("a", X1), ("b", X2)]);
        let liveness = KeySetLiveness::of(&keys);
        liveness.end_except(None);
        for id in [Some("a"), Some("b"), Some("c"), None] {
            assert!(!liveness.under(id).is_live(), "{id:?}");
        }
    }
}
