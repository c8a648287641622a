//! The place where an issuer tells about a user, and what counts as its answer
//! (OpenID Connect Core section 5.3).
//!
//! 1. The token goes to this place alone, in the `Authorization` field of a GET. No redirect is
//!    followed and nothing is sent twice.
//! 2. `200` is an answer, signed or not as its media type says. `401` is about the token, and `403`
//!    about what it may see (RFC 6750 section 3.1). All else is about the issuer, and tells nothing.

use std::sync::Arc;

use http::HeaderValue;

use crate::model::error::rejection::Outage;
use crate::model::time::UnixTime;
use crate::runtime::discovery::endpoint_url::{EndpointResolver, EndpointUrl};
use crate::runtime::http::client::{HttpOptions, HttpQuestion, RawResponse};
use crate::runtime::lookup::endpoint::{EndpointError, LogMessages, RemoteEndpoint};

pub(crate) struct UserInfoEndpoint(EndpointResolver);

/// What the endpoint said.
pub(crate) enum UserInfoReply {
    Plain(Vec<u8>),
    Signed(Vec<u8>),
    BadToken,
    /// The token is good, and may not see anything.
    NothingToSee,
}

impl UserInfoEndpoint {
    /// The endpoint of the issuer with exactly this `iss`.
    pub(crate) fn new(
        issuer: Arc<str>,
        place: EndpointUrl,
        reach: &HttpOptions,
    ) -> Result<Self, String> {
        EndpointResolver::new(place, "userinfo_endpoint", issuer, reach).map(Self)
    }

    fn weigh(place: &str, told: RawResponse) -> Result<UserInfoReply, EndpointError> {
        match (told.status, told.media_type.as_deref()) {
            (200, Some("application/jwt")) => Ok(UserInfoReply::Signed(told.body)),
            (200, _) => Ok(UserInfoReply::Plain(told.body)),
            (401, _) => Ok(UserInfoReply::BadToken),
            (403, _) => Ok(UserInfoReply::NothingToSee),
            (429, _) => Err(EndpointError::of_status(place, &told, Outage::UserInfoBusy)),
            _ => Err(EndpointError::of_status(
                place,
                &told,
                Outage::IntrospectionFailed,
            )),
        }
    }
}

impl RemoteEndpoint for UserInfoEndpoint {
    type Said = UserInfoReply;

    const WORDS: LogMessages = LogMessages {
        trouble: "userinfo cannot be fetched",
        recovery: "userinfo is fetched again",
    };

    fn whereabouts(&self) -> &EndpointResolver {
        &self.0
    }

    async fn ask_at(
        &self,
        place: &str,
        token: &str,
        _: UnixTime,
    ) -> Result<UserInfoReply, EndpointError> {
        let mut bearer = HeaderValue::from_str(&format!("Bearer {token}"))
            .map_err(|_| EndpointError::failed("the token fits into no header field"))?;
        bearer.set_sensitive(true);
        let question = HttpQuestion {
            url: place,
            accept: "application/json, application/jwt;q=0.9",
            authorization: Some(bearer),
            form: None,
        };
        let told = self.0.fetcher().ask(question).await;
        Self::weigh(
            place,
            told.map_err(|error| EndpointError::of_fetch(&error))?,
        )
    }
}
