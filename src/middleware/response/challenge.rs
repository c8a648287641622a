//! What a refusal looks like on the wire: status, challenge, `Retry-After`, body
//! (RFC 6750 section 3, RFC 9110 section 15, RFC 9449 section 7.1, RFC 9728 section 5.1).
//!
//! 1. One total match from kind to answer, without a wildcard.
//! 2. A challenge is made of static text and configuration alone, never of a request's bytes.
//! 3. Every answer says `Cache-Control: no-store`.
//! 4. A renderer adds a body and its type to an answer in HTTP, and sees none in gRPC.

use std::fmt::Write as _;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use http::header::{
    CACHE_CONTROL, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE,
};
use http::{Response, StatusCode};

use crate::middleware::response::body::{MakeBody, RefusalBody, RefusedRequest, Renderer};
use crate::middleware::response::grpc::ResponseProtocol;
use crate::model::error::rejection::{DpopFault, Rejection, RejectionKind, TokenFault};
use crate::runtime::util::striped::Striped;
use crate::server::resource_server::{DpopChallenge, ResourceServer};
use crate::verify::request::credential::SentSchemes;

/// What a layer says in its challenges, and who makes the bodies.
pub(crate) struct ChallengePolicy {
    challenges: PreparedChallenges,
    /// Where the application may serve the resource's metadata.
    served_metadata: Option<ServedMetadata>,
    renderer: Option<Arc<dyn Renderer>>,
    /// The server, where responses carry nonces.
    nonces: Option<ResourceServer>,
}

/// The wording, and the answers that are the same for every request, each ready to be copied from its
/// first use on.
struct PreparedChallenges {
    wording: ChallengeText,
    missing_token: HeaderValue,
    /// For each stripe, since copies of an answer count on its header values.
    answers: Striped<OnceLock<Box<[OnceLock<Answer>]>>>,
}

/// Refusals whose answer is the same for every request.
const PREPARED_ANSWERS: usize = 6;

impl PreparedChallenges {
    fn new(wording: ChallengeText) -> Self {
        Self {
            missing_token: Challenge::missing_token(&wording)
                .header_value(Scheme::Bearer, &wording),
            answers: Striped::default(),
            wording,
        }
    }

    /// The place of the answer, where that is the same for every request.
    fn prepared(&self, rejection: &Rejection, sent: SentSchemes) -> Option<&OnceLock<Answer>> {
        if rejection.names_requirement() {
            return None;
        }
        let kind = match rejection.kind() {
            RejectionKind::MissingToken => 0,
            RejectionKind::InvalidRequest(_) => 1,
            RejectionKind::InvalidToken(TokenFault::Binding) => 2,
            RejectionKind::InvalidToken(_) => 3,
            RejectionKind::InvalidDpopProof(DpopFault::Nonce | DpopFault::NonceMissing) => 4,
            RejectionKind::InvalidDpopProof(_) => 5,
            _ => return None,
        };
        // Without the scheme `DPoP` the schemes of a request make no difference.
        let offers_dpop = self.wording.schemes.dpop.is_some();
        let form = match sent {
            SentSchemes::Bearer if offers_dpop => 1,
            SentSchemes::Dpop if offers_dpop => 2,
            SentSchemes::Both if offers_dpop => 3,
            _ => 0,
        };
        let answers = self.answers.own().get_or_init(|| {
            let forms = if offers_dpop { 4 } else { 1 };
            let places = 0..forms * PREPARED_ANSWERS;
            places.map(|_| OnceLock::new()).collect()
        });
        answers.get(form * PREPARED_ANSWERS + kind)
    }
}

/// The address of the metadata document, which challenges name once the application serves it.
pub(crate) struct ServedMetadata {
    server: ResourceServer,
    address: Arc<str>,
    /// The challenges with the address, made at the first refusal that needs them.
    challenges: OnceLock<PreparedChallenges>,
}

impl ServedMetadata {
    pub(crate) fn new(server: ResourceServer, address: Arc<str>) -> Self {
        Self {
            server,
            address,
            challenges: OnceLock::new(),
        }
    }
}

/// What a layer says in its challenges.
#[derive(Clone, Default)]
pub(crate) struct ChallengeText {
    pub(crate) realm: Arc<str>,
    pub(crate) resource_metadata: Option<Arc<str>>,
    /// The scope that a request without a good token is told to get.
    pub(crate) scope: Option<Arc<str>>,
    pub(crate) descriptions: bool,
    pub(crate) schemes: OfferedSchemes,
}

/// The schemes that a layer offers.
#[derive(Clone)]
pub(crate) struct OfferedSchemes {
    /// Whether tokens under the scheme `Bearer` can be good.
    pub(crate) bearer: bool,
    /// The scheme `DPoP`; `None` where it is off.
    pub(crate) dpop: Option<DpopChallenge>,
}

impl Default for OfferedSchemes {
    fn default() -> Self {
        Self {
            bearer: true,
            dpop: None,
        }
    }
}

impl ChallengePolicy {
    pub(crate) fn new(
        wording: ChallengeText,
        served_metadata: Option<ServedMetadata>,
        renderer: Option<Arc<dyn Renderer>>,
        nonces: Option<ResourceServer>,
    ) -> Self {
        Self {
            challenges: PreparedChallenges::new(wording),
            served_metadata,
            renderer,
            nonces,
        }
    }

    /// The challenges of this moment: with the address of the metadata from the moment on from which
    /// the application serves it. An address that is configured counts in any case.
    fn challenges(&self) -> &PreparedChallenges {
        let served = self.served_metadata.as_ref();
        let Some(served) = served.filter(|served| served.server.serves_metadata()) else {
            return &self.challenges;
        };
        served.challenges.get_or_init(|| {
            let mut wording = self.challenges.wording.clone();
            wording
                .resource_metadata
                .get_or_insert_with(|| Arc::clone(&served.address));
            PreparedChallenges::new(wording)
        })
    }

    /// The scope that a session of a client needs; empty where none is configured.
    pub(in crate::middleware) fn session_scope(&self) -> &str {
        self.challenges.wording.scope.as_deref().unwrap_or_default()
    }

    pub(in crate::middleware) const fn has_renderer(&self) -> bool {
        self.renderer.is_some()
    }

    /// The schemes of a request's tokens, where the answer depends on them.
    pub(in crate::middleware) fn schemes_of(&self, headers: &HeaderMap) -> SentSchemes {
        match self.challenges.wording.schemes.dpop {
            Some(_) => SentSchemes::of(headers),
            None => SentSchemes::Other,
        }
    }
}

/// An answer without what differs from request to request.
#[derive(Clone)]
struct Answer {
    status: StatusCode,
    /// `Cache-Control` and the challenges.
    headers: HeaderMap,
    /// Whether a challenge is of the scheme `DPoP`.
    names_dpop: bool,
    /// The sentence that goes with the challenge's error code, where the layer gives sentences.
    message: Option<&'static str>,
}

/// The scheme of a challenge.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Scheme {
    Bearer,
    Dpop,
}

#[derive(Clone, Copy, Default)]
struct Challenge<'r> {
    error: Option<&'static str>,
    description: &'static str,
    scope: Option<&'r str>,
    acr_values: Option<&'r str>,
    max_age: Option<Duration>,
}

impl Challenge<'static> {
    const INVALID_REQUEST: Self = Self {
        error: Some("invalid_request"),
        description: "the request carries malformed or several credentials",
        scope: None,
        acr_values: None,
        max_age: None,
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
            ..Self::default()
        }
    }

    /// RFC 9449 s7.1 and s9: a proof that is not good, or that lacks the server's nonce.
    fn invalid_proof(fault: DpopFault) -> Self {
        let (error, description) = match fault {
            DpopFault::Nonce | DpopFault::NonceMissing => {
                ("use_dpop_nonce", "the proof must have the server's nonce")
            }
            _ => ("invalid_dpop_proof", "the DPoP proof is not valid here"),
        };
        Self {
            error: Some(error),
            description,
            ..Self::default()
        }
    }

    /// RFC 6750 s3.1: no error code where nothing was sent.
    fn missing_token(wording: &'r ChallengeText) -> Self {
        Self {
            scope: wording.scope.as_deref(),
            ..Self::default()
        }
    }

    /// Adds what the refused request lacks of its route's requirement.
    fn with_requirement(self, rejection: &'r Rejection) -> Self {
        Self {
            scope: rejection.required_scope().or(self.scope),
            acr_values: rejection.required_acr_values(),
            max_age: rejection.required_max_age(),
            ..self
        }
    }

    /// The sentence that goes with an error code, where the layer gives sentences.
    fn described(&self, wording: &ChallengeText) -> Option<&'static str> {
        self.error
            .filter(|_| wording.descriptions)
            .map(|_| self.description)
    }

    fn header_value(&self, scheme: Scheme, wording: &ChallengeText) -> HeaderValue {
        let name = match scheme {
            Scheme::Bearer => "Bearer",
            Scheme::Dpop => "DPoP",
        };
        let algorithms = match scheme {
            Scheme::Bearer => None,
            Scheme::Dpop => wording.schemes.dpop.as_ref(),
        };
        let mut text = format!("{name} realm=\"{}\"", wording.realm);
        let max_age = self.max_age.map(|age| age.as_secs().to_string());
        let parameters = [
            ("error", self.error),
            ("error_description", self.described(wording)),
            ("scope", self.scope),
            ("acr_values", self.acr_values),
            ("max_age", max_age.as_deref()),
            ("resource_metadata", wording.resource_metadata.as_deref()),
            ("algs", algorithms.map(|dpop| dpop.algorithms.as_str())),
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

/// The challenges of a refusal, in order (RFC 9449 sections 7.1 and 7.2): the scheme that the request
/// used comes first and alone has the error; `Bearer` comes first where it used none. A 401 also names
/// the other scheme that is offered, and what the route demands of a token of it.
fn challenges(
    status: StatusCode,
    rejection: &Rejection,
    challenge: &Challenge<'_>,
    prepared: &PreparedChallenges,
    sent: SentSchemes,
) -> [Option<HeaderValue>; 2] {
    let wording = &prepared.wording;
    let OfferedSchemes { bearer, dpop } = &wording.schemes;
    // Where the scheme is off, its challenge is not understood.
    let sent = match (sent, dpop) {
        (SentSchemes::Dpop | SentSchemes::Both, None) => SentSchemes::Bearer,
        (sent, _) => sent,
    };
    // A client that sent a bound token as `Bearer` is told of the scheme (RFC 9449 s7.2).
    let lacks_proof = rejection.kind() == RejectionKind::InvalidToken(TokenFault::Binding);
    let offers_dpop = dpop
        .as_ref()
        .is_some_and(|dpop| dpop.is_advertised || !bearer || lacks_proof);
    let names_requirement = rejection.names_requirement();
    let without_error = |scheme| {
        if names_requirement {
            let challenge = Challenge {
                error: None,
                ..*challenge
            };
            challenge.header_value(scheme, wording)
        } else if scheme == Scheme::Bearer {
            prepared.missing_token.clone()
        } else {
            Challenge::missing_token(wording).header_value(scheme, wording)
        }
    };
    let is_401 = status == StatusCode::UNAUTHORIZED;
    let with_error = |scheme| challenge.header_value(scheme, wording);
    match sent {
        SentSchemes::Both => [Scheme::Bearer, Scheme::Dpop].map(|scheme| Some(with_error(scheme))),
        SentSchemes::Dpop => [
            Some(with_error(Scheme::Dpop)),
            (is_401 && *bearer).then(|| without_error(Scheme::Bearer)),
        ],
        SentSchemes::Other if !bearer && dpop.is_some() => [Some(with_error(Scheme::Dpop)), None],
        SentSchemes::Bearer | SentSchemes::Other => [
            Some(with_error(Scheme::Bearer)),
            (is_401 && offers_dpop).then(|| without_error(Scheme::Dpop)),
        ],
    }
}

fn answer(rejection: &Rejection, prepared: &PreparedChallenges, sent: SentSchemes) -> Answer {
    let wording = &prepared.wording;
    let (status, challenge) = match rejection.kind() {
        RejectionKind::MissingToken => (
            StatusCode::UNAUTHORIZED,
            Some(Challenge::missing_token(wording)),
        ),
        RejectionKind::InvalidRequest(_) => {
            (StatusCode::BAD_REQUEST, Some(Challenge::INVALID_REQUEST))
        }
        RejectionKind::InvalidToken(_) => (
            StatusCode::UNAUTHORIZED,
            Some(Challenge::invalid_token(wording)),
        ),
        RejectionKind::InvalidDpopProof(fault) => (
            StatusCode::UNAUTHORIZED,
            Some(Challenge::invalid_proof(fault)),
        ),
        RejectionKind::InsufficientScope => {
            let challenge = Challenge {
                error: Some("insufficient_scope"),
                description: "the access token does not have the scope that is needed",
                ..Challenge::default()
            };
            (StatusCode::FORBIDDEN, Some(challenge))
        }
        RejectionKind::InsufficientUserAuthentication => {
            let challenge = Challenge {
                error: Some("insufficient_user_authentication"),
                description: "a different or more recent authentication of the user is needed",
                scope: wording.scope.as_deref(),
                ..Challenge::default()
            };
            (StatusCode::UNAUTHORIZED, Some(challenge))
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
    let challenge = challenge.map(|challenge| challenge.with_requirement(rejection));
    let mut headers = HeaderMap::with_capacity(2);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    let mut names_dpop = false;
    if let Some(challenge) = &challenge {
        let values = challenges(status, rejection, challenge, prepared, sent);
        for value in values.into_iter().flatten() {
            names_dpop |= value.as_bytes().starts_with(b"DPoP");
            headers.append(WWW_AUTHENTICATE, value);
        }
    }
    Answer {
        status,
        headers,
        names_dpop,
        message: challenge.and_then(|challenge| challenge.described(wording)),
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
    let prepared = policy.challenges();
    let make = || answer(rejection, prepared, schemes);
    let Answer {
        status,
        headers,
        names_dpop,
        message,
    } = match prepared.prepared(rejection, schemes) {
        Some(place) => place.get_or_init(make).clone(),
        None => make(),
    };
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
