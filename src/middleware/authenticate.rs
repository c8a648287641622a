//! The layer that puts a server in front of a service, and its settings.
//!
//! 1. Everything about a layer is decided when it is made; a request changes nothing.
//! 2. What gives up a protection stands behind `danger()`.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use tower_layer::Layer;

use super::admitted::{Admits, LayerPolicy};
use super::challenge::{ChallengePolicy, Wording};
use super::gate::Authenticate;
use super::render::{EmptyBody, RenderedBody, Renderer};
use crate::model::scope::{ScopeRequirement, challenge_of};
use crate::server::mistake::is_quotable;
use crate::server::state::ResourceServer;
use crate::verify::sources::Sources;

impl ResourceServer {
    /// The layer that puts this server in front of a service.
    ///
    /// In axum use `route_layer`: it covers the routes that were added before it, and leaves
    /// the fallback alone. A CORS layer goes outside this one, because preflights carry no
    /// token; for scripts of other origins it exposes `WWW-Authenticate`. See
    /// [the manual](crate::manual::doors#browsers).
    pub fn authenticate(&self) -> AuthenticateLayer {
        AuthenticateLayer {
            server: self.clone(),
            realm: None,
            context: None,
            scope: None,
            admits: Admits::default(),
            descriptions: false,
            grpc: false,
            sources: Sources::default(),
            renderer: None,
            body: PhantomData,
        }
    }
}

/// Puts a [`ResourceServer`] in front of a service. Made by [`ResourceServer::authenticate`].
///
/// Works over any body type whose response side has an empty default; refusals are answered
/// with that empty body, unless a [`renderer`](Self::renderer) makes others. See
/// [`RejectionKind`](crate::RejectionKind) for what is answered.
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
pub struct AuthenticateLayer<M = EmptyBody> {
    server: ResourceServer,
    realm: Option<Arc<str>>,
    context: Option<Arc<str>>,
    scope: Option<&'static str>,
    admits: Admits,
    descriptions: bool,
    grpc: bool,
    pub(super) sources: Sources,
    renderer: Option<Arc<dyn Renderer>>,
    body: PhantomData<fn() -> M>,
}

impl<M> AuthenticateLayer<M> {
    /// The API context that these routes belong to. A token that states another is refused
    /// with 403. Where an issuer's tenant rules know contexts, tenant guards under a layer that
    /// names none, or one that nobody knows, answer 500. Default: none.
    pub fn context(mut self, context: impl Into<String>) -> Self {
        self.context = Some(context.into().into());
        self
    }

    /// Lets requests through that carry no `Authorization` field at all, and nothing in a
    /// source that [`danger`](Self::danger) added. A bad token, another scheme, an empty field
    /// or a cookie that does not count is still refused; `Option<T>` extractors see the
    /// difference. Default: a token is required.
    pub fn optional(mut self) -> Self {
        self.admits.nothing_sent = true;
        self
    }

    /// Lets principals into workspaces, beside the callers of this layer's context, though their
    /// tokens are for the portal's: [`WorkspaceAccess`](crate::WorkspaceAccess) asks the
    /// [`WorkspaceDirectory`](crate::WorkspaceDirectory) who owns the workspace, and without a
    /// directory every tenant guard answers 500. Such a guest gets through `WorkspaceAccess`, with
    /// [`Scoped`](crate::Scoped), [`InRole`](crate::InRole) or [`InGroup`](crate::InGroup) around
    /// it, and through no other extractor: [`WorkspaceAccess::token`](crate::WorkspaceAccess::token)
    /// has its claims. A handler that asks for nothing lets them through like everybody else, and
    /// so does [`RequireScopeLayer`](crate::RequireScopeLayer) for those with the scope: give
    /// routes without a workspace a layer of their own. Scopes are demanded of principals like of
    /// anybody. Default: a principal's token is refused like that of any other context, and
    /// `WorkspaceAccess` refuses principals.
    pub fn admit_principals(mut self) -> Self {
        self.admits.principals = true;
        self
    }

    /// The `realm` of challenges. Text that a quoted string cannot hold as it stands (anything
    /// but printable ASCII, `"` and `\`) is left out of it. Default: the server's resource.
    pub fn realm(mut self, realm: impl AsRef<str>) -> Self {
        let kept: String = realm
            .as_ref()
            .chars()
            .filter(|one| is_quotable(one.encode_utf8(&mut [0; 4])))
            .collect();
        self.realm = Some(kept.into());
        self
    }

    /// The `scope` that a request without a token is told to get (RFC 6750 section 3).
    /// Default: none.
    pub fn challenge_scope<R: ScopeRequirement>(mut self) -> Self {
        self.scope = Some(challenge_of::<R>());
        self
    }

    /// Adds an `error_description` to challenges: one fixed sentence for each error code, and
    /// nothing about the token. In gRPC it is the `grpc-message` too. Default: none.
    pub fn error_descriptions(mut self) -> Self {
        self.descriptions = true;
        self
    }

    /// Gives refusals a body: that of this renderer, such as
    /// [`ProblemJson`](crate::ProblemJson). The guards of the routes inside answer with it too;
    /// [`RequireScopeLayer`](crate::RequireScopeLayer) where it says
    /// [`rendered`](crate::RequireScopeLayer::rendered). The service's body type must be made
    /// of [`Bytes`](bytes::Bytes), such as axum's. Default: empty bodies, of any type with a
    /// default.
    pub fn renderer(self, renderer: impl Renderer) -> AuthenticateLayer<RenderedBody> {
        AuthenticateLayer {
            server: self.server,
            realm: self.realm,
            context: self.context,
            scope: self.scope,
            admits: self.admits,
            descriptions: self.descriptions,
            grpc: self.grpc,
            sources: self.sources,
            renderer: Some(Arc::new(renderer)),
            body: PhantomData,
        }
    }

    /// Answers clients that speak gRPC in gRPC: where the request's `Content-Type` is
    /// `application/grpc` or one of gRPC-Web, a refusal is a trailers-only response. HTTP says
    /// 200, `grpc-status` is 16 for 401, 7 for 403, 14 for 503, 3 for 400 and 13 for 500, and
    /// the body is empty. `WWW-Authenticate` and `Retry-After` stay, as metadata. Guards answer
    /// in the same way. Default: that content type changes nothing.
    pub fn grpc(mut self) -> Self {
        self.grpc = true;
        self
    }

    fn policy(&self) -> LayerPolicy {
        LayerPolicy {
            challenge: Arc::new(ChallengePolicy::new(
                Wording {
                    realm: self
                        .realm
                        .clone()
                        .unwrap_or_else(|| self.server.resource().into()),
                    resource_metadata: self.server.resource_metadata().cloned(),
                    scope: self.scope,
                    descriptions: self.descriptions,
                },
                self.renderer.clone(),
            )),
            wiring_fault: self
                .server
                .wiring_fault(self.context.as_deref(), self.admits.principals),
            server: self.server.clone(),
            admits: self.admits,
            context: self.context.clone(),
            grpc: self.grpc,
            sources: self.sources.clone(),
        }
    }
}

impl<M> fmt::Debug for AuthenticateLayer<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthenticateLayer")
            .field("server", &self.server)
            .field("context", &self.context)
            .field("admits", &self.admits)
            .finish_non_exhaustive()
    }
}

impl<S, M> Layer<S> for AuthenticateLayer<M> {
    type Service = Authenticate<S, M>;

    fn layer(&self, inner: S) -> Authenticate<S, M> {
        Authenticate::new(inner, self.policy())
    }
}
