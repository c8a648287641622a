//! A trusted authorization server and its settings.

use std::fmt;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use crate::model::algorithm::Algorithm;
use crate::model::claim_path::ClaimPath;
use crate::model::repeated_settings::RepeatedSettings;
use crate::model::requirement::binding::RequiredBindings;
use crate::model::requirement::claim_value::ClaimValue;
use crate::model::scope::ScopeHierarchy;
use crate::server::settings::error::ConfigError;
#[cfg(all(feature = "axum", feature = "jwks"))]
use crate::server::settings::introspection_settings::UserInfoLocation;
#[cfg(feature = "jwks")]
use crate::server::settings::introspection_settings::{IntrospectionSettings, IntrospectionTarget};
use crate::server::settings::issuer::lent_parts::LentParts;
use crate::server::settings::key_access::KeyAccess;
use crate::server::settings::oidc_tenants::OidcTenants;
#[cfg(feature = "status-list")]
use crate::server::settings::status_list_check::StatusListCheck;
use crate::verify::json::role_names::NameForms;
use crate::verify::policy::scope_closure::ScopeClosure;
use crate::verify::policy::tenant_claims::TenantClaims;

/// One authorization server whose access tokens are accepted, its rules, and where its keys
/// come from.
///
/// Three kinds of access token are known. Each starts strict and is widened by settings:
///
/// | | [`cognito`](Self::cognito) | [`rfc9068`](Self::rfc9068) | [`oidc`](Self::oidc) |
/// |---|---|---|---|
/// | told apart by | `token_use` = `access` | `typ` = `at+jwt` | `typ` absent, `JWT` or `at+jwt`, and no mark of an ID, refresh or logout token |
/// | required | `iss` `exp` `token_use` `client_id` | `iss` `exp` `aud` `sub` `client_id` `iat` `jti` | `iss` `exp` `aud` |
/// | audience | `aud`, or where it is absent or the client itself, an allowed client | `aud` | `aud` |
/// | algorithms | RS256 | [`Algorithm::DEFAULTS`] | [`Algorithm::DEFAULTS`] |
/// | keys | both issuer forms' `jwks.json` | discovery | discovery |
///
/// [`oidc_tenants`](Self::oidc_tenants) is `oidc` for several tenants of one server, whose keys
/// must be named. With the feature `jwks` there are `introspected` and `token_information` too, for
/// tokens that only their issuer can judge.
///
/// Nothing is checked before [`build()`](crate::ResourceServerBuilder::build), which finds every mistake.
///
/// ```
/// use portcullis::{Algorithm, Issuer};
///
/// let pool = Issuer::cognito("eu-west-1", "eu-west-1_AbCdEf").client_id("1example23456789");
/// let partner = Issuer::rfc9068("https://login.partner.example")
///     .algorithms([Algorithm::ES256])
///     .audience("https://api.example.com/partner");
/// let keycloak = Issuer::oidc("https://id.example.com/realms/main")
///     .roles_claim(["realm_access", "roles"]);
/// # let _ = (pool, partner, keycloak);
/// ```
#[doc(alias = "authorization_server")]
#[doc(alias = "identity_provider")]
#[doc(alias = "issuer_url")]
#[derive(Clone)]
#[must_use]
pub struct Issuer {
    pub(in crate::server) kind: IssuerKind,
    /// Further exact `iss` values.
    pub(in crate::server) aliases: Vec<String>,
    /// Of a Cognito pool.
    pub(in crate::server) replica_regions: Vec<String>,
    pub(in crate::server) endpoint: Option<String>,
    pub(in crate::server) key_set_urls: Vec<String>,
    /// The address of a preset, for an issuer that names no other source of keys.
    #[cfg_attr(not(feature = "jwks"), allow(dead_code))]
    pub(in crate::server) preset_key_set_url: Option<&'static str>,
    pub(in crate::server) discovery_url: Option<String>,
    pub(in crate::server) key_sets: Vec<Vec<u8>>,
    pub(in crate::server) pems: Vec<(Option<String>, String)>,
    pub(in crate::server) algorithms: Option<Vec<Algorithm>>,
    pub(in crate::server) audiences: Vec<String>,
    pub(in crate::server) any_audience: bool,
    /// The identifier of the resource of tokens that name none.
    pub(in crate::server) default_resource: Option<String>,
    pub(in crate::server) plain_http: bool,
    pub(in crate::server) roots: Vec<String>,
    pub(in crate::server) proxies: Proxies,
    /// How its documents are reached beside that.
    pub(in crate::server) access: KeyAccess,
    pub(in crate::server) audience_claim: ClaimPath,
    pub(in crate::server) client_ids: Vec<String>,
    pub(in crate::server) types: Vec<String>,
    /// Values of `token_use` that are taken beside those of the kind.
    pub(in crate::server) token_uses: Vec<String>,
    pub(in crate::server) bears_id_token_marks: bool,
    pub(in crate::server) required_claims: Vec<(ClaimPath, ClaimValue)>,
    pub(in crate::server) required_headers: Vec<(String, String)>,
    pub(in crate::server) scope_claim: ClaimPath,
    pub(in crate::server) scope_hierarchy: ScopeHierarchy,
    /// The closure of that of the server and this one, from `build()` on.
    pub(in crate::server) scope_closure: Result<Option<Arc<ScopeClosure>>, ConfigError>,
    pub(in crate::server) roles_claim: ClaimPath,
    pub(in crate::server) groups_claim: ClaimPath,
    pub(in crate::server) name_forms: NameForms,
    pub(in crate::server) acr_claim: ClaimPath,
    pub(in crate::server) actor_claim: ClaimPath,
    pub(in crate::server) max_actors: usize,
    pub(in crate::server) subject_claim: ClaimPath,
    pub(in crate::server) client_id_claim: Option<ClaimPath>,
    pub(in crate::server) leeway: Duration,
    pub(in crate::server) logout_clients: Vec<String>,
    pub(in crate::server) logout_life_without_exp: Option<Duration>,
    pub(in crate::server) session_claim: Option<ClaimPath>,
    pub(in crate::server) longest_token_life: Duration,
    pub(in crate::server) refresh_interval: Duration,
    pub(in crate::server) unknown_key_cooldown: Duration,
    pub(in crate::server) max_staleness: Duration,
    pub(in crate::server) most_keys: usize,
    pub(in crate::server) key_set_bytes: usize,
    pub(in crate::server) tenant: Option<TenantClaims>,
    pub(in crate::server) required_bindings: RequiredBindings,
    /// The settings that hold one value.
    pub(in crate::server) once: RepeatedSettings,
    /// What `build()` or `replace` lends it.
    pub(in crate::server) lent: LentParts,
    #[cfg(feature = "status-list")]
    pub(in crate::server) status_list: Option<StatusListCheck>,
    #[cfg(feature = "jwks")]
    pub(in crate::server) introspection: IntrospectionSettings,
    #[cfg(all(feature = "axum", feature = "jwks"))]
    pub(in crate::server) userinfo_location: Option<UserInfoLocation>,
}

/// The default paths of claims.
struct DefaultPaths {
    audience: ClaimPath,
    scope: ClaimPath,
    roles: ClaimPath,
    groups: ClaimPath,
    acr: ClaimPath,
    actor: ClaimPath,
    subject: ClaimPath,
}

/// One for all issuers, which share the memory.
static DEFAULT_PATHS: LazyLock<DefaultPaths> = LazyLock::new(|| DefaultPaths {
    audience: "aud".into(),
    scope: "scope".into(),
    roles: "roles".into(),
    groups: "groups".into(),
    acr: "acr".into(),
    actor: "act".into(),
    subject: "sub".into(),
});

/// What becomes of the proxies that the environment names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::server) enum Proxies {
    Ignored,
    Used,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::server) enum IssuerKind {
    Cognito {
        region: String,
        pool: String,
    },
    Rfc9068 {
        issuer: String,
    },
    Oidc {
        issuer: String,
    },
    OidcTenants(OidcTenants),
    Spiffe {
        trust_domain: String,
    },
    #[cfg(feature = "jwks")]
    Introspected(IntrospectionTarget),
}

impl Issuer {
    /// An Amazon Cognito user pool: access tokens of users and machines.
    ///
    /// Both issuer forms of the pool are accepted, `cognito-idp` and `issuer-cognito-idp`; the
    /// keys of the second are loaded when its first token comes. The region is checked for its
    /// shape and against the pool id; `cn-` and `eusc-` regions get their own domains.
    ///
    /// At least one [`client_id`](Self::client_id) must follow: Cognito's tokens seldom have
    /// an `aud`, and then the app client stands in for the audience.
    #[doc(alias = "user_pool")]
    #[doc(alias = "aws")]
    pub fn cognito(region: impl Into<String>, pool_id: impl Into<String>) -> Self {
        let kind = IssuerKind::Cognito {
            region: region.into(),
            pool: pool_id.into(),
        };
        Self {
            groups_claim: "cognito:groups".into(),
            ..Self::new(kind)
        }
    }

    /// An issuer that follows the JWT profile for access tokens,
    /// [RFC 9068](https://www.rfc-editor.org/rfc/rfc9068), to the letter.
    #[doc(alias = "at+jwt")]
    pub fn rfc9068(issuer: impl Into<String>) -> Self {
        Self::new(IssuerKind::Rfc9068 {
            issuer: issuer.into(),
        })
    }

    /// Any other issuer of JWT access tokens, most OpenID Providers among them.
    #[doc(alias = "openid")]
    #[doc(alias = "openid_connect")]
    #[doc(alias = "jwt")]
    pub fn oidc(issuer: impl Into<String>) -> Self {
        Self::new(IssuerKind::Oidc {
            issuer: issuer.into(),
        })
    }

    /// Several tenants of one authorization server that share one key set, each an issuer of its
    /// own: Microsoft Entra ID, and other servers of many tenants at one address.
    ///
    /// 1. `issuer` is their identifier with one place in braces, such as
    ///    `https://login.microsoftonline.com/{tenant}/v2.0`; the name in the braces means nothing.
    /// 2. `tenant_claim` is the claim that must be a string equal to the tenant's id, `tid` for
    ///    Entra. Without it, or with another value, a token is refused.
    /// 3. `tenants` are the ids, each 1 to 256 letters, digits, `-`, `.`, `_` and `~`, compared
    ///    byte for byte. Tokens of a tenant that is not named are an unknown issuer's.
    ///
    /// All settings hold for every tenant. Ids of callers of two tenants are never equal. These
    /// tenants are no workspaces: those are the business of
    /// [`tenant_claims`](Self::tenant_claims).
    ///
    /// The keys are fetched once for all tenants, from [`key_set_url`](Self::key_set_url) or
    /// [`discovery_url`](Self::discovery_url), one of which must follow unless keys are static. A
    /// key that names an issuer in a member `issuer`, as Entra's do, is good for no other of its origin.
    ///
    /// ```
    /// use portcullis::{Issuer, ResourceServer};
    ///
    /// let entra = || {
    ///     Issuer::oidc_tenants(
    ///         "https://login.microsoftonline.com/{tenant}/v2.0",
    ///         "tid",
    ///         ["72f988bf-86f1-41af-91ab-2d7cd011db47"],
    ///     )
    /// };
    /// let keys = "https://login.microsoftonline.com/common/discovery/v2.0/keys";
    /// let server = ResourceServer::builder("api://missions").issuer(entra().key_set_url(keys));
    /// # #[cfg(feature = "jwks")]
    /// assert!(server.build().is_ok());
    ///
    /// let without_keys = ResourceServer::builder("api://missions").issuer(entra());
    /// # #[cfg(feature = "jwks")]
    /// assert_eq!(without_keys.build().unwrap_err().setting(), "key_set_url");
    /// ```
    pub fn oidc_tenants(
        issuer: impl Into<String>,
        tenant_claim: impl Into<ClaimPath>,
        tenants: impl IntoIterator<Item = impl Into<String>>,
    ) -> Self {
        Self::new(IssuerKind::OidcTenants(OidcTenants {
            template: issuer.into(),
            claim: tenant_claim.into(),
            tenants: tenants.into_iter().map(Into::into).collect(),
        }))
    }

    pub(in crate::server) fn new(kind: IssuerKind) -> Self {
        let paths = &*DEFAULT_PATHS;
        Self {
            kind,
            aliases: Vec::new(),
            replica_regions: Vec::new(),
            endpoint: None,
            key_set_urls: Vec::new(),
            preset_key_set_url: None,
            discovery_url: None,
            key_sets: Vec::new(),
            pems: Vec::new(),
            algorithms: None,
            audiences: Vec::new(),
            any_audience: false,
            default_resource: None,
            plain_http: false,
            roots: Vec::new(),
            proxies: Proxies::Ignored,
            access: KeyAccess::default(),
            audience_claim: paths.audience.clone(),
            client_ids: Vec::new(),
            types: Vec::new(),
            token_uses: Vec::new(),
            bears_id_token_marks: false,
            required_claims: Vec::new(),
            required_headers: Vec::new(),
            scope_claim: paths.scope.clone(),
            scope_hierarchy: ScopeHierarchy::new(),
            scope_closure: Ok(None),
            roles_claim: paths.roles.clone(),
            groups_claim: paths.groups.clone(),
            name_forms: NameForms::default(),
            acr_claim: paths.acr.clone(),
            actor_claim: paths.actor.clone(),
            max_actors: 4,
            subject_claim: paths.subject.clone(),
            client_id_claim: None,
            leeway: Duration::from_secs(30),
            logout_clients: Vec::new(),
            logout_life_without_exp: None,
            session_claim: None,
            longest_token_life: Duration::from_secs(24 * 3600),
            refresh_interval: Duration::from_secs(600),
            unknown_key_cooldown: Duration::from_secs(30),
            max_staleness: Duration::from_secs(24 * 3600),
            most_keys: 100,
            key_set_bytes: 256 << 10,
            tenant: None,
            required_bindings: RequiredBindings::NONE,
            once: RepeatedSettings::default(),
            lent: LentParts::default(),
            #[cfg(feature = "status-list")]
            status_list: None,
            #[cfg(feature = "jwks")]
            introspection: IntrospectionSettings::default(),
            #[cfg(all(feature = "axum", feature = "jwks"))]
            userinfo_location: None,
        }
    }

    /// Accepts tokens that were issued to this client; call it once for each.
    /// Default: any client, except for Cognito, where at least one must be named. The portal
    /// clients of [`TenantClaims`] are accepted too.
    #[doc(alias = "azp")]
    #[doc(alias = "allowed_clients")]
    pub fn client_id(mut self, client_id: impl Into<String>) -> Self {
        self.client_ids.push(client_id.into());
        self
    }

    /// Accepts this issuer's tokens for this audience in place of the audiences of its
    /// [default resource](Self::default_resource); call it once for each. Compared byte for byte
    /// (RFC 7519 section 4.1.3). Default: the audiences of the
    /// [resource](crate::config::Resource::audience).
    #[doc(alias = "aud")]
    #[doc(alias = "validate_aud")]
    #[doc(alias = "allowed_audiences")]
    pub fn audience(mut self, audience: impl Into<String>) -> Self {
        self.audiences.push(audience.into());
        self
    }

    /// Accepts these algorithms and no other. Default: RS256 for Cognito, else
    /// [`Algorithm::DEFAULTS`]; name yours where you know them (RFC 8725 section 3.1).
    #[doc(alias = "alg")]
    #[doc(alias = "allowed_algorithms")]
    pub fn algorithms(mut self, algorithms: impl IntoIterator<Item = Algorithm>) -> Self {
        let algorithms: Vec<_> = algorithms.into_iter().collect();
        self.once.set("algorithms", &algorithms);
        self.algorithms = Some(algorithms);
        self
    }

    /// Accepts this `typ` too; call it once for each. Media types have no case, and
    /// `application/` is implied. Default: those of the issuer's kind; see the table above.
    pub fn accept_type(mut self, media_type: impl Into<String>) -> Self {
        self.types.push(media_type.into());
        self
    }

    /// Which scopes of this issuer's tokens imply others, beside those of the
    /// [server](crate::ResourceServerBuilder::scope_hierarchy). Several settings add up. Default: none.
    #[doc(alias("implied_scopes"))]
    #[allow(clippy::needless_pass_by_value)] // as every setting
    pub fn scope_hierarchy(mut self, hierarchy: ScopeHierarchy) -> Self {
        self.scope_hierarchy = self.scope_hierarchy.and(&hierarchy);
        self
    }

    /// How far the issuer's clock may be off, at most 5 minutes. Whole seconds count; it widens
    /// `exp` and `nbf` alike. Default: 30 s.
    #[doc(alias = "clock_skew")]
    #[doc(alias = "tolerance")]
    pub fn leeway(mut self, leeway: Duration) -> Self {
        self.once.set("leeway", &leeway);
        self.leeway = leeway;
        self
    }

    /// How long this issuer's tokens are good at most, from when they are issued: 1 minute to 90
    /// days. What is revoked is remembered as long; a token that lives longer than this says is
    /// good again when its revocation has ended. Default: 24 hours, the most that Cognito allows.
    pub fn longest_token_life(mut self, life: Duration) -> Self {
        self.once.set("longest_token_life", &life);
        self.longest_token_life = life;
        self
    }

    /// Takes this issuer's logout tokens for this client, the one that signs users in: it is their
    /// audience. Call it once for each; see
    /// [`backchannel_logout`](crate::ResourceServer::backchannel_logout).
    /// Default: none is taken.
    pub fn logout_client(mut self, client_id: impl Into<String>) -> Self {
        self.logout_clients.push(client_id.into());
        self
    }

    /// How this issuer's tokens state tenants. Default: not at all; callers are then clients
    /// without a workspace, or subjects.
    #[doc(alias = "multi_tenant")]
    pub fn tenant_claims(mut self, rules: TenantClaims) -> Self {
        self.once.set_opaque("tenant_claims");
        self.once.take_over(&rules.once);
        self.tenant = Some(rules);
        self
    }

    /// Makes what was set until now a default, which may be set anew.
    pub(in crate::server) fn preset(mut self) -> Self {
        self.once = RepeatedSettings::default();
        self
    }

    /// Whether it is asked about its tokens.
    pub(in crate::server) const fn is_introspected(&self) -> bool {
        match self.kind {
            #[cfg(feature = "jwks")]
            IssuerKind::Introspected(_) => true,
            _ => false,
        }
    }

    /// Whether the URL of its userinfo endpoint is discovered.
    #[cfg(feature = "jwks")]
    pub(in crate::server) const fn discovers_userinfo(&self) -> bool {
        #[cfg(feature = "axum")]
        return matches!(self.userinfo_location, Some(UserInfoLocation::Discovered));
        #[cfg(not(feature = "axum"))]
        return false;
    }
}

/// Shows the kind and the name; addresses can hold secrets.
impl fmt::Debug for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Issuer").field(&self.kind).finish()
    }
}
