//! The access token as applications hold it.

use std::fmt;
use std::sync::Arc;

use serde::de::DeserializeOwned;

use crate::model::error::rejection::TokenFault;
use crate::model::ids::{ClientId, SubjectId};
use crate::model::scope::Scope;
use crate::model::time::UnixTime;
use crate::verify::claims::access_token::confirmation::Confirmation;
use crate::verify::claims::actor::Actor;
use crate::verify::claims::verified_token::data::{TokenHolder, VerifiedToken};
use crate::verify::request::sent_token::SentToken;

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
pub struct AccessToken {
    holder: Arc<dyn TokenHolder>,
    sent: SentToken,
}

impl AccessToken {
    pub(crate) fn new(holder: Arc<dyn TokenHolder>, sent: SentToken) -> Self {
        Self { holder, sent }
    }

    pub(crate) fn verified(&self) -> &VerifiedToken {
        self.holder.token()
    }

    #[cfg_attr(not(all(feature = "axum", feature = "jwks")), allow(dead_code))]
    pub(crate) const fn sent(&self) -> &SentToken {
        &self.sent
    }

    /// The `iss` of the token: exactly one of the configured issuers' identifiers.
    #[doc(alias("iss"))]
    #[must_use]
    pub fn issuer(&self) -> &str {
        self.verified().issuer()
    }

    /// The subject: `sub`, or the claim of [`subject_claim`](crate::Issuer::subject_claim). Absent where
    /// the issuer wrote none.
    #[doc(alias("sub", "user_id"))]
    #[must_use]
    pub fn subject(&self) -> Option<&SubjectId> {
        self.verified().subject()
    }

    /// The client that the token was issued to. Absent where the issuer wrote none.
    #[doc(alias("azp", "cid", "appid"))]
    #[must_use]
    pub fn client_id(&self) -> Option<&ClientId> {
        self.verified().client_id()
    }

    /// The scope; empty where the token has none.
    #[must_use]
    #[doc(alias("scp", "permissions"))]
    pub fn scope(&self) -> &Scope {
        self.verified().scope()
    }

    /// Whether the scope has exactly this token, case-sensitive, without prefixes and wildcards; or one
    /// that implies it by a [`ScopeHierarchy`](crate::config::ScopeHierarchy) of the server or the
    /// issuer. For several tokens call it for each, or declare a requirement with
    /// [`scopes!`](crate::scopes). `token.scope().contains(..)` looks at the scope alone.
    #[doc(alias("scp", "permission", "has_permission"))]
    #[must_use]
    pub fn has_scope(&self, token: &str) -> bool {
        self.verified().has_scope(token)
    }

    /// The time from which the token is no longer good, leeway aside (`exp`).
    #[doc(alias("exp", "expires_in"))]
    #[must_use]
    pub fn expires_at(&self) -> UnixTime {
        self.verified().expires_at()
    }

    /// When the token was issued (`iat`).
    #[doc(alias("iat"))]
    #[must_use]
    pub fn issued_at(&self) -> Option<UnixTime> {
        self.verified().issued_at()
    }

    /// When the user signed in (`auth_time`). Absent where the issuer did not write it, or wrote
    /// something other than a number, as some do.
    #[doc(alias("auth_time"))]
    #[must_use]
    pub fn authenticated_at(&self) -> Option<UnixTime> {
        self.verified().authenticated_at()
    }

    /// The authentication context class of the user's sign-in: `acr`, or the claim of
    /// [`acr_claim`](crate::Issuer::acr_claim); the values of an array in its order. Empty where the
    /// issuer wrote none, or a value of another type. [`Authorized`](crate::extract::Authorized) demands one
    /// of a route (RFC 9470 section 6).
    #[doc(alias("acr", "mfa", "loa", "step_up"))]
    pub fn acr_values(&self) -> impl Iterator<Item = &str> {
        self.verified().acr_values()
    }

    /// The sessions that the token belongs to: its `origin_jti` (Cognito), or the claim that
    /// [`session_claim`](crate::Issuer::session_claim) names in its place, and its `sid` (OpenID
    /// Connect), as far as it has them.
    #[doc(alias("sid", "origin_jti"))]
    pub fn session_ids(&self) -> impl Iterator<Item = &str> {
        self.verified().session_ids()
    }

    /// The token's id (`jti`).
    #[doc(alias("jti"))]
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        self.verified().id()
    }

    /// The roles, in the issuer's order; empty where the claim is absent or of a form that is not
    /// read. See [`Issuer::roles_claim`](crate::Issuer::roles_claim).
    pub fn roles(&self) -> impl Iterator<Item = &str> {
        self.verified().roles()
    }

    /// The groups, in the issuer's order; empty where the claim is absent or of another type.
    pub fn groups(&self) -> impl Iterator<Item = &str> {
        self.verified().groups()
    }

    /// The keys that the token is bound to (`cnf`); `None` for a bearer token. The request has proven
    /// the possession of each of them.
    #[doc(alias("cnf", "jkt", "dpop", "mtls"))]
    #[must_use]
    pub fn confirmation(&self) -> Option<&Confirmation> {
        self.verified().confirmation()
    }

    /// Whether the token is bound to a key or a client certificate, so that a thief cannot use it.
    /// [`SenderConstrained`](crate::extract::SenderConstrained) demands it of a route.
    #[doc(alias("sender_constrained"))]
    #[must_use]
    pub fn is_bound(&self) -> bool {
        self.verified().is_bound()
    }

    /// The agent or service that acts with the token: the outermost `act` (RFC 8693 section 4.1), or the
    /// claim of [`actor_claim`](crate::Issuer::actor_claim). `None` where the subject, or the client,
    /// acts itself. The token's subject, client and scope say whose authority it is;
    /// [`WithoutActor`](crate::extract::WithoutActor) and
    /// [`ThroughActor`](crate::extract::ThroughActor) guard routes. `may_act` names no actor.
    #[doc(alias("act", "agent", "on_behalf_of", "token_exchange"))]
    #[must_use]
    pub fn actor(&self) -> Option<&Actor> {
        self.verified().actor()
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
        let claims = self.verified().read_claims(&self.sent);
        claims.map_err(TokenFault::from)
    }
}

impl fmt::Debug for AccessToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.verified().fmt(f)
    }
}
