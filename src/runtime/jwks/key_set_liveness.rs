//! Which keys of a set survive its replacement.
//!
//! 1. A new set keeps the liveness of a key only with the same id, material, algorithms and issuer,
//!    beside the same other keys of that id.
//! 2. A token that named no key depends on the whole set: any change ends that liveness.
//! 3. A key has a liveness of its own, which lasts as long as sets have that key under its id, whatever
//!    else changes in them. What was begun with a token depends on it.

use std::collections::HashMap;

use crate::runtime::cache::validity::Liveness;
use crate::runtime::util::text_hash::BuildTextHasher;
use crate::verify::jose::jwk_set::KeySet;

/// The liveness of a key set: of each key, and of the whole set.
#[derive(Debug)]
pub(crate) struct KeySetLiveness {
    whole: Liveness,
    by_id: HashMap<Box<str>, Liveness, BuildTextHasher>,
    /// In the order of the set's keys.
    by_key: Vec<Liveness>,
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
            by_key: by_key(keys, keys.places_in(keys), &[]),
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
            by_key: by_key(after, after.places_in(before), &self.by_key),
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
        for liveness in &self.by_key {
            let is_kept = |next: &Self| next.by_key.iter().any(|kept| kept.is(liveness));
            if !next.is_some_and(is_kept) {
                liveness.end();
            }
        }
    }

    /// The liveness of the key at an index of the set.
    pub(crate) fn of_key(&self, index: usize) -> Option<&Liveness> {
        self.by_key.get(index)
    }

    /// The liveness of the keys with the id that a token named, or of the whole set.
    pub(crate) fn under(&self, id: Option<&str>) -> &Liveness {
        id.and_then(|id| self.by_id.get(id)).unwrap_or(&self.whole)
    }
}

/// A liveness for each key of a set: that of the same key `before`, at the given place; one for keys that
/// are the same.
fn by_key(
    keys: &KeySet,
    places: impl Iterator<Item = Option<usize>>,
    before: &[Liveness],
) -> Vec<Liveness> {
    let mut all: Vec<Liveness> = Vec::with_capacity(keys.len());
    for (place, first) in places.zip(keys.places_in(keys)) {
        let kept = place.and_then(|place| before.get(place));
        let same = first.and_then(|first| all.get(first));
        let liveness = kept.or(same).cloned().unwrap_or_default();
        all.push(liveness);
    }
    all
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

    /// Which keys of the first set are live after a swap to the second.
    fn keys_after(before: &[(&str, &str)], next: &[(&str, &str)]) -> Vec<bool> {
        let (before, next) = (set(before), set(next));
        let liveness = KeySetLiveness::of(&before);
        let following = liveness.followed_by(&before, &next);
        liveness.end_except(Some(&following));
        for index in 0..next.len() {
            assert!(following.of_key(index).is_some_and(Liveness::is_live));
        }
        let keys = (0..before.len()).map(|index| liveness.of_key(index));
        keys.map(|key| key.is_some_and(Liveness::is_live)).collect()
    }

    #[test]
    fn a_key_lives_as_long_as_sets_have_it_whatever_else_changes() {
        let (a, b) = (("a", X1), ("b", X2));
        assert_eq!(keys_after(&[a, b], &[b, a]), [true, true]);
        assert_eq!(keys_after(&[a, b], &[b]), [false, true]);
        assert_eq!(keys_after(&[a], &[("a", X2), a]), [true]);
        assert_eq!(keys_after(&[a], &[("a", X2)]), [false]);
        assert_eq!(keys_after(&[a], &[("c", X1)]), [false]);
        let (unnamed, other) = (("", X1), ("", X2));
        assert_eq!(keys_after(&[unnamed], &[other, unnamed]), [true]);
        assert_eq!(keys_after(&[unnamed, other], &[other]), [false, true]);
        assert_eq!(keys_after(&[a, a], &[a]), [true, true], "listed twice");
        assert_eq!(keys_after(&[a], &[b, a, a]), [true]);
    }

    #[test]
    fn dropped_keys_end_all_liveness() {
        let keys = set(&[("a", X1), ("b", X2)]);
        let liveness = KeySetLiveness::of(&keys);
        liveness.end_except(None);
        for id in [Some("a"), Some("b"), Some("c"), None] {
            assert!(!liveness.under(id).is_live(), "{id:?}");
        }
        for index in 0..2 {
            assert!(!liveness.of_key(index).is_some_and(Liveness::is_live));
        }
    }
}
