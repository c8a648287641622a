//! A userinfo endpoint (OpenID Connect Core section 5.3): the request, and which responses count.
//!
//! 1. The token is sent to this address alone, in the `Authorization` field of a GET. No redirect is
//!    followed and nothing is sent twice.
//! 2. `200` is a response, signed or not as its media type says. `401` is about the token, and `403`
//!    about its scope (RFC 6750 section 3.1). Everything else is a failure.

use std::sync::Arc;

use http::HeaderValue;

use crate::model::error::rejection::Outage;
use crate::model::time::UnixTime;
use crate::runtime::discovery::endpoint_url::{EndpointResolver, EndpointUrl};
use crate::runtime::http::client::{HttpRequest, RawResponse};
use crate::runtime::http::tls::HttpOptions;
use crate::runtime::lookup::endpoint::{EndpointError, LogMessages, RemoteEndpoint};

pub(crate) struct UserInfoEndpoint(EndpointResolver);

/// A response of the endpoint.
pub(crate) enum UserInfoResponse {
    Plain(Vec<u8>),
    Signed(Vec<u8>),
    BadToken,
    /// The token is valid, and its scope allows no userinfo.
    NothingToSee,
}

impl UserInfoEndpoint {
    /// The endpoint of the issuer with exactly this `iss`.
    pub(crate) fn new(
        issuer: Arc<str>,
        url: EndpointUrl,
        http_options: &HttpOptions,
    ) -> Result<Self, String> {
        EndpointResolver::new(url, "userinfo_endpoint", issuer, http_options).map(Self)
    }

    fn interpret(url: &str, response: RawResponse) -> Result<UserInfoResponse, EndpointError> {
        match (response.status, response.media_type.as_deref()) {
            (200, Some("application/jwt")) => Ok(UserInfoResponse::Signed(response.body)),
            (200, _) => Ok(UserInfoResponse::Plain(response.body)),
            (401, _) => Ok(UserInfoResponse::BadToken),
            (403, _) => Ok(UserInfoResponse::NothingToSee),
            (429, _) => Err(EndpointError::of_status(
                url,
                &response,
                Some(Outage::UserInfoBusy),
            )),
            _ => Err(EndpointError::of_status(url, &response, None)),
        }
    }
}

impl RemoteEndpoint for UserInfoEndpoint {
    type Response = UserInfoResponse;

    const FAILED: Outage = Outage::UserInfoFailed;

    const TIMED_OUT: Outage = Outage::UserInfoTimedOut;

    const MESSAGES: LogMessages = LogMessages {
        failing: "userinfo cannot be fetched",
        recovered: "userinfo is fetched again",
    };

    fn resolver(&self) -> &EndpointResolver {
        &self.0
    }

    async fn send(
        &self,
        url: &str,
        token: &str,
        _: UnixTime,
    ) -> Result<UserInfoResponse, EndpointError> {
        let mut bearer = HeaderValue::from_str(&format!("Bearer {token}"))
            .map_err(|_| EndpointError::failed("the token fits into no header field"))?;
        bearer.set_sensitive(true);
        let request = HttpRequest {
            url,
            accept: "application/json, application/jwt;q=0.9",
            authorization: Some(bearer),
            body: None,
        };
        let response = self.0.fetcher().send(request).await;
        Self::interpret(
            url,
            response.map_err(|error| EndpointError::of_fetch(&error))?,
        )
    }
}
