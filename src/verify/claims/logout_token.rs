//! The logout token check: the only way from `Signed` to `LogoutToken`
//! (OpenID Connect Back-Channel Logout 1.0 sections 2.4 and 2.6).
//!
//! 1. Signature, algorithm and issuer are those of the issuer's other tokens; `none` is nowhere
//!    allowed.
//! 2. It is for one of the issuer's logout clients, was issued already, and has not expired.
//! 3. It says that it is one, by `events`, and is no ID token: it has no `nonce`.
//! 4. It names a session, a subject, or both.
//! 5. Its effect depends only on its `iat`, so a replay changes nothing, and its `jti` is not stored
//!    (that step of the specification is optional).

use std::borrow::Cow;
use std::fmt;

use crate::model::error::rejection::TokenFault;
use crate::model::error::token_error::TokenError;
use crate::model::revocation::Revocation;
use crate::model::time::UnixTime;
use crate::verify::claims::token_type::bare_type;
use crate::verify::jose::signature::Signed;
use crate::verify::json::claims_reader::{
    Rounding, date, optional_text, required_text, strings, text_at,
};
use crate::verify::json::object::{Object, Value};
use crate::verify::policy::issuer_policy::IssuerPolicy;

/// The member of `events` that makes a token a logout token.
const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";

/// A verified logout token.
pub(crate) struct LogoutToken {
    session: Option<String>,
    subject: Option<String>,
    issued_at: UnixTime,
}

/// What is wrong with a logout token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LogoutFault {
    /// A fault of any token.
    Token(TokenFault),
    /// It has no logout event.
    NoLogout,
    /// It has a nonce.
    Nonce,
    /// It names neither a session nor a subject.
    Nobody,
}

impl From<TokenFault> for LogoutFault {
    fn from(fault: TokenFault) -> Self {
        Self::Token(fault)
    }
}

impl From<TokenError> for LogoutFault {
    fn from(error: TokenError) -> Self {
        Self::Token(error.into())
    }
}

impl fmt::Display for LogoutFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Token(fault) => fault.fmt(f),
            Self::NoLogout => f.write_str("the token tells of no logout"),
            Self::Nonce => f.write_str("the token has a nonce, as id tokens have"),
            Self::Nobody => f.write_str("the token names neither a session nor a subject"),
        }
    }
}

impl LogoutToken {
    /// Checks a signed token against the rules of its issuer.
    pub(crate) fn check(
        signed: &Signed<'_>,
        rules: &IssuerPolicy,
        now: UnixTime,
    ) -> Result<Self, LogoutFault> {
        let claims = signed.claims();
        check_type(signed.header())?;
        check_audience(claims, rules)?;
        let issued_at = check_times(claims, rules, now)?;
        // s2.4: required; s2.6 leaves open whether it is remembered.
        required_text(claims, "jti")?;
        check_events(claims)?;
        // s2.4: prohibited, so that no logout token passes for an ID token.
        if claims.get("nonce").is_some() {
            return Err(LogoutFault::Nonce);
        }
        let sid = optional_text(claims, "sid")?;
        let session = match (&rules.session_claim, sid) {
            (Some(path), None) => text_at(claims, path)?,
            (_, sid) => sid,
        };
        let session = session.map(Cow::into_owned);
        let subject = optional_text(claims, "sub")?.map(Cow::into_owned);
        if session.is_none() && subject.is_none() {
            return Err(LogoutFault::Nobody);
        }
        Ok(Self {
            session,
            subject,
            issued_at,
        })
    }

    /// When it was issued: no token of the session is younger.
    pub(crate) const fn issued_at(&self) -> UnixTime {
        self.issued_at
    }

    /// What is no longer good: the session where one is named, with what its subject has got and
    /// cannot be told to belong to another session; else all that the subject has got.
    pub(crate) fn revocations(&self, issuer: &str) -> impl Iterator<Item = Revocation> {
        let (session, before) = (self.session.as_deref(), self.issued_at);
        let subject = self.subject.as_deref().map(|subject| match session {
            Some(_) => Revocation::subject_without_session(issuer, subject, before),
            None => Revocation::subject(issuer, subject, before),
        });
        let session = session.map(|session| Revocation::session(issuer, session));
        session.into_iter().chain(subject)
    }
}

/// s2.4: `logout+jwt` is recommended. Older servers write `JWT`, or nothing.
fn check_type(header: &Object<'_>) -> Result<(), TokenFault> {
    let stated = match header.get("typ") {
        None => return Ok(()),
        Some(value) => value.as_text().ok_or(TokenFault::TokenType)?,
    };
    let stated = bare_type(&stated);
    if ["logout+jwt", "JWT"]
        .iter()
        .any(|accepted| stated.eq_ignore_ascii_case(accepted))
    {
        Ok(())
    } else {
        Err(TokenFault::TokenType)
    }
}

/// s2.6 step 3, OpenID Connect Core s3.1.3.7: a client of ours is among those that it is for.
fn check_audience(claims: &Object<'_>, rules: &IssuerPolicy) -> Result<(), TokenFault> {
    let stated = claims.get("aud").and_then(strings);
    let stated = stated.ok_or(TokenFault::Audience)?;
    let names_us = rules
        .logout_clients
        .iter()
        .any(|client| stated.iter().any(|one| **one == **client));
    if names_us {
        Ok(())
    } else {
        Err(TokenFault::Audience)
    }
}

/// Its `iat`, if the token is good now.
fn check_times(
    claims: &Object<'_>,
    rules: &IssuerPolicy,
    now: UnixTime,
) -> Result<UnixTime, TokenFault> {
    let leeway = rules.leeway;
    let expires_at = date(claims, "exp", Rounding::Down)?;
    let issued_at = date(claims, "iat", Rounding::Up)?;
    let implied = || Some(issued_at?.saturating_add(rules.logout_life_without_exp?));
    let expires_at = expires_at.or_else(implied);
    let expires_at = expires_at.ok_or(TokenFault::NoExpiry)?;
    let issued_at = issued_at.ok_or(TokenFault::Claims)?;
    let not_before = date(claims, "nbf", Rounding::Up)?;
    if now >= expires_at.saturating_add(leeway) {
        return Err(TokenFault::Expired);
    }
    // What comes from the future would sign out who is yet to sign in.
    let earliest = not_before.map_or(issued_at, |from| from.max(issued_at));
    if now < earliest.saturating_sub(leeway) {
        return Err(TokenFault::NotYetValid);
    }
    Ok(issued_at)
}

/// s2.4: an object with the one member, which is an object; others say nothing to us.
fn check_events(claims: &Object<'_>) -> Result<(), LogoutFault> {
    let Some(Value::Object(events)) = claims.get("events") else {
        return Err(LogoutFault::NoLogout);
    };
    let events = Object::parse_str(events).map_err(|_| TokenFault::Malformed)?;
    match events.get(EVENT) {
        Some(Value::Object(_)) => Ok(()),
        _ => Err(LogoutFault::NoLogout),
    }
}
