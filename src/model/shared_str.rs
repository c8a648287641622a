//! A piece of a text that is shared, not copied.
//!
//! 1. A token's payload is kept once; the strings that its claims hold are pieces of it.
//! 2. `share` keeps the whole payload alive and costs a counter; it is for values that live
//!    no longer than a request.
//! 3. `clone` copies the piece alone, so that a value that an application keeps does not
//!    hold a payload in memory.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// What the counts of an `Arc` take.
pub(crate) const COUNTS: usize = 2 * size_of::<usize>();

pub(crate) struct SharedStr {
    arena: Arc<str>,
    start: usize,
    end: usize,
}

impl SharedStr {
    /// A text of its own.
    pub(crate) fn new(text: &str) -> Self {
        Self {
            arena: text.into(),
            start: 0,
            end: text.len(),
        }
    }

    /// `piece` as a part of `arena` where it lies in it; a text of its own otherwise.
    pub(crate) fn within(arena: &Arc<str>, piece: &str) -> Self {
        let start = (piece.as_ptr() as usize).wrapping_sub(arena.as_ptr() as usize);
        let end = start.wrapping_add(piece.len());
        // No two texts share a byte; an empty piece may lie just behind another text.
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

    /// A piece of `original` as the same piece of its copy; a text of its own where it is none.
    pub(crate) fn within_copy(copy: &Arc<str>, original: &str, piece: &str) -> Self {
        let start = (piece.as_ptr() as usize).wrapping_sub(original.as_ptr() as usize);
        let same = copy.get(start..start.wrapping_add(piece.len()));
        match same.filter(|same| *same == piece) {
            Some(same) => Self::within(copy, same),
            None => Self::new(piece),
        }
    }

    /// The same piece of the same arena.
    pub(crate) fn share(&self) -> Self {
        Self {
            arena: Arc::clone(&self.arena),
            start: self.start,
            end: self.end,
        }
    }

    /// The memory that it takes beside an arena and beside itself: none where it is a piece of
    /// that one.
    pub(crate) fn bytes_beside(&self, arena: &Arc<str>) -> usize {
        if Arc::ptr_eq(&self.arena, arena) {
            0
        } else {
            COUNTS + self.arena.len()
        }
    }

    pub(crate) fn as_str(&self) -> &str {
        // INVARIANT: both makers checked the range, so this is never the default.
        self.arena.get(self.start..self.end).unwrap_or_default()
    }
}

impl Clone for SharedStr {
    fn clone(&self) -> Self {
        Self::new(self.as_str())
    }
}

impl Default for SharedStr {
    fn default() -> Self {
        Self::new("")
    }
}

impl fmt::Debug for SharedStr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What a token says is nobody's business in a log.
        f.write_str("Text(..)")
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
    fn a_clone_lets_go_of_the_arena() {
        let arena: Arc<str> = "abcdef".into();
        let shared = SharedStr::within(&arena, arena.get(0..3).unwrap_or_default());
        let kept = shared.clone();
        assert!(!Arc::ptr_eq(&kept.arena, &arena));
        assert_eq!(kept.as_str(), "abc");
        assert!(Arc::ptr_eq(&shared.share().arena, &arena));
    }
}
