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
use crate::runtime::discovery::endpoint_url::{Place, Whereabouts};
use crate::runtime::http::client::{Question, Reach, Told};
use crate::runtime::lookup::endpoint::{Oracle, Trouble, Words};

pub(crate) struct UserInfoEndpoint(Whereabouts);

/// What the endpoint said.
pub(crate) enum UserSaid {
    Plain(Vec<u8>),
    Signed(Vec<u8>),
    BadToken,
    /// The token is good, and may not see anything.
    NothingToSee,
}

impl UserInfoEndpoint {
    /// The endpoint of the issuer with exactly this `iss`.
    pub(crate) fn new(issuer: Arc<str>, place: Place, reach: &Reach) -> Result<Self, String> {
        Whereabouts::new(place, "userinfo_endpoint", issuer, reach).map(Self)
    }

    fn weigh(place: &str, told: Told) -> Result<UserSaid, Trouble> {
        match (told.status, told.media_type.as_deref()) {
            (200, Some("application/jwt")) => Ok(UserSaid::Signed(told.body)),
            (200, _) => Ok(UserSaid::Plain(told.body)),
            (401, _) => Ok(UserSaid::BadToken),
            (403, _) => Ok(UserSaid::NothingToSee),
            (429, _) => Err(Trouble::of_status(place, &told, Outage::UserInfoBusy)),
            _ => Err(Trouble::of_status(
                place,
                &told,
                Outage::IntrospectionFailed,
            )),
        }
    }
}

impl Oracle for UserInfoEndpoint {
    type Said = UserSaid;

    const WORDS: Words = Words {
        trouble: "userinfo cannot be fetched",
        recovery: "userinfo is fetched again",
    };

    fn whereabouts(&self) -> &Whereabouts {
        &self.0
    }

    async fn ask_at(&self, place: &str, token: &str, _: UnixTime) -> Result<UserSaid, Trouble> {
        let mut bearer = HeaderValue::from_str(&format!("Bearer {token}"))
            .map_err(|_| Trouble::failed("the token fits into no header field"))?;
        bearer.set_sensitive(true);
        let question = Question {
            url: place,
            accept: "application/json, application/jwt;q=0.9",
            authorization: Some(bearer),
            form: None,
        };
        let told = self.0.fetcher().ask(question).await;
        Self::weigh(place, told.map_err(|error| Trouble::of_fetch(&error))?)
    }
}
