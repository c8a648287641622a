//! Settings that hold one value, and whether one was given two.
//!
//! 1. The same value twice is one value.
//! 2. Two different values are a mistake. Neither replaces the other in silence.

use std::hash::{DefaultHasher, Hash, Hasher};

/// The settings that were given, by name. It holds a hash of each value, never the value.
#[derive(Clone, Debug, Default)]
pub(crate) struct Once {
    given: Vec<(&'static str, Option<u64>)>,
    twice: Option<&'static str>,
}

impl Once {
    /// Notes a value.
    pub(crate) fn set<T: Hash + ?Sized>(&mut self, setting: &'static str, value: &T) {
        let mut hasher = DefaultHasher::new();
        value.hash(&mut hasher);
        self.note(setting, Some(hasher.finish()));
    }

    /// Notes a value that cannot be compared, so that a second one counts as another.
    pub(crate) fn set_opaque(&mut self, setting: &'static str) {
        self.note(setting, None);
    }

    /// The first setting that was given two values.
    pub(crate) const fn twice(&self) -> Option<&'static str> {
        self.twice
    }

    /// Whether the setting was given.
    pub(crate) fn has(&self, setting: &str) -> bool {
        self.given.iter().any(|(name, _)| *name == setting)
    }

    fn note(&mut self, setting: &'static str, value: Option<u64>) {
        let before = self.given.iter().find(|(name, _)| *name == setting);
        match before {
            None => self.given.push((setting, value)),
            Some((_, same)) if same.is_some() && *same == value => {}
            Some(_) => {
                self.twice.get_or_insert(setting);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_different_values_are_found_and_the_first_such_setting_is_named() {
        let mut once = Once::default();
        once.set("a", "1");
        once.set("a", "1");
        once.set("b", &1);
        once.set_opaque("c");
        assert_eq!(once.twice(), None);
        assert!(once.has("c") && !once.has("d"));
        once.set("b", &2);
        once.set("a", "2");
        once.set_opaque("c");
        assert_eq!(once.twice(), Some("b"));
        let mut opaque = Once::default();
        opaque.set_opaque("c");
        opaque.set_opaque("c");
        assert_eq!(opaque.twice(), Some("c"));
    }
}
