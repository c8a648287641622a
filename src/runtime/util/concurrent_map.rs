//! A hash map with lock-free reads. The only home of `papaya`.
//!
//! 1. A value that was inserted is seen by every look-up that happens after `insert` has returned.
//! 2. Tables grow as a whole (`ResizeMode::Blocking`): a table that grows in parts makes each look-up
//!    of an absent key search two tables, for as long as nothing is inserted. Look-ups do not wait
//!    for growth.

#[cfg(not(portcullis_loom))]
pub(crate) use self::lock_free::ConcurrentMap;
#[cfg(portcullis_loom)]
pub(crate) use self::model::ConcurrentMap;

#[cfg(not(portcullis_loom))]
mod lock_free {
    use std::hash::{BuildHasherDefault, Hasher};

    use papaya::{HashMap, ResizeMode};

    /// Keys are hashes already.
    #[derive(Default)]
    struct Identity(u64);

    impl Hasher for Identity {
        fn write(&mut self, bytes: &[u8]) {
            // Not called for a `u64`.
            for byte in bytes {
                self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
            }
        }

        fn write_u64(&mut self, hash: u64) {
            self.0 = hash;
        }

        fn finish(&self) -> u64 {
            self.0
        }
    }

    /// Values by a hash.
    pub(crate) struct ConcurrentMap<V>(HashMap<u64, V, BuildHasherDefault<Identity>>);

    impl<V: Send + Sync> ConcurrentMap<V> {
        pub(crate) fn new() -> Self {
            let map = HashMap::builder()
                .hasher(BuildHasherDefault::default())
                .resize_mode(ResizeMode::Blocking);
            Self(map.build())
        }

        /// The first result of `look` at the values of these hashes.
        pub(crate) fn find<R>(
            &self,
            hashes: impl IntoIterator<Item = u64>,
            mut look: impl FnMut(&V) -> Option<R>,
        ) -> Option<R> {
            let map = self.0.pin();
            hashes.into_iter().find_map(|hash| look(map.get(&hash)?))
        }

        /// Sets the value of a hash.
        pub(crate) fn insert(&self, hash: u64, value: V) {
            self.0.pin().insert(hash, value);
        }

        pub(crate) fn remove(&self, hash: u64) {
            self.0.pin().remove(&hash);
        }

        /// Reserves capacity for this many further values.
        pub(crate) fn reserve(&self, more: usize) {
            self.0.pin().reserve(more);
        }

        pub(crate) fn for_each(&self, mut visit: impl FnMut(u64, &V)) {
            for (hash, value) in &self.0.pin() {
                visit(*hash, value);
            }
        }
    }
}

/// The same for models: a few slots whose keys are published by a release store, as `papaya` does.
#[cfg(portcullis_loom)]
mod model {
    use std::sync::{Arc, Mutex, PoisonError};

    use crate::runtime::util::sync::{AtomicU64, Ordering};

    const SLOTS: usize = 4;

    pub(crate) struct ConcurrentMap<V>([Slot<V>; SLOTS]);

    struct Slot<V> {
        /// 0 is a slot that was never taken.
        key: AtomicU64,
        value: Mutex<Option<Arc<V>>>,
    }

    impl<V> Slot<V> {
        fn value(&self) -> Option<Arc<V>> {
            self.value
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .clone()
        }

        fn set(&self, value: Option<V>) {
            *self.value.lock().unwrap_or_else(PoisonError::into_inner) = value.map(Arc::new);
        }
    }

    impl<V> ConcurrentMap<V> {
        pub(crate) fn new() -> Self {
            Self(std::array::from_fn(|_| Slot {
                key: AtomicU64::new(0),
                value: Mutex::new(None),
            }))
        }

        pub(crate) fn find<R>(
            &self,
            hashes: impl IntoIterator<Item = u64>,
            mut look: impl FnMut(&V) -> Option<R>,
        ) -> Option<R> {
            hashes.into_iter().find_map(|hash| {
                let mut slots = self.0.iter();
                let slot = slots.find(|slot| slot.key.load(Ordering::Acquire) == hash)?;
                look(&*slot.value()?)
            })
        }

        pub(crate) fn insert(&self, hash: u64, value: V) {
            let mut slots = self.0.iter();
            let is_it = |slot: &&Slot<V>| matches!(slot.key.load(Ordering::Relaxed), key if key == hash || key == 0);
            if let Some(slot) = slots.find(is_it) {
                slot.set(Some(value));
                slot.key.store(hash, Ordering::Release);
            }
        }

        pub(crate) fn remove(&self, hash: u64) {
            let mut slots = self.0.iter();
            if let Some(slot) = slots.find(|slot| slot.key.load(Ordering::Relaxed) == hash) {
                slot.set(None);
            }
        }

        pub(crate) fn reserve(&self, _: usize) {}

        pub(crate) fn for_each(&self, mut visit: impl FnMut(u64, &V)) {
            for slot in &self.0 {
                if let Some(value) = slot.value() {
                    visit(slot.key.load(Ordering::Relaxed), &value);
                }
            }
        }
    }
}
