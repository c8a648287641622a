//! A scope demanded of one handler, around any extractor.

use crate::middleware::extract::guard::{guard, no_wiring};
use crate::middleware::require_scope::check;
use crate::middleware::response::refusal::Refusal;
use crate::model::scope::ScopeRequirement;

guard! {
    /// `T`, for requests whose token has the scope that `R` demands, or one of the roles that it
    /// names; others are refused with 403 and the scope in the challenge (RFC 6750 section 3.1). `T` may be any extractor of request
    /// parts; it runs after the scope was checked.
    ///
    /// ```
    /// use portcullis::{Scoped, WorkspaceAccess};
    ///
    /// portcullis::scopes! { ReadMissions = "app/read"; }
    ///
    /// async fn list(access: Scoped<ReadMissions, WorkspaceAccess>) -> String {
    ///     format!("missions of {}", access.workspace())
    /// }
    /// # let _ = list;
    /// ```
    Scoped, ScopeRequirement, no_wiring, check_scope::<R>
}

#[allow(clippy::unused_async)] // like the checks of other guards
async fn check_scope<R: ScopeRequirement>(
    extensions: &mut http::Extensions,
) -> Result<(), Refusal> {
    check::<R>(extensions, None)
}
