//! How long the check of a token takes that is not in the cache.
//!
//! The check begins and ends on one thread, or becomes pending there. So its beginning is a value of the
//! thread: a token that is in the cache costs no look at a clock.

use std::cell::Cell;
use std::time::Instant;

thread_local! {
    static BEGUN: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// A check begins here, of a token that is not in the cache.
pub(in crate::server) fn begin() {
    // It fails on a thread that is ending, which measures nothing.
    let _ = BEGUN.try_with(|begun| begun.set(Some(Instant::now())));
}

/// When the last check on this thread began. It is forgotten.
pub(crate) fn take_begun() -> Option<Instant> {
    BEGUN.try_with(Cell::take).unwrap_or_default()
}
