//! The check of what a route demands beside a good token: one function for layers, extractors and MCP.
//!
//! 1. In this order: the token's binding, the scope, the authentication of the user, the actor, the
//!    role, the tenant. The first that is missing decides about status and error code.
//! 2. One challenge names all of the first three that a client can get: the scope of the whole
//!    requirement, and the `acr` values and the age that are missing (RFC 9470 section 3). A client that
//!    gets what it names is not refused for the next part.
//! 3. A refusal for an actor, a role or a tenant has no challenge: a new token would not help.

use std::fmt::Write as _;
use std::time::Duration;

use http::Extensions;

use crate::middleware::authenticate::context::AuthContext;
use crate::middleware::authenticate::refuser::Refuser;
use crate::middleware::require::actor_check::check_actor;
#[cfg(feature = "mcp")]
use crate::middleware::require::actor_check::unmet;
use crate::middleware::response::refusal::Refusal;
use crate::middleware::response::refusal_cause::{lacking_role, lacking_scope};
use crate::model::error::rejection::{Rejection, RejectionKind, RequiredAuthentication};
use crate::model::error::rejection_detail::{Problem, RejectionDetail};
use crate::model::error::token_error::TokenError;
use crate::model::requirement::binding::RequiredBindings;
use crate::model::requirement::route_requirement::{Requirement, RouteRequirement};
use crate::model::scope::add_tokens;
use crate::model::time::UnixTime;
use crate::server::decide::verified_request::VerifiedRequest;
use crate::verify::claims::verified_token::VerifiedToken;
use crate::verify::identity::kinds::Identity;

/// Checks what a client can get by a new token: bindings, scopes and the user's authentication of all
/// `demands`. A refusal names the scope `inside` too, which guards further inside demand.
pub(in crate::middleware) fn check_requirements<'d>(
    extensions: &mut Extensions,
    demands: impl Iterator<Item = &'d RouteRequirement> + Clone,
    inside: Option<&str>,
) -> Result<(), Refusal> {
    match extensions.get_mut::<AuthContext>() {
        Some(context) => check_context(context, demands, inside),
        None => AuthContext::of(extensions).map(|_| ()),
    }
}

#[inline]
fn check_context<'d>(
    context: &mut AuthContext,
    demands: impl Iterator<Item = &'d RouteRequirement> + Clone,
    inside: Option<&str>,
) -> Result<(), Refusal> {
    let Some(verified) = &context.verified else {
        return Err(refuse_missing_token(context, demands, inside));
    };
    let mut missing = Missing::default();
    for demand in demands.clone() {
        match demand.scope_match(&verified.token) {
            ScopeMatch::Unconstrained | ScopeMatch::Role => {}
            ScopeMatch::Scope(scope) => context.demanded.add(scope),
            ScopeMatch::None => {
                missing.scope.get_or_insert(*demand);
            }
        }
        if demand.demands_more_than_scopes() {
            missing.add_beside_scope(demand, verified, || context.policy.server.wall_clock());
        }
    }
    if missing.is_nothing() {
        return Ok(());
    }
    Err(refuse(context, demands, &missing, inside))
}

impl Refuser {
    /// Checks a requirement that depends on the request's data, such as a second factor for great
    /// amounts: scope, authentication of the user and binding, the actor, a role of the issuer's roles
    /// claim, and the tenant, with the order and the challenge of [`RequireLayer`](crate::layer::RequireLayer).
    ///
    /// # Errors
    ///
    /// The refusal, which is logged already: return it.
    ///
    /// ```
    /// # #[cfg(feature = "axum")] {
    /// use portcullis::error::Refusal;
    /// use portcullis::extract::Refuser;
    ///
    /// portcullis::requirements! { SecondFactor { acr: "mfa" } }
    ///
    /// async fn transfer(refuser: Refuser, amount: String) -> Result<String, Refusal> {
    ///     if amount.len() > 3 {
    ///         refuser.require::<SecondFactor>()?;
    ///     }
    ///     Ok(format!("{amount} moved"))
    /// }
    /// # let _: axum::Router = axum::Router::new().route("/", axum::routing::post(transfer));
    /// # }
    /// ```
    #[doc(alias("step_up", "acr_values", "max_age"))]
    pub fn require<R: Requirement>(&self) -> Result<(), Refusal> {
        let demand = const { &RouteRequirement::of::<R>() };
        self.judge(|context| {
            check_context(context, std::iter::once(demand), None)?;
            check_actor_of(context, demand)?;
            check_role(context, demand)?;
            check_tenant_of(context, demand)
        })
    }
}

/// Whether a demand needs tenant rules: the layer must name its context, where there are several.
pub(in crate::middleware) const fn is_about_tenants(demand: &RouteRequirement) -> bool {
    demand.needs_tenant || !demand.roles.is_empty()
}

/// Checks the actor, roles by the issuer's roles claim, and that the caller reaches a tenant.
pub(in crate::middleware) fn check_caller<'d>(
    extensions: &Extensions,
    mut demands: impl Iterator<Item = &'d RouteRequirement>,
) -> Result<(), Refusal> {
    demands.try_for_each(|demand| {
        if demand.actor.is_some() {
            check_actor_of(AuthContext::of(extensions)?, demand)?;
        }
        if !is_about_tenants(demand) {
            return Ok(());
        }
        let context = AuthContext::of(extensions)?;
        check_role(context, demand)?;
        check_tenant_of(context, demand)
    })
}

fn check_actor_of(context: &AuthContext, demand: &RouteRequirement) -> Result<(), Refusal> {
    match &demand.actor {
        None => Ok(()),
        Some(required) => check_actor(context, required),
    }
}

fn check_role(context: &AuthContext, demand: &RouteRequirement) -> Result<(), Refusal> {
    if demand.roles.is_empty() {
        return Ok(());
    }
    // A role in a workspace is a matter of tenancy: it counts in the context that it is for.
    context.check_wiring()?;
    let verified = context.any_context()?;
    if has_role(demand, verified) {
        return Ok(());
    }
    let detail = lacking_role(demand.roles, verified);
    Err(context.refuse(Rejection::wrong_caller("role").with_detail(detail)))
}

/// Checks that the caller reaches a tenant, where that is demanded.
#[cfg(feature = "axum")]
pub(in crate::middleware) fn check_tenant(
    extensions: &Extensions,
    demand: &RouteRequirement,
) -> Result<(), Refusal> {
    check_tenant_of(AuthContext::of(extensions)?, demand)
}

fn check_tenant_of(context: &AuthContext, demand: &RouteRequirement) -> Result<(), Refusal> {
    if !demand.needs_tenant {
        return Ok(());
    }
    context.check_wiring()?;
    if has_tenant(context.any_context()?) {
        Ok(())
    } else {
        Err(context.refuse(RejectionKind::NoTenant))
    }
}

fn has_tenant(verified: &VerifiedRequest) -> bool {
    match verified.identity() {
        Identity::User(_) | Identity::Principal(_) => true,
        Identity::Client(client) => client.workspace().is_some(),
        Identity::Subject(_) => false,
    }
}

/// Whether the request meets a demand, without a refusal: for lists of what a caller may use.
#[cfg(feature = "mcp")]
pub(in crate::middleware) fn is_met(context: &AuthContext, demand: &RouteRequirement) -> bool {
    let Some(verified) = context.verified.as_deref() else {
        return false;
    };
    let mut missing = Missing::default();
    missing.add_beside_scope(demand, verified, || context.policy.server.wall_clock());
    !matches!(demand.scope_match(&verified.token), ScopeMatch::None)
        && missing.is_nothing()
        && demand
            .actor
            .is_none_or(|required| unmet(&required, verified).is_none())
        && (demand.roles.is_empty() || has_role(demand, verified))
        && (!demand.needs_tenant || has_tenant(verified))
        && (!is_about_tenants(demand) || context.policy.wiring_fault.is_none())
}

fn has_role(demand: &RouteRequirement, verified: &VerifiedRequest) -> bool {
    let mut roles = verified.token.roles();
    roles.any(|role| demand.roles.contains(&role))
}

/// How a token meets a demand for a scope.
enum ScopeMatch {
    /// No scope is demanded.
    Unconstrained,
    /// By this alternative.
    Scope(&'static &'static str),
    /// By one of the roles in the place of scopes.
    Role,
    None,
}

impl RouteRequirement {
    #[inline]
    fn scope_match(&self, token: &VerifiedToken) -> ScopeMatch {
        if self.scopes.is_empty() {
            return ScopeMatch::Unconstrained;
        }
        let is_held = |all_of: &&&str| all_of.split(' ').all(|one| token.has_scope(one));
        if let Some(scope) = self.scopes.iter().find(is_held) {
            return ScopeMatch::Scope(scope);
        }
        let roles = self.roles_in_place_of_scopes;
        if !roles.is_empty() && token.roles().any(|role| roles.contains(&role)) {
            return ScopeMatch::Role;
        }
        ScopeMatch::None
    }

    /// Whether a binding or an authentication of the user is demanded.
    fn demands_more_than_scopes(&self) -> bool {
        self.binding.is_some() || !self.acr_values.is_empty() || self.max_age.is_some()
    }

    /// The scope that challenges name: the first alternative.
    fn challenge_scope(&self) -> &'static str {
        self.scopes.first().copied().unwrap_or_default()
    }
}

/// What a request lacks of all demands.
#[derive(Default)]
struct Missing {
    binding: Option<TokenError>,
    /// The first demand whose scope is missing.
    scope: Option<RouteRequirement>,
    /// The first demand whose `acr` is missing.
    acr: Option<RouteRequirement>,
    /// The smallest.
    max_age: Option<Duration>,
}

impl Missing {
    fn is_nothing(&self) -> bool {
        self.binding.is_none()
            && self.scope.is_none()
            && self.acr.is_none()
            && self.max_age.is_none()
    }

    #[inline(never)]
    fn add_beside_scope(
        &mut self,
        demand: &RouteRequirement,
        verified: &VerifiedRequest,
        now: impl FnOnce() -> UnixTime,
    ) {
        let token = &verified.token;
        if let Some(binding) = demand.binding {
            if let Err(error) = token.check_bindings(RequiredBindings::NONE.with(binding)) {
                self.binding.get_or_insert(error);
            }
        }
        let accepted = demand.acr_values;
        if !accepted.is_empty() && !token.acr_values().any(|one| accepted.contains(&one)) {
            self.acr.get_or_insert(*demand);
        }
        if let Some(max_age) = demand.max_age {
            if !token.is_authenticated_since(max_age, now(), verified.rules.leeway) {
                self.add_age(max_age);
            }
        }
    }

    fn add_age(&mut self, max_age: Duration) {
        let least = self.max_age.map_or(max_age, |before| before.min(max_age));
        self.max_age = Some(least);
    }

    /// The authentication of the user that the challenge names. Of the `acr` values of the first demand
    /// that lacks them those stay that the other demands accept too, met ones included, as long as one
    /// is left: a client that gets another one would be refused next for what it has now.
    fn authentication<'d>(
        &self,
        demands: impl Iterator<Item = &'d RouteRequirement>,
    ) -> Option<RequiredAuthentication> {
        if self.acr.is_none() && self.max_age.is_none() {
            return None;
        }
        let mut values = self
            .acr
            .map_or_else(Vec::new, |demand| demand.acr_values.to_vec());
        for accepted in demands.map(|demand| demand.acr_values) {
            if values.iter().any(|one| accepted.contains(one)) {
                values.retain(|one| accepted.contains(one));
            }
        }
        Some(RequiredAuthentication {
            acr_values: values.join(" "),
            max_age: self.max_age,
        })
    }

    /// For operators: what is expected of the user's authentication.
    fn authentication_detail(&self, verified: &VerifiedRequest) -> RejectionDetail {
        let mut expected = self
            .acr
            .map_or_else(String::new, |demand| demand.acr_values.join(" | "));
        if let Some(age) = self.max_age {
            let and = if expected.is_empty() { "" } else { ", " };
            // Writing to a string cannot fail.
            let _ = write!(expected, "{and}at most {} s old", age.as_secs());
        }
        let detail = RejectionDetail::new().with_expected(expected);
        if self.acr.is_none() {
            let problem = match verified.token.authenticated_at() {
                None => Problem::Missing,
                Some(_) => Problem::Differs,
            };
            return detail.with_claim("auth_time").with_problem(problem);
        }
        let problem = match verified.token.acr_values().next() {
            None => Problem::Missing,
            Some(_) => Problem::Differs,
        };
        let claim = verified.rules.acr_claim.to_string();
        detail
            .with_claim(claim)
            .with_setting("acr_claim")
            .with_problem(problem)
    }
}

/// The scope of all demands, and of the guards inside, each token once. Of a demand that the token meets
/// it has what the token has; of another one the first alternative.
fn scope_of_all<'d, 'v>(
    demands: impl Iterator<Item = &'d RouteRequirement>,
    inside: Option<&'v str>,
    verified: Option<&'v VerifiedRequest>,
) -> String {
    let mut tokens: Vec<&'v str> = Vec::new();
    for demand in demands {
        let matched = verified.map_or(ScopeMatch::None, |it| demand.scope_match(&it.token));
        match (matched, verified) {
            (ScopeMatch::Unconstrained | ScopeMatch::Role, _) => {}
            (ScopeMatch::Scope(scope), Some(verified)) => {
                for token in scope.split(' ') {
                    let held = verified.held_scope_for(token).unwrap_or(token);
                    add_tokens(&mut tokens, held);
                }
            }
            _ => add_tokens(&mut tokens, demand.challenge_scope()),
        }
    }
    add_tokens(&mut tokens, inside.unwrap_or_default());
    tokens.join(" ")
}

#[cold]
fn refuse<'d>(
    context: &AuthContext,
    demands: impl Iterator<Item = &'d RouteRequirement> + Clone,
    missing: &Missing,
    inside: Option<&str>,
) -> Refusal {
    let refusals = context.policy.server.refusals();
    // Clients of another route may hold another alternative.
    for scope in demands.clone().flat_map(|demand| demand.scopes) {
        refusals.remember_scope(scope);
    }
    let verified = context.verified.as_deref();
    let verified = verified.map(|verified| &**verified);
    let scope = scope_of_all(demands.clone(), inside, verified);
    let mut rejection = if let Some(error) = missing.binding.clone() {
        Rejection::from(error)
    } else if let Some(demand) = &missing.scope {
        let rejection = Rejection::from(RejectionKind::InsufficientScope);
        match verified {
            Some(verified) => rejection.with_detail(lacking_scope(demand, verified)),
            None => rejection,
        }
    } else {
        let rejection = Rejection::from(RejectionKind::InsufficientUserAuthentication);
        match verified {
            Some(verified) => rejection.with_detail(missing.authentication_detail(verified)),
            None => rejection,
        }
    }
    .with_scope(&scope);
    if let Some(authentication) = missing.authentication(demands) {
        rejection = rejection.with_authentication(authentication);
    }
    context.refuse(rejection)
}

/// A challenge to a request without a token names all that the token must have.
#[cold]
fn refuse_missing_token<'d>(
    context: &AuthContext,
    demands: impl Iterator<Item = &'d RouteRequirement> + Clone,
    inside: Option<&str>,
) -> Refusal {
    let mut missing = Missing::default();
    for demand in demands.clone() {
        if !demand.acr_values.is_empty() {
            missing.acr.get_or_insert(*demand);
        }
        if let Some(max_age) = demand.max_age {
            missing.add_age(max_age);
        }
    }
    let scope = scope_of_all(demands.clone(), inside, None);
    let mut rejection = Rejection::from(RejectionKind::MissingToken).with_scope(&scope);
    if let Some(authentication) = missing.authentication(demands) {
        rejection = rejection.with_authentication(authentication);
    }
    context.refuse(rejection)
}
