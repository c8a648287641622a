//! The claims check: the only way from `Signed` to `AccessToken`
//! (RFC 7519 section 4.1, RFC 9068 section 4, RFC 8725).
//!
//! 1. Every check reads a value that must be there and have the right type; absence passes
//!    only where the rule says "optional".
//! 2. Issuer, audience and client are compared byte for byte, the type without regard to case.
//! 3. Times are checked in `Validity::check`, which runs on every request.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::de::DeserializeOwned;

use crate::model::binding::RequiredBindings;
use crate::model::error::rejection::TokenFault;
use crate::model::error::rejection_detail::{Problem, RejectionDetail};
use crate::model::error::token_error::TokenError;
use crate::model::ids::{ClientId, SubjectId};
use crate::model::resource_set::ResourceSet;
use crate::model::scope::Scope;
use crate::model::shared_str::{COUNTS, SharedStr};
use crate::model::time::UnixTime;
use crate::verify::claims::access_token::audience::check_audience;
use crate::verify::claims::access_token::authentication::{acr_values, is_recent};
use crate::verify::claims::access_token::client::{check_client, client_id};
use crate::verify::claims::access_token::confirmation::Confirmation;
#[cfg(feature = "jwks")]
use crate::verify::claims::access_token::confirmation::check_dpop_type;
use crate::verify::claims::access_token::permissions::{list, scope};
use crate::verify::claims::access_token::required_values::{
    check_required_claims, check_required_headers,
};
use crate::verify::claims::access_token::revocation_ids::RevocationIds;
use crate::verify::claims::access_token::seldom_claims::SeldomClaims;
use crate::verify::claims::access_token::validity::Validity;
use crate::verify::claims::actor::Actor;
use crate::verify::claims::custom::payload_cache::CustomClaims;
use crate::verify::claims::introspection_response::ActiveToken;
use crate::verify::claims::spiffe_id::check_svid;
#[cfg(feature = "jwks")]
use crate::verify::claims::token_type::check_token_type;
use crate::verify::claims::token_type::{
    check_cognito, check_not_for_the_client, check_rfc9068, check_type,
};
use crate::verify::jose::signature::Signed;
#[cfg(feature = "jwks")]
use crate::verify::json::claim_error::differs;
use crate::verify::json::claim_error::{no_text, wrong_type};
#[cfg(feature = "jwks")]
use crate::verify::json::claims_reader::text_or_absent;
use crate::verify::json::claims_reader::{Rounding, date, id, is_blank, too_long, value_at};
use crate::verify::json::object::{Object, Value};
use crate::verify::policy::issuer_policy::{IssuerPolicy, Profile};
use crate::verify::policy::scope_closure::ImpliedScopes;

/// A verified access token: its signature, issuer, audience, type and times were checked.
///
/// It is made by verification only; tests of handlers use `test_util`. `Clone` is cheap. `Debug` shows
/// the issuer, the times, the number of scope tokens and whether there is a subject and a client; it
/// does not show ids or other claims.
///
/// As an axum extractor it requires a good token and nothing else.
#[doc(alias("jwt", "bearer", "Token"))]
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
    roles: Box<[SharedStr]>,
    groups: Box<[SharedStr]>,
    /// In a box, since most tokens have none.
    seldom: Option<Box<SeldomClaims>>,
    has_username: bool,
    has_auth_time: bool,
    is_machine: bool,
    /// Those that its audience names.
    resources: ResourceSet,
    /// In a box, since most tokens have none.
    confirmation: Option<Box<Confirmation>>,
    payload: Arc<str>,
    custom: CustomClaims,
}

impl AccessToken {
    /// The `iss` of the token: exactly one of the configured issuers' identifiers.
    #[doc(alias("iss"))]
    #[must_use]
    pub fn issuer(&self) -> &str {
        self.0.issuer.as_str()
    }

    /// The subject: `sub`, or the claim of [`subject_claim`](crate::Issuer::subject_claim). Absent where
    /// the issuer wrote none.
    #[doc(alias("sub", "user_id"))]
    #[must_use]
    pub fn subject(&self) -> Option<&SubjectId> {
        self.0.subject.as_ref()
    }

    /// The client that the token was issued to. Absent where the issuer wrote none.
    #[doc(alias("azp", "cid", "appid"))]
    #[must_use]
    pub fn client_id(&self) -> Option<&ClientId> {
        self.0.client_id.as_ref()
    }

    /// The scope; empty where the token has none.
    #[must_use]
    #[doc(alias("scp", "permissions"))]
    pub fn scope(&self) -> &Scope {
        &self.0.scope
    }

    /// Whether the scope has exactly this token, case-sensitive, without prefixes and wildcards; or one
    /// that implies it by a [`ScopeHierarchy`](crate::config::ScopeHierarchy) of the server or the
    /// issuer. For several tokens call it for each, or declare a requirement with
    /// [`scopes!`](crate::scopes). `token.scope().contains(..)` looks at the scope alone.
    #[doc(alias("scp", "permission", "has_permission"))]
    #[must_use]
    pub fn has_scope(&self, token: &str) -> bool {
        self.0.scope.contains(token) || self.implies_scope(token)
    }

    fn implies_scope(&self, token: &str) -> bool {
        let seldom = self.0.seldom.as_deref();
        let implied = seldom.and_then(|claims| claims.implied.as_ref());
        implied.is_some_and(|implied| implied.contains(token))
    }

    /// The time from which the token is no longer good, leeway aside (`exp`).
    #[doc(alias("exp", "expires_in"))]
    #[must_use]
    pub fn expires_at(&self) -> UnixTime {
        self.0.expires_at
    }

    /// When the token was issued (`iat`).
    #[doc(alias("iat"))]
    #[must_use]
    pub fn issued_at(&self) -> Option<UnixTime> {
        self.0.issued_at
    }

    /// When the user signed in (`auth_time`). Absent where the issuer did not write it, or wrote
    /// something other than a number, as some do.
    #[doc(alias("auth_time"))]
    #[must_use]
    pub fn authenticated_at(&self) -> Option<UnixTime> {
        self.0.revocable.authenticated_at
    }

    /// The authentication context class of the user's sign-in: `acr`, or the claim of
    /// [`acr_claim`](crate::Issuer::acr_claim); the values of an array in its order. Empty where the
    /// issuer wrote none, or a value of another type. [`Authorized`](crate::extract::Authorized) demands one
    /// of a route (RFC 9470 section 6).
    #[doc(alias("acr", "mfa", "loa", "step_up"))]
    pub fn acr_values(&self) -> impl Iterator<Item = &str> {
        let values = self.0.seldom.as_deref().map(|claims| &claims.acr_values);
        values.into_iter().flatten().map(SharedStr::as_str)
    }

    /// Whether the token states an authentication of its user that is no older than `max_age`.
    pub(crate) fn is_authenticated_since(
        &self,
        max_age: Duration,
        now: UnixTime,
        leeway: Duration,
    ) -> bool {
        is_recent(self.authenticated_at(), max_age, now, leeway)
    }

    /// The sessions that the token belongs to: its `origin_jti` (Cognito), or the claim that
    /// [`session_claim`](crate::Issuer::session_claim) names in its place, and its `sid` (OpenID
    /// Connect), as far as it has them.
    #[doc(alias("sid", "origin_jti"))]
    pub fn session_ids(&self) -> impl Iterator<Item = &str> {
        self.sessions().into_iter().flatten()
    }

    /// The token's id (`jti`).
    #[doc(alias("jti"))]
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

    /// The keys that the token is bound to (`cnf`); `None` for a bearer token. The request has proven
    /// the possession of each of them.
    #[doc(alias("cnf", "jkt", "dpop", "mtls"))]
    #[must_use]
    pub fn confirmation(&self) -> Option<&Confirmation> {
        self.0.confirmation.as_deref()
    }

    /// Whether the token is bound to a key or a client certificate, so that a thief cannot use it.
    /// [`SenderConstrained`](crate::extract::SenderConstrained) demands it of a route.
    #[doc(alias("sender_constrained"))]
    #[must_use]
    pub fn is_bound(&self) -> bool {
        self.0.confirmation.is_some()
    }

    /// The agent or service that acts with the token: the outermost `act` (RFC 8693 section 4.1), or the
    /// claim of [`actor_claim`](crate::Issuer::actor_claim). `None` where the subject, or the client,
    /// acts itself. The token's subject, client and scope say whose authority it is;
    /// [`WithoutActor`](crate::extract::WithoutActor) and
    /// [`ThroughActor`](crate::extract::ThroughActor) guard routes. `may_act` names no actor.
    #[doc(alias("act", "agent", "on_behalf_of", "token_exchange"))]
    #[must_use]
    pub fn actor(&self) -> Option<&Actor> {
        self.0.seldom.as_deref()?.actor.as_deref()
    }

    /// The whole payload as the application's own type.
    ///
    /// The payload is deserialized once for each type `T` and token; later calls return the same value.
    ///
    /// # Errors
    ///
    /// [`TokenFault::CustomClaims`] when the payload does not fit `T`.
    #[doc(alias("payload", "custom_claims", "deserialize"))]
    pub fn claims<T>(&self) -> Result<Arc<T>, TokenFault>
    where
        T: DeserializeOwned + Send + Sync + 'static,
    {
        self.read_claims().map_err(TokenFault::from)
    }

    /// Like [`claims`](Self::claims), with the detail of the error.
    pub(crate) fn read_claims<T>(&self) -> Result<Arc<T>, TokenError>
    where
        T: DeserializeOwned + Send + Sync + 'static,
    {
        self.0.custom.read(&self.0.payload)
    }

    /// Checks a signed token against its issuer's policy. The times are checked separately.
    pub(crate) fn check(signed: &Signed<'_>, rules: &IssuerPolicy) -> Result<Self, TokenError> {
        check_type(signed.header(), rules)?;
        check_required_headers(signed.header(), rules)?;
        let claims = &signed.claims();
        Self::made_of(claims, signed.payload_text(), None, signed.issuer(), rules)
    }

    /// Checks an introspected token against the same policy. The times are checked separately.
    #[cfg(feature = "jwks")]
    pub(crate) fn attested(
        answer: &ActiveToken<'_>,
        rules: &IssuerPolicy,
    ) -> Result<Self, TokenError> {
        let claims = answer.claims();
        check_token_type(claims)?;
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
        // The response may leave it out.
        let issuer = SharedStr::new(&rules.realm);
        let token = Self::made_of(claims, answer.text(), Some(answer), issuer, rules)?;
        check_dpop_type(claims, token.confirmation())?;
        Ok(token)
    }

    /// The checks of signed and of introspected tokens; `answer` is `None` for signed ones.
    fn made_of(
        claims: &Object<'_>,
        payload: &Arc<str>,
        answer: Option<&ActiveToken<'_>>,
        issuer: SharedStr,
        rules: &IssuerPolicy,
    ) -> Result<Self, TokenError> {
        check_required_claims(claims, rules)?;

        // Before the other claims: a token of another kind lacks some of them too, and the refusal
        // must name the kind.
        match rules.profile {
            Profile::Cognito => check_cognito(claims)?,
            Profile::Rfc9068 => {
                check_not_for_the_client(claims, rules)?;
                check_rfc9068(claims)?;
            }
            Profile::Spiffe => {
                check_not_for_the_client(claims, rules)?;
                check_svid(claims, rules)?;
            }
            Profile::Oidc | Profile::Introspected => check_not_for_the_client(claims, rules)?,
        }
        let client_id = client_id(claims, rules)?;
        check_client(client_id.as_deref(), rules)?;
        let resources = check_audience(claims, client_id.as_deref(), rules)?;
        let confirmation = Confirmation::read(claims, answer.is_some())?;

        let share = |text: &str| SharedStr::within(payload, text);
        let actor = Actor::read(claims, rules, answer.is_some(), share)?;
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
            // Some endpoints leave the subject out for a client's own token.
            (None, Some(_)) => {
                rules.clients_without_subject && answer.is_some() && claims.get("sub").is_none()
            }
            (_, None) => false,
        };
        let is_machine = is_own_subject && !has_username && !names_a_user(claims);
        let scope = scope(claims, rules, share)?;
        let hierarchy = rules.scope_hierarchy.as_ref();
        let implied = hierarchy.and_then(|hierarchy| ImpliedScopes::of(hierarchy, &scope));
        let (revocable, has_auth_time) = RevocationIds::read(claims, rules, share)?;
        Ok(Self(Arc::new(TokenData {
            issuer,
            subject,
            client_id,
            scope,
            seldom: SeldomClaims::of(acr_values(claims, rules, share), implied, actor),
            expires_at: match answer {
                None => date(claims, "exp", Rounding::Down)?.ok_or_else(|| {
                    TokenError::about(TokenFault::NoExpiry, "exp", Problem::Missing)
                })?,
                Some(answer) => answer.end()?,
            },
            not_before: date(claims, "nbf", Rounding::Up)?,
            issued_at,
            id: id(claims, "jti")?.map(|id| share(&id)),
            revocable,
            has_auth_time,
            roles: list(claims, &rules.roles_claim, &rules.name_forms, share).into(),
            groups: list(claims, &rules.groups_claim, &rules.name_forms, share).into(),
            has_username,
            is_machine,
            resources,
            confirmation: confirmation.map(Box::new),
            payload: Arc::clone(payload),
            custom: CustomClaims::default(),
        })))
    }

    /// Whether the token has these bindings. That the request proves them is checked elsewhere.
    pub(crate) fn check_bindings(&self, required: RequiredBindings) -> Result<(), TokenError> {
        let confirmation = self.confirmation();
        let has_dpop = confirmation.is_some_and(|keys| keys.jwk_thumbprint().is_some());
        let has_tls = confirmation.is_some_and(|keys| keys.certificate_thumbprint().is_some());
        if required.are_met_by(has_dpop, has_tls) {
            return Ok(());
        }
        let detail = RejectionDetail::new()
            .with_claim("cnf")
            .with_setting("require_binding")
            .with_expected(required.to_string());
        Err(TokenError::new(TokenFault::Binding, detail))
    }

    /// What the token is bound to, as a word for an event.
    pub(crate) fn binding_name(&self) -> &'static str {
        let bound = self.confirmation().map(|keys| {
            (
                keys.jwk_thumbprint().is_some(),
                keys.certificate_thumbprint().is_some(),
            )
        });
        match bound {
            Some((true, true)) => "dpop+mutual_tls",
            Some((true, false)) => "dpop",
            Some((false, _)) => "mutual_tls",
            None => "none",
        }
    }

    /// The period in which the token is good, widened by the leeway.
    pub(crate) fn validity(&self, leeway: Duration) -> Validity {
        Validity {
            from: self.0.not_before.map(|from| from.saturating_sub(leeway)),
            until: self.0.expires_at.saturating_add(leeway),
        }
    }

    /// Whether it is a client's own token: `sub` is the client, or may be absent by a setting, and no
    /// claim names a user.
    pub(crate) fn is_machine(&self) -> bool {
        self.0.is_machine
    }

    /// The resources of the server that the token is for: at least one.
    pub(crate) fn resources(&self) -> ResourceSet {
        self.0.resources
    }

    /// Whether the token has a `username`, of any value.
    pub(crate) fn has_username(&self) -> bool {
        self.0.has_username
    }

    /// The sign-in of the subject, or the issue of the token, as far as the token states it.
    pub(crate) fn began_at(&self) -> Option<UnixTime> {
        if self.0.has_auth_time {
            self.0.revocable.authenticated_at
        } else {
            self.0.issued_at
        }
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

    /// Its memory in bytes, without the application's own types of claims.
    pub(crate) fn bytes(&self) -> usize {
        let token = &*self.0;
        let payload = &token.payload;
        let lists = [&token.roles, &token.groups].map(|list| {
            let own = list.iter().map(|text| text.bytes_beside(payload));
            size_of_val(&**list) + own.sum::<usize>()
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
            + token
                .seldom
                .as_ref()
                .map_or(0, |claims| claims.bytes(payload))
            + token
                .confirmation
                .as_ref()
                .map_or(0, |_| size_of::<Confirmation>())
    }
}

impl fmt::Debug for AccessToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessToken")
            .field("issuer", &self.issuer())
            .field("subject", &self.0.subject)
            .field("client_id", &self.0.client_id)
            .field("scope", &self.0.scope)
            .field("issued_at", &self.0.issued_at)
            .field("not_before", &self.0.not_before)
            .field("expires_at", &self.0.expires_at)
            .finish_non_exhaustive()
    }
}

/// Whether the token states a user's name. A user may choose the client's id as its `sub` (RFC 9068
/// section 5); a client's own token has none of these claims.
fn names_a_user(claims: &Object<'_>) -> bool {
    ["preferred_username", "upn", "cognito:username"]
        .iter()
        .any(|name| claims.get(name).is_some())
}

/// The subject. An empty one counts as absent: some servers write it into tokens of services. `null`
/// is refused in a JWT like every other type, and counts as absent in an introspection response.
pub(in crate::verify) fn subject<'c>(
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
