//! The policy of an issuer: what its access tokens must look like.

use std::sync::Arc;
use std::time::Duration;

use crate::model::algorithm::AlgorithmSet;
use crate::model::claim_path::ClaimPath;
use crate::model::requirement::binding::RequiredBindings;
use crate::model::requirement::claim_value::ClaimValue;
use crate::model::requirement::resource_set::ResourceSet;
use crate::verify::json::role_names::NameForms;
use crate::verify::policy::scope_closure::ScopeClosure;
use crate::verify::policy::tenant_claims::TenantClaims;

/// The policy of one configured issuer. The builder has validated it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct IssuerPolicy {
    /// The issuer as configured; the realm of all ids that it vouches for.
    pub(crate) realm: Arc<str>,
    /// The exact `iss` values of its tokens, `realm` among them where it is one.
    pub(crate) names: Vec<Arc<str>>,
    pub(crate) profile: Profile,
    pub(crate) algorithms: AlgorithmSet,
    pub(crate) audiences: Audiences,
    pub(crate) audience_claim: ClaimPath,
    /// Clients whose tokens are accepted; empty for any.
    pub(crate) client_ids: Vec<Box<str>>,
    /// Types accepted in addition to those of the profile, without `application/`.
    pub(crate) extra_types: Vec<Box<str>>,
    /// Values of `token_use` accepted in addition to those of the profile.
    pub(crate) token_uses: Vec<Box<str>>,
    /// Whether access tokens have the marks of ID tokens.
    pub(crate) bears_id_token_marks: bool,
    pub(crate) required_claims: Vec<RequiredClaim>,
    pub(crate) required_headers: Vec<(Box<str>, Box<str>)>,
    pub(crate) scope_claim: ClaimPath,
    /// Which scopes imply others; `None` where none does.
    pub(crate) scope_hierarchy: Option<Arc<ScopeClosure>>,
    pub(crate) roles_claim: ClaimPath,
    pub(crate) groups_claim: ClaimPath,
    /// The forms of roles and groups in addition to an array of strings.
    pub(crate) name_forms: NameForms,
    /// The claim of the authentication context class.
    pub(crate) acr_claim: ClaimPath,
    /// The claim of the actor.
    pub(crate) actor_claim: ClaimPath,
    /// Actors of a token: the current one, and those before it.
    pub(crate) max_actors: usize,
    pub(crate) subject_claim: ClaimPath,
    /// Whether an introspection response without a subject and a user is about a client's own token.
    pub(crate) clients_without_subject: bool,
    /// The claims of the client id; the first that is present counts.
    pub(crate) client_id_claims: Vec<ClaimPath>,
    pub(crate) leeway: Duration,
    /// Clients whose sessions end by logout tokens.
    #[cfg_attr(not(feature = "axum"), allow(dead_code))]
    pub(crate) logout_clients: Vec<Box<str>>,
    /// How long a logout token without `exp` is good from its `iat`; `None` where it is refused.
    #[cfg_attr(not(feature = "axum"), allow(dead_code))]
    pub(crate) logout_life_without_exp: Option<Duration>,
    /// The claim that names the session in place of `origin_jti`.
    pub(crate) session_claim: Option<ClaimPath>,
    /// The longest life of a token; revocations are kept as long.
    pub(crate) longest_token_life: Duration,
    pub(crate) tenant: Option<TenantClaims>,
    /// What the server and the issuer demand.
    pub(crate) required_bindings: RequiredBindings,
}

/// A claim that must have this value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RequiredClaim {
    pub(crate) path: ClaimPath,
    pub(crate) value: ClaimValue,
    /// The setting that demands it.
    pub(crate) setting: &'static str,
}

#[cfg(feature = "jwks")]
impl IssuerPolicy {
    /// Whether this is the issuer's name, or one of its names.
    pub(crate) fn is_named(&self, issuer: &str) -> bool {
        *self.realm == *issuer || self.names.iter().any(|name| **name == *issuer)
    }
}

impl IssuerPolicy {
    /// How long a revocation is kept: the longest life of a token, the leeway of the issuer's clock,
    /// and the leeway past `exp`.
    pub(crate) const fn longest_revocation(&self) -> Duration {
        self.longest_token_life
            .saturating_add(self.leeway)
            .saturating_add(self.leeway)
    }
}

/// The kind of access token that an issuer makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(not(feature = "jwks"), allow(dead_code))]
pub(crate) enum Profile {
    /// Amazon Cognito user pools: `token_use`, an allowed `client_id`, `aud` seldom.
    Cognito,
    /// RFC 9068, strictly.
    Rfc9068,
    /// JWT access tokens of an OpenID Provider that follows no profile.
    Oidc,
    /// JWT-SVIDs of a SPIFFE trust domain, which is the realm.
    Spiffe,
    /// Tokens that are introspected at their issuer (RFC 7662).
    Introspected,
}

impl Profile {
    /// The setting that chooses it, by the name of its method.
    pub(in crate::verify) const fn setting(self) -> &'static str {
        match self {
            Self::Cognito => "cognito",
            Self::Rfc9068 => "rfc9068",
            Self::Oidc => "oidc",
            Self::Spiffe => "spiffe",
            Self::Introspected => "introspected",
        }
    }
}

/// The audiences of the server's resources, as an issuer's tokens name them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Audiences {
    /// Each with the resource that it is for.
    pub(crate) accepted: Vec<(Box<str>, ResourceSet)>,
    /// The resource of tokens that are accepted though they name none of these.
    pub(crate) default: ResourceSet,
    pub(crate) rule: AudienceRule,
}

impl Audiences {
    /// The resource that this audience is for; empty where it is none of ours.
    pub(in crate::verify) fn resource_of(&self, audience: &str) -> ResourceSet {
        let mut accepted = self.accepted.iter();
        let found = accepted.find(|(accepted, _)| **accepted == *audience);
        found.map_or(ResourceSet::default(), |(_, resource)| *resource)
    }
}

/// What a token must say about its audience.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(not(feature = "jwks"), allow(dead_code))]
pub(crate) enum AudienceRule {
    /// Any accepted one must be in the token.
    Required,
    /// The same; a token without an audience is accepted too.
    WhereStated,
    /// Waived behind `danger()`.
    Waived,
}
