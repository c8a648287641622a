//! A lease on an admitted request, as applications hold it.

use std::fmt;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::Request;

use crate::middleware::authenticate::context::AuthContext;
use crate::middleware::authenticate::layer_policy::LayerPolicy;
use crate::middleware::lease::cell::LeaseCell;
use crate::middleware::response::refusal::Refusal;
use crate::model::decision::lease_end::LeaseEnd;
use crate::model::error::rejection::Rejection;
use crate::model::time::UnixTime;
use crate::runtime::lease::table::{LeaseRecord, NotTheCaller};
use crate::runtime::util::striped::StripedArcHandle;
use crate::verify::claims::verified_token::AccessToken;

/// The authority of an admitted request, which lasts until its token expires or is revoked, or the key
/// that verified it is removed.
///
/// In axum it is an extractor; `Option<Lease>` under an optional layer. Elsewhere see
/// [`of`](Self::of). Clones are the same lease: one renewal is for all of them. Under
/// [`end_streams`](crate::AuthenticateLayer::end_streams) it is the lease of the response's body too.
///
/// A lease takes about 340 bytes while it is open, and does not hold the token. It needs a tokio
/// runtime; without one it ends at once with [`LeaseEnd::Unavailable`].
///
/// What ends it within a request's time (`exp` with the leeway, revocations, keys) is what
/// every new request with the token is checked for. The application's own
/// [checks](crate::ResourceServerBuilder::check) and directories are not asked again.
///
/// ```
/// # #[cfg(feature = "axum")] {
/// use portcullis::lease::Lease;
///
/// async fn watch(mut lease: Lease) -> String {
///     let work = std::future::pending::<()>(); // what the handler waits for
///     tokio::select! {
///         () = work => "done".to_owned(),
///         end = lease.ended() => format!("cut off: {end}"),
///     }
/// }
/// # let _: axum::Router = axum::Router::new().route("/watch", axum::routing::get(watch));
/// # }
/// ```
#[doc(alias("revalidate", "reauthenticate", "token_expiry", "cancellation_token"))]
#[must_use]
pub struct Lease {
    record: Arc<LeaseRecord>,
    policy: StripedArcHandle<LayerPolicy>,
    waiter: u32,
}

/// Why a lease was not renewed. It is what it was before.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RenewalError {
    /// The lease has ended.
    #[error("the lease has ended: {0}")]
    Ended(LeaseEnd),
    /// The token was refused, as it would be in a request of its own under the same layer.
    #[error("the token was refused: {0}")]
    Refused(Rejection),
    /// The token is good, and of another issuer, subject, client or actor than the lease's, or it is
    /// bound to another key or certificate.
    #[error("the token is of another issuer, subject, client, actor or sender")]
    OtherCaller,
}

impl Lease {
    /// The lease of a request that came through an
    /// [`AuthenticateLayer`](crate::AuthenticateLayer), for services without axum.
    ///
    /// # Errors
    ///
    /// * [`RejectionKind::NotAuthenticated`](crate::RejectionKind::NotAuthenticated): no layer
    ///   covers the service.
    /// * [`RejectionKind::MissingToken`](crate::RejectionKind::MissingToken) under an optional
    ///   layer, when nothing was sent.
    pub fn of<B>(request: &Request<B>) -> Result<Self, Refusal> {
        let extensions = request.extensions();
        Self::of_context(AuthContext::of(extensions)?, extensions)
    }

    pub(in crate::middleware) fn of_context(
        context: &AuthContext,
        extensions: &http::Extensions,
    ) -> Result<Self, Refusal> {
        let verified = context.any_context()?;
        // The lease of the response's body, where the layer ends it.
        let cell = extensions.get::<LeaseCell>();
        Ok(match cell.filter(|cell| cell.is_of(verified.shared())) {
            Some(cell) => Self::of_cell(cell),
            None => Self::handle(
                context.policy.server.open_lease(verified.shared()),
                context.policy.clone(),
            ),
        })
    }

    pub(super) fn of_cell(cell: &LeaseCell) -> Self {
        Self::handle(cell.record(), cell.policy())
    }

    fn handle(record: Arc<LeaseRecord>, policy: StripedArcHandle<LayerPolicy>) -> Self {
        Self {
            waiter: record.new_waiter(),
            record,
            policy,
        }
    }

    /// Waits until the lease has ended. It may be dropped and called again, as `select!` does.
    pub async fn ended(&mut self) -> LeaseEnd {
        poll_fn(|context| self.poll_ended(context)).await
    }

    /// Ready when the lease has ended; otherwise the task is woken then. One task at a time waits
    /// for one handle: give each task a clone.
    pub fn poll_ended(&mut self, context: &Context<'_>) -> Poll<LeaseEnd> {
        self.record.poll_end(self.waiter, context)
    }

    /// Why the lease has ended; `None` while it lasts.
    #[must_use]
    pub fn end(&self) -> Option<LeaseEnd> {
        self.record.end()
    }

    /// When the token expires, leeway included.
    #[must_use]
    pub fn expires_at(&self) -> UnixTime {
        self.record.until()
    }

    /// Extends the lease by another token, which the client sends by a way of the application's own,
    /// such as a message of the WebSocket. The token is checked like that of a request under the same
    /// layer, and must be of the same issuer, subject, client and outermost
    /// [actor](crate::extract::Actor), or like the lease's without one. From then on the lease depends on
    /// that token alone.
    ///
    /// A token that is bound to a key or certificate must be bound to that of the lease's: the client
    /// that opened the stream has proved to hold it. Scopes, roles and tenants are not compared: where a
    /// guard of the route demands some, see that the returned token has them before you go on.
    ///
    /// # Errors
    ///
    /// [`RenewalError`], and the lease goes on as it was.
    pub async fn renew(&self, token: &str) -> Result<AccessToken, RenewalError> {
        if let Some(end) = self.end() {
            return Err(RenewalError::Ended(end));
        }
        let server = &self.policy.server;
        let verified = server.verify_bare_token(token).await;
        let verified = verified.map_err(RenewalError::Refused)?;
        let fitting = self.policy.check_token(&verified);
        fitting.map_err(RenewalError::Refused)?;
        match self.record.renew(server.lease_terms(verified.shared())) {
            Ok(None) => Ok(verified.access_token()),
            Ok(Some(end)) => Err(RenewalError::Ended(end)),
            Err(NotTheCaller) => Err(RenewalError::OtherCaller),
        }
    }
}

impl Clone for Lease {
    fn clone(&self) -> Self {
        Self::handle(Arc::clone(&self.record), self.policy.clone())
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.record.forget_waiter(self.waiter);
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lease")
            .field("end", &self.end())
            .field("expires_at", &self.expires_at())
            .finish_non_exhaustive()
    }
}
