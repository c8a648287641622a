//! Members of an issuer.

use crate::model::claim_path::ClaimPath;
use crate::model::requirement::claim_value::ClaimValue;
use crate::server::config::duration_text::DurationText;
use crate::server::config::place::PublicText;
use crate::server::config::section::section;
#[cfg(feature = "jwks")]
use crate::server::config::sections::issuer::introspection::{
    ClientAuthenticationTable, TokenDialectTable,
};
use crate::server::config::sections::issuer::kinds::{
    CognitoPool, GitlabNamespace, KeycloakRealm, NamedKey, OktaServer, RequiredClaimTable,
    RequiredHeaderTable, TenantFamily,
};
#[cfg(feature = "status-list")]
use crate::server::config::sections::issuer::status_list::StatusListTable;
use crate::server::config::sections::scopes::ScopeRuleTable;
use crate::server::config::sections::tenants::TenantTable;
use crate::server::config::setting::{AlgorithmName, BindingName, Several, is_its_own_value};
use crate::server::presets::{issuers as presets, workloads};
use crate::server::settings::issuer::value::Issuer;

section! {
    /// One authorization server whose access tokens are accepted.
    IssuerTable makes Issuer;

    /// An Amazon Cognito user pool.
    make cognito: CognitoPool = |issuer| issuer;
    /// An issuer that follows the JWT profile for access tokens (RFC 9068), by its `iss`.
    make rfc9068: String;
    /// Any other issuer of JWT access tokens, by its `iss`.
    make oidc: String;
    /// Several tenants of one server that share one key set.
    make oidc_tenants: TenantFamily = |issuer| issuer;
    /// An issuer that follows the FAPI 2.0 Security Profile, by its `iss`.
    make fapi2: String;
    /// A realm of Keycloak.
    make keycloak: KeycloakRealm = |issuer| issuer;
    /// An Auth0 tenant, by its domain.
    make auth0: String = presets::auth0;
    /// One tenant of Microsoft Entra ID, by its directory id.
    make entra: String = |tenant: String| presets::entra(tenant);
    /// Several tenants of Microsoft Entra ID, by their directory ids.
    make entra_tenants: Several<String> = |tenants: Vec<String>| presets::entra_tenants(tenants);
    /// A custom authorization server of Okta.
    make okta: OktaServer = |issuer| issuer;
    /// An instance of ZITADEL, by its domain.
    make zitadel: String = presets::zitadel;
    /// Safewhere Identify, by its domain.
    make safewhere: String = presets::safewhere;
    /// The service accounts of the Kubernetes cluster that this program runs in, by the `iss` of the cluster.
    make kubernetes: String = workloads::kubernetes;
    /// The service accounts of a cluster whose issuer is public (EKS, GKE, AKS), by its `iss`.
    make managed_kubernetes: String = workloads::managed_kubernetes;
    /// Jobs of GitHub Actions, by the owner of their repositories.
    make github_actions: String = workloads::github_actions;
    /// Jobs of GitLab CI/CD of one namespace.
    make gitlab: GitlabNamespace = |issuer| issuer;
    /// A service account of Google Cloud, by its unique id.
    make google_workload: String = workloads::google_workload;
    /// The IAM principals of an AWS account, by the issuer of the account.
    make aws_workload: String = workloads::aws_workload;
    /// A SPIFFE trust domain, by its name.
    make spiffe: String;
    /// Axway API Gateway, by the URL of its token information service.
    #[cfg(feature = "jwks")]
    make axway: String = |endpoint: String| presets::axway(endpoint);
    /// An issuer of opaque tokens, by its introspection endpoint (RFC 7662).
    #[cfg(feature = "jwks")]
    make introspected: String;
    /// The same, by its identifier: the endpoint is discovered.
    #[cfg(feature = "jwks")]
    make introspection_discovered: String;
    /// An older form of introspection, by its endpoint; needs `token_dialect`.
    #[cfg(feature = "jwks")]
    make token_information: String;

    /// Further names (`iss`) of the same issuer.
    each also_named: String;
    /// Regions with replicas of the Cognito pool.
    each replica_region: String;
    /// Clients whose tokens are accepted. Default: any, and for Cognito at least one is needed.
    each client_id: String;
    /// Audiences of its tokens in place of the resource's.
    each audience: String;
    /// The resource of tokens that name none. Default: the first.
    one default_resource: String;
    /// The claim that holds the audience. Default: `aud`.
    one audience_claim: ClaimPath;
    /// The algorithms that are accepted. Default: RS256 for Cognito, else RS, PS and ES of all lengths,
    /// EdDSA and Ed25519.
    one algorithms: Several<AlgorithmName>;
    /// Further values of `typ` that are accepted.
    each accept_type: String;
    /// Further values of `token_use` that mark an access token.
    each accept_token_use: String;
    /// Claims that must have a value.
    each require_claim: RequiredClaimTable = |issuer, one: (ClaimPath, ClaimValue)| issuer.require_claim(one.0, one.1);
    /// Header parameters that must have a value.
    each require_header: RequiredHeaderTable = |issuer, one: RequiredHeaderTable| issuer.require_header(one.name, one.value);
    /// Bindings that its tokens must have; several add up.
    each require_binding: BindingName;
    /// The claim that holds the scope. Default: `scope`.
    one scope_claim: ClaimPath;
    /// Which scopes of its tokens imply others.
    each scope_hierarchy: ScopeRuleTable;
    /// The claim that holds the roles. Default: `roles`.
    one roles_claim: ClaimPath;
    /// The claim that holds the groups. Default: `groups`, for Cognito `cognito:groups`.
    one groups_claim: ClaimPath;
    /// Reads a lone string as a list of one role or group.
    flag lone_roles_and_groups;
    /// Reads the names of an object's members as roles and groups.
    flag member_names_as_roles_and_groups;
    /// Reads an array of objects as roles and groups, by this member of each.
    one roles_and_groups_named_by: String;
    /// Reads whole numbers as the names of roles and groups.
    flag numeric_roles_and_groups;
    /// The claim that holds the authentication context class. Default: `acr`.
    one acr_claim: ClaimPath;
    /// The claim that names the actor. Default: `act`.
    one actor_claim: ClaimPath;
    /// How many actors a token may have: 1 to 16. Default: 4.
    one max_actors: usize;
    /// The claim that holds the subject. Default: `sub`.
    one subject_claim: ClaimPath;
    /// The claim that holds the client id. Default: `client_id`, for `oidc` then `azp`.
    one client_id_claim: ClaimPath;
    /// The claim that names the session. Default: `origin_jti`, beside `sid`.
    one session_claim: ClaimPath;
    /// How far the issuer's clock may be off: at most 5 min. Default: 30 s.
    one leeway: DurationText;
    /// How long its tokens are good at most: 1 min to 90 d. Default: 24 h.
    one longest_token_life: DurationText;
    /// Clients whose logout tokens are taken.
    each logout_client: String;
    /// Takes logout tokens without `exp`.
    flag logout_tokens_without_exp;
    /// How its tokens state tenants.
    one tenant_claims: TenantTable;

    /// URLs of its key sets, up to 8, in place of discovery.
    each key_set_url: String;
    /// The URL of its discovery document.
    one discovery_url: String;
    /// Its keys as JWK Sets; nothing is fetched.
    each key_set: PublicText;
    /// Its public keys in PEM; nothing is fetched.
    each pem: PublicText;
    /// The same, for tokens with this `kid`.
    each pem_with_key_id: NamedKey = |issuer, one: (String, String)| issuer.pem_with_key_id(one.0, one.1);
    /// The base URL of a Cognito emulator.
    one endpoint: String;
    /// Root certificates in PEM for its documents, beside the system's.
    each root_certificate: PublicText;
    /// Files with root certificates in PEM, such as the authority of a cluster.
    each root_certificate_file: String;
    /// The file with the bearer token for its documents.
    one bearer_token_file: String;
    /// The origin from which a discovered key set is fetched in place of its own.
    one key_set_origin: String;
    /// Uses the proxies that the environment names.
    flag proxy_from_environment;
    /// How often key sets are fetched: 1 min to 24 h. Default: 10 min.
    one refresh_interval: DurationText;
    /// The least time between fetches for unknown key ids: 1 s to 1 h. Default: 30 s.
    one unknown_key_cooldown: DurationText;
    /// How many entries of a key set are read: 1 to 1000. Default: 100.
    one most_keys: usize;
    /// The longest key set in bytes: 16384 to 4194304. Default: 262144.
    one key_set_bytes: usize;
    /// How long keys are good after the last fetch: 5/4 of the refresh interval to 30 d. Default: 24 h.
    one max_staleness: DurationText;

    /// The userinfo endpoint.
    #[cfg(all(feature = "axum", feature = "jwks"))]
    one userinfo: String;
    /// The userinfo endpoint is discovered.
    #[cfg(all(feature = "axum", feature = "jwks"))]
    flag discover_userinfo;
    /// The status of its tokens is checked in Token Status Lists.
    #[cfg(feature = "status-list")]
    one status_list: StatusListTable;

    /// The identifier of an introspected issuer. Default: the issuer or the endpoint.
    #[cfg(feature = "jwks")]
    one identified_as: String;
    /// How this server authenticates at the introspection endpoint.
    #[cfg(feature = "jwks")]
    one client_authentication: ClientAuthenticationTable;
    /// The form of requests to a token information service.
    #[cfg(feature = "jwks")]
    one token_dialect: TokenDialectTable;
    /// Statuses of the endpoint that say that a token is bad: 400 to 499 except 401, 403 and 429.
    #[cfg(feature = "jwks")]
    each bad_token_status: u16;
    /// Asks about JWTs of this issuer too.
    #[cfg(feature = "jwks")]
    flag introspect_jwts;
    /// Asks about JWTs of this issuer, and about nothing else.
    #[cfg(feature = "jwks")]
    flag introspect_only_jwts;
    /// Takes an answer without a subject and a user's name for one about a client.
    #[cfg(feature = "jwks")]
    flag clients_without_subject;
    /// Accepts an answer that names no audience.
    #[cfg(feature = "jwks")]
    flag audience_where_stated;
    /// Demands signed answers (RFC 9701).
    #[cfg(feature = "jwks")]
    flag signed_answers;
    /// Audiences of signed answers in place of the client id.
    #[cfg(feature = "jwks")]
    each signed_answers_for: String;
    /// How far the time of a signed answer may be off: 1 s to 1 h. Default: 5 min.
    #[cfg(feature = "jwks")]
    one signed_answer_age: DurationText;
    /// How long an answer is remembered: 1 s to 5 min. Default: 60 s.
    #[cfg(feature = "jwks")]
    one introspection_cache_life: DurationText;
    /// Remembers no answer.
    #[cfg(feature = "jwks")]
    flag without_introspection_cache;
    /// How many introspection requests may run at a time: 1 to 1024. Default: 64.
    #[cfg(feature = "jwks")]
    one concurrent_introspections: usize;
    /// How long a request waits for an answer: 10 ms to 30 s. Default: 2 s.
    #[cfg(feature = "jwks")]
    one introspection_timeout: DurationText;

    /// Settings that give up a protection.
    one danger: DangerousIssuerTable = |issuer, danger: DangerousIssuerTable| danger.apply(issuer);
}

/// Settings of an issuer that give up a protection.
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table of members")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(in crate::server::config) struct DangerousIssuerTable {
    /// Accepts tokens for any audience, and tokens that name none.
    #[serde(default)]
    accept_any_audience: bool,
    /// Accepts access tokens that look like ID tokens.
    #[serde(default)]
    accept_id_token_marks: bool,
    /// Allows plain http to this issuer anywhere, not only on loopback.
    #[serde(default)]
    plain_http: bool,
}

impl DangerousIssuerTable {
    fn apply(self, mut issuer: Issuer) -> Issuer {
        if self.accept_any_audience {
            issuer = issuer.danger().accept_any_audience();
        }
        if self.accept_id_token_marks {
            issuer = issuer.danger().accept_id_token_marks();
        }
        if self.plain_http {
            issuer = issuer.danger().plain_http();
        }
        issuer
    }
}

is_its_own_value!(DangerousIssuerTable);
