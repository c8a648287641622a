//! A substring that shares its buffer.
//!
//! 1. A token's payload is stored once; the strings of its claims are substrings of that buffer.
//! 2. `clone` increments a reference count and keeps the whole buffer alive.
//! 3. `detach` copies the substring alone, for values that outlive the token.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// Bytes of the two reference counts of an `Arc`.
pub(crate) const COUNTS: usize = 2 * size_of::<usize>();

#[derive(Clone)]
pub(crate) struct SharedStr {
    arena: Arc<str>,
    start: usize,
    end: usize,
}

impl SharedStr {
    /// A string with a buffer of its own.
    pub(crate) fn new(text: &str) -> Self {
        Self {
            arena: text.into(),
            start: 0,
            end: text.len(),
        }
    }

    /// `piece` as a substring of `arena` where its bytes lie in `arena`; otherwise a copy.
    pub(crate) fn within(arena: &Arc<str>, piece: &str) -> Self {
        let start = (piece.as_ptr() as usize).wrapping_sub(arena.as_ptr() as usize);
        let end = start.wrapping_add(piece.len());
        // Two allocations never overlap; an empty piece may start at the end of another one.
        if start < end && arena.get(start..end).is_some() {
            Self {
                arena: Arc::clone(arena),
                start,
                end,
            }
        } else {
            Self::new(piece)
        }
    }

    /// A substring of `original` as the same substring of `copy`; otherwise a copy of it.
    pub(crate) fn within_copy(copy: &Arc<str>, original: &str, piece: &str) -> Self {
        let start = (piece.as_ptr() as usize).wrapping_sub(original.as_ptr() as usize);
        let same = copy.get(start..start.wrapping_add(piece.len()));
        match same.filter(|same| *same == piece) {
            Some(same) => Self::within(copy, same),
            None => Self::new(piece),
        }
    }

    /// A copy of the text, which does not keep the arena alive.
    pub(crate) fn detach(&self) -> Self {
        Self::new(self.as_str())
    }

    /// The heap memory that it keeps alive in addition to `arena`, in bytes: 0 where it is a
    /// substring of `arena`.
    pub(crate) fn bytes_beside(&self, arena: &Arc<str>) -> usize {
        if Arc::ptr_eq(&self.arena, arena) {
            0
        } else {
            COUNTS + self.arena.len()
        }
    }

    pub(crate) fn as_str(&self) -> &str {
        // INVARIANT: every constructor has checked the range, so the default is never used.
        self.arena.get(self.start..self.end).unwrap_or_default()
    }
}

impl Default for SharedStr {
    fn default() -> Self {
        Self::new("")
    }
}

impl fmt::Debug for SharedStr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Redacted: the text is a claim, and `Debug` output reaches logs.
        f.write_str("SharedStr(..)")
    }
}

impl PartialEq for SharedStr {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for SharedStr {}

impl PartialOrd for SharedStr {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for SharedStr {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_str().cmp(other.as_str())
    }
}

impl Hash for SharedStr {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_of_the_arena_is_shared_and_a_foreign_one_is_copied() {
        let arena: Arc<str> = "abcdef".into();
        let inside = arena.get(2..4).unwrap_or_default();
        let shared = SharedStr::within(&arena, inside);
        assert_eq!(shared.as_str(), "cd");
        assert!(Arc::ptr_eq(&shared.arena, &arena));
        let foreign = SharedStr::within(&arena, &String::from("cd"));
        assert_eq!(foreign, shared);
        assert!(!Arc::ptr_eq(&foreign.arena, &arena));
    }

    #[test]
    fn a_piece_of_the_original_is_shared_with_the_copy() {
        let original = String::from("abcabc");
        let copy: Arc<str> = original.as_str().into();
        let piece = SharedStr::within_copy(&copy, &original, &original[3..5]);
        assert_eq!((piece.as_str(), piece.start), ("ab", 3));
        assert!(Arc::ptr_eq(&piece.arena, &copy));
        for foreign in ["ab", "", "abcabcabc"] {
            let text = String::from(foreign);
            let piece = SharedStr::within_copy(&copy, &original, &text);
            assert_eq!(piece.as_str(), foreign);
            assert!(!Arc::ptr_eq(&piece.arena, &copy));
        }
    }

    #[test]
    fn a_clone_shares_the_arena_and_a_detached_copy_does_not() {
        let arena: Arc<str> = "abcdef".into();
        let shared = SharedStr::within(&arena, arena.get(0..3).unwrap_or_default());
        let kept = shared.detach();
        assert!(!Arc::ptr_eq(&kept.arena, &arena));
        assert_eq!(kept.as_str(), "abc");
        assert!(Arc::ptr_eq(&shared.clone().arena, &arena));
    }
}
