//! Names of scopes that a configuration gives at run time, interned: kept for the life of the process.
//!
//! 1. Names come from configurations alone, never from a request, and each is kept once, so that
//!    reading a configuration again takes no further memory.

use std::sync::{Mutex, PoisonError};

static NAMES: Mutex<Vec<&'static str>> = Mutex::new(Vec::new());

/// This name, for the life of the process. Requirements of routes are static, and what a challenge
/// names is compared with them.
pub(crate) fn interned(name: &str) -> &'static str {
    let mut names = NAMES.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = names.iter().find(|known| **known == name) {
        return known;
    }
    let name: &'static str = Box::leak(name.into());
    names.push(name);
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interned_names_are_kept_once() {
        let first = interned("orders:read");
        assert_eq!(first, "orders:read");
        assert!(std::ptr::eq(first, interned("orders:read")));
        assert_ne!(first, interned("orders:write"));
    }
}
