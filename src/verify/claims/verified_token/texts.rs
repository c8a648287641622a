//! Moves what is kept of a token out of the buffer in which it was checked, into memory of its size.
//!
//! 1. Each text that lies in the buffer is copied once, however many fields have it.
//! 2. A text that lies elsewhere stays there: one that had escapes, or one of the configuration.

use std::sync::Arc;

use crate::model::ids::{ClientId, SubjectId};
use crate::model::shared_str::{Arena, HasTexts, Piece, SharedStr};
use crate::verify::claims::verified_token::data::{TokenLists, VerifiedToken};

/// Texts whose new places are remembered. A token has fewer, its lists aside.
const REMEMBERED: usize = 16;

impl HasTexts for VerifiedToken {
    fn visit_texts(&mut self, visit: &mut dyn FnMut(&mut SharedStr)) {
        let ids = [
            self.subject.as_mut().map(SubjectId::text_mut),
            self.client_id.as_mut().map(ClientId::text_mut),
            self.scope.text_mut(),
        ];
        ids.into_iter().flatten().for_each(&mut *visit);
        self.id.visit_texts(visit);
        self.revocable.visit_texts(visit);
        if let Some(seldom) = &mut self.seldom {
            seldom.visit_texts(visit);
        }
    }
}

/// Moves the texts of a token, and of what is known of its bearer, out of the buffer that the token names
/// as its arena. `kept` is empty, and holds the texts meanwhile.
pub(in crate::verify) fn move_texts(
    token: &mut VerifiedToken,
    bearer: &mut impl HasTexts,
    kept: &mut String,
) {
    let draft = Arc::clone(&token.arena);
    let mut mover = Mover {
        draft: &draft,
        kept,
        remembered: [(Piece::default(), Piece::default()); REMEMBERED],
        count: 0,
    };
    token.visit_texts(&mut |text| mover.copy(text));
    bearer.visit_texts(&mut |text| mover.copy(text));
    let TokenLists {
        roles,
        groups,
        acr_values,
    } = token.lists;
    token.lists = TokenLists {
        roles: mover.place_of(roles),
        groups: mover.place_of(groups),
        acr_values: mover.place_of(acr_values),
    };
    let arena = Arena::new(mover.kept, draft.realm());
    let mut settle = |text: &mut SharedStr| text.settle(&draft, &arena);
    token.visit_texts(&mut settle);
    bearer.visit_texts(&mut settle);
    token.arena = arena;
}

/// Copies texts out of a buffer.
struct Mover<'d> {
    draft: &'d Arc<Arena>,
    kept: &'d mut String,
    /// Old places and new ones.
    remembered: [(Piece, Piece); REMEMBERED],
    count: usize,
}

impl Mover<'_> {
    fn copy(&mut self, text: &mut SharedStr) {
        if text.is_within(self.draft) {
            let new = self.place_of(text.piece());
            text.move_to(new);
        }
    }

    /// The new place of a text.
    fn place_of(&mut self, old: Piece) -> Piece {
        let mut known = self.remembered.iter().take(self.count);
        if let Some((_, new)) = known.find(|(known, _)| *known == old) {
            return *new;
        }
        let start = self.kept.len();
        self.kept
            .push_str(self.draft.piece(old).unwrap_or_default());
        // INVARIANT: what is kept is shorter than the buffer.
        let new = Piece::new(start, self.kept.len()).unwrap_or_default();
        if let Some(free) = self.remembered.get_mut(self.count) {
            *free = (old, new);
            self.count += 1;
        }
        new
    }
}
