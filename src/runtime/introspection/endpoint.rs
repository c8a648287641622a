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
use crate::runtime::discovery::endpoint_url::EndpointResolver;
pub(crate) use crate::runtime::discovery::endpoint_url::EndpointUrl;
use crate::runtime::http::client::{HttpOptions, HttpQuestion, RawResponse};
use crate::runtime::http::form::push_pair;
use crate::runtime::introspection::client_auth::Credentials;
use crate::runtime::introspection::dialect::TokenInformation;
use crate::runtime::lookup::endpoint::{EndpointError, LogMessages, RemoteEndpoint};
use crate::verify::claims::introspection_response::SIGNED_MEDIA_TYPE;

/// What an endpoint is made of.
pub(crate) struct EndpointConfig {
    /// The exact `iss`, which a discovery document must name.
    pub(crate) issuer: Arc<str>,
    pub(crate) place: EndpointUrl,
    pub(crate) dialect: TokenInformation,
    pub(crate) credentials: Option<Credentials>,
    /// Whether answers are signed.
    pub(crate) signed: bool,
    pub(crate) reach: HttpOptions,
}

pub(crate) struct Endpoint {
    whereabouts: EndpointResolver,
    dialect: TokenInformation,
    credentials: Option<Credentials>,
    signed: bool,
}

/// What the endpoint said.
pub(crate) enum IntrospectionReply {
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
            whereabouts: EndpointResolver::new(
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

    fn weigh(&self, place: &str, told: RawResponse) -> Result<IntrospectionReply, EndpointError> {
        let trouble = |outage| EndpointError::of_status(place, &told, outage);
        match told.status {
            200 if self.signed && told.media_type.as_deref() != Some(SIGNED_MEDIA_TYPE) => {
                Err(EndpointError::failed("the answer is not a signed one"))
            }
            200 => Ok(IntrospectionReply::Answer(told.body)),
            status if self.dialect.bad_token.contains(&status) => Ok(IntrospectionReply::BadToken),
            // The endpoint judges no tokens of this type: oidc-provider says so of its own JWTs.
            400 if told.error.as_deref() == Some(UNSUPPORTED) => {
                Ok(IntrospectionReply::UnsupportedType)
            }
            // RFC 7662 s2.3: these are about our own credentials.
            401 | 403 => Err(trouble(Outage::IntrospectionRefusedUs)),
            429 => Err(trouble(Outage::IntrospectionBusy)),
            _ => Err(trouble(Outage::IntrospectionFailed)),
        }
    }
}

impl RemoteEndpoint for Endpoint {
    type Said = IntrospectionReply;

    const WORDS: LogMessages = LogMessages {
        trouble: "tokens cannot be introspected",
        recovery: "tokens are introspected again",
    };

    #[cfg(feature = "redis")]
    fn shared(said: &IntrospectionReply) -> Option<&[u8]> {
        match said {
            IntrospectionReply::Answer(text) => Some(text),
            IntrospectionReply::BadToken | IntrospectionReply::UnsupportedType => None,
        }
    }

    #[cfg(feature = "redis")]
    fn said(text: Vec<u8>) -> Option<IntrospectionReply> {
        Some(IntrospectionReply::Answer(text))
    }

    fn whereabouts(&self) -> &EndpointResolver {
        &self.whereabouts
    }

    async fn ask_at(
        &self,
        place: &str,
        token: &str,
        now: UnixTime,
    ) -> Result<IntrospectionReply, EndpointError> {
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
                .ok_or_else(|| EndpointError::failed("the system gives no randomness"))?;
        }
        let question = HttpQuestion {
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
        self.weigh(
            place,
            told.map_err(|error| EndpointError::of_fetch(&error))?,
        )
    }
}
