//! The status and the headers of a refusal, kept where they are the same for every request
//! (RFC 9110 section 15).
//!
//! 1. One total match from kind to answer, without a wildcard.
//! 2. Every answer says `Cache-Control: no-store`.

use std::sync::OnceLock;

use http::StatusCode;
use http::header::{CACHE_CONTROL, HeaderMap, HeaderValue, WWW_AUTHENTICATE};

use crate::middleware::response::challenge::{Challenge, ChallengeText, Scheme, challenges};
use crate::model::error::rejection::{DpopFault, Rejection, RejectionKind, TokenFault};
use crate::runtime::util::striped::Striped;
use crate::verify::request::credential::SentSchemes;

/// The wording, and the answers that are the same for every request, each ready to be copied from its
/// first use on.
pub(super) struct PreparedAnswers {
    pub(super) wording: ChallengeText,
    missing_token: HeaderValue,
    /// For each stripe, since copies of an answer count on its header values.
    answers: Striped<OnceLock<Box<[OnceLock<Answer>]>>>,
}

/// Refusals whose answer is the same for every request.
const PREPARED_ANSWERS: usize = 6;

impl PreparedAnswers {
    pub(super) fn new(wording: ChallengeText) -> Self {
        Self {
            missing_token: Challenge::missing_token(&wording)
                .header_value(Scheme::Bearer, &wording),
            answers: Striped::default(),
            wording,
        }
    }

    /// The answer to a refusal of a request that sent tokens under these schemes.
    pub(super) fn answer(&self, rejection: &Rejection, sent: SentSchemes) -> Answer {
        match self.place(rejection, sent) {
            Some(place) => place.get_or_init(|| self.make(rejection, sent)).clone(),
            None => self.make(rejection, sent),
        }
    }

    /// The place of the answer, where that is the same for every request.
    fn place(&self, rejection: &Rejection, sent: SentSchemes) -> Option<&OnceLock<Answer>> {
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

    fn make(&self, rejection: &Rejection, sent: SentSchemes) -> Answer {
        let wording = &self.wording;
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
                (StatusCode::FORBIDDEN, Some(Challenge::INSUFFICIENT_SCOPE))
            }
            RejectionKind::InsufficientUserAuthentication => (
                StatusCode::UNAUTHORIZED,
                Some(Challenge::insufficient_user_authentication(wording)),
            ),
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
            let values = challenges(
                status,
                rejection,
                challenge,
                wording,
                &self.missing_token,
                sent,
            );
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
}

/// An answer without what differs from request to request.
#[derive(Clone)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    /// `Cache-Control` and the challenges.
    pub(super) headers: HeaderMap,
    /// Whether a challenge is of the scheme `DPoP`.
    pub(super) names_dpop: bool,
    /// The sentence that goes with the challenge's error code, where the layer gives sentences.
    pub(super) message: Option<&'static str>,
}
