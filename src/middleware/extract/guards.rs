//! Guards around an extractor: [`Scoped`], [`InRole`] and [`InGroup`].

use http::request::Parts;

use crate::middleware::authenticate::context::AuthContext;
use crate::middleware::extract::macros::{guard, no_wiring};
use crate::middleware::extract::tenant_path::RouteParameters;
use crate::middleware::require::actor_check::check_actor;
use crate::middleware::require::check::{check_requirements, check_tenant, is_about_tenants};
use crate::middleware::response::refusal::Refusal;
use crate::middleware::response::refusal_cause::{lacking_group, lacking_role};
use crate::model::error::rejection::Rejection;
use crate::model::requirement::route_requirement::{Requirement, RouteRequirement};
use crate::model::scope::ScopeRequirement;
use crate::server::decide::verified_request::SentRequest;
use crate::verify::identity::kinds::Identity;

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
    #[doc(alias = "has_scope")]
    #[doc(alias = "require_scope")]
    #[doc(alias = "authorize")]
    #[doc(alias = "permission")]
    Scoped, ScopeRequirement, no_wiring, check_scope::<R>
}

#[allow(clippy::unused_async)] // like the checks of other guards
async fn check_scope<R: ScopeRequirement>(parts: &mut Parts) -> Result<(), Refusal> {
    let demand = const { &RouteRequirement::of::<R>() };
    check_requirements(&mut parts.extensions, std::iter::once(demand), None)
}

guard! {
    /// `T`, for requests that meet `R`: what [`requirements!`](crate::requirements) declares together,
    /// such as a scope, a role, and an authentication of the user that is recent enough (RFC 9470). `T`
    /// may be any extractor of request parts; it runs after the check.
    ///
    /// One refusal names all that a client can get by a new token; see
    /// [the manual](crate::manual::step_up) for statuses and their order.
    ///
    /// ```
    /// use portcullis::WorkspaceAccess;
    /// use portcullis::extract::Authorized;
    /// use std::time::Duration;
    ///
    /// portcullis::requirements! {
    ///     Transfer { scope: "payments:write", acr: "phr", max_age: Duration::from_secs(300) }
    /// }
    ///
    /// async fn transfer(access: Authorized<Transfer, WorkspaceAccess>) -> String {
    ///     format!("from {}", access.workspace())
    /// }
    /// # let _ = transfer;
    /// ```
    #[doc(alias("step_up", "acr_values", "max_age", "auth_time", "require"))]
    Authorized, Requirement, wiring_of::<R>, check_requirement::<R>
}

/// Roles and tenants count in the context that they are for.
fn wiring_of<R: Requirement>(context: &AuthContext) -> Result<(), Refusal> {
    if is_about_tenants(const { &RouteRequirement::of::<R>() }) {
        context.check_wiring()
    } else {
        Ok(())
    }
}

async fn check_requirement<R: Requirement>(parts: &mut Parts) -> Result<(), Refusal> {
    let demand = const { &RouteRequirement::of::<R>() };
    check_requirements(&mut parts.extensions, std::iter::once(demand), None)?;
    if let Some(required) = &R::ACTOR {
        check_actor(AuthContext::of(&parts.extensions)?, required)?;
    }
    if !R::ROLES.is_empty() {
        check_role(parts, R::ROLES).await?;
    }
    check_tenant(&parts.extensions, demand)
}

/// The names of roles or groups of which any one suffices. Declared with
/// [`roles!`](crate::roles).
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a role requirement",
    label = "not declared with `roles!`",
    note = "declare it: `roles! {{ pub {Self} = \"admin\"; }}`"
)]
pub trait RoleRequirement: Send + Sync + 'static {
    /// Names of which any one suffices, compared byte for byte.
    const ANY_OF: &'static [&'static str];
}

/// Declares [`RoleRequirement`]s, checked when the program is compiled. One set of names
/// serves [`InRole`](crate::InRole) and [`InGroup`](crate::InGroup).
///
/// ```
/// portcullis::roles! {
///     /// Who may change settings.
///     pub Admin = "admin";
///     pub Staff = "admin" | "editor";
/// }
/// ```
///
/// ```compile_fail
/// portcullis::roles! { pub Empty = ""; }
/// ```
#[macro_export]
macro_rules! roles {
    ($($(#[$meta:meta])* $vis:vis $name:ident = $first:literal $(| $rest:literal)*);+ $(;)?) => {$(
        $(#[$meta])*
        #[derive(Clone, Copy, Debug)]
        $vis struct $name;

        impl $crate::extract::RoleRequirement for $name {
            const ANY_OF: &'static [&'static str] = &[$first $(, $rest)*];
        }

        const _: () = $crate::__private::assert_roles(&[$first $(, $rest)*]);
    )+};
}

/// Stops the compiler on a requirement that is empty.
///
/// # Panics
///
/// While compiling, when there is no name or an empty one.
pub const fn assert_roles(mut names: &[&str]) {
    assert!(
        !names.is_empty(),
        "a role requirement needs at least one name"
    );
    while let [first, rest @ ..] = names {
        assert!(!first.is_empty(), "a role has a name");
        names = rest;
    }
}

guard! {
    /// `T`, for callers who have a role that `R` names: in the issuer's roles claim, or as a
    /// [`WorkspaceUser`](crate::WorkspaceUser)'s role. Where the tenant rules let users into several
    /// workspaces, that is the role in the workspace that the route addresses, and the directories
    /// are called for it (see [`TenantClaims::by_membership`](crate::TenantClaims::by_membership)). Others are refused with 403. `T` may be
    /// any extractor of request parts.
    ///
    /// Where the issuer's [`TenantClaims`](crate::TenantClaims) know API contexts, the layer must
    /// name one ([`context`](crate::AuthenticateLayer::context)), or the answer is 500.
    #[doc(alias = "has_role")]
    #[doc(alias = "require_role")]
    #[doc(alias = "rbac")]
    #[doc(alias = "authorize")]
    InRole, RoleRequirement, AuthContext::check_wiring, check_role_of::<R>
}
guard! {
    /// `T`, for callers who are in a group that `R` names: in the issuer's groups claim, such as
    /// `cognito:groups`. Others are refused with 403. `T` may be any extractor of request parts.
    #[doc(alias = "has_group")]
    #[doc(alias = "rbac")]
    InGroup, RoleRequirement, no_wiring, check_group::<R>
}

async fn check_role_of<R: RoleRequirement>(parts: &mut Parts) -> Result<(), Refusal> {
    const { assert_roles(R::ANY_OF) };
    check_role(parts, R::ANY_OF).await
}

async fn check_role(parts: &mut Parts, any_of: &'static [&'static str]) -> Result<(), Refusal> {
    let context = AuthContext::of(&parts.extensions)?;
    // A role in a workspace is a matter of tenancy: it counts in the context that it is for.
    context.check_wiring()?;
    let request = context.any_context()?;
    if request.token.roles().any(|role| any_of.contains(&role)) {
        return Ok(());
    }
    if request.member().is_some() {
        return check_role_of_member(parts, any_of).await;
    }
    let role = match request.identity() {
        Identity::User(user) => user.role(),
        Identity::Principal(_) | Identity::Client(_) | Identity::Subject(_) => None,
    };
    if !role.is_some_and(|role| any_of.contains(&role)) {
        return Err(without_role(any_of, context, request));
    }
    // A role is worth as much as the workspace that it is in.
    let confirmed = context.policy().server.confirm_tenant(request).await;
    confirmed.map_err(|rejection| context.refuse(rejection))
}

/// The role of a user who may enter several workspaces: on a route that addresses a workspace the
/// role in that one, else the role in the workspace that the token names.
async fn check_role_of_member(
    parts: &mut Parts,
    any_of: &'static [&'static str],
) -> Result<(), Refusal> {
    let route = RouteParameters::of(parts).await;
    let context = AuthContext::of(&parts.extensions)?;
    let request = context.any_context()?;
    let policy = context.policy();
    if !route.addresses_workspace(&policy.path) {
        let is_role = matches!(request.identity(), Identity::User(user) if user.role().is_some_and(|role| any_of.contains(&role)));
        if !is_role {
            return Err(without_role(any_of, context, request));
        }
        let confirmed = policy.server.confirm_tenant(request).await;
        return confirmed.map_err(|rejection| context.refuse(rejection));
    }
    let place = route.workspace(&policy.path);
    let place = place.map_err(|rejection| context.refuse(rejection))?;
    let entered = policy.server.enter(request, &place, false).await;
    let access = entered.map_err(|rejection| context.refuse(rejection))?;
    match access.caller() {
        Identity::User(user) if user.role().is_some_and(|role| any_of.contains(&role)) => Ok(()),
        _ => Err(without_role(any_of, context, request)),
    }
}

fn without_role(any_of: &[&str], context: &AuthContext, request: &SentRequest) -> Refusal {
    let detail = lacking_role(any_of, request);
    context.refuse(Rejection::wrong_caller("role").with_detail(detail))
}

#[allow(clippy::unused_async)] // like the checks of other guards
async fn check_group<R: RoleRequirement>(parts: &mut Parts) -> Result<(), Refusal> {
    const { assert_roles(R::ANY_OF) };
    let admitted = AuthContext::of(&parts.extensions)?;
    let admission = admitted.any_context()?;
    if admission.token.groups().any(is_one_of::<R>) {
        Ok(())
    } else {
        let detail = lacking_group(R::ANY_OF, admission);
        Err(admitted.refuse(Rejection::wrong_caller("group").with_detail(detail)))
    }
}

fn is_one_of<R: RoleRequirement>(name: &str) -> bool {
    R::ANY_OF.contains(&name)
}
