//! Refusals: plain data, one kind per row of the table of responses.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

pub use crate::model::error::faults::{DpopFault, Outage, RequestFault, TokenFault, WiringFault};
use crate::model::error::rejection_detail::{HeldDetail, RejectionDetail};

/// Why a request is refused: the kind, and the data that its response and its event need.
///
/// The client sees only the wire table of [`RejectionKind`]; the program reads
/// [`kind()`](Self::kind); the operator reads `Display`, which names the fault and never
/// contains a token, a claim's value or a key.
///
/// These types belong together:
///
/// * `Rejection`: why this request is refused. Plain data, for logs, metrics and renderers.
/// * [`RejectionKind`]: the row of the wire table, and so the status and the challenge.
/// * [`RequestFault`], [`TokenFault`], [`DpopFault`], [`Outage`] and [`WiringFault`]: the cause inside a kind.
/// * [`Refusal`](crate::error::Refusal): a `Rejection` that a layer can answer, with its challenge and
///   its renderer. Extractors return it, and [`Refuser`](crate::extract::Refuser) makes it in a handler.
/// * [`Objection`]: what the application's own check returns about a token, for every request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    kind: RejectionKind,
    data: KindData,
    scope: Option<Cow<'static, str>>,
    authentication: Option<Box<RequiredAuthentication>>,
    issuer: Option<Arc<str>>,
    detail: Option<HeldDetail>,
}

/// What only some kinds have: one place, so that `Result<T, Refusal>` stays small.
#[derive(Clone, Debug, PartialEq, Eq)]
enum KindData {
    None,
    /// For [`RejectionKind::WrongCaller`] and [`RejectionKind::Forbidden`].
    Cause(&'static str),
    /// For [`RejectionKind::Unavailable`].
    RetryAfter(Duration),
}

/// The authentication of the user that a challenge names (RFC 9470 section 3).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct RequiredAuthentication {
    /// Values with a space between them; empty where none is missing.
    pub(crate) acr_values: String,
    pub(crate) max_age: Option<Duration>,
}

impl Rejection {
    pub(crate) const fn new(kind: RejectionKind) -> Self {
        Self {
            kind,
            data: KindData::None,
            scope: None,
            authentication: None,
            issuer: None,
            detail: None,
        }
    }

    pub(crate) const fn unavailable(outage: Outage, retry_after: Duration) -> Self {
        let mut rejection = Self::new(RejectionKind::Unavailable(outage));
        rejection.data = KindData::RetryAfter(retry_after);
        rejection
    }

    pub(crate) const fn insufficient_scope(scope: Cow<'static, str>) -> Self {
        Self {
            kind: RejectionKind::InsufficientScope,
            data: KindData::None,
            scope: Some(scope),
            authentication: None,
            issuer: None,
            detail: None,
        }
    }

    /// A refused kind of caller, and the check that refuses it.
    pub(crate) const fn wrong_caller(cause: &'static str) -> Self {
        let mut rejection = Self::new(RejectionKind::WrongCaller);
        rejection.data = KindData::Cause(cause);
        rejection
    }

    /// A refusal of the application's own: 403 without a challenge. `reason` is a short stable name
    /// such as `not_the_author`; it is the [`cause`](Self::cause) in events and metrics, and
    /// [`ProblemJson`](crate::layer::ProblemJson) does not send it. A handler answers it with
    /// [`Refuser`](crate::extract::Refuser).
    #[must_use]
    pub const fn forbidden(reason: &'static str) -> Self {
        let mut rejection = Self::new(RejectionKind::Forbidden);
        rejection.data = KindData::Cause(reason);
        rejection
    }

    /// Adds the detail for the operator.
    pub(crate) fn with_detail(self, detail: RejectionDetail) -> Self {
        self.with_held_detail(HeldDetail::Shared(Arc::new(detail)))
    }

    /// Adds a detail that is the same for every request.
    pub(crate) fn with_fixed_detail(self, detail: &'static RejectionDetail) -> Self {
        self.with_held_detail(HeldDetail::Fixed(detail))
    }

    pub(super) fn with_held_detail(mut self, detail: HeldDetail) -> Self {
        self.detail = Some(detail);
        self
    }

    /// Names the configured issuer whose rules refused the token.
    pub(crate) fn by(mut self, issuer: &Arc<str>) -> Self {
        self.issuer = Some(Arc::clone(issuer));
        self
    }

    /// Adds the authentication of the user that the challenge names.
    pub(crate) fn with_authentication(mut self, required: RequiredAuthentication) -> Self {
        self.authentication = Some(Box::new(required));
        self
    }

    /// Whether the challenge names a part of a route's requirement.
    pub(crate) const fn names_requirement(&self) -> bool {
        self.scope.is_some() || self.authentication.is_some()
    }

    /// Names a scope in the challenge, in place of the one that it names; an empty one is not named.
    /// `scope` is a valid scope of configured names.
    pub(crate) fn with_scope(mut self, scope: &str) -> Self {
        if !scope.is_empty() {
            self.scope = Some(scope.to_owned().into());
        }
        self
    }

    pub(crate) fn shared_issuer(&self) -> Option<Arc<str>> {
        self.issuer.clone()
    }

    /// The configured issuer whose rules refused the token; absent where none was found.
    #[must_use]
    pub fn issuer(&self) -> Option<&str> {
        self.issuer.as_deref()
    }

    /// The fault inside the kind, or, for [`RejectionKind::WrongCaller`], the check that refused:
    /// `context` (a token for another API context), `caller` (another kind of caller), `guest` (a
    /// principal that is admitted to workspaces only), `role`, `group`, `actor` (an agent, or none, where
    /// the route demands otherwise), `delegation` (the request names a user where delegation is off, or
    /// delegation is refused) or `objection` (the application's own
    /// check); for
    /// [`RejectionKind::Forbidden`] the application's reason. A stable name, for operators.
    #[must_use]
    pub const fn cause(&self) -> Option<&'static str> {
        match (self.kind.fault(), &self.data, self.kind) {
            (Some(fault), _, _) => Some(fault),
            (None, KindData::Cause(cause), _) => Some(cause),
            (None, _, RejectionKind::WrongCaller) => Some("caller"),
            (None, _, _) => None,
        }
    }

    /// The cause in detail, for operators: which claim, what is wrong with it, and which setting
    /// expected what. Absent where the kind and the fault say everything.
    #[must_use]
    pub fn detail(&self) -> Option<&RejectionDetail> {
        self.detail.as_deref()
    }

    /// What kind of refusal this is.
    #[must_use]
    pub const fn kind(&self) -> RejectionKind {
        self.kind
    }

    /// When the client may try again; present only for [`RejectionKind::Unavailable`].
    #[must_use]
    pub const fn retry_after(&self) -> Option<Duration> {
        match self.data {
            KindData::RetryAfter(retry_after) => Some(retry_after),
            KindData::None | KindData::Cause(_) => None,
        }
    }

    /// The scope that the challenge names: for [`RejectionKind::InsufficientScope`], and where
    /// something else of a route's [`Requirement`](crate::extract::Requirement) is missing. First what
    /// the guard demands (of several alternatives the one that the token has, else the first), then
    /// what other guards of the route are known to demand, then in a 401 the layer's
    /// [`challenge_scope`](crate::AuthenticateLayer::challenge_scope), then what the token has of the
    /// scopes that this server knows: a client that asks for exactly this loses nothing. The
    /// [`detail`](Self::detail) has the guard's own demand, and the token's scope.
    #[must_use]
    pub fn required_scope(&self) -> Option<&str> {
        self.scope.as_deref()
    }

    /// The `acr_values` of the challenge, with spaces between them and the preferred one first (RFC
    /// 9470 section 3); present where a route demands one that the token does not have.
    #[must_use]
    pub fn required_acr_values(&self) -> Option<&str> {
        let required = self.authentication.as_deref()?;
        Some(&*required.acr_values).filter(|values| !values.is_empty())
    }

    /// The `max_age` of the challenge, in whole seconds (RFC 9470 section 3); present where the user's
    /// authentication is older than a route allows, or the token does not state its time.
    #[must_use]
    pub fn required_max_age(&self) -> Option<Duration> {
        self.authentication.as_deref()?.max_age
    }
}

impl From<RejectionKind> for Rejection {
    fn from(kind: RejectionKind) -> Self {
        Self::new(kind)
    }
}

impl From<TokenFault> for RejectionKind {
    fn from(fault: TokenFault) -> Self {
        Self::InvalidToken(fault)
    }
}

impl From<TokenFault> for Rejection {
    fn from(fault: TokenFault) -> Self {
        Self::new(RejectionKind::InvalidToken(fault))
    }
}

impl From<Objection> for Rejection {
    fn from(objection: Objection) -> Self {
        match objection {
            Objection::Token => TokenFault::Objection.into(),
            Objection::Caller => Self::wrong_caller("objection"),
        }
    }
}

impl From<DpopFault> for RejectionKind {
    fn from(fault: DpopFault) -> Self {
        Self::InvalidDpopProof(fault)
    }
}

impl From<DpopFault> for Rejection {
    fn from(fault: DpopFault) -> Self {
        Self::new(RejectionKind::InvalidDpopProof(fault))
    }
}

impl From<RequestFault> for RejectionKind {
    fn from(fault: RequestFault) -> Self {
        Self::InvalidRequest(fault)
    }
}

impl From<RequestFault> for Rejection {
    fn from(fault: RequestFault) -> Self {
        Self::new(RejectionKind::InvalidRequest(fault))
    }
}

impl From<Outage> for Rejection {
    /// The client may try again after 1 s.
    fn from(outage: Outage) -> Self {
        Self::unavailable(outage, Duration::from_secs(1))
    }
}

impl From<WiringFault> for Rejection {
    fn from(fault: WiringFault) -> Self {
        Self::new(RejectionKind::Misconfigured(fault))
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: &dyn fmt::Display = match &self.kind {
            RejectionKind::MissingToken => &"no bearer token was sent",
            RejectionKind::InvalidRequest(fault) => fault,
            RejectionKind::InvalidToken(fault) => fault,
            RejectionKind::InvalidDpopProof(fault) => fault,
            RejectionKind::InsufficientScope => &"the token lacks the required scope",
            RejectionKind::InsufficientUserAuthentication => {
                &"the user's authentication does not meet the requirement"
            }
            RejectionKind::WrongCaller => &"this kind of caller may not do this",
            RejectionKind::WrongTenant => &"the caller's tenant is not the one addressed",
            RejectionKind::NoTenant => &"the caller belongs to no tenant",
            RejectionKind::Unavailable(outage) => outage,
            RejectionKind::NotAuthenticated => {
                &"no authentication layer covers this route; add `server.authenticate()` with `route_layer`"
            }
            RejectionKind::Misconfigured(fault) => fault,
            RejectionKind::Forbidden => &"the application refuses the caller",
        };
        words.fmt(f)
    }
}

impl std::error::Error for Rejection {}

/// The kinds of refusal, one for each row of the wire table.
///
/// | kind | status | `WWW-Authenticate` |
/// |---|---|---|
/// | `MissingToken` | 401 | `Bearer`, no `error` (RFC 6750 section 3.1) |
/// | `InvalidRequest` | 400 | `error="invalid_request"` |
/// | `InvalidToken` | 401 | `error="invalid_token"` |
/// | `InvalidDpopProof` | 401 | scheme `DPoP`, `error="invalid_dpop_proof"` or `"use_dpop_nonce"` (RFC 9449 sections 7.1 and 9) |
/// | `InsufficientScope` | 403 | `error="insufficient_scope"`, `scope` |
/// | `InsufficientUserAuthentication` | 401 | `error="insufficient_user_authentication"`, `acr_values`, `max_age` (RFC 9470 section 3) |
/// | `WrongCaller`, `WrongTenant`, `NoTenant`, `Forbidden` | 403 | none |
/// | `Unavailable` | 503 and `Retry-After` | none |
/// | `NotAuthenticated`, `Misconfigured` | 500 | none |
///
/// The kind is put into the extensions of every response that this library makes, for
/// metrics and for renderers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RejectionKind {
    /// No bearer token was sent, or the credentials are of another scheme, or a cookie that
    /// does not count for this request.
    /// Causes: [troubleshooting](crate::manual::troubleshooting#missing_token).
    MissingToken,
    /// The request carries its credentials in a way that RFC 6750 does not allow.
    /// Causes: [troubleshooting](crate::manual::troubleshooting#invalid_request).
    InvalidRequest(RequestFault),
    /// The token was checked and is not good.
    /// Causes: [troubleshooting](crate::manual::troubleshooting#invalid_token).
    InvalidToken(TokenFault),
    /// The token came with a DPoP proof that is not good.
    /// Causes: [troubleshooting](crate::manual::troubleshooting#invalid_dpop_proof).
    InvalidDpopProof(DpopFault),
    /// The token is good and its scope does not suffice.
    /// Causes: [troubleshooting](crate::manual::troubleshooting#insufficient_scope).
    InsufficientScope,
    /// The token is good, and its user did not authenticate in the way or as recently as the route
    /// demands.
    /// Causes: [troubleshooting](crate::manual::troubleshooting#insufficient_user_authentication).
    #[doc(alias("step_up", "acr_values", "max_age"))]
    InsufficientUserAuthentication,
    /// The caller is of a kind that may not do this, whatever its tenant.
    /// Causes: [troubleshooting](crate::manual::troubleshooting#wrong_caller).
    WrongCaller,
    /// The caller's account or workspace is another than the one addressed.
    /// Causes: [troubleshooting](crate::manual::troubleshooting#wrong_tenant).
    WrongTenant,
    /// The caller reaches no tenant at all.
    /// Causes: [troubleshooting](crate::manual::troubleshooting#no_tenant).
    NoTenant,
    /// The token could not be checked. The client should keep it and try again.
    /// Causes: [troubleshooting](crate::manual::troubleshooting#unavailable).
    Unavailable(Outage),
    /// An extractor ran on a route that no authentication layer covers.
    /// Causes: [troubleshooting](crate::manual::troubleshooting#not_authenticated).
    NotAuthenticated,
    /// The application is wired wrongly; see the fault.
    /// Causes: [troubleshooting](crate::manual::troubleshooting#misconfigured).
    Misconfigured(WiringFault),
    /// The application itself refuses the caller; see [`Rejection::forbidden`].
    /// Causes: [troubleshooting](crate::manual::troubleshooting#forbidden).
    Forbidden,
}

impl RejectionKind {
    /// A stable name, fit for a metric's label.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::MissingToken => "missing_token",
            Self::InvalidRequest(_) => "invalid_request",
            Self::InvalidToken(_) => "invalid_token",
            Self::InvalidDpopProof(_) => "invalid_dpop_proof",
            Self::InsufficientScope => "insufficient_scope",
            Self::InsufficientUserAuthentication => "insufficient_user_authentication",
            Self::WrongCaller => "wrong_caller",
            Self::WrongTenant => "wrong_tenant",
            Self::NoTenant => "no_tenant",
            Self::Unavailable(_) => "unavailable",
            Self::NotAuthenticated => "not_authenticated",
            Self::Misconfigured(_) => "misconfigured",
            Self::Forbidden => "forbidden",
        }
    }

    /// The stable name of the fault inside the kind, where there is one.
    #[must_use]
    pub const fn fault(self) -> Option<&'static str> {
        match self {
            Self::InvalidRequest(fault) => Some(fault.as_str()),
            Self::InvalidToken(fault) => Some(fault.as_str()),
            Self::InvalidDpopProof(fault) => Some(fault.as_str()),
            Self::Unavailable(outage) => Some(outage.as_str()),
            Self::Misconfigured(fault) => Some(fault.as_str()),
            Self::MissingToken
            | Self::InsufficientScope
            | Self::InsufficientUserAuthentication
            | Self::WrongCaller
            | Self::WrongTenant
            | Self::NoTenant
            | Self::NotAuthenticated
            | Self::Forbidden => None,
        }
    }
}

/// The refusal of a token by a check of the application, after all other checks; see
/// [`ResourceServerBuilder::check`](crate::ResourceServerBuilder::check).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Objection {
    /// The token is not good, and its client should get another one: 401 `invalid_token`, with the
    /// fault [`TokenFault::Objection`].
    Token,
    /// The caller is refused, and another token would not help: 403, as
    /// [`RejectionKind::WrongCaller`].
    Caller,
}
