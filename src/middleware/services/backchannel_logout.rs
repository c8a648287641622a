//! The endpoint for logout tokens of an OpenID Provider
//! (OpenID Connect Back-Channel Logout 1.0 sections 2.5, 2.7 and 2.8).
//!
//! 1. One `logout_token` in a form of at most 32 KiB, sent with POST; other fields say nothing.
//! 2. 200 when the sessions are revoked, 400 when the token is not valid, 503 when it cannot be
//!    verified now. The response says nothing about the token.
//! 3. The same token again changes nothing.
//! 4. A refused token with a good signature is a warning, at most one a minute, since its session
//!    goes on.

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, to_bytes};
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use http::{Method, Request, Response, StatusCode};
use tower_service::Service;

use crate::logging;
use crate::model::decision::event::Event;
use crate::runtime::http::form::single_value;
use crate::server::operate::logout::LogoutRefusal;
use crate::server::resource_server::ResourceServer;
use crate::server::settings::error::ConfigError;

/// The largest form that is read: twice what a token may have by default.
const MOST_BYTES: usize = 32 * 1024;

/// A minute.
const MILLIS_BETWEEN_WARNINGS: u64 = 60_000;

impl ResourceServer {
    /// A service for the `backchannel_logout_uri` of your sign-in clients
    /// ([OpenID Connect Back-Channel Logout 1.0](https://openid.net/specs/openid-connect-backchannel-1_0.html)):
    /// it checks the provider's `logout_token` by all its rules and
    /// [revokes](ResourceServer::revocations) what that names. A session (`sid`) ends with every token
    /// that states it and, where the subject is stated too, with those of the subject that state
    /// no session; a subject without a session is signed out up to the token's `iat`.
    ///
    /// Mount it outside the authentication layer; the provider shows no token but this one. It may
    /// wait for keys like a request does. Behind several instances one alone hears of a logout.
    ///
    /// ```
    /// use axum::Router;
    /// use portcullis::{Issuer, ResourceServer};
    ///
    /// let issuer = portcullis::test_util::MockIssuer::new();
    /// let server = ResourceServer::builder("https://api.example.com")
    ///     .issuer(issuer.trusted().logout_client("web-app"))
    ///     .build()?;
    /// let app: Router = Router::new().route_service("/backchannel-logout", server.backchannel_logout()?);
    ///
    /// let without = ResourceServer::builder("https://api.example.com").issuer(issuer.trusted()).build()?;
    /// assert_eq!(without.backchannel_logout().unwrap_err().setting(), "logout_client");
    /// # let _ = app;
    /// # Ok::<(), portcullis::ConfigError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`ConfigError`] when no issuer has a [`logout_client`](crate::Issuer::logout_client).
    pub fn backchannel_logout(&self) -> Result<BackchannelLogout, ConfigError> {
        self.check_logout()?;
        Ok(BackchannelLogout {
            server: self.clone(),
            warnings: Arc::default(),
        })
    }
}

/// The service that [`ResourceServer::backchannel_logout`] makes.
#[derive(Clone)]
pub struct BackchannelLogout {
    server: ResourceServer,
    warnings: Arc<Warnings>,
}

/// When a refused token of an issuer may be a warning again. Strangers cause none of these, but any
/// token of the issuer can be sent here, so there is one a minute.
#[derive(Debug, Default)]
struct Warnings {
    /// By the server's monotonic clock, in milliseconds.
    not_before: AtomicU64,
}

impl Warnings {
    fn is_due(&self, now: Duration) -> bool {
        let now = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
        let next = now.saturating_add(MILLIS_BETWEEN_WARNINGS);
        let is_due = |not_before: u64| (now >= not_before).then_some(next);
        let order = Ordering::Relaxed;
        self.not_before.fetch_update(order, order, is_due).is_ok()
    }
}

impl fmt::Debug for BackchannelLogout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BackchannelLogout").finish_non_exhaustive()
    }
}

impl Service<Request<Body>> for BackchannelLogout {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let this = self.clone();
        Box::pin(async move { Ok(answer(&this, request).await) })
    }
}

async fn answer(this: &BackchannelLogout, request: Request<Body>) -> Response<Body> {
    if request.method() != Method::POST {
        let mut response = respond(StatusCode::METHOD_NOT_ALLOWED);
        let allow = HeaderValue::from_static("POST");
        response.headers_mut().insert(ALLOW, allow);
        return response;
    }
    if !is_form(request.headers().get(CONTENT_TYPE)) {
        return refused("the request holds no form");
    }
    let Ok(form) = to_bytes(request.into_body(), MOST_BYTES).await else {
        return refused("the form is too large or was cut off");
    };
    // s2.5: one token; twice would be a choice between two.
    match single_value(&form, "logout_token") {
        Some(token) => log_out(this, &token).await,
        None => refused("the form does not hold one logout token"),
    }
}

async fn log_out(this: &BackchannelLogout, token: &[u8]) -> Response<Body> {
    match this.server.log_out(token).await {
        Ok(()) => respond(StatusCode::OK),
        Err(LogoutRefusal::Invalid {
            why,
            is_verified: true,
        }) if this.warnings.is_due(this.server.monotonic()) => {
            logging::emit(Event::SignedLogoutRefused { why: &why });
            bad_request()
        }
        Err(LogoutRefusal::Invalid { why, .. }) => refused(&why),
        Err(LogoutRefusal::Unavailable { why, retry_after }) => unavailable(&why, retry_after),
    }
}

fn refused(why: &str) -> Response<Body> {
    logging::emit(Event::LogoutRefused { why });
    bad_request()
}

/// s2.8: 400, `no-store`, and the error of RFC 6749 s5.2 that says least.
fn bad_request() -> Response<Body> {
    let mut response = respond(StatusCode::BAD_REQUEST);
    *response.body_mut() = Body::from(r#"{"error":"invalid_request"}"#);
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, json);
    response
}

fn unavailable(why: &str, retry_after: Duration) -> Response<Body> {
    logging::emit(Event::LogoutUnavailable { why });
    let mut response = respond(StatusCode::SERVICE_UNAVAILABLE);
    let seconds = retry_after.as_secs().max(1);
    response.headers_mut().insert(RETRY_AFTER, seconds.into());
    response
}

fn respond(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    let no_store = HeaderValue::from_static("no-store");
    response.headers_mut().insert(CACHE_CONTROL, no_store);
    response
}

fn is_form(content_type: Option<&HeaderValue>) -> bool {
    let stated = content_type.and_then(|value| value.to_str().ok());
    let media_type = stated.and_then(|value| value.split(';').next());
    media_type.is_some_and(|name| {
        name.trim()
            .eq_ignore_ascii_case("application/x-www-form-urlencoded")
    })
}
