//! Refusals by the application itself.

use std::fmt;
use std::sync::Arc;

use http::Request;

use crate::middleware::authenticate::context::AuthContext;
use crate::middleware::response::refusal::{Refusal, RequestHead};
use crate::model::decision::record::DecisionStage;
use crate::model::error::rejection::{Rejection, RejectionKind};
use crate::model::scope::Scope;
use crate::verify::request::request_parts::RequestParts;

/// Refuses a request in a handler as the layer would: with the layer's challenge and renderer, in
/// gRPC for a gRPC client, with the same event, and with the
/// [`RejectionKind`](crate::RejectionKind) in the response's extensions.
///
/// In axum it is an extractor, and the [`Refusal`] that it makes is a response. Under an optional
/// layer it is there without a token too.
///
/// ```
/// # #[cfg(feature = "axum")] {
/// use axum::extract::Path;
/// use portcullis::error::{Objection, Refusal};
/// use portcullis::extract::Refuser;
/// use portcullis::{AccessToken, Scope};
///
/// async fn delete_article(
///     token: AccessToken,
///     refuser: Refuser,
///     Path(author): Path<String>,
/// ) -> Result<(), Refusal> {
///     // 403 with the challenge `error="insufficient_scope", scope="articles:delete"`
///     if !token.scope().contains("articles:delete") {
///         let needed: Scope = "articles:delete".parse().expect("a scope");
///         return Err(refuser.insufficient_scope(&needed));
///     }
///     // 403; events name the reason
///     if token.subject().is_none_or(|subject| subject.as_str() != author) {
///         return Err(refuser.forbidden("not_the_author"));
///     }
///     // 401 `invalid_token`
///     if token.issued_at().is_none() {
///         return Err(refuser.refuse(Objection::Token));
///     }
///     Ok(())
/// }
/// # let _: axum::Router = axum::Router::new().route("/", axum::routing::delete(delete_article));
/// # }
/// ```
#[derive(Clone)]
#[must_use]
pub struct Refuser {
    context: AuthContext,
    /// For the renderer, where the layer has one.
    request: Option<Arc<RequestHead>>,
}

impl Refuser {
    /// The refuser of a request that came through an
    /// [`AuthenticateLayer`](crate::AuthenticateLayer), for services without axum.
    ///
    /// # Errors
    ///
    /// [`RejectionKind::NotAuthenticated`](crate::RejectionKind::NotAuthenticated): no layer covers
    /// the service.
    pub fn of<B>(request: &Request<B>) -> Result<Self, Refusal> {
        Self::of_parts(RequestParts::of(request))
    }

    pub(in crate::middleware) fn of_parts(request: RequestParts<'_>) -> Result<Self, Refusal> {
        let context = AuthContext::of(request.extensions)?.clone();
        let has_renderer = context.policy.challenge.has_renderer();
        let request = has_renderer.then(|| RequestHead::of(request));
        Ok(Self { context, request })
    }

    /// What a check says of this request, with the renderer's view of it.
    pub(in crate::middleware) fn judge(
        &self,
        check: impl FnOnce(&mut AuthContext) -> Result<(), Refusal>,
    ) -> Result<(), Refusal> {
        check(&mut self.context.clone())
            .map_err(|refusal| refusal.with_request(self.request.clone()))
    }

    /// A refusal for any reason: a [`Rejection`], or what becomes one, such as
    /// [`RejectionKind`](crate::RejectionKind), [`Objection`](crate::error::Objection) or
    /// [`Outage`](crate::error::Outage). It is logged here, so make one only to return it.
    pub fn refuse(&self, rejection: impl Into<Rejection>) -> Refusal {
        self.context
            .refuse_in(DecisionStage::Application, rejection)
            .with_request(self.request.clone())
    }

    /// 403 without a challenge, by [`Rejection::forbidden`]. `reason` is a short stable name for
    /// events and metrics; the client does not see it, unless the renderer shows it.
    #[must_use]
    pub fn forbidden(&self, reason: &'static str) -> Refusal {
        self.refuse(Rejection::forbidden(reason))
    }

    /// 403 with a challenge that names `scope` (RFC 6750 section 3.1), like the guards that demand
    /// a scope: the challenge also names what other guards demand, and what the token has of the
    /// known scopes. Use names that the program knows, and none out of a request. An empty scope
    /// is not named.
    #[must_use]
    pub fn insufficient_scope(&self, scope: &Scope) -> Refusal {
        if scope.is_empty() {
            return self.refuse(RejectionKind::InsufficientScope);
        }
        self.refuse(Rejection::insufficient_scope(scope.to_string().into()))
    }
}

impl fmt::Debug for Refuser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Refuser").finish_non_exhaustive()
    }
}
