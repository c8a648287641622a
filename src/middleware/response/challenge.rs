//! What a refusal looks like on the wire: status, challenge, `Retry-After`, body
//! (RFC 6750 section 3, RFC 9110 section 15, RFC 9728 section 5.1).
//!
//! 1. One total match from kind to answer, without a wildcard.
//! 2. A challenge is made of static text and configuration alone, never of a request's bytes.
//! 3. Every answer says `Cache-Control: no-store`.
//! 4. A renderer adds a body and its type to an answer in HTTP, and sees none in gRPC.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{Response, StatusCode};

use crate::middleware::response::body::{MakeBody, RefusalBody, RefusedRequest, Renderer};
use crate::middleware::response::grpc::ResponseProtocol;
use crate::model::error::rejection::{Rejection, RejectionKind};

/// What a layer says in its challenges, and who makes the bodies.
pub(crate) struct ChallengePolicy {
    wording: ChallengeText,
    renderer: Option<Arc<dyn Renderer>>,
    /// Challenges that are the same for every request, ready to be sent.
    missing_token: HeaderValue,
    invalid_request: HeaderValue,
    invalid_token: HeaderValue,
}

/// What a layer says in its challenges.
#[derive(Default)]
pub(crate) struct ChallengeText {
    pub(crate) realm: Arc<str>,
    pub(crate) resource_metadata: Option<Arc<str>>,
    /// The scope that a request without a good token is told to get.
    pub(crate) scope: Option<Arc<str>>,
    pub(crate) descriptions: bool,
}

impl ChallengePolicy {
    pub(crate) fn new(wording: ChallengeText, renderer: Option<Arc<dyn Renderer>>) -> Self {
        Self {
            missing_token: Challenge::missing_token(&wording).header_value(&wording),
            invalid_request: Challenge::INVALID_REQUEST.header_value(&wording),
            invalid_token: Challenge::invalid_token(&wording).header_value(&wording),
            wording,
            renderer,
        }
    }

    pub(in crate::middleware) const fn has_renderer(&self) -> bool {
        self.renderer.is_some()
    }
}

struct PreparedAnswer {
    status: StatusCode,
    challenge: Option<HeaderValue>,
    /// The sentence that goes with the challenge's error code, where the layer gives sentences.
    message: Option<&'static str>,
}

struct Challenge<'r> {
    error: Option<&'static str>,
    description: &'static str,
    scope: Option<&'r str>,
}

impl Challenge<'static> {
    const INVALID_REQUEST: Self = Self {
        error: Some("invalid_request"),
        description: "the request carries malformed or several credentials",
        scope: None,
    };
}

impl<'r> Challenge<'r> {
    /// A client whose token is over asks for a new one with what this challenge names; without a
    /// `scope` it would ask for everything or for nothing.
    fn invalid_token(wording: &'r ChallengeText) -> Self {
        Self {
            error: Some("invalid_token"),
            description: "the access token is not valid here",
            scope: wording.scope.as_deref(),
        }
    }

    /// RFC 6750 s3.1: no error code where nothing was sent.
    fn missing_token(wording: &'r ChallengeText) -> Self {
        Self {
            error: None,
            description: "",
            scope: wording.scope.as_deref(),
        }
    }

    /// The sentence that goes with an error code, where the layer gives sentences.
    fn described(&self, wording: &ChallengeText) -> Option<&'static str> {
        self.error
            .filter(|_| wording.descriptions)
            .map(|_| self.description)
    }

    fn header_value(&self, wording: &ChallengeText) -> HeaderValue {
        let mut text = format!("Bearer realm=\"{}\"", wording.realm);
        let parameters = [
            ("error", self.error),
            ("error_description", self.described(wording)),
            ("scope", self.scope),
            ("resource_metadata", wording.resource_metadata.as_deref()),
        ];
        for (name, value) in parameters {
            if let Some(value) = value {
                let _ = write!(text, ", {name}=\"{value}\""); // writing to a string cannot fail
            }
        }
        // INVARIANT: the builder and the layer admit only quotable text, so this is a header value.
        HeaderValue::try_from(text)
            .unwrap_or_else(|_| HeaderValue::from_static("Bearer realm=\"\""))
    }
}

fn answer(rejection: &Rejection, policy: &ChallengePolicy) -> PreparedAnswer {
    let (status, challenge) = match rejection.kind() {
        RejectionKind::MissingToken => (
            StatusCode::UNAUTHORIZED,
            Some((
                Challenge::missing_token(&policy.wording),
                Some(&policy.missing_token),
            )),
        ),
        RejectionKind::InvalidRequest(_) => (
            StatusCode::BAD_REQUEST,
            Some((Challenge::INVALID_REQUEST, Some(&policy.invalid_request))),
        ),
        RejectionKind::InvalidToken(_) => (
            StatusCode::UNAUTHORIZED,
            Some((
                Challenge::invalid_token(&policy.wording),
                Some(&policy.invalid_token),
            )),
        ),
        RejectionKind::InsufficientScope => {
            let challenge = Challenge {
                error: Some("insufficient_scope"),
                description: "the access token has not the scope that is needed",
                scope: rejection.required_scope(),
            };
            (StatusCode::FORBIDDEN, Some((challenge, None)))
        }
        // A new token would not help, so none is asked for.
        RejectionKind::WrongCaller
        | RejectionKind::WrongTenant
        | RejectionKind::NoTenant
        | RejectionKind::Forbidden => (StatusCode::FORBIDDEN, None),
        RejectionKind::Unavailable(_) => (StatusCode::SERVICE_UNAVAILABLE, None),
        RejectionKind::NotAuthenticated | RejectionKind::Misconfigured(_) => {
            (StatusCode::INTERNAL_SERVER_ERROR, None)
        }
    };
    let message = challenge
        .as_ref()
        .and_then(|(challenge, _)| challenge.described(&policy.wording));
    let challenge = challenge.map(|(challenge, ready)| {
        ready.map_or_else(
            || challenge.header_value(&policy.wording),
            HeaderValue::clone,
        )
    });
    PreparedAnswer {
        status,
        challenge,
        message,
    }
}

/// Makes the response to a refused request, with the kind in its extensions. `request` is what the
/// renderer sees of it.
pub(crate) fn respond<B, M: MakeBody<B>>(
    rejection: &Rejection,
    policy: &ChallengePolicy,
    protocol: ResponseProtocol,
    request: Option<RefusedRequest<'_>>,
) -> Response<B> {
    let PreparedAnswer {
        status,
        challenge,
        message,
    } = answer(rejection, policy);
    let renderer = policy.renderer.as_deref();
    let body = renderer
        .filter(|_| M::RENDERED && !protocol.is_grpc())
        .map(|renderer| match request {
            Some(request) => renderer.render_for(&request, rejection, status),
            None => renderer.render(rejection, status),
        })
        .map(RefusalBody::into_parts);
    let (media_type, bytes) = body.map_or((None, Bytes::new()), |(media_type, bytes)| {
        (Some(media_type), bytes)
    });
    let mut response = Response::new(M::make(bytes));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(media_type) = media_type {
        headers.insert(CONTENT_TYPE, media_type);
    }
    if let Some(challenge) = challenge {
        headers.insert(WWW_AUTHENTICATE, challenge);
    }
    if let Some(after) = rejection.retry_after() {
        headers.insert(RETRY_AFTER, HeaderValue::from(delay_seconds(after)));
    }
    response.extensions_mut().insert(rejection.kind());
    protocol.translate(&mut response, message);
    response
}

/// RFC 9110 s10.2.3: whole seconds; rounded up, since 0 would mean "at once".
fn delay_seconds(after: Duration) -> u64 {
    let rounded_up = after.as_secs() + u64::from(after.subsec_nanos() > 0);
    rounded_up.max(1)
}
