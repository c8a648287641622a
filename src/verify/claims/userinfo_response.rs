//! Userinfo responses: the only way from the bytes of one to `UserClaims` (OpenID Connect Core section
//! 5.3).
//!
//! 1. A response is one strict JSON object with a `sub`; see `verify/json`.
//! 2. It is used for a token only if both have the same `sub`, byte for byte (Core section 5.3.2). The
//!    comparison is made on every use.
//! 3. A signed response counts only if the token's issuer made it for the client of the token, and its
//!    dates fit. Issuer and client are compared on every use.
//! 4. `null` and an empty string count as a missing `sub`; other members are the application's.

use serde::de::DeserializeOwned;
use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::model::error::token_error::TokenError;
use crate::model::ids::ClientId;
use crate::model::time::UnixTime;
use crate::verify::claims::custom::payload_cache::CustomClaims;
use crate::verify::claims::introspection_response::{AnswerTime, SignatureProblem};
use crate::verify::claims::verified_token::AccessToken;
use crate::verify::jose::signature::Signed;
use crate::verify::json::claims_reader::{required_text, strings};
use crate::verify::json::object::{JsonFault, Object, Value};

/// The userinfo of one user.
pub(crate) struct UserClaims {
    subject: Box<str>,
    /// Present for a signed response.
    seal: Option<SignedResponse>,
    text: Arc<str>,
    custom: CustomClaims,
    was_reported: AtomicBool,
}

/// The claims of a signed response about itself.
struct SignedResponse {
    issuer: Box<str>,
    audience: Vec<Box<str>>,
    end: Option<UnixTime>,
}

/// Why a response does not count, as a phrase that follows "the answer".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotUserInfo {
    NotJson,
    Duplicate,
    NoSubject,
    AnotherUser,
    /// Signed, and of another type.
    Type,
    /// Signed, without an issuer or by another one.
    Issuer,
    /// Signed, without an audience or for another one.
    Audience,
    /// Signed, and with dates that do not fit.
    Date(SignatureProblem),
}

impl UserClaims {
    /// Reads a response that is not signed.
    pub(crate) fn read(text: &Arc<str>) -> Result<Self, NotUserInfo> {
        let claims = Object::parse_str(text).map_err(|fault| match fault {
            JsonFault::Malformed | JsonFault::TooManyNames => NotUserInfo::NotJson,
            JsonFault::Duplicate => NotUserInfo::Duplicate,
        })?;
        Self::of(&claims, text, None)
    }

    /// Reads a signed response.
    pub(crate) fn signed(signed: &Signed<'_>, time: AnswerTime) -> Result<Self, NotUserInfo> {
        let typ = signed.header().get("typ").map(Value::as_text);
        // RFC 8725 s3.12: neither an access token nor an introspection response.
        if !typ.is_none_or(|typ| typ.is_some_and(|typ| typ.eq_ignore_ascii_case("JWT"))) {
            return Err(NotUserInfo::Type);
        }
        let claims = signed.claims();
        let end = time.check(claims).map_err(NotUserInfo::Date)?;
        // Core s5.3.2: the issuer, and the client's id. They are optional there, and not here.
        let issuer = required_text(claims, "iss").map_err(|_| NotUserInfo::Issuer)?;
        let audience = claims.get("aud").and_then(strings);
        let audience = audience.ok_or(NotUserInfo::Audience)?;
        let seal = SignedResponse {
            issuer: issuer.into(),
            audience: audience.into_iter().map(Into::into).collect(),
            end,
        };
        Self::of(claims, &Arc::from(claims.text()), Some(seal))
    }

    fn of(
        claims: &Object<'_>,
        text: &Arc<str>,
        seal: Option<SignedResponse>,
    ) -> Result<Self, NotUserInfo> {
        let subject = required_text(claims, "sub").map_err(|_| NotUserInfo::NoSubject)?;
        Ok(Self {
            subject: subject.into(),
            seal,
            text: Arc::clone(text),
            custom: CustomClaims::default(),
            was_reported: AtomicBool::new(false),
        })
    }

    /// Whether it is about the user of this token.
    pub(crate) fn check(&self, token: &AccessToken) -> Result<(), NotUserInfo> {
        match openid_subject(token) {
            Some(subject) if *subject == *self.subject => {}
            _ => return Err(NotUserInfo::AnotherUser),
        }
        let Some(seal) = &self.seal else {
            return Ok(());
        };
        if *seal.issuer != *token.issuer() {
            return Err(NotUserInfo::Issuer);
        }
        let client = token.client_id().map(ClientId::as_str);
        if !seal.audience.iter().any(|one| Some(&**one) == client) {
            return Err(NotUserInfo::Audience);
        }
        Ok(())
    }

    /// Whether this is the first call: a fault of a response is logged once.
    pub(crate) fn first_report(&self) -> bool {
        !self.was_reported.swap(true, Ordering::Relaxed)
    }

    /// Its `exp`, where it has one.
    pub(crate) fn end(&self) -> Option<UnixTime> {
        self.seal.as_ref().and_then(|seal| seal.end)
    }

    /// Its approximate memory in bytes, without the application's own types.
    pub(crate) fn bytes(&self) -> usize {
        const BESIDE: usize = 256;
        let seal = self.seal.as_ref().map_or(0, |seal| {
            let audience = seal.audience.iter().map(|one| one.len());
            let list = seal.audience.capacity() * size_of::<Box<str>>();
            seal.issuer.len() + list + audience.sum::<usize>()
        });
        BESIDE + self.subject.len() + self.text.len() + seal
    }

    /// The response as the application's own type, deserialized once for each type.
    pub(crate) fn claims<T>(&self) -> Result<Arc<T>, TokenError>
    where
        T: DeserializeOwned + Send + Sync + 'static,
    {
        self.custom.read(|| Ok(Cow::Borrowed(&*self.text)))
    }
}

/// The token's `sub`, even where another claim is the subject; the subject where it has no `sub`.
pub(crate) fn openid_subject(token: &AccessToken) -> Option<Cow<'_, str>> {
    let payload = token.verified().payload(token.sent()).ok()?;
    let stated = Object::parse_str(&payload).ok()?;
    match stated.without_empty_members().get("sub") {
        Some(value) => value.as_text().map(|text| text.into_owned().into()),
        None => token.subject().map(|subject| subject.as_str().into()),
    }
}

impl fmt::Display for NotUserInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotJson => "is not one json object",
            Self::Duplicate => "names a member twice",
            Self::NoSubject => "has no string `sub`",
            Self::AnotherUser => "is about another user",
            Self::Type => "is signed and of another type",
            Self::Issuer => "is signed and not by the token's issuer",
            Self::Audience => "is signed and not for the token's client",
            Self::Date(unfit) => return write!(f, "{unfit}"),
        })
    }
}
