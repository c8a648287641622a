//! A substring that shares its buffer.
//!
//! 1. The texts of a token that are kept lie in one buffer, its arena; each is a substring of it.
//! 2. `clone` increments a reference count and keeps the whole arena alive.
//! 3. `detach` copies the substring alone, for values that outlive the token.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// Bytes of the two reference counts of an `Arc`.
pub(crate) const COUNTS: usize = 2 * size_of::<usize>();

/// The buffer of substrings.
#[derive(Default)]
pub(crate) struct Arena {
    text: String,
    /// The configured issuer that vouches for ids among them, so that no id has a pointer of its own to it.
    realm: Option<Arc<str>>,
}

impl Arena {
    /// A buffer with exactly this text, in memory of its size.
    pub(crate) fn new(text: &str, realm: Option<&Arc<str>>) -> Arc<Self> {
        Arc::new(Self {
            text: text.to_owned(),
            realm: realm.cloned(),
        })
    }

    /// The issuer that vouches for the ids among the texts.
    pub(crate) const fn realm(&self) -> Option<&Arc<str>> {
        self.realm.as_ref()
    }

    /// Sets the issuer, before anything is a substring of it.
    pub(crate) fn vouch_by(&mut self, realm: &Arc<str>) {
        if !self.is_vouched_by(realm) {
            self.realm = Some(Arc::clone(realm));
        }
    }

    fn is_vouched_by(&self, realm: &Arc<str>) -> bool {
        self.realm
            .as_ref()
            .is_some_and(|own| Arc::ptr_eq(own, realm))
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// The text, to be changed before anything is a substring of it.
    pub(crate) fn text_mut(&mut self) -> &mut String {
        &mut self.text
    }

    /// The text in this range; `None` where the range is not one of the text.
    pub(crate) fn piece(&self, piece: Piece) -> Option<&str> {
        self.text.get(piece.start as usize..piece.end as usize)
    }

    /// The heap memory that it takes, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        COUNTS + size_of::<Self>() + self.text.capacity()
    }
}

/// A range of an arena, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Piece {
    start: u32,
    end: u32,
}

impl Piece {
    /// `None` for offsets beyond `u32`.
    pub(crate) fn new(start: usize, end: usize) -> Option<Self> {
        Some(Self {
            start: start.try_into().ok()?,
            end: end.try_into().ok()?,
        })
    }
}

#[derive(Clone)]
pub(crate) struct SharedStr {
    arena: Arc<Arena>,
    piece: Piece,
}

impl SharedStr {
    /// A string with a buffer of its own.
    pub(crate) fn new(text: &str) -> Self {
        Self::with_realm(text, None)
    }

    /// The same, for which this issuer vouches.
    fn with_realm(text: &str, realm: Option<&Arc<str>>) -> Self {
        Self {
            arena: Arena::new(text, realm),
            piece: Piece::new(0, text.len()).unwrap_or_default(),
        }
    }

    /// `piece` as a substring of `arena` where its bytes lie in `arena`; otherwise a copy.
    pub(crate) fn within(arena: &Arc<Arena>, piece: &str) -> Self {
        let start = (piece.as_ptr() as usize).wrapping_sub(arena.text.as_ptr() as usize);
        let end = start.wrapping_add(piece.len());
        // Two allocations never overlap; an empty piece may start at the end of another one.
        let is_inside = start < end && arena.text.get(start..end).is_some();
        match Piece::new(start, end).filter(|_| is_inside) {
            Some(piece) => Self {
                arena: Arc::clone(arena),
                piece,
            },
            None => Self::new(piece),
        }
    }

    /// A substring of an arena by its range; `None` where the range is not one of the arena.
    pub(crate) fn at(arena: &Arc<Arena>, piece: Piece) -> Option<Self> {
        arena.piece(piece)?;
        Some(Self {
            arena: Arc::clone(arena),
            piece,
        })
    }

    /// Its range in its arena.
    pub(crate) const fn piece(&self) -> Piece {
        self.piece
    }

    /// Its range in the arena that [`settle`](Self::settle) gives it next. Nothing reads it in between.
    pub(crate) const fn move_to(&mut self, piece: Piece) {
        self.piece = piece;
    }

    /// The same range, in `arena` where it was in `draft`.
    pub(crate) fn settle(&mut self, draft: &Arc<Arena>, arena: &Arc<Arena>) {
        if self.is_within(draft) {
            self.arena = Arc::clone(arena);
        }
    }

    /// Whether it is a substring of `arena`.
    pub(crate) fn is_within(&self, arena: &Arc<Arena>) -> bool {
        Arc::ptr_eq(&self.arena, arena)
    }

    /// A copy of the text, which does not keep the arena alive.
    pub(crate) fn detach(&self) -> Self {
        Self::with_realm(self.as_str(), self.realm())
    }

    /// The same text, for which this issuer vouches: a copy where another one does in its arena, or none.
    pub(crate) fn vouched_by(self, realm: &Arc<str>) -> Self {
        if self.arena.is_vouched_by(realm) {
            self
        } else {
            Self::with_realm(self.as_str(), Some(realm))
        }
    }

    /// The issuer that vouches for it.
    pub(crate) fn realm(&self) -> Option<&Arc<str>> {
        self.arena.realm()
    }

    /// The heap memory that it keeps alive in addition to `arena`, in bytes: 0 where it is a
    /// substring of `arena`.
    pub(crate) fn bytes_beside(&self, arena: &Arc<Arena>) -> usize {
        if self.is_within(arena) {
            0
        } else {
            self.arena.bytes()
        }
    }

    pub(crate) fn as_str(&self) -> &str {
        // INVARIANT: every constructor has checked the range, so the default is never used.
        self.arena.piece(self.piece).unwrap_or_default()
    }
}

/// What has texts in an arena.
pub(crate) trait HasTexts {
    /// Calls `visit` for each text, in the same order each time.
    fn visit_texts(&mut self, visit: &mut dyn FnMut(&mut SharedStr));
}

impl<T: HasTexts> HasTexts for Option<T> {
    fn visit_texts(&mut self, visit: &mut dyn FnMut(&mut SharedStr)) {
        if let Some(value) = self {
            value.visit_texts(visit);
        }
    }
}

impl HasTexts for SharedStr {
    fn visit_texts(&mut self, visit: &mut dyn FnMut(&mut SharedStr)) {
        visit(self);
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
        let arena = Arena::new("abcdef", None);
        let inside = arena.text().get(2..4).unwrap_or_default();
        let shared = SharedStr::within(&arena, inside);
        assert_eq!(shared.as_str(), "cd");
        assert!(shared.is_within(&arena));
        let foreign = SharedStr::within(&arena, &String::from("cd"));
        assert_eq!(foreign, shared);
        assert!(!foreign.is_within(&arena));
    }

    #[test]
    fn a_range_that_is_not_one_of_the_arena_is_no_substring() {
        let arena = Arena::new("a\u{e9}b", None);
        let at = |start, end| {
            let piece = Piece::new(start, end).expect("small");
            SharedStr::at(&arena, piece).map(|piece| piece.as_str().to_owned())
        };
        assert_eq!(at(1, 3).as_deref(), Some("\u{e9}"));
        for (start, end) in [(0, 2), (3, 5), (3, 1)] {
            assert_eq!(at(start, end), None, "{start} {end}");
        }
    }

    #[test]
    fn a_clone_shares_the_arena_and_a_detached_copy_does_not() {
        let arena = Arena::new("abcdef", None);
        let shared = SharedStr::within(&arena, arena.text().get(0..3).unwrap_or_default());
        let kept = shared.detach();
        assert!(!kept.is_within(&arena));
        assert_eq!(kept.as_str(), "abc");
        assert!(shared.clone().is_within(&arena));
    }
}
