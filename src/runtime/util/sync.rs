//! Atomics and locks of the lock-free code: those of `std`, or those of `loom` where it is checked by
//! models (`--cfg portcullis_loom`).

#[cfg(portcullis_loom)]
pub(crate) use loom::sync::atomic::{
    AtomicBool, AtomicI64, AtomicU32, AtomicU64, AtomicUsize, Ordering,
};
#[cfg(portcullis_loom)]
pub(crate) use loom::sync::{Mutex, MutexGuard};
#[cfg(not(portcullis_loom))]
pub(crate) use std::sync::atomic::{
    AtomicBool, AtomicI64, AtomicU32, AtomicU64, AtomicUsize, Ordering,
};
#[cfg(not(portcullis_loom))]
pub(crate) use std::sync::{Mutex, MutexGuard};
