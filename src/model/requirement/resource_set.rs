//! Which resources of a server a token is for: one bit for each resource.

/// A set of resources of one server, by their places in the order of configuration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ResourceSet(u64);

impl ResourceSet {
    /// The most resources of a server.
    pub(crate) const MOST: usize = 64;

    /// The set of one resource; empty where the place is beyond [`MOST`](Self::MOST).
    pub(crate) const fn only(place: usize) -> Self {
        if place < Self::MOST {
            Self(1 << place)
        } else {
            Self(0)
        }
    }

    #[must_use]
    pub(crate) const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(crate) const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether the sets have a resource in common.
    pub(crate) const fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// The places of its resources, the first one first.
    pub(crate) fn places(self) -> impl Iterator<Item = usize> {
        (0..Self::MOST).filter(move |place| self.meets(Self::only(*place)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn set_has_the_resources_that_were_put_into_it_and_no_other() {
        let both = ResourceSet::only(0).with(ResourceSet::only(63));
        assert_eq!(both.places().collect::<Vec<_>>(), [0, 63]);
        assert!(both.meets(ResourceSet::only(63)) && !both.meets(ResourceSet::only(1)));
        assert!(!both.is_empty() && ResourceSet::default().is_empty());
        assert!(!ResourceSet::default().meets(both));
    }

    #[test]
    fn place_beyond_the_bound_is_in_no_set() {
        assert!(ResourceSet::only(ResourceSet::MOST).is_empty());
    }
}
