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

use crate::model::claim_path::ClaimPath;
use crate::model::error::rejection::TokenFault;
use crate::model::error::rejection_detail::{Problem, RejectionDetail};
use crate::model::error::token_error::TokenError;
use crate::model::ids::{ClientId, MAX_FOREIGN_ID_BYTES, SubjectId};
use crate::model::scope::Scope;
use crate::model::shared_str::{COUNTS, SharedStr};
use crate::model::time::UnixTime;
use crate::verify::claims::audience::check_audience;
use crate::verify::claims::custom::CustomClaims;
use crate::verify::claims::introspection_response::ActiveToken;
use crate::verify::claims::revocation_ids::RevocationIds;
#[cfg(feature = "jwks")]
use crate::verify::claims::token_type::check_token_type;
use crate::verify::claims::token_type::{
    check_cognito, check_not_for_the_client, check_rfc9068, check_type,
};
use crate::verify::jose::signature::Signed;
use crate::verify::json::claim_error::{ClaimName as _, differs, listed, no_text, wrong_type};
#[cfg(feature = "jwks")]
use crate::verify::json::claims_reader::text_or_absent;
use crate::verify::json::claims_reader::{
    Rounding, date, id, is_blank, strings, text_at, too_long, value_at,
};
use crate::verify::json::object::{Object, Value};
use crate::verify::json::role_names::NameForms;
use crate::verify::policy::issuer_policy::{IssuerPolicy, Profile, RequiredClaim};

/// A verified access token: its signature, issuer, audience, type and times were checked.
///
/// There is no way to make one but to verify it. Cloning is cheap; `Debug` shows when it ends, and no other claim.
///
/// As an axum extractor it asks for a good token and nothing else.
#[doc(alias = "bearer")]
#[doc(alias = "jwt")]
#[must_use]
#[derive(Clone)]
pub struct AccessToken(Arc<TokenData>);

struct TokenData {
    issuer: SharedStr,
    subject: Option<SubjectId>,
    client_id: Option<ClientId>,
    scope: Scope,
    expires_at: UnixTime,
    not_before: Option<UnixTime>,
    issued_at: Option<UnixTime>,
    id: Option<SharedStr>,
    revocable: RevocationIds,
    roles: Vec<SharedStr>,
    groups: Vec<SharedStr>,
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
        self.0.id.as_ref().map(SharedStr::as_str)
    }

    /// The roles, in the issuer's order; empty where the claim is absent or of a form that is not
    /// read. See [`Issuer::roles_claim`](crate::Issuer::roles_claim).
    pub fn roles(&self) -> impl Iterator<Item = &str> {
        self.0.roles.iter().map(SharedStr::as_str)
    }

    /// The groups, in the issuer's order; empty where the claim is absent or of another type.
    pub fn groups(&self) -> impl Iterator<Item = &str> {
        self.0.groups.iter().map(SharedStr::as_str)
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
        self.read_claims().map_err(TokenFault::from)
    }

    /// The same, with what does not fit.
    pub(crate) fn read_claims<T>(&self) -> Result<Arc<T>, TokenError>
    where
        T: DeserializeOwned + Send + Sync + 'static,
    {
        self.0.custom.read(&self.0.payload)
    }

    /// Checks a signed token against its issuer's rules. The times are checked apart.
    pub(crate) fn check(signed: &Signed<'_>, rules: &IssuerPolicy) -> Result<Self, TokenError> {
        check_type(signed.header(), rules)?;
        check_required_headers(signed, rules)?;
        let claims = &signed.claims();
        Self::made_of(claims, signed.payload_text(), None, signed.issuer(), rules)
    }

    /// Checks a token that its issuer attests, by the same rules. The times are checked apart.
    #[cfg(feature = "jwks")]
    pub(crate) fn attested(
        answer: &ActiveToken<'_>,
        rules: &IssuerPolicy,
    ) -> Result<Self, TokenError> {
        let claims = answer.claims();
        check_token_type(claims)?;
        // RFC 9449 s6, RFC 8705 s3.1: a bound token is not a bearer token.
        if answer.is_bound() {
            return Err(TokenFault::Binding.into());
        }
        // RFC 7662 s2.2: optional; stated, it is compared like that of a JWT.
        match text_or_absent(claims, "iss")? {
            Some(issuer) if !rules.is_named(&issuer) => {
                let expected = rules.realm.to_string();
                let fault = TokenFault::UnknownIssuer;
                return Err(
                    differs(fault, "iss", claims.get("iss"), expected).by_setting("identified_as")
                );
            }
            _ => {}
        }
        // Stated or not, it is this one.
        let issuer = SharedStr::new(&rules.realm);
        Self::made_of(claims, answer.text(), Some(answer), issuer, rules)
    }

    /// What both ways have in common; without an answer the claims were signed.
    fn made_of(
        claims: &Object<'_>,
        payload: &Arc<str>,
        answer: Option<&ActiveToken<'_>>,
        issuer: SharedStr,
        rules: &IssuerPolicy,
    ) -> Result<Self, TokenError> {
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
        if let Some(confirmation) = claims.get("cnf") {
            return Err(bound(confirmation));
        }

        let share = |text: &str| SharedStr::within(payload, text);
        let subject = match subject(claims, rules, answer.is_some())? {
            None => None,
            Some(text) => Some(
                SubjectId::of(&rules.realm, share(&text))
                    .map_err(|_| too_long(&rules.subject_claim))?,
            ),
        };
        let client_id = match client_id {
            None => None,
            Some(text) => {
                Some(ClientId::of(&rules.realm, share(&text)).map_err(|_| too_long("client_id"))?)
            }
        };
        let issued_at = date(claims, "iat", Rounding::Down)?;
        let has_username = claims.get("username").is_some();
        let is_own_subject = match (&subject, &client_id) {
            (Some(subject), Some(client)) => subject.as_str() == client.as_str(),
            // Some endpoints state no subject where a client speaks for itself.
            (None, Some(_)) => {
                rules.clients_without_subject && answer.is_some() && claims.get("sub").is_none()
            }
            (_, None) => false,
        };
        let is_machine = is_own_subject && !has_username && !names_a_user(claims);
        Ok(Self(Arc::new(TokenData {
            issuer,
            subject,
            client_id,
            scope: scope(claims, rules, share)?,
            expires_at: match answer {
                None => date(claims, "exp", Rounding::Down)?.ok_or_else(|| {
                    TokenError::about(TokenFault::NoExpiry, "exp", Problem::Missing)
                })?,
                Some(answer) => answer.end()?,
            },
            not_before: date(claims, "nbf", Rounding::Up)?,
            issued_at,
            id: id(claims, "jti")?.map(|id| share(&id)),
            revocable: RevocationIds::read(claims, rules, issued_at, share)?,
            roles: list(claims, &rules.roles_claim, &rules.name_forms, share),
            groups: list(claims, &rules.groups_claim, &rules.name_forms, share),
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

    /// Whether the token speaks for a machine: `sub` is the client, or may be absent by a setting,
    /// and no user is named.
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
        self.0
            .revocable
            .plain_subject
            .as_ref()
            .map(SharedStr::as_str)
    }

    pub(crate) fn payload_text(&self) -> &Arc<str> {
        &self.0.payload
    }

    /// The memory that it takes, but for what the application's own types of claims take.
    pub(crate) fn bytes(&self) -> usize {
        let token = &*self.0;
        let payload = &token.payload;
        let lists = [&token.roles, &token.groups].map(|list| {
            let own = list.iter().map(|text| text.bytes_beside(payload));
            list.capacity() * size_of::<SharedStr>() + own.sum::<usize>()
        });
        let ids = [
            Some(token.issuer.bytes_beside(payload)),
            token.subject.as_ref().map(|id| id.bytes_beside(payload)),
            token.client_id.as_ref().map(|id| id.bytes_beside(payload)),
            token.id.as_ref().map(|id| id.bytes_beside(payload)),
        ];
        COUNTS
            + size_of::<TokenData>()
            + COUNTS
            + payload.len()
            + lists.iter().sum::<usize>()
            + ids.iter().flatten().sum::<usize>()
            + token.scope.bytes_beside(payload)
            + token.revocable.bytes_beside(payload)
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

/// RFC 9449 s6, RFC 8705 s3.1: what the token is bound to. A `null` is no key, and refused all the
/// same: what it should have been is not known.
#[cold]
fn bound(confirmation: Value<'_>) -> TokenError {
    let detail = RejectionDetail::new()
        .with_claim("cnf")
        .with_found(confirmation.type_name());
    let detail = match confirmation {
        Value::Object(_) => detail,
        _ => detail
            .with_problem(Problem::WrongType)
            .with_expected("object"),
    };
    TokenError::new(TokenFault::Binding, detail)
}

/// Whether the token states a user's name. A user may have chosen the client's id as its `sub`
/// (RFC 9068 section 5); a client that speaks for itself has no such claim.
fn names_a_user(claims: &Object<'_>) -> bool {
    ["preferred_username", "upn", "cognito:username"]
        .iter()
        .any(|name| claims.get(name).is_some())
}

fn check_required_claims(claims: &Object<'_>, rules: &IssuerPolicy) -> Result<(), TokenError> {
    for RequiredClaim {
        path,
        value,
        setting,
    } in &rules.required_claims
    {
        let found = value_at(claims, path).ok().flatten();
        let is_equal = match found {
            Some(Value::String(quoted)) => value.text() == Some(&*quoted.text()),
            Some(Value::Bool(found)) => value.boolean() == Some(found),
            _ => false,
        };
        if !is_equal {
            let error = differs(TokenFault::RequiredValue, path, found, value.to_string());
            return Err(error.by_setting(setting));
        }
    }
    Ok(())
}

fn check_required_headers(signed: &Signed<'_>, rules: &IssuerPolicy) -> Result<(), TokenError> {
    for (name, expected) in &rules.required_headers {
        let found = signed.header().get(name);
        if found.and_then(Value::as_text).as_deref() != Some(&**expected) {
            let error = differs(
                TokenFault::RequiredValue,
                &**name,
                found,
                expected.to_string(),
            );
            return Err(error.by_setting("require_header"));
        }
    }
    Ok(())
}

fn client_id<'c>(
    claims: &Object<'c>,
    rules: &IssuerPolicy,
) -> Result<Option<Cow<'c, str>>, TokenError> {
    for path in &rules.client_id_claims {
        match text_at(claims, path)? {
            Some(found) if found.len() > MAX_FOREIGN_ID_BYTES => return Err(too_long(path)),
            Some(found) => return Ok(Some(found)),
            None => {}
        }
    }
    match rules.profile {
        Profile::Oidc | Profile::Introspected => Ok(None),
        Profile::Cognito | Profile::Rfc9068 => Err(no_client(claims, rules)),
    }
}

#[cold]
fn no_client(claims: &Object<'_>, rules: &IssuerPolicy) -> TokenError {
    match rules.client_id_claims.first() {
        Some(path) => {
            no_text(path, value_at(claims, path).ok().flatten()).by_setting(rules.profile.setting())
        }
        None => TokenFault::Claims.into(),
    }
}

fn check_client(client_id: Option<&str>, rules: &IssuerPolicy) -> Result<(), TokenError> {
    let allowed = rules.client_ids.is_empty()
        || rules
            .client_ids
            .iter()
            .any(|allowed| Some(&**allowed) == client_id);
    if allowed {
        Ok(())
    } else {
        Err(other_client(client_id.is_some(), rules))
    }
}

#[cold]
fn other_client(is_stated: bool, rules: &IssuerPolicy) -> TokenError {
    let problem = if is_stated {
        Problem::Differs
    } else {
        Problem::Missing
    };
    let detail = RejectionDetail::new()
        .with_problem(problem)
        .with_setting("client_id")
        .with_expected(listed(&rules.client_ids));
    let detail = match rules.client_id_claims.first() {
        Some(path) => detail.with_claim(path.shown()),
        None => detail,
    };
    TokenError::new(TokenFault::ClientId, detail)
}

/// The subject. An empty one is none: servers write it so into the tokens of services. A `null` is
/// refused in a JWT like every other type, and is absent in an issuer's answer.
fn subject<'c>(
    claims: &Object<'c>,
    rules: &IssuerPolicy,
    is_answer: bool,
) -> Result<Option<Cow<'c, str>>, TokenError> {
    let path = &rules.subject_claim;
    let value = value_at(claims, path)?;
    let stated = match value {
        None => None,
        Some(Value::Null) if is_answer => None,
        Some(Value::String(quoted)) => Some(quoted.text()).filter(|text| !is_blank(text)),
        Some(other) => return Err(wrong_type(path, "string", other).by_setting("subject_claim")),
    };
    if stated.is_none() && rules.profile == Profile::Rfc9068 {
        return Err(no_text(path, value).by_setting(rules.profile.setting()));
    }
    Ok(stated)
}

fn scope(
    claims: &Object<'_>,
    rules: &IssuerPolicy,
    share: impl Fn(&str) -> SharedStr,
) -> Result<Scope, TokenError> {
    const EXPECTED: &str = "a string or an array of strings";
    let path = &rules.scope_claim;
    let unfit = |found| wrong_type(path, EXPECTED, found).by_setting("scope_claim");
    match value_at(claims, path)? {
        None | Some(Value::Null) => Ok(Scope::default()),
        // RFC 6749 s3.3
        Some(Value::String(quoted)) => Ok(Scope::from_claim(share(&quoted.text()))),
        // Some issuers write a list. Its elements are tokens; one with a space in it is none.
        Some(array @ Value::Array(_)) => {
            let tokens = strings(array).ok_or_else(|| unfit(array))?;
            let joined: Vec<&str> = tokens
                .iter()
                .map(AsRef::as_ref)
                .filter(|token| !token.contains(' '))
                .collect();
            Ok(Scope::from_claim(SharedStr::new(&joined.join(" "))))
        }
        Some(other) => Err(unfit(other)),
    }
}

/// Roles or groups, in the forms that the rules read. Anything else grants nothing. A text without a character grants
/// nothing.
fn list(
    claims: &Object<'_>,
    path: &ClaimPath,
    forms: &NameForms,
    share: impl Fn(&str) -> SharedStr,
) -> Vec<SharedStr> {
    match claims.at_path(path.members()) {
        Ok(Some(value)) => {
            let names = forms.read(value).unwrap_or_default();
            let stated = || names.iter().filter(|name| !name.is_empty());
            // As long as it must be: it is kept.
            let mut list = Vec::with_capacity(stated().count());
            list.extend(stated().map(|one| share(one)));
            list
        }
        Ok(None) | Err(_) => Vec::new(),
    }
}
