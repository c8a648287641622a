//! What a userinfo endpoint says of a user: the only way from an answer's bytes to `UserClaims`
//! (OpenID Connect Core section 5.3).
//!
//! 1. An answer is one strict JSON object with a `sub`; see [`json`](super::json).
//! 2. It is about the user of a token only if both name the same `sub`, byte for byte (Core section
//!    5.3.2: otherwise its claims must not be used). That is asked on every use.
//! 3. A signed answer counts only if the token's issuer made it, for the client that the token was
//!    issued to, and if it has not ended, has begun and was not made long before the question.
//!    Whose and for whom is asked on every use, too.
//! 4. `null` and an empty text are no `sub` (it is demanded); other members are the application's.

use serde::de::DeserializeOwned;
use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::model::error::token_error::TokenError;
use crate::model::ids::ClientId;
use crate::model::time::UnixTime;
use crate::verify::claims::access_token::AccessToken;
use crate::verify::claims::custom::payload_cache::CustomClaims;
use crate::verify::claims::introspection_response::{AnswerTime, SignatureProblem};
use crate::verify::jose::signature::Signed;
use crate::verify::json::claims_reader::{required_text, strings};
use crate::verify::json::object::{JsonFault, Object, Value};

/// What an issuer says of one user.
pub(crate) struct UserClaims {
    subject: Box<str>,
    /// Of a signed answer.
    seal: Option<SignedResponse>,
    text: Arc<str>,
    custom: CustomClaims,
    was_doubted: AtomicBool,
}

/// What a signed answer says of itself.
struct SignedResponse {
    issuer: Box<str>,
    audience: Vec<Box<str>>,
    end: Option<UnixTime>,
}

/// Why bytes are no answer, as a phrase that follows "the answer".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotUserInfo {
    NotJson,
    Duplicate,
    NoSubject,
    AnotherUser,
    /// Signed, and of another type.
    Type,
    /// Signed, and by nobody or somebody else.
    Issuer,
    /// Signed, and for nobody or somebody else.
    Audience,
    /// Signed, and with dates that do not fit.
    Date(SignatureProblem),
}

impl UserClaims {
    /// Reads an answer that is not signed.
    pub(crate) fn read(text: &Arc<str>) -> Result<Self, NotUserInfo> {
        let claims = Object::parse_str(text).map_err(|fault| match fault {
            JsonFault::Malformed => NotUserInfo::NotJson,
            JsonFault::Duplicate => NotUserInfo::Duplicate,
        })?;
        Self::of(&claims, text, None)
    }

    /// Reads a signed answer.
    pub(crate) fn signed(signed: &Signed<'_>, time: AnswerTime) -> Result<Self, NotUserInfo> {
        let typ = signed.header().get("typ").map(Value::as_text);
        // RFC 8725 s3.12: an access token or an introspection answer is none.
        if !typ.is_none_or(|typ| typ.is_some_and(|typ| typ.eq_ignore_ascii_case("JWT"))) {
            return Err(NotUserInfo::Type);
        }
        let claims = &signed.claims();
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
        Self::of(claims, signed.payload_text(), Some(seal))
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
            was_doubted: AtomicBool::new(false),
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

    /// Whether nobody has found fault with it before.
    pub(crate) fn is_news(&self) -> bool {
        !self.was_doubted.swap(true, Ordering::Relaxed)
    }

    /// When it ends, where it says so itself.
    pub(crate) fn end(&self) -> Option<UnixTime> {
        self.seal.as_ref().and_then(|seal| seal.end)
    }

    /// About how much memory it takes, but for what the application's own types take.
    pub(crate) fn bytes(&self) -> usize {
        const BESIDE: usize = 256;
        let seal = self.seal.as_ref().map_or(0, |seal| {
            let audience = seal.audience.iter().map(|one| one.len());
            let list = seal.audience.capacity() * size_of::<Box<str>>();
            seal.issuer.len() + list + audience.sum::<usize>()
        });
        BESIDE + self.subject.len() + self.text.len() + seal
    }

    /// The answer as the application's own type, read once for each type.
    pub(crate) fn claims<T>(&self) -> Result<Arc<T>, TokenError>
    where
        T: DeserializeOwned + Send + Sync + 'static,
    {
        self.custom.read(&self.text)
    }
}

/// The token's own `sub`, whatever claim the rules take the subject from; where it has none, what
/// they take.
pub(crate) fn openid_subject(token: &AccessToken) -> Option<Cow<'_, str>> {
    let stated = Object::parse_str(token.payload_text()).ok()?;
    match stated.without_empty_members().get("sub") {
        Some(value) => value.as_text(),
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
