//! The check of the requirements of an operation.

use http::Extensions;

use crate::middleware::authenticate::context::AuthContext;
use crate::middleware::require::check::{check_caller, check_requirements, is_met};
use crate::middleware::response::refusal::Refusal;
use crate::model::requirement::route_requirement::RouteRequirement;

/// Whether the request's token is good for this layer's context and meets all of these
/// requirements. One refusal names what is missing of all of them.
pub(super) fn check<'r>(
    extensions: &mut Extensions,
    demands: impl Iterator<Item = &'r RouteRequirement> + Clone,
) -> Result<(), Refusal> {
    let context = AuthContext::of(extensions)?;
    if context.verified.is_some() {
        context.required()?;
    }
    check_requirements(extensions, demands.clone(), None)?;
    check_caller(extensions, demands)
}

/// Whether the request has a token that is good for this layer's context.
pub(super) fn check_token(extensions: &Extensions) -> Result<(), Refusal> {
    AuthContext::of(extensions)?.required().map(|_| ())
}

/// Whether [`check`] would admit this demand, without a refusal.
pub(super) fn meets(context: &AuthContext, demand: &RouteRequirement) -> bool {
    !context.other_context && is_met(context, demand)
}
