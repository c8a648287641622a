//! The place where an issuer is asked about tokens, and what counts as its answer.
//!
//! 1. A token goes to this place alone, in the body of a POST, encoded once; in a query only
//!    where the dialect says so. No redirect is followed and nothing is sent twice.
//! 2. `200` is an answer; a status that the dialect knows is about the token, and so is `400` with
//!    the error `unsupported_token_type`; all else is no verdict.
//! 3. Where signed answers are expected, another media type is none (RFC 9701 section 5).

use std::sync::Arc;

use crate::model::error::rejection::Outage;
use crate::model::time::UnixTime;
pub(crate) use crate::runtime::discovery::endpoint_url::Place;
use crate::runtime::discovery::endpoint_url::Whereabouts;
use crate::runtime::http::client::{Question, Reach, Told};
use crate::runtime::http::form::push_pair;
use crate::runtime::introspection::client_auth::Credentials;
use crate::runtime::introspection::dialect::TokenInformation;
use crate::runtime::lookup::endpoint::{Oracle, Trouble, Words};
use crate::verify::claims::introspection_response::SIGNED_MEDIA_TYPE;

/// What an endpoint is made of.
pub(crate) struct EndpointConfig {
    /// The exact `iss`, which a discovery document must name.
    pub(crate) issuer: Arc<str>,
    pub(crate) place: Place,
    pub(crate) dialect: TokenInformation,
    pub(crate) credentials: Option<Credentials>,
    /// Whether answers are signed.
    pub(crate) signed: bool,
    pub(crate) reach: Reach,
}

pub(crate) struct Endpoint {
    whereabouts: Whereabouts,
    dialect: TokenInformation,
    credentials: Option<Credentials>,
    signed: bool,
}

/// What the endpoint said.
pub(crate) enum Said {
    Answer(Vec<u8>),
    /// By its status.
    BadToken,
    /// It judges no tokens of this type, and never will.
    UnsupportedType,
}

/// The error code of RFC 7009 section 2.2.1, which endpoints use for introspection too.
const UNSUPPORTED: &str = "unsupported_token_type";

impl Endpoint {
    pub(crate) fn new(config: EndpointConfig) -> Result<Self, String> {
        Ok(Self {
            whereabouts: Whereabouts::new(
                config.place,
                "introspection_endpoint",
                config.issuer,
                &config.reach,
            )?,
            dialect: config.dialect,
            credentials: config.credentials,
            signed: config.signed,
        })
    }

    /// Whether the address has to be looked up.
    pub(crate) const fn is_discovered(&self) -> bool {
        self.whereabouts.is_discovered()
    }

    /// Whether the address is known, or was once.
    pub(crate) fn is_located(&self) -> bool {
        self.whereabouts.is_located()
    }

    pub(crate) const fn issuer(&self) -> &Arc<str> {
        self.whereabouts.issuer()
    }

    fn weigh(&self, place: &str, told: Told) -> Result<Said, Trouble> {
        let trouble = |outage| Trouble::of_status(place, &told, outage);
        match told.status {
            200 if self.signed && told.media_type.as_deref() != Some(SIGNED_MEDIA_TYPE) => {
                Err(Trouble::failed("the answer is not a signed one"))
            }
            200 => Ok(Said::Answer(told.body)),
            status if self.dialect.bad_token.contains(&status) => Ok(Said::BadToken),
            // The endpoint judges no tokens of this type: oidc-provider says so of its own JWTs.
            400 if told.error.as_deref() == Some(UNSUPPORTED) => Ok(Said::UnsupportedType),
            // RFC 7662 s2.3: these are about our own credentials.
            401 | 403 => Err(trouble(Outage::IntrospectionRefusedUs)),
            429 => Err(trouble(Outage::IntrospectionBusy)),
            _ => Err(trouble(Outage::IntrospectionFailed)),
        }
    }
}

impl Oracle for Endpoint {
    type Said = Said;

    const WORDS: Words = Words {
        trouble: "tokens cannot be introspected",
        recovery: "tokens are introspected again",
    };

    #[cfg(feature = "redis")]
    fn shared(said: &Said) -> Option<&[u8]> {
        match said {
            Said::Answer(text) => Some(text),
            Said::BadToken | Said::UnsupportedType => None,
        }
    }

    #[cfg(feature = "redis")]
    fn said(text: Vec<u8>) -> Option<Said> {
        Some(Said::Answer(text))
    }

    fn whereabouts(&self) -> &Whereabouts {
        &self.whereabouts
    }

    async fn ask_at(&self, place: &str, token: &str, now: UnixTime) -> Result<Said, Trouble> {
        let (dialect, credentials) = (&self.dialect, &self.credentials);
        let mut form = String::new();
        push_pair(&mut form, &dialect.field, token);
        let query = dialect.in_query.then(|| {
            let mark = if place.contains('?') { '&' } else { '?' };
            format!("{place}{mark}{form}")
        });
        if let Some(credentials) = credentials {
            credentials
                .fill(&mut form, now)
                .ok_or_else(|| Trouble::failed("the system gives no randomness"))?;
        }
        let question = Question {
            url: query.as_deref().unwrap_or(place),
            accept: if self.signed {
                SIGNED_MEDIA_TYPE
            } else {
                "application/json"
            },
            authorization: credentials.as_ref().and_then(Credentials::header),
            form: query.is_none().then_some(form),
        };
        let told = self.whereabouts.fetcher().ask(question).await;
        self.weigh(place, told.map_err(|error| Trouble::of_fetch(&error))?)
    }
}
