//! What few tokens have, in one box, so that the others do not pay for it in memory.

use std::sync::Arc;

use crate::model::shared_str::HasTexts;
use crate::model::shared_str::{Arena, COUNTS, SharedStr};
use crate::verify::claims::access_token::confirmation::Confirmation;
use crate::verify::claims::actor::Actor;
use crate::verify::policy::scope_closure::ImpliedScopes;

/// What few tokens have.
pub(in crate::verify) struct SeldomClaims {
    /// What the scope implies by the hierarchy of the issuer's policy.
    pub(in crate::verify) implied: Option<ImpliedScopes>,
    /// In a box, since most of these have none.
    pub(in crate::verify) actor: Option<Box<Actor>>,
    pub(in crate::verify) confirmation: Option<Confirmation>,
    /// The answer about an introspected token.
    pub(in crate::verify) answer: Option<Arc<str>>,
}

impl SeldomClaims {
    /// `None` where the token has none of them.
    pub(in crate::verify) fn boxed(self) -> Option<Box<Self>> {
        let has_any = self.implied.is_some()
            || self.actor.is_some()
            || self.confirmation.is_some()
            || self.answer.is_some();
        has_any.then(|| Box::new(self))
    }

    /// Its memory in bytes beside the arena.
    pub(in crate::verify) fn bytes(&self, arena: &Arc<Arena>) -> usize {
        size_of::<Self>()
            + self.implied.as_ref().map_or(0, ImpliedScopes::bytes)
            + self.actor.as_ref().map_or(0, |actor| actor.bytes(arena))
            + self.answer.as_ref().map_or(0, |text| COUNTS + text.len())
    }
}

impl HasTexts for SeldomClaims {
    fn visit_texts(&mut self, visit: &mut dyn FnMut(&mut SharedStr)) {
        if let Some(actor) = &mut self.actor {
            actor.visit_texts(visit);
        }
    }
}
