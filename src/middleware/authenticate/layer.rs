//! The layer that puts a server in front of a service, and its settings.
//!
//! 1. Everything about a layer is decided when it is made; a request changes nothing.
//! 2. What gives up a protection stands behind `danger()`.
//! 3. A layer has no `build()`. A setting that is given twice with different values, or that
//!    cannot be used, makes it answer every request 500, and names the setting to the operator.

mod policy;

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use tower_layer::Layer;

use crate::middleware::authenticate::client_certificate::CertificateProxy;
use crate::middleware::authenticate::layer_policy::{AdmissionRules, SettingFault};
use crate::middleware::authenticate::service::Authenticate;
use crate::middleware::response::body::{EmptyBody, RenderedBody, Renderer};
use crate::middleware::response::drain_body::ReadBounds;
use crate::model::error::rejection_detail::Problem;
use crate::model::requirement::binding::{Binding, RequiredBindings};
use crate::model::scope::{ScopeRequirement, add_tokens, challenge_of, tokens_of};
use crate::model::time::UnixTime;
use crate::model::url;
use crate::server::observe::observe_only::ObserveOnly;
use crate::server::resource_server::ResourceServer;
use crate::server::settings::error::{ConfigError, is_quotable};
use crate::server::settings::path_parameters::is_parameter_name;
use crate::verify::request::token_sources::TokenSources;

impl ResourceServer {
    /// The layer that puts this server in front of a service, for its first resource.
    ///
    /// In axum use `route_layer`: it covers the routes that were added before it, and leaves
    /// the fallback alone. A CORS layer goes outside this one, because preflights carry no
    /// token; for scripts of other origins it exposes `WWW-Authenticate`. See
    /// [the manual](crate::manual::browsers#cors).
    pub fn authenticate(&self) -> AuthenticateLayer {
        self.layer_for(0)
    }

    /// The layer for one of several resources, by its identifier. A token of another resource of this
    /// server is refused with 401 `invalid_token`; challenges have the resource's realm and metadata.
    ///
    /// ```
    /// use axum::{Router, routing::get};
    /// use portcullis::{AccessToken, ResourceServer};
    /// # use axum::body::Body;
    /// # use http::Request;
    /// # use tower::ServiceExt as _;
    ///
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
    /// let issuer = portcullis::test_util::MockIssuer::new();
    /// let server = ResourceServer::builder("https://api.example.com")
    ///     .resource("https://api.example.com/mcp")
    ///     .issuer(issuer.trusted())
    ///     .build()?;
    /// let api = Router::new()
    ///     .route("/missions", get(|_: AccessToken| async {}))
    ///     .route_layer(server.authenticate());
    /// let mcp = Router::new()
    ///     .route("/mcp", get(|_: AccessToken| async {}))
    ///     .route_layer(server.authenticate_for("https://api.example.com/mcp")?);
    /// let app: Router = api.merge(mcp).merge(server.metadata());
    ///
    /// let token = issuer.token().audience("https://api.example.com/mcp").sign();
    /// let get = |path| Request::get(path).header("authorization", format!("Bearer {token}")).body(Body::empty());
    /// assert_eq!(app.clone().oneshot(get("/mcp")?).await?.status(), 200);
    /// assert_eq!(app.clone().oneshot(get("/missions")?).await?.status(), 401);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`ConfigError`] when the server has no resource of this identifier, byte for byte.
    #[doc(alias("resource_indicators", "rfc8707", "audience"))]
    pub fn authenticate_for(&self, resource: &str) -> Result<AuthenticateLayer, ConfigError> {
        let place = self.resource_place(resource)?;
        Ok(self.layer_for(place))
    }

    fn layer_for(&self, resource: usize) -> AuthenticateLayer {
        AuthenticateLayer {
            server: self.clone(),
            resource,
            settings: Settings::default(),
            sources: TokenSources::default(),
            setting_fault: None,
            renderer: None,
            marker: PhantomData,
        }
    }
}

/// Puts a [`ResourceServer`] in front of a service. Made by [`ResourceServer::authenticate`] and
/// [`ResourceServer::authenticate_for`].
///
/// Works over any body type whose response side has an empty default; refusals are answered
/// with that empty body, unless a [`renderer`](Self::renderer) makes others. See
/// [`RejectionKind`](crate::RejectionKind) for what is answered.
///
/// A request may pass several layers. The innermost decides, and layers of one server count its
/// `DPoP` proof as one use. Another server uses the proof again: where both share one store, it refuses
/// the request as a replay.
///
/// ```
/// use http::{Request, Response, StatusCode};
/// use portcullis::{Issuer, ResourceServer};
/// use tower::{Layer, ServiceExt, service_fn};
///
/// # let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
/// # runtime.block_on(async {
/// let issuer = portcullis::test_util::MockIssuer::new();
/// let server = ResourceServer::builder("https://api.example.com")
///     .issuer(issuer.trusted())
///     .build()?;
/// let service = server.authenticate().layer(service_fn(|_: Request<String>| async {
///     Ok::<_, std::convert::Infallible>(Response::new("hello".to_owned()))
/// }));
///
/// let refused = service.clone().oneshot(Request::new(String::new())).await?;
/// assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
///
/// let token = issuer.token().audience("https://api.example.com").sign();
/// let request = Request::get("/").header("authorization", format!("Bearer {token}")).body(String::new())?;
/// assert_eq!(service.oneshot(request).await?.status(), StatusCode::OK);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
#[derive(Clone)]
#[must_use]
pub struct AuthenticateLayer<M = EmptyBody, E = KeepStreams> {
    server: ResourceServer,
    /// The place of its resource.
    resource: usize,
    settings: Settings,
    pub(in crate::middleware) sources: TokenSources,
    setting_fault: Option<SettingFault>,
    renderer: Option<Arc<dyn Renderer>>,
    marker: PhantomData<fn() -> (M, E)>,
}

/// The bodies of responses last as long as the handler writes them: the default of an
/// [`AuthenticateLayer`].
#[derive(Clone, Copy, Debug)]
pub struct KeepStreams(());

/// What has one value, and what adds up.
#[derive(Clone, Default)]
struct Settings {
    realm: Option<Arc<str>>,
    context: Option<Arc<str>>,
    resource_metadata: Option<Arc<str>>,
    refused_body_bytes: Option<u64>,
    refused_body_time: Option<Duration>,
    workspace_parameter: Option<Arc<str>>,
    account_parameter: Option<Arc<str>>,
    certificate_proxy: Option<CertificateProxy>,
    /// Tokens without repetition.
    scope: Vec<&'static str>,
    known_scope: Vec<&'static str>,
    admits: AdmissionRules,
    descriptions: bool,
    grpc: bool,
    required_bindings: RequiredBindings,
    observe_only: Option<Arc<ObserveOnly>>,
}

/// Sets what has one value. False where it has another already.
fn set_once<T: PartialEq>(place: &mut Option<T>, value: T) -> bool {
    if let Some(before) = place {
        return *before == value;
    }
    *place = Some(value);
    true
}

impl<M, E> AuthenticateLayer<M, E> {
    /// The API context that these routes belong to. A token that states another is refused
    /// with 403. Where an issuer's tenant rules know contexts, tenant guards under a layer that
    /// names none, or an unknown one, answer 500. A layer has one context: with two
    /// different ones it answers every request 500. Default: none.
    pub fn context(mut self, context: impl Into<String>) -> Self {
        let context: String = context.into();
        let is_one = set_once(&mut self.settings.context, context.into());
        self.demand("context", is_one, Problem::Contradicts)
    }

    /// Lets requests through that carry no `Authorization` field at all, and nothing in a
    /// source that [`danger`](Self::danger) added. A bad token, another scheme, an empty field
    /// or a cookie that does not count is still refused; `Option<T>` extractors see the
    /// difference. Default: a token is required.
    pub fn optional(mut self) -> Self {
        self.settings.admits.nothing_sent = true;
        self
    }

    /// Lets principals into workspaces, beside the callers of this layer's context, though their
    /// tokens are for the portal's: [`WorkspaceAccess`](crate::WorkspaceAccess) gets
    /// the owner of the workspace from the
    /// [`WorkspaceDirectory`](crate::tenant::WorkspaceDirectory), and without a directory every tenant
    /// guard answers 500. A principal passes `WorkspaceAccess`, with
    /// [`Scoped`](crate::Scoped), [`InRole`](crate::InRole) or [`InGroup`](crate::InGroup) around
    /// it, and no other extractor: [`WorkspaceAccess::token`](crate::WorkspaceAccess::token)
    /// has its claims. A handler without extractors accepts them like every other caller, and
    /// so does [`RequireScopeLayer`](crate::layer::RequireScopeLayer) for those with the scope: give
    /// routes without a workspace a layer of their own. Principals need the same scopes as other
    /// callers. Default: a principal's token is refused like that of any other context, and
    /// `WorkspaceAccess` refuses principals.
    pub fn admit_principals(mut self) -> Self {
        self.settings.admits.principals = true;
        self
    }

    /// The `realm` of challenges. Text that a quoted string cannot hold as it stands (anything
    /// but printable ASCII, `"` and `\`) is left out of it. With two different realms the layer
    /// answers every request 500. Default: the layer's resource.
    pub fn realm(mut self, realm: impl AsRef<str>) -> Self {
        let kept: String = realm
            .as_ref()
            .chars()
            .filter(|one| is_quotable(one.encode_utf8(&mut [0; 4])))
            .collect();
        let is_one = set_once(&mut self.settings.realm, kept.into());
        self.demand("realm", is_one, Problem::Contradicts)
    }

    /// The `scope` in the challenge to a request without a valid token (RFC 6750 section 3): the
    /// scopes that a session of a client needs. Several settings add up. Where a guard answers 401, its
    /// challenge has them beside what the guard demands. A 403 names those of them that the token has,
    /// as for [`known_scope`](Self::known_scope). Default: none.
    pub fn challenge_scope<R: ScopeRequirement>(mut self) -> Self {
        add_tokens(&mut self.settings.scope, challenge_of::<R>());
        self
    }

    /// Scopes of this API, those of all alternatives. A 403 for another scope names those of them
    /// that the token has, so that a client that requests exactly the scope of the challenge does not
    /// lose the scopes that it had. Scopes that a guard of this server has refused a
    /// request for are known without this setting, and so is
    /// [`challenge_scope`](Self::challenge_scope). Other scopes of a token, such as `openid`, are
    /// named only where they are made known here. Several settings add up. Default: none.
    pub fn known_scope<R: ScopeRequirement>(mut self) -> Self {
        for token in tokens_of::<R>() {
            add_tokens(&mut self.settings.known_scope, token);
        }
        self
    }

    /// The `resource_metadata` of this layer's challenges (RFC 9728 section 5.1), where another server
    /// serves the metadata. An `https` URL, or `http` on loopback; with another text, or with
    /// two different ones, the layer answers every request 500. Default: for the first resource the
    /// server's [`resource_metadata`](crate::ResourceServerBuilder::resource_metadata); else the
    /// address of the resource's document, once [`metadata()`](crate::ResourceServer::metadata) was
    /// called.
    pub fn resource_metadata(mut self, url: impl Into<String>) -> Self {
        let url: String = url.into();
        let is_sound = url::check(&url, false).is_ok() && is_quotable(&url);
        let is_one = set_once(&mut self.settings.resource_metadata, url.into());
        self.demand("resource_metadata", is_sound, Problem::Malformed)
            .demand("resource_metadata", is_one, Problem::Contradicts)
    }

    /// How many bytes of a refused request's body are read before the answer goes out, over
    /// HTTP/1.x; nothing of them is kept. hyper closes a connection at once when a body was not
    /// read to its end, and a client that still sends then loses the answer, and its next request
    /// on that connection. A body that says that it is longer is not read at all, and neither is
    /// one whose request says `Expect: 100-continue`, since its client waits for the answer first.
    /// What is read is a body of axum's type or hyper's `Incoming`; others are dropped as they are.
    /// 0 switches it off. Needs the feature `jwks`, which brings a timer; without it nothing is
    /// read. With two different numbers the layer answers every request 500. Default: 4 MiB, which
    /// is more than axum's extractors accept.
    pub fn refused_body_bytes(mut self, bytes: u64) -> Self {
        let is_one = set_once(&mut self.settings.refused_body_bytes, bytes);
        self.demand("refused_body_bytes", is_one, Problem::Contradicts)
    }

    /// How long the answer to a refused request waits for the body at most, so that a slow sender
    /// holds nothing for longer; see [`refused_body_bytes`](Self::refused_body_bytes). It counts
    /// from the first moment at which nothing is there to be read. At most 1 min; with a longer
    /// time, or with two different ones, the layer answers every request 500. Zero switches it
    /// off. Default: 5 s, as nginx's `lingering_timeout`.
    pub fn refused_body_time(mut self, time: Duration) -> Self {
        let is_sound = time <= ReadBounds::LONGEST_TIME;
        let is_one = set_once(&mut self.settings.refused_body_time, time);
        self.demand("refused_body_time", is_sound, Problem::TooLong)
            .demand("refused_body_time", is_one, Problem::Contradicts)
    }

    /// The parameter of these routes that holds the workspace's id, in place of the server's
    /// [`workspace_parameter`](crate::ResourceServerBuilder::workspace_parameter): `project` for
    /// `/projects/{project}`. With a name that a route cannot have (empty, or with `{`, `}`, `/` or
    /// `*`), the name of the account's parameter, or two different names, the layer answers every
    /// request 500. Default: the server's, which is `workspace_id`.
    pub fn workspace_parameter(mut self, name: impl Into<String>) -> Self {
        let name: String = name.into();
        let is_sound = is_parameter_name(&name);
        let is_one = set_once(&mut self.settings.workspace_parameter, name.into());
        self.demand("workspace_parameter", is_sound, Problem::Malformed)
            .demand("workspace_parameter", is_one, Problem::Contradicts)
    }

    /// The parameter of these routes that holds the account's id, in place of the server's
    /// [`account_parameter`](crate::ResourceServerBuilder::account_parameter); the bounds are those
    /// of [`workspace_parameter`](Self::workspace_parameter). Default: the server's, which is
    /// `account_id`.
    pub fn account_parameter(mut self, name: impl Into<String>) -> Self {
        let name: String = name.into();
        let is_sound = is_parameter_name(&name);
        let is_one = set_once(&mut self.settings.account_parameter, name.into());
        self.demand("account_parameter", is_sound, Problem::Malformed)
            .demand("account_parameter", is_one, Problem::Contradicts)
    }

    /// Demands that the tokens of these routes are bound to their sender; others are refused with 401
    /// `invalid_token`. Several demands add up, with those of the
    /// [server](crate::ResourceServerBuilder::require_binding) and of the
    /// [issuer](crate::Issuer::require_binding). Default: what those demand.
    #[doc(alias("sender_constrained", "require_dpop", "require_mtls"))]
    pub fn require_binding(mut self, binding: Binding) -> Self {
        self.settings.required_bindings = self.settings.required_bindings.with(binding);
        self
    }

    /// Adds an `error_description` to challenges: one fixed sentence for each error code, and
    /// nothing about the token. In gRPC it is the `grpc-message` too. Default: none.
    pub fn error_descriptions(mut self) -> Self {
        self.settings.descriptions = true;
        self
    }

    /// Gives refusals a body: that of this renderer, such as
    /// [`ProblemJson`](crate::layer::ProblemJson). The guards of the routes inside answer with it too;
    /// [`RequireScopeLayer`](crate::layer::RequireScopeLayer) where it says
    /// [`rendered`](crate::layer::RequireScopeLayer::rendered). The service's body type must be made
    /// of [`Bytes`](bytes::Bytes), such as axum's. A second renderer makes the layer answer every
    /// request 500. Default: empty bodies, of any type with a default.
    pub fn renderer(self, renderer: impl Renderer) -> AuthenticateLayer<RenderedBody, E> {
        let is_first = self.renderer.is_none();
        let layer = self.demand("renderer", is_first, Problem::Contradicts);
        AuthenticateLayer {
            server: layer.server,
            resource: layer.resource,
            settings: layer.settings,
            sources: layer.sources,
            setting_fault: layer.setting_fault,
            renderer: Some(Arc::new(renderer)),
            marker: PhantomData,
        }
    }

    /// Answers clients that speak gRPC in gRPC: where the request's `Content-Type` is
    /// `application/grpc` or one of gRPC-Web, a refusal is a trailers-only response. HTTP says
    /// 200, `grpc-status` is 16 for 401, 7 for 403, 14 for 503, 3 for 400 and 13 for 500, and
    /// the body is empty. `WWW-Authenticate` and `Retry-After` stay, as metadata. Guards answer
    /// in the same way. Default: that content type changes nothing.
    pub fn grpc(mut self) -> Self {
        self.settings.grpc = true;
        self
    }

    /// The same layer, with another treatment of the bodies of responses.
    #[cfg(feature = "jwks")]
    pub(in crate::middleware) fn treat_streams<F>(self) -> AuthenticateLayer<M, F> {
        AuthenticateLayer {
            server: self.server,
            resource: self.resource,
            settings: self.settings,
            sources: self.sources,
            setting_fault: self.setting_fault,
            renderer: self.renderer,
            marker: PhantomData,
        }
    }

    /// Sets the proxy whose header field describes the client's certificate. False where it is
    /// another one already.
    pub(in crate::middleware) fn set_certificate_proxy(&mut self, proxy: CertificateProxy) -> bool {
        set_once(&mut self.settings.certificate_proxy, proxy)
    }

    /// Lets refused requests go on until then. False where it was set to another time.
    pub(in crate::middleware) fn set_observe_only(&mut self, until: UnixTime) -> bool {
        if let Some(before) = &self.settings.observe_only {
            return before.until() == until;
        }
        self.settings.observe_only = Some(self.server.observe_only(self.resource, until));
        true
    }

    /// Remembers the first setting that does not hold.
    pub(in crate::middleware) fn demand(
        mut self,
        setting: &'static str,
        holds: bool,
        problem: Problem,
    ) -> Self {
        if !holds && self.setting_fault.is_none() {
            self.setting_fault = Some(SettingFault { setting, problem });
        }
        self
    }
}

impl<M, E> fmt::Debug for AuthenticateLayer<M, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthenticateLayer")
            .field("server", &self.server)
            .field(
                "resource",
                &self.server.resource_at(self.resource).identifier,
            )
            .field("context", &self.settings.context)
            .field("admits", &self.settings.admits)
            .finish_non_exhaustive()
    }
}

impl<S, M> Layer<S> for AuthenticateLayer<M, KeepStreams> {
    type Service = Authenticate<S, M>;

    fn layer(&self, inner: S) -> Authenticate<S, M> {
        Authenticate::new(inner, self.policy())
    }
}
