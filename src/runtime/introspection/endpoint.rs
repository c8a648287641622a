//! An introspection endpoint (RFC 7662): the request, and which responses count.
//!
//! 1. A token is sent to this address alone, in the body of a POST, encoded once; in the query only
//!    where the dialect says so. No redirect is followed and nothing is sent twice.
//! 2. `200` is a response; a status that the dialect names is about the token, and so is `400` with the
//!    error `unsupported_token_type`. Everything else is a failure.
//! 3. Where signed responses are expected, another media type is a failure (RFC 9701 section 5).

use std::sync::Arc;

use crate::model::error::rejection::Outage;
use crate::model::time::UnixTime;
use crate::runtime::discovery::endpoint_url::EndpointResolver;
pub(crate) use crate::runtime::discovery::endpoint_url::EndpointUrl;
use crate::runtime::http::client::{HttpRequest, RawResponse, RequestBody};
use crate::runtime::http::form::push_pair;
use crate::runtime::http::tls::HttpOptions;
use crate::runtime::introspection::client_auth::Credentials;
use crate::runtime::introspection::dialect::TokenInformation;
use crate::runtime::lookup::endpoint::{EndpointError, LogMessages, RemoteEndpoint};
use crate::verify::claims::introspection_response::SIGNED_MEDIA_TYPE;

/// The settings of an endpoint.
pub(crate) struct EndpointConfig {
    /// The exact `iss`, which a discovery document must name.
    pub(crate) issuer: Arc<str>,
    pub(crate) place: EndpointUrl,
    pub(crate) dialect: TokenInformation,
    pub(crate) credentials: Option<Credentials>,
    /// Whether responses are signed (RFC 9701).
    pub(crate) signed: bool,
    pub(crate) http_options: HttpOptions,
}

pub(crate) struct Endpoint {
    resolver: EndpointResolver,
    dialect: TokenInformation,
    credentials: Option<Credentials>,
    signed: bool,
}

/// A response of the endpoint.
pub(crate) enum IntrospectionResponse {
    Answer(Vec<u8>),
    /// By its status.
    BadToken,
    /// The endpoint introspects no tokens of this type.
    UnsupportedType,
}

/// The error code of RFC 7009 section 2.2.1, which endpoints use for introspection too.
const UNSUPPORTED: &str = "unsupported_token_type";

impl Endpoint {
    pub(crate) fn new(config: EndpointConfig) -> Result<Self, String> {
        Ok(Self {
            resolver: EndpointResolver::new(
                config.place,
                "introspection_endpoint",
                config.issuer,
                &config.http_options,
            )?,
            dialect: config.dialect,
            credentials: config.credentials,
            signed: config.signed,
        })
    }

    /// Whether the address is discovered.
    pub(crate) const fn is_discovered(&self) -> bool {
        self.resolver.is_discovered()
    }

    /// Whether the address is configured, or was discovered once.
    pub(crate) fn is_resolved(&self) -> bool {
        self.resolver.is_resolved()
    }

    pub(crate) const fn issuer(&self) -> &Arc<str> {
        self.resolver.issuer()
    }

    fn interpret(
        &self,
        url: &str,
        response: RawResponse,
    ) -> Result<IntrospectionResponse, EndpointError> {
        let error = |outage| EndpointError::of_status(url, &response, outage);
        match response.status {
            200 if self.signed && response.media_type.as_deref() != Some(SIGNED_MEDIA_TYPE) => {
                Err(EndpointError::failed("the answer is not a signed one"))
            }
            200 => Ok(IntrospectionResponse::Answer(response.body)),
            status if self.dialect.bad_token.contains(&status) => {
                Ok(IntrospectionResponse::BadToken)
            }
            // The endpoint introspects no tokens of this type, as oidc-provider says of its own JWTs.
            400 if response.error.as_deref() == Some(UNSUPPORTED) => {
                Ok(IntrospectionResponse::UnsupportedType)
            }
            // RFC 7662 s2.3: these are about our own credentials.
            401 | 403 => Err(error(Some(Outage::IntrospectionRefusedUs))),
            429 => Err(error(Some(Outage::IntrospectionBusy))),
            _ => Err(error(None)),
        }
    }
}

impl RemoteEndpoint for Endpoint {
    type Response = IntrospectionResponse;

    const FAILED: Outage = Outage::IntrospectionFailed;

    const TIMED_OUT: Outage = Outage::IntrospectionTimedOut;

    const MESSAGES: LogMessages = LogMessages {
        failing: "tokens cannot be introspected",
        recovered: "tokens are introspected again",
    };

    #[cfg(feature = "redis")]
    fn shared_text(response: &IntrospectionResponse) -> Option<&[u8]> {
        match response {
            IntrospectionResponse::Answer(text) => Some(text),
            IntrospectionResponse::BadToken | IntrospectionResponse::UnsupportedType => None,
        }
    }

    #[cfg(feature = "redis")]
    fn from_shared_text(text: Vec<u8>) -> Option<IntrospectionResponse> {
        Some(IntrospectionResponse::Answer(text))
    }

    fn resolver(&self) -> &EndpointResolver {
        &self.resolver
    }

    async fn send(
        &self,
        url: &str,
        token: &str,
        now: UnixTime,
    ) -> Result<IntrospectionResponse, EndpointError> {
        let (dialect, credentials) = (&self.dialect, &self.credentials);
        let mut form = String::new();
        push_pair(&mut form, &dialect.field, token);
        let query = dialect.in_query.then(|| {
            let mark = if url.contains('?') { '&' } else { '?' };
            format!("{url}{mark}{form}")
        });
        if let Some(credentials) = credentials {
            credentials
                .fill(&mut form, now)
                .ok_or_else(|| EndpointError::failed("the system gives no randomness"))?;
        }
        let request = HttpRequest {
            url: query.as_deref().unwrap_or(url),
            accept: if self.signed {
                SIGNED_MEDIA_TYPE
            } else {
                "application/json"
            },
            authorization: credentials.as_ref().and_then(Credentials::header),
            body: query.is_none().then_some(RequestBody::Form(form)),
        };
        let response = self.resolver.fetcher().send(request).await;
        self.interpret(
            url,
            response.map_err(|error| EndpointError::of_fetch(&error))?,
        )
    }
}
