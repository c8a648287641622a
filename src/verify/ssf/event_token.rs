//! The check of a signed Security Event Token (RFC 8417 section 2.2, SSF 1.0 section 4.1).
//!
//! 1. Signature, algorithm and issuer are checked before, as those of access tokens.
//! 2. `typ` is `secevent+jwt`, and neither `sub` nor `exp` is present, so that no other kind of token
//!    passes for a SET, and no SET for another kind.
//! 3. It is for this receiver, has an id, and was issued already.
//! 4. It has 1 to 16 events, each an object. SSF 1.0 has one; RFC 8417 allows more, and all count.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::model::error::rejection::{Rejection, TokenFault};
use crate::model::error::rejection_detail::Problem;
use crate::model::error::token_error::TokenError;
use crate::model::time::UnixTime;
use crate::verify::claims::token_type::bare_type;
use crate::verify::jose::signature::Signed;
use crate::verify::json::claim_error::{claim_error, differs, no_text};
use crate::verify::json::claims_reader::{Rounding, date, strict_id, strings};
use crate::verify::json::object::{Object, Value};
use crate::verify::ssf::error_code::SetErrorCode;
use crate::verify::ssf::event::{EventTokenClaims, SecurityEvent};
use crate::verify::ssf::event_type::EventType;
use crate::verify::ssf::subject::SubjectIdentifier;

/// The `typ` of a SET, without `application/` (RFC 8417 section 2.3).
const TYPE: &str = "secevent+jwt";

/// The most events of one token.
const MOST_EVENTS: usize = 16;

/// How far ahead an event may have occurred. More is a mistake, such as milliseconds for seconds.
const FARTHEST_AHEAD: Duration = Duration::from_secs(300);

/// A verified SET: at least one event, and its `jti`.
#[derive(Debug)]
pub(crate) struct EventToken {
    pub(crate) id: String,
    pub(crate) events: Vec<SecurityEvent>,
}

/// Why a signed token is no SET for this receiver.
#[derive(Debug)]
pub(crate) struct EventTokenFault {
    pub(crate) code: SetErrorCode,
    error: TokenError,
}

impl From<TokenError> for EventTokenFault {
    fn from(error: TokenError) -> Self {
        Self {
            code: SetErrorCode::InvalidRequest,
            error,
        }
    }
}

/// The fault's sentence, and the claim that it is about.
impl fmt::Display for EventTokenFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)?;
        match Rejection::from(self.error.clone()).detail() {
            Some(detail) => write!(f, " ({detail})"),
            None => Ok(()),
        }
    }
}

impl EventToken {
    /// Checks a signed token. `audiences` are those of the receiver.
    pub(crate) fn check(
        signed: &Signed<'_>,
        audiences: &[Box<str>],
        leeway: Duration,
        now: UnixTime,
    ) -> Result<Self, EventTokenFault> {
        check_type(signed.header())?;
        let claims = signed.claims();
        // SSF 1.0 s4.1.2, s4.1.6: present, they are marks of other kinds of tokens.
        for absent in ["sub", "exp"] {
            if claims.get(absent).is_some() {
                return Err(claim_error(absent, Problem::WrongKind, "a SET without it").into());
            }
        }
        check_audience(claims, audiences)?;
        let id = required_id(claims, "jti")?.into_owned();
        let issued_at = date(claims, "iat", Rounding::Up)?
            .ok_or_else(|| claim_error("iat", Problem::Missing, "number"))?;
        let not_before = date(claims, "nbf", Rounding::Up)?.unwrap_or(issued_at);
        if now < issued_at.max(not_before).saturating_sub(leeway) {
            return Err(TokenError::from(TokenFault::NotYetValid).into());
        }
        let occurred_at = date(claims, "toe", Rounding::Up)?;
        let token = Arc::new(EventTokenClaims {
            transmitter: signed.issuer().to_owned(),
            id: id.clone(),
            issued_at,
            transaction: strict_id(claims, "txn")?.map(Cow::into_owned),
        });
        let subject = match claims.get("sub_id") {
            None => None,
            Some(Value::Object(json)) => Some(Arc::new(SubjectIdentifier::parse(json)?)),
            found @ Some(_) => {
                return Err(differs(TokenFault::Claims, "sub_id", found, "an object").into());
            }
        };
        let times = EventTimes {
            stated: occurred_at,
            issued_at,
            latest: now.saturating_add(FARTHEST_AHEAD),
        };
        let events = read_events(claims, &token, subject.as_ref(), &times)?;
        Ok(Self { id, events })
    }
}

/// RFC 8417 s2.3, RFC 2045 s5.1: media types have no case.
fn check_type(header: &Object<'_>) -> Result<(), TokenError> {
    let found = header.get("typ");
    let stated = found.and_then(Value::as_text);
    match stated {
        Some(stated) if bare_type(&stated).eq_ignore_ascii_case(TYPE) => Ok(()),
        _ => Err(differs(TokenFault::TokenType, "typ", found, TYPE)),
    }
}

fn check_audience(claims: &Object<'_>, audiences: &[Box<str>]) -> Result<(), EventTokenFault> {
    let found = claims.get("aud");
    let stated = found.and_then(strings).unwrap_or_default();
    let is_ours = |one: &Cow<'_, str>| audiences.iter().any(|own| **own == **one);
    if stated.iter().any(is_ours) {
        return Ok(());
    }
    Err(EventTokenFault {
        code: SetErrorCode::InvalidAudience,
        error: differs(TokenFault::Audience, "aud", found, "this receiver"),
    })
}

fn required_id<'c>(claims: &Object<'c>, name: &'static str) -> Result<Cow<'c, str>, TokenError> {
    strict_id(claims, name)?.ok_or_else(|| no_text(name, None))
}

/// The times of a token, from which that of an event is chosen.
struct EventTimes {
    /// `toe`.
    stated: Option<UnixTime>,
    issued_at: UnixTime,
    latest: UnixTime,
}

impl EventTimes {
    fn of(&self, payload: &Object<'_>) -> Result<UnixTime, TokenError> {
        let own = date(payload, "event_timestamp", Rounding::Up)?;
        let mut times = [own, self.stated].into_iter().flatten();
        Ok(times
            .find(|time| *time <= self.latest)
            .unwrap_or(self.issued_at))
    }
}

fn read_events(
    claims: &Object<'_>,
    token: &Arc<EventTokenClaims>,
    subject: Option<&Arc<SubjectIdentifier>>,
    times: &EventTimes,
) -> Result<Vec<SecurityEvent>, TokenError> {
    const NAME: &str = "events";
    const EXPECTED: &str = "an object of 1 to 16 objects";
    let Some(Value::Object(json)) = claims.get(NAME) else {
        return Err(differs(
            TokenFault::Claims,
            NAME,
            claims.get(NAME),
            EXPECTED,
        ));
    };
    let malformed = || claim_error(NAME, Problem::Malformed, EXPECTED);
    let object = Object::parse_str(json).map_err(|_| malformed())?;
    let mut events = Vec::new();
    for (name, value) in object.members() {
        let Value::Object(payload) = value else {
            return Err(malformed());
        };
        if events.len() == MOST_EVENTS {
            return Err(claim_error(NAME, Problem::TooLong, EXPECTED));
        }
        let members = Object::parse_str(payload).map_err(|_| malformed())?;
        // SSF 1.0 s3.1.1: events that are older than `sub_id` have a subject of their own.
        let own = match (subject, members.get("subject")) {
            (None, Some(Value::Object(json))) => {
                Some(Arc::new(SubjectIdentifier::parse_event_member(json)?))
            }
            (subject, _) => subject.cloned(),
        };
        events.push(SecurityEvent {
            token: Arc::clone(token),
            event_type: EventType::new(name),
            occurred_at: times.of(&members)?,
            payload: payload.into(),
            subject: own,
        });
    }
    if events.is_empty() {
        return Err(claim_error(NAME, Problem::Empty, EXPECTED));
    }
    Ok(events)
}
