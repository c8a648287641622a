//! The newest value, read without a lock.

use std::sync::Arc;

use arc_swap::ArcSwapOption;

/// A value that a reader keeps for as long as it looks at it.
pub(crate) type Guard<T> = arc_swap::Guard<Option<Arc<T>>>;

/// A value that one task replaces and every request reads. Reading takes no lock and waits
/// for nobody; a reader keeps the value that it loaded.
#[derive(Debug)]
pub(crate) struct SwapCell<T>(ArcSwapOption<T>);

impl<T> SwapCell<T> {
    /// Nothing yet.
    pub(crate) const fn empty() -> Self {
        Self(ArcSwapOption::const_empty())
    }

    /// The newest value.
    pub(crate) fn load(&self) -> Guard<T> {
        self.0.load()
    }

    /// The newest value, to be kept for longer than a look.
    pub(crate) fn load_full(&self) -> Option<Arc<T>> {
        self.0.load_full()
    }

    /// Replaces the value, for every load from now on.
    pub(crate) fn store(&self, value: Option<Arc<T>>) {
        self.0.store(value);
    }

    /// The same, and gives the one before back.
    pub(crate) fn swap(&self, value: Option<Arc<T>>) -> Option<Arc<T>> {
        self.0.swap(value)
    }
}
