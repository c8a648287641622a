//! Builds a server from its settings. Every mistake is found before the first request.

use crate::model::error::rejection::Objection;
use crate::model::repeated_settings::RepeatedSettings;
use crate::model::scope::ScopeHierarchy;
use crate::model::time::UnixTime;
use crate::runtime::cache::token_cache::CacheLimits;
use crate::runtime::clock::{Clock, SystemClock};
#[cfg(feature = "jwks")]
use crate::runtime::decision_queue::DynDecisionSink;
use crate::runtime::directory::{
    DynMembershipDirectory, DynUserDirectory, DynWorkspaceDirectory, MembershipDirectory,
    UserDirectory, WorkspaceDirectory,
};
#[cfg(feature = "jwks")]
use crate::runtime::http::shared_clients::HttpClients;
use crate::server::observe::observer::Observer;
use crate::server::observe::settings::DecisionRecords;
#[cfg(feature = "jwks")]
use crate::server::resource_server::LoadHook;
use crate::server::resource_server::{ApplicationCheck, ResourceServer};
use crate::server::settings::bound_tokens::server::BindingSettings;
use crate::server::settings::issuer::value::Issuer;
#[cfg(feature = "jwks")]
use crate::server::settings::key_set_copies::KeySetCopies;
use crate::server::settings::path_parameters::PathParameters;
use crate::server::settings::resource::value::Resource;
#[cfg(feature = "redis")]
use crate::server::settings::shared_store::SharedStore;
#[cfg(feature = "ssf")]
use crate::server::settings::ssf::SsfTransmitter;
use crate::verify::claims::verified_token::AccessToken;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// 2025-10-01T00:00:00Z. A clock that shows an earlier time is wrong: this library did not exist
/// then. A release may move this time on, up to the day of the release.
const EARLIEST: UnixTime = UnixTime::from_secs(1_759_276_800);

/// Usual tokens have 1 to 4 KiB. A short life bounds how long a removed key or rule has effect.
const DEFAULT_CACHE: CacheLimits = CacheLimits {
    entries: 10_000,
    bytes: 64 << 20,
    life: Duration::from_secs(300),
};

/// Collects the settings of a [`ResourceServer`].
#[must_use]
pub struct ResourceServerBuilder {
    /// The first one is the default.
    pub(in crate::server) resources: Vec<Resource>,
    pub(in crate::server) issuers: Vec<Issuer>,
    pub(in crate::server) max_token_bytes: usize,
    pub(in crate::server) resource_metadata: Option<String>,
    pub(in crate::server) clock: Arc<dyn Clock>,
    pub(in crate::server) earliest: UnixTime,
    /// `None`: switched off.
    pub(in crate::server) token_cache: Option<CacheLimits>,
    pub(in crate::server) owners: Option<Arc<dyn DynWorkspaceDirectory>>,
    pub(in crate::server) users: Option<Arc<dyn DynUserDirectory>>,
    pub(in crate::server) members: Option<Arc<dyn DynMembershipDirectory>>,
    pub(in crate::server) lookup_timeout: Duration,
    pub(in crate::server) path: PathParameters,
    pub(in crate::server) most_revocations: usize,
    #[cfg(feature = "jwks")]
    pub(in crate::server) load: Option<LoadHook>,
    #[cfg(feature = "jwks")]
    pub(in crate::server) copies: Option<KeySetCopies>,
    #[cfg(feature = "jwks")]
    pub(in crate::server) lease_outage_tolerance: Duration,
    pub(in crate::server) checks: Vec<ApplicationCheck>,
    pub(in crate::server) shows_unknown_issuers: bool,
    pub(in crate::server) logs_callers: bool,
    pub(in crate::server) scope_hierarchy: ScopeHierarchy,
    pub(in crate::server) observers: Vec<Arc<dyn Observer>>,
    pub(in crate::server) decision_records: Option<DecisionRecords>,
    #[cfg(feature = "jwks")]
    pub(in crate::server) decision_sink: Option<Arc<dyn DynDecisionSink>>,
    /// The settings that hold one value.
    pub(in crate::server) once: RepeatedSettings,
    pub(in crate::server) binding: BindingSettings,
    #[cfg(feature = "redis")]
    pub(in crate::server) shared_store: Option<SharedStore>,
    #[cfg(feature = "ssf")]
    pub(in crate::server) transmitters: Vec<SsfTransmitter>,
    /// The clients that issuers with equal options share. It is no setting.
    #[cfg(feature = "jwks")]
    pub(in crate::server) clients: HttpClients,
}

impl fmt::Debug for ResourceServerBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResourceServerBuilder")
            .field("resources", &self.resources)
            .field("issuers", &self.issuers)
            .finish_non_exhaustive()
    }
}

impl ResourceServer {
    /// Starts the configuration of a server for this resource: the identifier that access
    /// tokens for it have as audience, usually its https URL (RFC 8707 section 2), or a
    /// [`Resource`] with settings of its own. The identifier is also the default realm of
    /// challenges.
    #[doc(alias = "resource_server")]
    #[doc(alias = "audience")]
    pub fn builder(resource: impl Into<Resource>) -> ResourceServerBuilder {
        ResourceServerBuilder::new(resource.into())
    }
}

impl ResourceServerBuilder {
    fn new(resource: Resource) -> Self {
        Self {
            resources: vec![resource],
            issuers: Vec::new(),
            max_token_bytes: 16 * 1024,
            resource_metadata: None,
            clock: Arc::new(SystemClock::new()),
            earliest: EARLIEST,
            token_cache: Some(DEFAULT_CACHE),
            owners: None,
            users: None,
            members: None,
            lookup_timeout: Duration::from_secs(2),
            path: PathParameters::default(),
            most_revocations: 1_000_000,
            #[cfg(feature = "jwks")]
            load: None,
            #[cfg(feature = "jwks")]
            copies: None,
            #[cfg(feature = "jwks")]
            lease_outage_tolerance: Duration::from_secs(30),
            checks: Vec::new(),
            shows_unknown_issuers: false,
            logs_callers: false,
            scope_hierarchy: ScopeHierarchy::new(),
            observers: Vec::new(),
            decision_records: None,
            #[cfg(feature = "jwks")]
            decision_sink: None,
            once: RepeatedSettings::default(),
            binding: BindingSettings::default(),
            #[cfg(feature = "redis")]
            shared_store: None,
            #[cfg(feature = "ssf")]
            transmitters: Vec::new(),
            #[cfg(feature = "jwks")]
            clients: HttpClients::default(),
        }
    }

    /// Adds a further resource; call it once for each, up to 64 with the first. Its routes stand
    /// behind [`authenticate_for`](ResourceServer::authenticate_for). A token is good for the resources
    /// whose audiences it names, and refused with 401 `invalid_token` at the others. Issuers, keys and
    /// caches are shared. Two resources have neither an identifier, nor an audience, nor the path of a
    /// metadata document in common. Default: the resource that [`builder`](ResourceServer::builder) was given alone.
    #[doc(alias("resource_indicators", "rfc8707", "protected_resource"))]
    pub fn resource(mut self, resource: impl Into<Resource>) -> Self {
        self.resources.push(resource.into());
        self
    }

    /// Trusts an issuer; call it once for each. Each keeps its own keys, algorithms, audiences
    /// and tenant rules. Default: none, which is a mistake.
    pub fn issuer(mut self, issuer: Issuer) -> Self {
        self.issuers.push(issuer);
        self
    }

    /// The longest token that is looked at, in bytes of the `Authorization` field after the
    /// scheme: 1 KiB to 1 MiB. Default: 16 KiB; real tokens reach 4 KiB and grow.
    #[doc(alias = "token_size")]
    pub fn max_token_bytes(mut self, bytes: usize) -> Self {
        self.once.set("max_token_bytes", &bytes);
        self.max_token_bytes = bytes;
        self
    }

    /// The URL of the first resource's metadata (RFC 9728 section 5.1), named in challenges, where
    /// another server serves it. Default: none is named, until
    /// [`metadata()`](ResourceServer::metadata) was called; then the address of the resource's document.
    pub fn resource_metadata(mut self, url: impl Into<String>) -> Self {
        let url = url.into();
        self.once.set("resource_metadata", &url);
        self.resource_metadata = Some(url);
        self
    }

    /// Which scopes imply others, for the tokens of every issuer: a token with `orders:write` then
    /// meets a demand for `orders:read`. See [`ScopeHierarchy`] for its bounds. Several settings add up,
    /// and each [issuer](Issuer::scope_hierarchy) may have more of its own. Default: none does.
    #[doc(alias("implied_scopes"))]
    #[allow(clippy::needless_pass_by_value)] // as every setting
    pub fn scope_hierarchy(mut self, hierarchy: ScopeHierarchy) -> Self {
        self.scope_hierarchy = self.scope_hierarchy.and(&hierarchy);
        self
    }

    /// Where time comes from. Default: the machine's clock.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.once.set_opaque("clock");
        self.clock = Arc::new(clock);
        self
    }

    /// The earliest time that the wall clock can show. Where it shows an earlier one it is not set,
    /// as on a machine that has just started without a battery: then every token is answered 503,
    /// since tokens that ended long ago would look good, and [`ready`](ResourceServer::ready) is
    /// false. Default: 2025-10-01T00:00:00Z, before which this version of the library did not
    /// exist. An earlier time is for tests with tokens of their own age.
    pub fn earliest_time(mut self, time: UnixTime) -> Self {
        self.once.set("earliest_time", &time);
        self.earliest = time;
        self
    }

    /// How many verified tokens are remembered, so that a token seen again costs a look-up in
    /// place of its signature: 1 to 10,000,000. Its times, your own checks, scopes and tenants are
    /// judged on every request all the same; see the manual's chapter on architecture.
    /// Default: 10,000, and no more than [`token_cache_bytes`](Self::token_cache_bytes).
    pub fn token_cache_entries(mut self, entries: usize) -> Self {
        self.once.set("token_cache_entries", &entries);
        self.token_cache.get_or_insert(DEFAULT_CACHE).entries = entries;
        self
    }

    /// How much memory the remembered tokens may take, in bytes: 1 MiB to 1 GiB. Counted is all
    /// that is kept of a token, but not what a `Claims<T>` of yours makes of it, nor the cache's own
    /// places. A token that takes more than a sixteenth of this is not remembered.
    /// Default: 64 MiB.
    pub fn token_cache_bytes(mut self, bytes: usize) -> Self {
        self.once.set("token_cache_bytes", &bytes);
        self.token_cache.get_or_insert(DEFAULT_CACHE).bytes = bytes;
        self
    }

    /// How long a token is remembered before its signature is checked anew, by the server's
    /// clock: 1 s to 5 min. It never outlives its own end, its key or the age that keys may have.
    /// Default: 5 min.
    pub fn token_cache_life(mut self, life: Duration) -> Self {
        self.once.set("token_cache_life", &life);
        self.token_cache.get_or_insert(DEFAULT_CACHE).life = life;
        self
    }

    /// Remembers no token. Default: tokens are remembered.
    pub fn without_token_cache(mut self) -> Self {
        self.once.set("without_token_cache", "");
        self.token_cache = None;
        self
    }

    /// The application's directory of owners: which account owns a workspace. Principals enter
    /// workspaces only through it, and so do users by an
    /// [`account_admin_role`](crate::TenantClaims::account_admin_role) and callers of issuers that
    /// [`only_accounts`](crate::TenantClaims::only_accounts) limits. Default: none; then those two
    /// settings are mistakes that `build()` finds, and under a layer that says [`admit_principals`](crate::AuthenticateLayer::admit_principals) tenant
    /// guards answer 500.
    pub fn workspace_directory(mut self, directory: impl WorkspaceDirectory) -> Self {
        self.once.set_opaque("workspace_directory");
        self.owners = Some(Arc::new(directory));
        self
    }

    /// The directory that says which users a workspace has, for clients that act for a user: see
    /// [`Delegation`](crate::tenant::Delegation). Default: none, and handlers that ask for a delegation
    /// answer 500.
    pub fn user_directory(mut self, directory: impl UserDirectory) -> Self {
        self.once.set_opaque("user_directory");
        self.users = Some(Arc::new(directory));
        self
    }

    /// The application's directory of members: which users belong to a workspace beside those
    /// whose token names it. It is asked about users of issuers whose tenant rules say
    /// [`memberships_from_directory`](crate::TenantClaims::memberships_from_directory), at least
    /// one of which must. Default: none.
    ///
    /// ```
    /// use axum::{Router, routing::get};
    /// use portcullis::tenant::{Membership, UserId, WorkspaceId, membership_directory_fn};
    /// use portcullis::tenant::AccountId;
    /// use portcullis::{ResourceServer, TenantClaims, WorkspaceAccess};
    /// # use axum::body::Body;
    /// # use http::Request;
    /// # use tower::ServiceExt as _;
    ///
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
    /// let issuer = portcullis::test_util::MockIssuer::new();
    /// // The tokens name the user and no tenant.
    /// let rules = TenantClaims::by_membership().memberships_from_directory();
    /// let server = ResourceServer::builder("https://api.example.com")
    ///     .issuer(issuer.trusted().tenant_claims(rules))
    ///     .membership_directory(membership_directory_fn(
    ///         |user: UserId, workspace: WorkspaceId| async move {
    ///             // A query of your database, say.
    ///             Ok(match (user.as_str(), workspace.as_str()) {
    ///                 ("alice", "acme-prod") => {
    ///                     Some(Membership::new().account(AccountId::new("acme")?).role("editor"))
    ///                 }
    ///                 _ => None,
    ///             })
    ///         },
    ///     ))
    ///     .build()?;
    /// let app: Router = Router::new()
    ///     .route("/workspaces/{workspace_id}", get(|_: WorkspaceAccess| async {}))
    ///     .route_layer(server.authenticate());
    ///
    /// let token = issuer.token().subject("alice").sign();
    /// let get = |path| Request::get(path).header("authorization", format!("Bearer {token}")).body(Body::empty());
    /// assert_eq!(app.clone().oneshot(get("/workspaces/acme-prod")?).await?.status(), 200);
    /// assert_eq!(app.clone().oneshot(get("/workspaces/acme-dev")?).await?.status(), 403);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn membership_directory(mut self, directory: impl MembershipDirectory) -> Self {
        self.once.set_opaque("membership_directory");
        self.members = Some(Arc::new(directory));
        self
    }

    /// How long a directory may take to answer, by the server's clock, before the request is
    /// answered 503: 10 ms to 30 s. Without the feature `jwks`, and outside a tokio runtime, the
    /// machine's clock cannot wake a task, and a directory must end by itself; in a runtime, time must
    /// be enabled, unless answers come at once. Default: 2 s, as the timeout of an introspection.
    pub fn lookup_timeout(mut self, timeout: Duration) -> Self {
        self.once.set("lookup_timeout", &timeout);
        self.lookup_timeout = timeout;
        self
    }

    /// The route parameter that holds the workspace's id, for the extractors
    /// [`WorkspaceAccess`](crate::WorkspaceAccess) and [`Delegation`](crate::tenant::Delegation): `project`
    /// for `/orgs/{org}/projects/{project}`. The route may have any shape and any other
    /// parameters; the id is the parameter's whole value, percent-decoded. A layer can name
    /// another one: [`AuthenticateLayer::workspace_parameter`](crate::AuthenticateLayer::workspace_parameter).
    /// A name is not empty and has no `{`, `}`, `/` and `*`. On a route without the parameter the
    /// extractor answers 500, [`NoWorkspaceParameter`](crate::error::WiringFault::NoWorkspaceParameter),
    /// and the log names the parameter and this setting. Default: `workspace_id`.
    ///
    /// ```
    /// use axum::{Router, routing::get};
    /// use portcullis::{ResourceServer, TenantClaims, WorkspaceAccess};
    /// # use axum::body::Body;
    /// # use http::Request;
    /// # use tower::ServiceExt as _;
    ///
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
    /// let issuer = portcullis::test_util::MockIssuer::new();
    /// let rules = TenantClaims::by_workspace("project").account_claim("org");
    /// let server = ResourceServer::builder("https://api.example.com")
    ///     .issuer(issuer.trusted().tenant_claims(rules))
    ///     .workspace_parameter("project")
    ///     .account_parameter("org")
    ///     .build()?;
    /// let app: Router = Router::new()
    ///     .route("/orgs/{org}/projects/{project}", get(|_: WorkspaceAccess| async {}))
    ///     .route_layer(server.authenticate());
    ///
    /// let token = issuer.token().claim("org", "acme").claim("project", "apollo").sign();
    /// let get = |path| Request::get(path).header("authorization", format!("Bearer {token}")).body(Body::empty());
    /// assert_eq!(app.clone().oneshot(get("/orgs/acme/projects/apollo")?).await?.status(), 200);
    /// assert_eq!(app.clone().oneshot(get("/orgs/acme/projects/gemini")?).await?.status(), 403);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[doc(alias = "path_parameter")]
    #[doc(alias = "route_parameter")]
    pub fn workspace_parameter(mut self, name: impl Into<String>) -> Self {
        let name = name.into();
        self.once.set("workspace_parameter", &name);
        self.path.workspace = name.into();
        self
    }

    /// The route parameter that holds the account's id: compared by
    /// [`WorkspaceAccess`](crate::WorkspaceAccess) where the route has it, required by
    /// [`AccountAccess`](crate::tenant::AccountAccess). Bounds and layers are as for
    /// [`workspace_parameter`](Self::workspace_parameter). Default: `account_id`.
    pub fn account_parameter(mut self, name: impl Into<String>) -> Self {
        let name = name.into();
        self.once.set("account_parameter", &name);
        self.path.account = name.into();
        self
    }

    /// How many revocations are held in memory at most: 1 to 10,000,000. One that does not fit is an
    /// error where it is added, and evicts no other. Default: 1,000,000, which take about
    /// 150 MB; memory is taken as they come.
    pub fn most_revocations(mut self, entries: usize) -> Self {
        self.once.set("most_revocations", &entries);
        self.most_revocations = entries;
        self
    }

    /// Shares revocations, and what issuers said of opaque tokens, with other instances.
    /// [`connect()`](ResourceServer::connect) begins with it; until it has read what the others
    /// have revoked, every token is answered 503. Default: nothing is shared.
    #[cfg(feature = "redis")]
    pub fn shared_store(mut self, store: SharedStore) -> Self {
        self.once.set_opaque("shared_store");
        self.once.take_over(&store.once);
        self.shared_store = Some(store);
        self
    }

    /// Adds a check of your own; call it once for each. All must pass, in their order, on every
    /// request with a token: nothing remembers that one has.
    ///
    /// A check sees tokens that passed every check of this library, its time included. Contexts,
    /// scopes, roles and tenants are judged after it, where routes ask for them. It is called
    /// while the request waits, so it must neither block nor take long: look up what you keep in
    /// memory. Default: none.
    ///
    /// ```
    /// use portcullis::error::Objection;
    /// use portcullis::{AccessToken, Issuer, ResourceServer};
    /// use std::collections::HashSet;
    ///
    /// let lost: HashSet<&str> = HashSet::from(["a-lost-token"]);
    /// let server = ResourceServer::builder("https://api.example.com")
    ///     .issuer(Issuer::oidc("https://id.example.com"))
    ///     .check(move |token: &AccessToken| match token.id() {
    ///         Some(id) if !lost.contains(id) => Ok(()),
    ///         _ => Err(Objection::Token),
    ///     });
    /// # let _ = server;
    /// ```
    ///
    /// # Errors
    ///
    /// What a check returns: [`Objection::Token`] is answered 401, [`Objection::Caller`] 403.
    #[doc(alias = "authorize")]
    #[doc(alias = "custom_validation")]
    pub fn check(
        mut self,
        check: impl Fn(&AccessToken) -> Result<(), Objection> + Send + Sync + 'static,
    ) -> Self {
        self.checks.push(Box::new(check));
        self
    }

    /// Puts the `iss` of a token whose issuer is not configured into
    /// [`RejectionDetail::found`](crate::error::RejectionDetail::found), escaped and cut to 200
    /// characters: to find out which issuer a new client uses. Such a token is not verified: its `iss`
    /// may be forged. Default: the refusal names the fault alone.
    pub fn show_unknown_issuers(mut self) -> Self {
        self.shows_unknown_issuers = true;
        self
    }

    /// Names the caller in events: the `subject` and the `client` of the token and, where an agent acts,
    /// `actor` and `actor_issuer`, each escaped and cut to 256 characters. They stand in `token admitted`
    /// and, for a good token that a guard or the application refuses, in `request refused`; fields
    /// `auth.subject`, `auth.client`, `auth.actor` and `auth.actor_issuer` of the application's span are
    /// filled. Ids of people then stand in the log. Default: events have no claim's value.
    #[doc(alias("audit", "logging"))]
    pub fn log_callers(mut self) -> Self {
        self.logs_callers = true;
        self
    }
}
