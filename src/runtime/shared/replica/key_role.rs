//! The cluster keys that an instance has: the current one, and the previous one while keys are changed.
//!
//! Each key has a stream of its own in the store.

/// Which of the cluster keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::runtime::shared) enum KeyRole {
    Current,
    Previous,
}

impl KeyRole {
    /// Both keys.
    pub(in crate::runtime::shared) const ALL: &'static [Self] = &[Self::Current, Self::Previous];

    /// The keys of an instance, with or without a previous one.
    pub(in crate::runtime::shared) const fn of_instance(has_previous: bool) -> &'static [Self] {
        if has_previous {
            Self::ALL
        } else {
            &[Self::Current]
        }
    }
}

/// One value for each key.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::runtime::shared) struct PerKey<T> {
    current: T,
    previous: T,
}

impl<T> PerKey<T> {
    pub(in crate::runtime::shared) const fn get(&self, role: KeyRole) -> &T {
        match role {
            KeyRole::Current => &self.current,
            KeyRole::Previous => &self.previous,
        }
    }

    pub(in crate::runtime::shared) const fn get_mut(&mut self, role: KeyRole) -> &mut T {
        match role {
            KeyRole::Current => &mut self.current,
            KeyRole::Previous => &mut self.previous,
        }
    }
}
