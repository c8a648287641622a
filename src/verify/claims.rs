//! The claims check: the only way from `Signed` to `AccessToken`
//! (RFC 7519 section 4.1, RFC 9068 section 4, RFC 8725).
//!
//! 1. Every check reads a value that must be there and have the right type; absence passes
//!    only where the rule says "optional".
//! 2. Texts are compared byte for byte: issuer, audience, client, type but for its case.
//! 3. What time changes is not decided here but in `Validity::check`, which runs on every request.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::de::DeserializeOwned;

use super::answer::Attested;
use super::custom::CustomClaims;
use super::json::{Object, Value};
#[cfg(feature = "jwks")]
use super::kind::check_token_type;
use super::kind::{check_cognito, check_not_for_the_client, check_rfc9068, check_type};
use super::revocable::Revocable;
use super::rules::{Audiences, Profile, Rules};
use super::signature::Signed;
use super::typed::{Rounding, date, optional_text, required_text, strings, text_at, texts};
use crate::model::path::ClaimPath;
use crate::model::rejection::TokenFault;
use crate::model::scope::Scope;
use crate::model::tenant::{ClientId, SubjectId};
use crate::model::text::Text;
use crate::model::time::UnixTime;

/// A verified access token: its signature, issuer, audience, type and times were checked.
///
/// There is no way to make one but to verify it. Cloning is cheap; `Debug` shows when it ends, and no other claim.
///
/// As an axum extractor it asks for a good token and nothing else.
#[must_use]
#[derive(Clone)]
pub struct AccessToken(Arc<Verified>);

struct Verified {
    issuer: Text,
    subject: Option<SubjectId>,
    client_id: Option<ClientId>,
    scope: Scope,
    expires_at: UnixTime,
    not_before: Option<UnixTime>,
    issued_at: Option<UnixTime>,
    id: Option<Text>,
    revocable: Revocable,
    roles: Vec<Text>,
    groups: Vec<Text>,
    has_username: bool,
    is_machine: bool,
    payload: Arc<str>,
    custom: CustomClaims,
}

impl AccessToken {
    /// The `iss` of the token: exactly one of the configured issuers' identifiers.
    #[must_use]
    pub fn issuer(&self) -> &str {
        self.0.issuer.as_str()
    }

    /// The subject. Absent where the issuer wrote none.
    #[must_use]
    pub fn subject(&self) -> Option<&SubjectId> {
        self.0.subject.as_ref()
    }

    /// The client that the token was issued to. Absent where the issuer wrote none.
    #[must_use]
    pub fn client_id(&self) -> Option<&ClientId> {
        self.0.client_id.as_ref()
    }

    /// The scope; empty where the token has none.
    #[must_use]
    pub fn scope(&self) -> &Scope {
        &self.0.scope
    }

    /// The moment from which the token is no longer good, leeway aside (`exp`).
    #[must_use]
    pub fn expires_at(&self) -> UnixTime {
        self.0.expires_at
    }

    /// When the token was issued (`iat`).
    #[must_use]
    pub fn issued_at(&self) -> Option<UnixTime> {
        self.0.issued_at
    }

    /// When the user signed in (`auth_time`). Absent where the issuer did not write it, or wrote
    /// something other than a number, as some do.
    #[must_use]
    pub fn authenticated_at(&self) -> Option<UnixTime> {
        self.0.revocable.authenticated_at
    }

    /// The sessions that the token belongs to: its `origin_jti` (Cognito), or the claim that
    /// [`session_claim`](crate::Issuer::session_claim) names in its place, and its `sid` (OpenID
    /// Connect), as far as it has them.
    pub fn session_ids(&self) -> impl Iterator<Item = &str> {
        self.sessions().into_iter().flatten()
    }

    /// The token's id (`jti`).
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        self.0.id.as_ref().map(Text::as_str)
    }

    /// The roles, in the issuer's order; empty where the claim is absent or of another type.
    pub fn roles(&self) -> impl Iterator<Item = &str> {
        self.0.roles.iter().map(Text::as_str)
    }

    /// The groups, in the issuer's order; empty where the claim is absent or of another type.
    pub fn groups(&self) -> impl Iterator<Item = &str> {
        self.0.groups.iter().map(Text::as_str)
    }

    /// The whole payload as the application's own type.
    ///
    /// The payload is read once for each type `T` and token; later calls return what was read.
    ///
    /// # Errors
    ///
    /// [`TokenFault::CustomClaims`] when the payload does not fit `T`.
    pub fn claims<T>(&self) -> Result<Arc<T>, TokenFault>
    where
        T: DeserializeOwned + Send + Sync + 'static,
    {
        self.0.custom.read(&self.0.payload)
    }

    /// Checks a signed token against its issuer's rules. The times are checked apart.
    pub(crate) fn check(signed: &Signed<'_>, rules: &Rules) -> Result<Self, TokenFault> {
        check_type(signed.header(), rules)?;
        check_required_headers(signed, rules)?;
        Self::made_of(&signed.claims(), signed.payload_text(), None, rules)
    }

    /// Checks a token that its issuer attests, by the same rules. The times are checked apart.
    #[cfg(feature = "jwks")]
    pub(crate) fn attested(answer: &Attested<'_>, rules: &Rules) -> Result<Self, TokenFault> {
        let claims = answer.claims();
        check_token_type(claims)?;
        // RFC 7662 s2.2: optional; stated, it is compared like that of a JWT.
        match optional_text(claims, "iss")? {
            Some(issuer) if *issuer != *rules.realm => return Err(TokenFault::UnknownIssuer),
            _ => {}
        }
        Self::made_of(claims, answer.text(), Some(answer), rules)
    }

    /// What both ways have in common; without an answer the claims were signed.
    fn made_of(
        claims: &Object<'_>,
        payload: &Arc<str>,
        answer: Option<&Attested<'_>>,
        rules: &Rules,
    ) -> Result<Self, TokenFault> {
        check_required_claims(claims, rules)?;

        // Before the other claims: a token of another kind lacks some of them too, and then its
        // kind is what the operator must hear.
        match rules.profile {
            Profile::Cognito => check_cognito(claims)?,
            Profile::Rfc9068 => {
                check_not_for_the_client(claims, rules)?;
                check_rfc9068(claims)?;
            }
            Profile::Oidc | Profile::Introspected => check_not_for_the_client(claims, rules)?,
        }
        let client_id = client_id(claims, rules)?;
        check_client(client_id.as_deref(), rules)?;
        check_audience(claims, client_id.as_deref(), rules)?;
        // RFC 9449 s6, RFC 8705 s3.1: a bound token is not a bearer token.
        if claims.get("cnf").is_some() {
            return Err(TokenFault::Binding);
        }

        let share = |text: &str| Text::within(payload, text);
        let subject = text_at(claims, &rules.subject_claim)?;
        let subject = match &subject {
            None if rules.profile == Profile::Rfc9068 => return Err(TokenFault::Claims),
            None => None,
            Some(text) => {
                Some(SubjectId::of(&rules.realm, share(text)).map_err(|_| TokenFault::Claims)?)
            }
        };
        let client_id = client_id
            .map(|text| ClientId::of(&rules.realm, share(&text)))
            .transpose()
            .map_err(|_| TokenFault::Claims)?;
        let issuer = match answer {
            None => share(&required_text(claims, "iss")?),
            // Stated or not, it is this one.
            Some(_) => Text::new(&rules.realm),
        };
        let issued_at = date(claims, "iat", Rounding::Down)?;
        // Endpoints write `null` where there is no user.
        let is_named = |value| answer.is_none() || value != Value::Null;
        let has_username = claims.get("username").is_some_and(is_named);
        let is_machine = !has_username
            && matches!((&subject, &client_id), (Some(subject), Some(client))
                if subject.as_str() == client.as_str());
        Ok(Self(Arc::new(Verified {
            issuer,
            subject,
            client_id,
            scope: scope(claims, rules, share)?,
            expires_at: match answer {
                None => date(claims, "exp", Rounding::Down)?.ok_or(TokenFault::NoExpiry)?,
                Some(answer) => answer.end()?,
            },
            not_before: date(claims, "nbf", Rounding::Up)?,
            issued_at,
            id: optional_text(claims, "jti")?.map(|id| share(&id)),
            revocable: Revocable::read(claims, rules, issued_at, share)?,
            roles: list(claims, &rules.roles_claim, rules.lone_values, share),
            groups: list(claims, &rules.groups_claim, rules.lone_values, share),
            has_username,
            is_machine,
            payload: Arc::clone(payload),
            custom: CustomClaims::default(),
        })))
    }

    /// When the token is good, for an issuer whose clock may be off by so much.
    pub(crate) fn validity(&self, leeway: Duration) -> Validity {
        Validity {
            from: self.0.not_before.map(|from| from.saturating_sub(leeway)),
            until: self.0.expires_at.saturating_add(leeway),
        }
    }

    /// Whether the token speaks for a machine: `sub` is the client, and no user is named.
    pub(crate) fn is_machine(&self) -> bool {
        self.0.is_machine
    }

    /// Whether the token names a user by `username`, with whatever value.
    pub(crate) fn has_username(&self) -> bool {
        self.0.has_username
    }

    /// Since when the subject has been signed in, or the client has had its token, as far as the
    /// token shows it.
    pub(crate) fn began_at(&self) -> Option<UnixTime> {
        self.0.revocable.began_at
    }

    /// `origin_jti`, or the claim that a setting names in its place, and `sid`.
    pub(crate) fn sessions(&self) -> [Option<&str>; 2] {
        self.0.revocable.sessions()
    }

    /// The `sub`, where the subject comes from another claim.
    pub(crate) fn plain_subject(&self) -> Option<&str> {
        self.0.revocable.plain_subject.as_ref().map(Text::as_str)
    }

    pub(crate) fn payload_text(&self) -> &Arc<str> {
        &self.0.payload
    }
}

/// When a token is good, leeway included.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Validity {
    from: Option<UnixTime>,
    until: UnixTime,
}

impl Validity {
    /// The checks that time changes. RFC 7519 s4.1.4: on or after `exp` is too late;
    /// s4.1.5: before `nbf` is too early. A future `iat` is no fault (s4.1.6).
    pub(crate) fn check(self, now: UnixTime) -> Result<(), TokenFault> {
        if now >= self.until {
            return Err(TokenFault::Expired);
        }
        match self.from {
            Some(from) if now < from => Err(TokenFault::NotYetValid),
            _ => Ok(()),
        }
    }
}

impl fmt::Debug for AccessToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessToken")
            .field("expires_at", &self.0.expires_at)
            .finish_non_exhaustive()
    }
}

fn check_required_claims(claims: &Object<'_>, rules: &Rules) -> Result<(), TokenFault> {
    let hold = rules.required_claims.iter().all(
        |(path, expected)| matches!(text_at(claims, path), Ok(Some(found)) if *found == **expected),
    );
    if hold {
        Ok(())
    } else {
        Err(TokenFault::RequiredValue)
    }
}

fn check_required_headers(signed: &Signed<'_>, rules: &Rules) -> Result<(), TokenFault> {
    let hold = rules.required_headers.iter().all(|(name, expected)| {
        signed
            .header()
            .get(name)
            .and_then(Value::as_text)
            .as_deref()
            == Some(expected)
    });
    if hold {
        Ok(())
    } else {
        Err(TokenFault::RequiredValue)
    }
}

fn client_id<'c>(claims: &Object<'c>, rules: &Rules) -> Result<Option<Cow<'c, str>>, TokenFault> {
    for path in &rules.client_id_claims {
        if let Some(found) = text_at(claims, path)? {
            return Ok(Some(found));
        }
    }
    match rules.profile {
        Profile::Oidc | Profile::Introspected => Ok(None),
        Profile::Cognito | Profile::Rfc9068 => Err(TokenFault::Claims),
    }
}

fn check_client(client_id: Option<&str>, rules: &Rules) -> Result<(), TokenFault> {
    let allowed = rules.client_ids.is_empty()
        || rules
            .client_ids
            .iter()
            .any(|allowed| Some(&**allowed) == client_id);
    if allowed {
        Ok(())
    } else {
        Err(TokenFault::ClientId)
    }
}

// RFC 7519 s4.1.3, RFC 8725 s3.9, RFC 9068 s4: the token names us, exactly.
fn check_audience(
    claims: &Object<'_>,
    client_id: Option<&str>,
    rules: &Rules,
) -> Result<(), TokenFault> {
    let found = claims
        .at_path(rules.audience_claim.members())
        .map_err(|_| TokenFault::Audience)?;
    let stated = match found {
        None => Audience::default(),
        Some(value) => Audience::read(value, client_id, &rules.audiences)
            .filter(|stated| stated.count > 0)
            .ok_or(TokenFault::Audience)?,
    };
    let is_client_alone = stated.count == 1 && stated.names_client;
    // An ID token is for its own client alone (OpenID Connect Core s2), wherever an access token
    // of this issuer names its audience.
    let is_id_token = rules.profile != Profile::Cognito
        && !rules.audience_claim.is("aud")
        && matches!(claims.get("aud").and_then(strings).as_deref(), Some([only]) if Some(&**only) == client_id);
    if is_id_token {
        return Err(TokenFault::TokenUse);
    }
    let names_us = match &rules.audiences {
        Audiences::AnyOf(_) => stated.names_us,
        Audiences::AnyOfWhereStated(_) => stated.names_us || stated.count == 0,
        // An ID token is for its own client alone (OpenID Connect Core s2).
        Audiences::Waived => rules.profile == Profile::Cognito || !is_client_alone,
    };
    // Cognito writes `aud` only for resource-bound tokens; elsewhere the client that passed
    // `check_client` stands in, which a pre-token trigger may also write out.
    let stands_in = rules.profile == Profile::Cognito && (stated.count == 0 || is_client_alone);
    if names_us || stands_in {
        Ok(())
    } else {
        Err(TokenFault::Audience)
    }
}

/// What a token says of whom it is for.
#[derive(Default)]
struct Audience {
    count: usize,
    names_us: bool,
    names_client: bool,
}

impl Audience {
    /// `None` where anything but strings stands there.
    fn read(value: Value<'_>, client_id: Option<&str>, audiences: &Audiences) -> Option<Self> {
        let mut stated = Self::default();
        for one in texts(value)? {
            let one = one?;
            stated.count += 1;
            stated.names_client |= Some(&*one) == client_id;
            stated.names_us |= match audiences {
                Audiences::AnyOf(ours) | Audiences::AnyOfWhereStated(ours) => {
                    ours.iter().any(|our| **our == *one)
                }
                Audiences::Waived => false,
            };
        }
        Some(stated)
    }
}

fn scope(
    claims: &Object<'_>,
    rules: &Rules,
    share: impl Fn(&str) -> Text,
) -> Result<Scope, TokenFault> {
    let found = claims
        .at_path(rules.scope_claim.members())
        .map_err(|_| TokenFault::Claims)?;
    match found {
        None => Ok(Scope::default()),
        // RFC 6749 s3.3
        Some(Value::String(quoted)) => Ok(Scope::from_claim(share(&quoted.text()))),
        // Some issuers write a list. Its elements are tokens; one with a space in it is none.
        Some(array @ Value::Array(_)) => {
            let tokens = strings(array).ok_or(TokenFault::Claims)?;
            let joined: Vec<&str> = tokens
                .iter()
                .map(AsRef::as_ref)
                .filter(|token| !token.contains(' '))
                .collect();
            Ok(Scope::from_claim(Text::new(&joined.join(" "))))
        }
        Some(_) => Err(TokenFault::Claims),
    }
}

/// Roles or groups: an array of strings, or a lone string where the rules allow one. Anything
/// else grants nothing.
fn list(
    claims: &Object<'_>,
    path: &ClaimPath,
    lone: bool,
    share: impl Fn(&str) -> Text,
) -> Vec<Text> {
    match claims.at_path(path.members()) {
        Ok(Some(Value::String(quoted))) if lone => vec![share(&quoted.text())],
        Ok(Some(array @ Value::Array(_))) => strings(array)
            .unwrap_or_default()
            .iter()
            .map(|one| share(one))
            .collect(),
        _ => Vec::new(),
    }
}
