//! A cell whose value is replaced as a whole and read without a lock. The only home of `arc-swap`.

#[cfg(not(portcullis_loom))]
use std::sync::Arc;

#[cfg(not(portcullis_loom))]
use arc_swap::ArcSwapOption;

/// The value as a reader found it; it stays alive as long as the guard.
#[cfg(not(portcullis_loom))]
pub(crate) type Guard<T> = arc_swap::Guard<Option<Arc<T>>>;

/// A value that one task replaces and every request reads. Reading takes no lock; a reader keeps the
/// value that it loaded.
#[cfg(not(portcullis_loom))]
#[derive(Debug)]
pub(crate) struct SwapCell<T>(ArcSwapOption<T>);

#[cfg(not(portcullis_loom))]
impl<T> SwapCell<T> {
    pub(crate) const fn empty() -> Self {
        Self(ArcSwapOption::const_empty())
    }

    /// The current value, for a short look.
    #[cfg_attr(not(feature = "jwks"), allow(dead_code))]
    pub(crate) fn load(&self) -> Guard<T> {
        self.0.load()
    }

    /// The current value, to be kept.
    pub(crate) fn load_full(&self) -> Option<Arc<T>> {
        self.0.load_full()
    }

    /// Replaces the value, for every load from now on.
    pub(crate) fn store(&self, value: Option<Arc<T>>) {
        self.0.store(value);
    }

    /// The same, and returns the value before.
    pub(crate) fn swap(&self, value: Option<Arc<T>>) -> Option<Arc<T>> {
        self.0.swap(value)
    }
}

#[cfg(portcullis_loom)]
pub(crate) use self::model::{Guard, SwapCell};

/// The same for models: a mutex, which has the memory order of `arc-swap`'s loads and stores.
#[cfg(portcullis_loom)]
mod model {
    use std::ops::Deref;
    use std::sync::{Arc, PoisonError};

    use crate::runtime::util::sync::Mutex;

    pub(crate) struct Guard<T>(Option<Arc<T>>);

    impl<T> Deref for Guard<T> {
        type Target = Option<Arc<T>>;

        fn deref(&self) -> &Option<Arc<T>> {
            &self.0
        }
    }

    #[derive(Debug)]
    pub(crate) struct SwapCell<T>(Mutex<Option<Arc<T>>>);

    impl<T> SwapCell<T> {
        pub(crate) fn empty() -> Self {
            Self(Mutex::new(None))
        }

        pub(crate) fn load(&self) -> Guard<T> {
            Guard(self.load_full())
        }

        pub(crate) fn load_full(&self) -> Option<Arc<T>> {
            self.0
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .clone()
        }

        pub(crate) fn store(&self, value: Option<Arc<T>>) {
            self.swap(value);
        }

        pub(crate) fn swap(&self, value: Option<Arc<T>>) -> Option<Arc<T>> {
            let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut held, value)
        }
    }
}
