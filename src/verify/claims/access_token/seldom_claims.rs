//! What few tokens have, in one box, so that the others do not pay for it in memory.

use std::sync::Arc;

use crate::model::shared_str::SharedStr;
use crate::verify::claims::actor::Actor;
use crate::verify::policy::scope_closure::ImpliedScopes;

/// What few tokens have.
pub(super) struct SeldomClaims {
    pub(super) acr_values: Vec<SharedStr>,
    /// What the scope implies by the hierarchy of the issuer's policy.
    pub(super) implied: Option<ImpliedScopes>,
    /// In a box, since most of these have none.
    pub(super) actor: Option<Box<Actor>>,
}

impl SeldomClaims {
    pub(super) fn of(
        acr_values: Vec<SharedStr>,
        implied: Option<ImpliedScopes>,
        actor: Option<Box<Actor>>,
    ) -> Option<Box<Self>> {
        let has_any = !acr_values.is_empty() || implied.is_some() || actor.is_some();
        has_any.then(|| {
            Box::new(Self {
                acr_values,
                implied,
                actor,
            })
        })
    }

    /// Its memory in bytes beside the payload.
    pub(super) fn bytes(&self, payload: &Arc<str>) -> usize {
        let values = self.acr_values.iter();
        size_of::<Self>()
            + self.acr_values.capacity() * size_of::<SharedStr>()
            + values.map(|text| text.bytes_beside(payload)).sum::<usize>()
            + self.implied.as_ref().map_or(0, ImpliedScopes::bytes)
            + self.actor.as_ref().map_or(0, |actor| actor.bytes(payload))
    }
}
