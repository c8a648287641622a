//! A small map by key id.
//!
//! 1. Ids are in order of their length, then of their bytes. A search compares lengths, and the bytes of
//!    few ids that are as long.
//! 2. Only an issuer's own ids are in it, at most as many as a key set has keys. A token's id is only
//!    searched, so that no client decides about the work.

use std::cmp::Ordering;

/// Values by key id.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct KeyIds<V>(Vec<(Box<str>, V)>);

impl<V> KeyIds<V> {
    /// The value of exactly this id.
    pub(super) fn get(&self, id: &str) -> Option<&V> {
        let place = self.place(id).ok()?;
        self.0.get(place).map(|(_, value)| value)
    }

    /// Ids and values, in order.
    pub(super) fn entries(&self) -> impl Iterator<Item = (&str, &V)> {
        self.0.iter().map(|(id, value)| (&**id, value))
    }

    fn place(&self, id: &str) -> Result<usize, usize> {
        self.0.binary_search_by(|(held, _)| compare(held, id))
    }
}

impl<V: Default> KeyIds<V> {
    /// Changes the value of this id; where the id is absent, the default value.
    pub(super) fn change(&mut self, id: &str, change: impl FnOnce(&mut V)) {
        match self.place(id) {
            Ok(place) => {
                if let Some((_, value)) = self.0.get_mut(place) {
                    change(value);
                }
            }
            Err(place) => {
                let mut value = V::default();
                change(&mut value);
                self.0.insert(place, (id.into(), value));
            }
        }
    }
}

fn compare(one: &str, other: &str) -> Ordering {
    let lengths = one.len().cmp(&other.len());
    lengths.then_with(|| one.as_bytes().cmp(other.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_id_is_found_by_all_of_its_bytes_and_no_other_is() {
        let ids = ["", "b", "a", "ab", "aa", "key-2", "key-1", "\u{e9}", "a"];
        let mut map: KeyIds<Vec<usize>> = KeyIds::default();
        for (number, id) in ids.into_iter().enumerate() {
            map.change(id, |numbers| numbers.push(number));
        }
        assert_eq!(map.get("a"), Some(&vec![2, 8]));
        for (number, id) in ids.into_iter().enumerate() {
            assert!(
                map.get(id).is_some_and(|held| held.contains(&number)),
                "{id}"
            );
        }
        for absent in ["c", "ba", "abc", "key-3", "key-", "A", "a\0"] {
            assert_eq!(map.get(absent), None, "{absent:?}");
        }
        let in_order: Vec<&str> = map.entries().map(|(id, _)| id).collect();
        assert_eq!(
            in_order,
            ["", "a", "b", "aa", "ab", "\u{e9}", "key-1", "key-2"]
        );
    }
}
