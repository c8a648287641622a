//! The challenges of a refusal (RFC 6750 section 3, RFC 9449 section 7.1, RFC 9470 section 3, RFC 9728
//! section 5.1).
//!
//! 1. A challenge is made of static text and configuration alone, never of a request's bytes.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use http::header::HeaderValue;

use crate::model::error::rejection::{DpopFault, Rejection, RejectionKind, TokenFault};
use crate::server::resource_server::DpopChallenge;
use crate::verify::request::credential::SentSchemes;

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

/// The scheme of a challenge.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Scheme {
    Bearer,
    Dpop,
}

/// A challenge without its scheme.
#[derive(Clone, Copy, Default)]
pub(super) struct Challenge<'r> {
    error: Option<&'static str>,
    description: &'static str,
    scope: Option<&'r str>,
    acr_values: Option<&'r str>,
    max_age: Option<Duration>,
}

impl Challenge<'static> {
    pub(super) const INVALID_REQUEST: Self = Self {
        error: Some("invalid_request"),
        description: "the request carries malformed or several credentials",
        scope: None,
        acr_values: None,
        max_age: None,
    };

    pub(super) const INSUFFICIENT_SCOPE: Self = Self {
        error: Some("insufficient_scope"),
        description: "the access token does not have the scope that is needed",
        scope: None,
        acr_values: None,
        max_age: None,
    };
}

impl<'r> Challenge<'r> {
    /// A client whose token is over asks for a new one with what this challenge names; without a
    /// `scope` it would ask for everything or for nothing.
    pub(super) fn invalid_token(wording: &'r ChallengeText) -> Self {
        Self {
            error: Some("invalid_token"),
            description: "the access token is not valid here",
            scope: wording.scope.as_deref(),
            ..Self::default()
        }
    }

    /// RFC 9470 s3.
    pub(super) fn insufficient_user_authentication(wording: &'r ChallengeText) -> Self {
        Self {
            error: Some("insufficient_user_authentication"),
            description: "a different or more recent authentication of the user is needed",
            scope: wording.scope.as_deref(),
            ..Self::default()
        }
    }

    /// RFC 9449 s7.1 and s9: a proof that is not good, or that lacks the server's nonce.
    pub(super) fn invalid_proof(fault: DpopFault) -> Self {
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
    pub(super) fn missing_token(wording: &'r ChallengeText) -> Self {
        Self {
            scope: wording.scope.as_deref(),
            ..Self::default()
        }
    }

    /// Adds what the refused request lacks of its route's requirement.
    pub(super) fn with_requirement(self, rejection: &'r Rejection) -> Self {
        Self {
            scope: rejection.required_scope().or(self.scope),
            acr_values: rejection.required_acr_values(),
            max_age: rejection.required_max_age(),
            ..self
        }
    }

    /// The sentence that goes with an error code, where the layer gives sentences.
    pub(super) fn described(&self, wording: &ChallengeText) -> Option<&'static str> {
        self.error
            .filter(|_| wording.descriptions)
            .map(|_| self.description)
    }

    pub(super) fn header_value(&self, scheme: Scheme, wording: &ChallengeText) -> HeaderValue {
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
/// the other scheme that is offered, and what the route demands of a token of it. `missing_token` is the
/// `Bearer` challenge of a request without a token.
pub(super) fn challenges(
    status: StatusCode,
    rejection: &Rejection,
    challenge: &Challenge<'_>,
    wording: &ChallengeText,
    missing_token: &HeaderValue,
    sent: SentSchemes,
) -> [Option<HeaderValue>; 2] {
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
            missing_token.clone()
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
