//! The response to a refused request: status, challenges, `Retry-After`, body.
//!
//! 1. A renderer adds a body and its type to an answer in HTTP, and sees none in gRPC.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use http::Response;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};

use crate::middleware::response::body::{MakeBody, RefusalBody, RefusedRequest, Renderer};
use crate::middleware::response::challenge::ChallengeText;
use crate::middleware::response::grpc::ResponseProtocol;
use crate::middleware::response::prepared_answers::{Answer, PreparedAnswers};
use crate::model::error::rejection::Rejection;
use crate::server::resource_server::ResourceServer;
use crate::verify::request::credential::SentSchemes;

/// What a layer says in its challenges, and who makes the bodies.
pub(crate) struct ChallengePolicy {
    answers: PreparedAnswers,
    /// Where the application may serve the resource's metadata.
    served_metadata: Option<ServedMetadata>,
    renderer: Option<Arc<dyn Renderer>>,
    /// The server, where responses carry nonces.
    nonces: Option<ResourceServer>,
}

impl ChallengePolicy {
    pub(crate) fn new(
        wording: ChallengeText,
        served_metadata: Option<ServedMetadata>,
        renderer: Option<Arc<dyn Renderer>>,
        nonces: Option<ResourceServer>,
    ) -> Self {
        Self {
            answers: PreparedAnswers::new(wording),
            served_metadata,
            renderer,
            nonces,
        }
    }

    /// The answers of this moment: with the address of the metadata from the moment on from which
    /// the application serves it. An address that is configured counts in any case.
    fn answers(&self) -> &PreparedAnswers {
        let served = self.served_metadata.as_ref();
        let Some(served) = served.filter(|served| served.server.serves_metadata()) else {
            return &self.answers;
        };
        served.answers.get_or_init(|| {
            let mut wording = self.answers.wording.clone();
            wording
                .resource_metadata
                .get_or_insert_with(|| Arc::clone(&served.address));
            PreparedAnswers::new(wording)
        })
    }

    /// The scope that a session of a client needs; empty where none is configured.
    pub(in crate::middleware) fn session_scope(&self) -> &str {
        self.answers.wording.scope.as_deref().unwrap_or_default()
    }

    pub(in crate::middleware) const fn has_renderer(&self) -> bool {
        self.renderer.is_some()
    }

    /// The schemes of a request's tokens, where the answer depends on them.
    pub(in crate::middleware) fn schemes_of(&self, headers: &HeaderMap) -> SentSchemes {
        match self.answers.wording.schemes.dpop {
            Some(_) => SentSchemes::of(headers),
            None => SentSchemes::Other,
        }
    }
}

/// The address of the metadata document, which challenges name once the application serves it.
pub(crate) struct ServedMetadata {
    server: ResourceServer,
    address: Arc<str>,
    /// The answers with the address, made at the first refusal that needs them.
    answers: OnceLock<PreparedAnswers>,
}

impl ServedMetadata {
    pub(crate) fn new(server: ResourceServer, address: Arc<str>) -> Self {
        Self {
            server,
            address,
            answers: OnceLock::new(),
        }
    }
}

/// The name of the field of a server's nonce (RFC 9449 section 8.1).
pub(in crate::middleware) const DPOP_NONCE: HeaderName = HeaderName::from_static("dpop-nonce");

/// What of a request decides about the form of its refusal.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ReplyForm {
    pub(in crate::middleware) protocol: ResponseProtocol,
    /// The schemes of its tokens.
    pub(in crate::middleware) schemes: SentSchemes,
}

impl ReplyForm {
    /// For a request without a layer.
    pub(in crate::middleware) const PLAIN: Self = Self {
        protocol: ResponseProtocol::Http,
        schemes: SentSchemes::Other,
    };
}

/// Makes the response to a refused request, with the kind in its extensions. `request` is what the
/// renderer sees of it.
pub(crate) fn respond<B, M: MakeBody<B>>(
    rejection: &Rejection,
    policy: &ChallengePolicy,
    reply: ReplyForm,
    request: Option<RefusedRequest<'_>>,
) -> Response<B> {
    let ReplyForm { protocol, schemes } = reply;
    let Answer {
        status,
        headers,
        names_dpop,
        message,
    } = policy.answers().answer(rejection, schemes);
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
    *response.headers_mut() = headers;
    let headers = response.headers_mut();
    if let Some(media_type) = media_type {
        headers.insert(CONTENT_TYPE, media_type);
    }
    // RFC 9449 s9: clients take a challenge of the scheme as the demand for a nonce.
    let nonces = policy.nonces.as_ref().filter(|_| names_dpop);
    let nonce = nonces.and_then(ResourceServer::fresh_dpop_nonce);
    if let Some(nonce) = nonce.and_then(|nonce| HeaderValue::try_from(&*nonce).ok()) {
        headers.insert(DPOP_NONCE, nonce);
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
