//! Marks on keys: whether what a key has verified is still good.
//!
//! 1. A mark is ended once, by the swap that takes its key away, and never begins again.
//! 2. A swap that keeps a key keeps its mark. Kept is a key only with the same id, material,
//!    algorithms and issuer, beside the same others of that id.
//! 3. Where a token named no key, every key of the set counted: any change ends that mark.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::verify::jose::jwk_set::KeySet;

/// Whether what it stands on is still there.
#[derive(Clone, Debug)]
pub(crate) struct KeyLiveness(Arc<AtomicBool>);

impl Default for KeyLiveness {
    /// One that holds.
    fn default() -> Self {
        Self(Arc::new(AtomicBool::new(true)))
    }
}

impl KeyLiveness {
    pub(crate) fn holds(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }

    /// Ends it for good.
    pub(crate) fn end(&self) {
        self.0.store(false, Ordering::Release);
    }

    fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

/// The marks of a key set.
#[derive(Debug)]
pub(crate) struct KeySetLiveness {
    whole: KeyLiveness,
    by_id: HashMap<Box<str>, KeyLiveness>,
}

impl KeySetLiveness {
    /// New ones.
    pub(crate) fn of(keys: &KeySet) -> Self {
        Self {
            whole: KeyLiveness::default(),
            by_id: keys
                .ids()
                .map(|id| (id.into(), KeyLiveness::default()))
                .collect(),
        }
    }

    /// Those of the set that follows. The caller ends what was not kept, once that set is what
    /// requests read.
    pub(crate) fn followed_by(&self, before: &KeySet, after: &KeySet) -> Self {
        let kept = |id: &str| {
            let mark = self.by_id.get(id)?;
            before.is_alike_under(id, after).then(|| mark.clone())
        };
        Self {
            whole: if before.is_alike(after) {
                self.whole.clone()
            } else {
                KeyLiveness::default()
            },
            by_id: after
                .ids()
                .map(|id| (id.into(), kept(id).unwrap_or_default()))
                .collect(),
        }
    }

    /// Ends all marks that the next set has not kept.
    pub(crate) fn end_but(&self, next: Option<&Self>) {
        if !next.is_some_and(|next| next.whole.is(&self.whole)) {
            self.whole.end();
        }
        for (id, mark) in &self.by_id {
            let kept = next.and_then(|next| next.by_id.get(id));
            if !kept.is_some_and(|kept| kept.is(mark)) {
                mark.end();
            }
        }
    }

    /// The mark of the keys with the id that a token named, or of all.
    pub(crate) fn under(&self, id: Option<&str>) -> &KeyLiveness {
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

    /// Which marks of the first set hold after a swap to the second: under `a`, under `b`, whole.
    fn after(before: &[(&str, &str)], next: &[(&str, &str)]) -> [bool; 3] {
        let (before, next) = (set(before), set(next));
        let marks = KeySetLiveness::of(&before);
        let following = marks.followed_by(&before, &next);
        marks.end_but(Some(&following));
        for id in next.ids() {
            assert!(following.under(Some(id)).holds(), "of the set that is read");
        }
        assert!(following.under(None).holds());
        [Some("a"), Some("b"), None].map(|id| marks.under(id).holds())
    }

    #[test]
    fn a_mark_outlives_a_swap_only_with_the_very_same_keys() {
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
    fn dropped_keys_end_every_mark() {
        let keys = set(&[("a", X1), ("b", X2)]);
        let marks = KeySetLiveness::of(&keys);
        marks.end_but(None);
        for id in [Some("a"), Some("b"), Some("c"), None] {
            assert!(!marks.under(id).holds(), "{id:?}");
        }
    }
}
