//! The check of the requirements of an operation.

use http::Extensions;

use crate::middleware::authenticate::context::AuthContext;
use crate::middleware::require::check::{check_requirements, check_roles_and_tenant};
use crate::middleware::response::refusal::Refusal;
use crate::model::requirement::RouteRequirement;

/// Whether the request's token meets all of these requirements. One refusal names all that is missing.
pub(super) fn check<'r>(
    extensions: &mut Extensions,
    demands: impl Iterator<Item = &'r RouteRequirement> + Clone,
) -> Result<(), Refusal> {
    let context = AuthContext::of(extensions)?;
    if context.verified.is_some() {
        context.required()?;
    }
    check_requirements(extensions, demands.clone(), None)?;
    check_roles_and_tenant(extensions, demands)
}
