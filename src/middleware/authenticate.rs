//! The layer that judges every request's token before the inner service sees it.
//!
//! 1. What an earlier layer left is removed first; the innermost layer speaks.
//! 2. A refused request never reaches the inner service, and its body is never read.
//! 3. The common case is decided inside `call`: no boxed future, no clone of the service.
//! 4. Only when the issuer must be asked, a boxed future waits a bounded time and judges again,
//!    at most twice. It holds nothing that readiness reserved, and polls its own clone ready
//!    before it calls it.

use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Request, Response};
use tower_layer::Layer;
use tower_service::Service;

use super::admitted::{Admitted, LayerPolicy};
use super::challenge::{ChallengePolicy, respond, trace_refused};
use super::future::ResponseFuture;
use crate::model::rejection::{Rejection, RejectionKind};
use crate::model::scope::{ScopeRequirement, challenge_of};
use crate::server::Judgement;
use crate::server::admission::Admission;
use crate::server::mistake::is_quotable;
use crate::server::state::ResourceServer;

impl ResourceServer {
    /// The layer that puts this server in front of a service.
    ///
    /// In axum use `route_layer`: it covers the routes that were added before it, and leaves
    /// the fallback alone. A CORS layer goes outside this one, because preflights carry no
    /// token.
    pub fn authenticate(&self) -> AuthenticateLayer {
        AuthenticateLayer {
            server: self.clone(),
            realm: None,
            context: None,
            scope: None,
            optional: false,
            admits_principals: false,
            descriptions: false,
        }
    }
}

/// Puts a [`ResourceServer`] in front of a service. Made by [`ResourceServer::authenticate`].
///
/// Works over any body type whose response side has an empty default; refusals are answered
/// with that empty body. See [`RejectionKind`](crate::RejectionKind) for what is answered.
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
pub struct AuthenticateLayer {
    server: ResourceServer,
    realm: Option<Arc<str>>,
    context: Option<Arc<str>>,
    scope: Option<&'static str>,
    optional: bool,
    admits_principals: bool,
    descriptions: bool,
}

impl AuthenticateLayer {
    /// The API context that these routes belong to. A token that states another is refused
    /// with 403. Where an issuer's tenant rules know contexts, tenant guards under a layer that
    /// names none, or one that nobody knows, answer 500. Default: none.
    pub fn context(mut self, context: impl Into<String>) -> Self {
        self.context = Some(context.into().into());
        self
    }

    /// Lets requests through that carry no `Authorization` field at all. A bad token, another
    /// scheme or an empty field is still refused; `Option<T>` extractors see the difference.
    /// Default: a token is required.
    pub fn optional(mut self) -> Self {
        self.optional = true;
        self
    }

    /// Lets principals in beside the callers of this layer's context, though their tokens are for
    /// the portal's: [`WorkspaceAccess`](crate::WorkspaceAccess) then asks the
    /// [`WorkspaceDirectory`](crate::WorkspaceDirectory) who owns the workspace, and without a
    /// directory every tenant guard answers 500. Scopes are demanded of principals like of
    /// anybody. Default: a principal's token is refused like that of any other context, and
    /// `WorkspaceAccess` refuses principals.
    pub fn admit_principals(mut self) -> Self {
        self.admits_principals = true;
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
    /// nothing about the token. Default: none.
    pub fn error_descriptions(mut self) -> Self {
        self.descriptions = true;
        self
    }

    fn policy(&self) -> LayerPolicy {
        LayerPolicy {
            challenge: Arc::new(ChallengePolicy {
                realm: self
                    .realm
                    .clone()
                    .unwrap_or_else(|| self.server.resource().into()),
                resource_metadata: self.server.resource_metadata().cloned(),
                scope: self.scope,
                descriptions: self.descriptions,
            }),
            wiring_fault: self
                .server
                .wiring_fault(self.context.as_deref(), self.admits_principals),
            server: self.server.clone(),
            admits_principals: self.admits_principals,
            context: self.context.clone(),
            optional: self.optional,
        }
    }
}

impl fmt::Debug for AuthenticateLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthenticateLayer")
            .field("server", &self.server)
            .field("context", &self.context)
            .field("optional", &self.optional)
            .finish_non_exhaustive()
    }
}

impl<S> Layer<S> for AuthenticateLayer {
    type Service = Authenticate<S>;

    fn layer(&self, inner: S) -> Authenticate<S> {
        Authenticate {
            inner,
            gate: Gate {
                server: self.server.clone(),
                policy: Arc::new(self.policy()),
            },
        }
    }
}

/// A service behind an [`AuthenticateLayer`].
#[derive(Clone)]
#[must_use]
pub struct Authenticate<S> {
    inner: S,
    gate: Gate,
}

impl<S: fmt::Debug> fmt::Debug for Authenticate<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authenticate")
            .field("inner", &self.inner)
            .finish_non_exhaustive()
    }
}

/// The server, and what this layer adds to it.
#[derive(Clone)]
struct Gate {
    server: ResourceServer,
    policy: Arc<LayerPolicy>,
}

impl Gate {
    /// Lets the request through with what is known about it, or says why not.
    fn decide<B>(&self, request: &mut Request<B>, judgement: Judgement) -> Decision {
        let admission = match judgement {
            Judgement::Admitted(admission) => {
                let (context, principals) = (&self.policy.context, self.policy.admits_principals);
                if let Err(kind) = admission.check_context(context.as_deref(), principals) {
                    return Decision::Refuse(kind.into());
                }
                Some(admission)
            }
            Judgement::NothingSent if self.policy.optional => None,
            Judgement::NothingSent => {
                return Decision::Refuse(RejectionKind::MissingToken.into());
            }
            Judgement::Refused(rejection) => return Decision::Refuse(rejection),
            #[cfg(feature = "jwks")]
            Judgement::Wait(question) => return Decision::Ask(question),
        };
        trace_admitted(admission.as_deref());
        request.extensions_mut().insert(Admitted {
            admission,
            policy: Arc::clone(&self.policy),
        });
        Decision::Pass
    }

    fn refuse<B: Default>(&self, rejection: &Rejection) -> Response<B> {
        trace_refused(rejection);
        respond(rejection, &self.policy.challenge)
    }
}

enum Decision {
    Pass,
    Refuse(Rejection),
    #[cfg(feature = "jwks")]
    Ask(crate::server::authority::Question),
}

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for Authenticate<S>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>> + Clone + Send + 'static,
    S::Future: Send,
    ReqBody: Send + 'static,
    ResBody: Default + 'static,
{
    type Response = Response<ResBody>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future, ResBody, S::Error>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<ReqBody>) -> Self::Future {
        // An outer layer's verdict is not ours.
        request.extensions_mut().remove::<Admitted>();
        let judgement = self.gate.server.judge(request.headers(), None);
        match self.gate.decide(&mut request, judgement) {
            Decision::Pass => ResponseFuture::inner(self.inner.call(request)),
            Decision::Refuse(rejection) => ResponseFuture::refused(self.gate.refuse(&rejection)),
            #[cfg(feature = "jwks")]
            Decision::Ask(question) => {
                // Who waits for an issuer must not hold what readiness reserved, such as a place
                // under a concurrency limit: strangers could keep everybody out. The instance
                // that was polled ready is let go, and a clone is polled ready after the wait.
                let later = self.inner.clone();
                self.inner = later.clone();
                ResponseFuture::asking(Box::pin(ask(self.gate.clone(), later, request, question)))
            }
        }
    }
}

/// How often a request may wait for the issuer before it is answered 503.
#[cfg(feature = "jwks")]
const MOST_QUESTIONS: usize = 2;

/// The slow path: waits for the issuer, then judges again.
#[cfg(feature = "jwks")]
async fn ask<S, ReqBody, ResBody>(
    gate: Gate,
    mut inner: S,
    mut request: Request<ReqBody>,
    mut question: crate::server::authority::Question,
) -> Result<Response<ResBody>, S::Error>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
    ResBody: Default,
{
    for _ in 0..MOST_QUESTIONS {
        let answered = question.wait().await;
        let judgement = gate.server.judge(request.headers(), Some(answered));
        match gate.decide(&mut request, judgement) {
            Decision::Pass => {
                std::future::poll_fn(|cx| inner.poll_ready(cx)).await?;
                return inner.call(request).await;
            }
            Decision::Refuse(rejection) => return Ok(gate.refuse(&rejection)),
            Decision::Ask(next) => question = next,
        }
    }
    Ok(gate.refuse(&crate::server::waited_enough()))
}

#[cfg(feature = "tracing")]
fn trace_admitted(admission: Option<&Admission>) {
    let Some(admission) = admission else {
        tracing::trace!("no token was sent; the layer is optional");
        return;
    };
    let (issuer, caller) = (admission.token.issuer(), admission.caller_kind());
    // A span that the application declared with these fields gets them filled.
    tracing::Span::current()
        .record("auth.issuer", issuer)
        .record("auth.caller", caller);
    tracing::trace!(issuer, caller, "token admitted");
}

#[cfg(not(feature = "tracing"))]
const fn trace_admitted(_: Option<&Admission>) {}
