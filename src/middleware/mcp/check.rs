//! The check of the requirements of an operation.

use http::Extensions;

use crate::middleware::authenticate::context::AuthContext;
use crate::middleware::response::refusal::Refusal;
use crate::model::error::rejection::Rejection;
use crate::model::requirement::RouteRequirement;
use crate::model::scope::add_tokens;

/// Whether the request's token meets all of these requirements.
pub(super) fn check<'r>(
    extensions: &mut Extensions,
    demands: impl Iterator<Item = &'r RouteRequirement> + Clone,
) -> Result<(), Refusal> {
    let Some(context) = extensions.get_mut::<AuthContext>() else {
        return AuthContext::of(extensions).map(|_| ());
    };
    context.required()?;
    if demands.clone().all(|demand| meets(context, demand)) {
        return Ok(());
    }
    let mut scope = Vec::new();
    for demand in demands {
        if let Some(first) = demand.scopes().first() {
            add_tokens(&mut scope, first);
        }
    }
    Err(context.refuse(Rejection::insufficient_scope(scope.join(" ").into())))
}

pub(super) fn meets(context: &AuthContext, demand: &RouteRequirement) -> bool {
    let Ok(verified) = context.required() else {
        return false;
    };
    let token = &verified.token;
    let has_role = |roles: &[&str]| token.roles().any(|role| roles.contains(&role));
    let is_held = |all_of: &&str| all_of.split(' ').all(|one| token.scope().contains(one));
    (demand.scopes().is_empty()
        || demand.scopes().iter().any(is_held)
        || has_role(demand.roles_in_place_of_scopes()))
        && (demand.roles().is_empty() || has_role(demand.roles()))
}
