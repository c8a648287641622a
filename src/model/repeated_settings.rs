//! Detects a setting that was given two values.
//!
//! 1. The same value twice counts as one.
//! 2. Two different values are a configuration error; neither silently replaces the other.

use std::hash::{DefaultHasher, Hash, Hasher};

/// The settings that were given, by name. It holds a hash of each value, never the value.
#[derive(Clone, Debug, Default)]
pub(crate) struct RepeatedSettings {
    given: Vec<GivenSetting>,
    twice: Option<&'static str>,
}

#[derive(Clone, Debug)]
struct GivenSetting {
    setting: &'static str,
    /// What the value is for, where there is one value for each of several things.
    key: u64,
    /// `None`: it cannot be compared.
    value: Option<u64>,
}

/// How a value came about is no part of it: settings are equal where their values are.
impl PartialEq for RepeatedSettings {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for RepeatedSettings {}

impl RepeatedSettings {
    /// Notes a value.
    pub(crate) fn set<T: Hash + ?Sized>(&mut self, setting: &'static str, value: &T) {
        self.note(setting, 0, Some(hash(value)));
    }

    /// Notes a value of a setting that holds one for each of several things.
    pub(crate) fn set_for<T: Hash + ?Sized>(
        &mut self,
        setting: &'static str,
        key: &str,
        value: &T,
    ) {
        self.note(setting, hash(key), Some(hash(value)));
    }

    /// Takes over the mistake of a value that has settings of its own.
    pub(crate) fn take_over(&mut self, inner: &Self) {
        self.twice = self.twice.or(inner.twice);
    }

    /// Notes a value that cannot be compared, so that a second one counts as another.
    pub(crate) fn set_opaque(&mut self, setting: &'static str) {
        self.note(setting, 0, None);
    }

    /// The first setting that was given two values.
    pub(crate) const fn twice(&self) -> Option<&'static str> {
        self.twice
    }

    /// Whether the setting was given.
    pub(crate) fn has(&self, setting: &str) -> bool {
        self.given.iter().any(|given| given.setting == setting)
    }

    fn note(&mut self, setting: &'static str, key: u64, value: Option<u64>) {
        let is_it = |given: &&GivenSetting| given.setting == setting && given.key == key;
        match self.given.iter().find(is_it) {
            None => self.given.push(GivenSetting {
                setting,
                key,
                value,
            }),
            Some(given) if value.is_some() && given.value == value => {}
            Some(_) => {
                self.twice.get_or_insert(setting);
            }
        }
    }
}

fn hash<T: Hash + ?Sized>(value: &T) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_different_values_are_found_and_the_first_such_setting_is_named() {
        let mut once = RepeatedSettings::default();
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
        let mut opaque = RepeatedSettings::default();
        opaque.set_opaque("c");
        opaque.set_opaque("c");
        assert_eq!(opaque.twice(), Some("c"));
    }
}
