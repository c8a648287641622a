//! The buffer in which the texts of a token lie while it is checked.
//!
//! 1. The buffer holds the whole payload, and behind it the lists of names that were read from it. It is
//!    lent to one token after the other, so that to read a token allocates nothing.
//! 2. What is kept of a token is moved out of it; see [`texts`](super::texts).

use std::cell::Cell;
use std::sync::Arc;

use crate::model::shared_str::{Arena, Piece};
use crate::verify::claims::access_token::authentication::append_acr_values;
use crate::verify::claims::access_token::permissions::{append_names, append_scope};
use crate::verify::claims::verified_token::data::TokenLists;
use crate::verify::json::object::Object;
use crate::verify::policy::issuer_policy::IssuerPolicy;

/// Larger buffers are dropped after use.
const MOST_BYTES: usize = 64 * 1024;

/// The texts of a token that is being checked.
pub(in crate::verify) struct Draft {
    pub(in crate::verify) arena: Arc<Arena>,
    pub(super) lists: TokenLists,
    /// The scope, where the claim is a list.
    pub(super) joined_scope: Option<Piece>,
}

/// The buffers of one thread.
#[derive(Default)]
struct Buffers {
    arena: Option<Arc<Arena>>,
    /// For what is kept of a token, before its size is known.
    kept: String,
}

/// Copies a payload into this thread's buffer, and lends the copy to `work`, with an empty buffer beside
/// it. What `work` returns may still lie in the first buffer; then the thread takes another one.
pub(in crate::verify) fn with_draft<T>(
    payload: &Object<'_>,
    rules: &IssuerPolicy,
    work: impl FnOnce(&Draft, &Object<'_>, &mut String) -> T,
) -> T {
    thread_local! {
        static BUFFERS: Cell<Buffers> = Cell::default();
    }
    let Buffers { arena, mut kept } = BUFFERS.try_with(Cell::take).unwrap_or_default();
    kept.clear();
    let mut arena = arena.unwrap_or_default();
    if Arc::get_mut(&mut arena).is_none() {
        arena = Arc::default();
    }
    let (mut lists, mut joined_scope) = (TokenLists::default(), None);
    if let Some(arena) = Arc::get_mut(&mut arena) {
        arena.vouch_by(&rules.realm);
        let text = arena.text_mut();
        text.clear();
        text.push_str(payload.text());
        lists = TokenLists {
            roles: append_names(payload, &rules.roles_claim, &rules.name_forms, text),
            groups: append_names(payload, &rules.groups_claim, &rules.name_forms, text),
            acr_values: append_acr_values(payload, rules, text),
        };
        joined_scope = append_scope(payload, rules, text);
    }
    let draft = Draft {
        arena,
        lists,
        joined_scope,
    };
    // INVARIANT: the buffer begins with the payload.
    let copy = draft.arena.text().get(..payload.text().len());
    let outcome = work(&draft, &payload.within(copy.unwrap_or_default()), &mut kept);
    if draft.arena.text().len() <= MOST_BYTES {
        let arena = Some(draft.arena);
        // It fails on a thread that is ending, which needs no buffers any more.
        let _ = BUFFERS.try_with(|place| place.set(Buffers { arena, kept }));
    }
    outcome
}
