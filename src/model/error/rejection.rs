//! Why a request was refused: plain data, one kind per row of the wire table.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::model::error::rejection_detail::RejectionDetail;

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
/// * [`RequestFault`], [`TokenFault`], [`Outage`] and [`WiringFault`]: the cause inside a kind.
/// * [`Refusal`](crate::error::Refusal): a `Rejection` that a layer can answer, with its challenge and
///   its renderer. Extractors return it, and [`Refuser`](crate::Refuser) makes it in a handler.
/// * [`Objection`]: what the application's own check returns about a token, for every request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    kind: RejectionKind,
    retry_after: Option<Duration>,
    scope: Option<Cow<'static, str>>,
    issuer: Option<Arc<str>>,
    cause: Option<&'static str>,
    detail: Option<Arc<RejectionDetail>>,
}

impl Rejection {
    pub(crate) const fn new(kind: RejectionKind) -> Self {
        Self {
            kind,
            retry_after: None,
            scope: None,
            issuer: None,
            cause: None,
            detail: None,
        }
    }

    pub(crate) const fn unavailable(outage: Outage, retry_after: Duration) -> Self {
        Self {
            kind: RejectionKind::Unavailable(outage),
            retry_after: Some(retry_after),
            scope: None,
            issuer: None,
            cause: None,
            detail: None,
        }
    }

    pub(crate) const fn insufficient_scope(scope: Cow<'static, str>) -> Self {
        Self {
            kind: RejectionKind::InsufficientScope,
            retry_after: None,
            scope: Some(scope),
            issuer: None,
            cause: None,
            detail: None,
        }
    }

    /// A caller of a kind that may not do this, and which check says so.
    pub(crate) const fn wrong_caller(cause: &'static str) -> Self {
        let mut rejection = Self::new(RejectionKind::WrongCaller);
        rejection.cause = Some(cause);
        rejection
    }

    /// A refusal of the application's own: 403 without a challenge. `reason` is a short stable name
    /// such as `not_the_author`; it is the [`cause`](Self::cause) in events and metrics, and
    /// [`ProblemJson`](crate::layer::ProblemJson) does not send it. A handler answers it with
    /// [`Refuser`](crate::Refuser).
    #[must_use]
    pub const fn forbidden(reason: &'static str) -> Self {
        let mut rejection = Self::new(RejectionKind::Forbidden);
        rejection.cause = Some(reason);
        rejection
    }

    /// Adds what the operator needs to find the cause.
    pub(crate) fn with_detail(self, detail: RejectionDetail) -> Self {
        self.with_shared_detail(Arc::new(detail))
    }

    pub(crate) fn with_shared_detail(mut self, detail: Arc<RejectionDetail>) -> Self {
        self.detail = Some(detail);
        self
    }

    /// Names the configured issuer whose rules refused the token.
    pub(crate) fn by(mut self, issuer: &Arc<str>) -> Self {
        self.issuer = Some(Arc::clone(issuer));
        self
    }

    /// Replaces the scope that the challenge names. `scope` is a valid scope of configured names.
    pub(crate) fn asking_for(mut self, scope: String) -> Self {
        self.scope = Some(scope.into());
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
    /// principal who is admitted to workspaces alone), `role`, `group`, `delegation` (a user is
    /// named where nobody may be, or asked) or `objection` (the application's own check); for
    /// [`RejectionKind::Forbidden`] the application's reason. A stable name, for operators.
    #[must_use]
    pub const fn cause(&self) -> Option<&'static str> {
        match (self.kind.fault(), self.cause, self.kind) {
            (Some(fault), _, _) => Some(fault),
            (None, None, RejectionKind::WrongCaller) => Some("caller"),
            (None, cause, _) => cause,
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

    /// When the client may try again; present for [`RejectionKind::Unavailable`] alone.
    #[must_use]
    pub const fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    /// The scope that the challenge names; present for [`RejectionKind::InsufficientScope`] alone.
    /// First what the guard demands (of several alternatives the first), then what other guards
    /// of the route are known to demand, then what the token has of the scopes that this server
    /// knows: a client that asks for exactly this loses nothing. The [`detail`](Self::detail) has
    /// the guard's own demand, and the token's scope.
    #[must_use]
    pub fn required_scope(&self) -> Option<&str> {
        self.scope.as_deref()
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
            RejectionKind::InsufficientScope => &"the token lacks the required scope",
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
/// | `InsufficientScope` | 403 | `error="insufficient_scope"`, `scope` |
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
    MissingToken,
    /// The request carries its credentials in a way that RFC 6750 does not allow.
    InvalidRequest(RequestFault),
    /// A token was judged and is not good.
    InvalidToken(TokenFault),
    /// The token is good and its scope does not suffice.
    InsufficientScope,
    /// The caller is of a kind that may not do this, whatever its tenant.
    WrongCaller,
    /// The caller's account or workspace is another than the one addressed.
    WrongTenant,
    /// The caller reaches no tenant at all.
    NoTenant,
    /// We could not judge the token. The client should keep it and try again.
    Unavailable(Outage),
    /// An extractor ran on a route that no authentication layer covers.
    NotAuthenticated,
    /// The application is wired wrongly; see the fault.
    Misconfigured(WiringFault),
    /// The application itself refuses the caller; see [`Rejection::forbidden`].
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
            Self::InsufficientScope => "insufficient_scope",
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
            Self::Unavailable(outage) => Some(outage.as_str()),
            Self::Misconfigured(fault) => Some(fault.as_str()),
            Self::MissingToken
            | Self::InsufficientScope
            | Self::WrongCaller
            | Self::WrongTenant
            | Self::NoTenant
            | Self::NotAuthenticated
            | Self::Forbidden => None,
        }
    }
}

/// What a check of the application's own has against a token that is good in all else; see
/// [`ResourceServerBuilder::check`](crate::ResourceServerBuilder::check).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Objection {
    /// The token is no good, and its client should get another one: 401 `invalid_token`, with the
    /// fault [`TokenFault::Objection`].
    Token,
    /// Who is calling may not come here, and another token would not help: 403, as
    /// [`RejectionKind::WrongCaller`].
    Caller,
}

/// Declares a fault: its variants, their stable names and the operator's sentence.
macro_rules! faults {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $stable:literal, $words:literal;)+ }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum $name {
            $($(#[$doc])* $variant,)+
        }

        impl $name {
            /// A stable name, fit for a metric's label.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $stable,)+ }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self { $(Self::$variant => $words,)+ })
            }
        }
    };
}

faults! {
    /// What is wrong with a request's credentials, before any token is looked at.
    RequestFault {
        /// More than one `Authorization` field, or a token in more than one of the layer's
        /// sources (RFC 6750 section 2, RFC 9110 section 5.3).
        SeveralCredentials = "several_credentials", "more than one credential was sent";
        /// The field, cookie or header is empty, or names the scheme and nothing else.
        NoCredentials = "no_credentials", "what should hold the credential is empty";
        /// Bytes that no `b64token` contains (RFC 6750 section 2.1).
        NotAToken = "not_a_token", "the credential is not `Bearer` and one b64token, or in a cookie or header the b64token alone";
        /// A client asks for a delegation and names nobody.
        NoUser = "no_user", "the request names no user to act for";
        /// The field that names the user came more than once.
        SeveralUsers = "several_users", "the request names a user to act for more than once";
        /// Not 1 to 128 visible ASCII characters without a comma.
        NotAUser = "not_a_user", "the field that names the user to act for is malformed";
    }
}

faults! {
    /// What is wrong with a token. All of them look the same to the client.
    TokenFault {
        /// Longer than the limit on tokens; 16 KiB unless set otherwise.
        TooLarge = "too_large", "the token is longer than the limit";
        /// Not three base64url parts that hold strict JSON objects.
        Malformed = "malformed", "the token is not a well-formed compact JWS";
        /// Five parts: a JWE, such as an encrypted refresh token.
        Encrypted = "encrypted", "the token is encrypted; a refresh token is not for an API";
        /// A JSON object names one member twice.
        DuplicateMember = "duplicate_member", "a JSON object in the token names a member twice";
        /// A header parameter that has the wrong type or that this library does not honour.
        Header = "header", "a header parameter is not acceptable";
        /// `crit` demands an extension; none is implemented (RFC 7515 section 4.1.11).
        Critical = "critical", "the header demands an extension";
        /// The algorithm is missing, unknown, or not allowed for this issuer or key.
        Algorithm = "algorithm", "the algorithm is not allowed here";
        /// The `typ` is not one of those accepted from this issuer.
        TokenType = "token_type", "the token is not of an accepted type";
        /// No configured issuer has exactly this `iss`.
        UnknownIssuer = "unknown_issuer", "the issuer is not configured";
        /// The issuer publishes no key with this id.
        UnknownKey = "unknown_key", "the issuer publishes no such key";
        /// The key names, by a member `issuer`, another issuer than the token's.
        ForeignKey = "foreign_key", "the key is good for another issuer's tokens alone";
        /// More keys fit than may be tried.
        AmbiguousKey = "ambiguous_key", "too many keys fit the token";
        /// No key that fits verifies the signature.
        Signature = "signature", "the signature does not verify";
        /// A claim is missing or of the wrong type.
        Claims = "claims", "a required claim is missing or of the wrong type";
        /// There is no `exp`.
        NoExpiry = "no_expiry", "the token does not say when it ends";
        /// `exp` has passed.
        Expired = "expired", "the token has expired";
        /// `nbf` lies ahead.
        NotYetValid = "not_yet_valid", "the token is not valid yet";
        /// The token is for somebody else.
        Audience = "audience", "the token is not for this audience";
        /// The token was issued to a client that is not allowed.
        ClientId = "client_id", "the token was issued to another client";
        /// Not an access token: an ID, refresh or logout token, or another `token_use`.
        TokenUse = "token_use", "the token is not an access token";
        /// A required claim or header value differs.
        RequiredValue = "required_value", "a claim or header value that the issuer's rules require differs";
        /// `cnf` binds the token to a key, and the request proves no possession of it.
        Binding = "binding", "the token is bound to a key that the request does not prove";
        /// The token was sent under the scheme `DPoP`, whose proofs are not checked here (RFC 9449
        /// section 7.1). It was not judged any further.
        Scheme = "scheme", "the token was sent under the scheme `DPoP`, whose proofs are not checked here";
        /// The issuer was asked and does not call the token good.
        Inactive = "inactive", "the issuer says that the token is not active";
        /// The payload does not fit the application's own claims type.
        CustomClaims = "custom_claims", "the claims do not fit the application's type";
        /// The token, its session, subject, client or issuer was revoked; see
        /// [`Revocation`](crate::revocation::Revocation).
        Revoked = "revoked", "the token was revoked";
        /// A check of the application's own found the token no good.
        Objection = "objection", "the application's own check objects to the token";
    }
}

faults! {
    /// Why we could not judge a token. Never the caller's fault.
    Outage {
        /// The issuer's keys or the revocations come from elsewhere, and
        /// [`connect`](crate::ResourceServer::connect) was never called, so nothing loads them.
        NotConnected = "not_connected", "`connect()` was never called, so nothing is loaded";
        /// The issuer's keys were never loaded, or were dropped.
        KeysNotLoaded = "keys_not_loaded", "the issuer's keys are not loaded";
        /// The last good key set is older than the maximum staleness.
        KeysTooStale = "keys_too_stale", "the issuer's keys are too old to be trusted";
        /// The key is unknown, and the issuer may not be asked again yet.
        KeyUnconfirmed = "key_unconfirmed", "the key is unknown and the issuer could not be asked";
        /// The key is unknown, and the issuer's key set has entries that were not read; see
        /// [`Issuer::most_keys`](crate::Issuer::most_keys).
        KeysNotRead = "keys_not_read", "the issuer's key set has more entries than are read";
        /// The wall clock shows a time before this library was made, so that it is not set; see
        /// [`ResourceServerBuilder::earliest_time`](crate::ResourceServerBuilder::earliest_time).
        ClockUnset = "clock_unset", "the clock is not set: it shows a time in the past";
        /// What has been revoked is not known yet; see
        /// [`ResourceServerBuilder::load_revocations`](crate::ResourceServerBuilder::load_revocations).
        RevocationsNotLoaded = "revocations_not_loaded", "what has been revoked is not loaded yet";
        /// The application's directory of workspaces or users failed.
        DirectoryFailed = "directory_failed", "the application's directory failed";
        /// The application's directory did not answer in time.
        DirectoryTimedOut = "directory_timed_out", "the application's directory did not answer in time";
        /// Too many requests wait for the issuer already.
        TooManyWaiting = "too_many_waiting", "too many requests wait for the issuer";
        /// The issuer was asked about the token and gave no answer that counts.
        IntrospectionFailed = "introspection_failed", "the issuer could not be asked about the token";
        /// The issuer did not answer while the request could wait.
        IntrospectionTimedOut = "introspection_timed_out", "the issuer did not answer in time about the token";
        /// The issuer refuses our own credentials.
        IntrospectionRefusedUs = "introspection_refused_us", "the issuer refuses our credentials";
        /// The issuer asks us to come back later.
        IntrospectionBusy = "introspection_busy", "the issuer is asked too often";
        /// The issuer was asked about the user and gave no answer that counts.
        UserInfoFailed = "user_info_failed", "the issuer told nothing of the user that counts";
        /// The issuer did not answer while the request could wait.
        UserInfoTimedOut = "user_info_timed_out", "the issuer did not answer in time about the user";
        /// The issuer asks us to come back later.
        UserInfoBusy = "user_info_busy", "the issuer is asked too often about users";
    }
}

faults! {
    /// What is wrong with the application's wiring. Answered 500; fix the code.
    WiringFault {
        /// A setting of the layer was given twice with different values, or has a value that it
        /// cannot have; the [detail](Rejection::detail) names it.
        LayerSetting = "layer_setting", "a setting of the layer was given twice with different values, or has a value that it cannot have";
        /// The tenant rules know API contexts and the layer names none.
        NoContext = "no_context", "the layer names no api context; add `.context(\"...\")` to it";
        /// The layer names a context that no issuer's tenant rules know.
        UnknownContext = "unknown_context", "the layer names an api context that no tenant rules know";
        /// The route does not have the parameter that holds the workspace: `workspace_id`, or the name that
        /// [`workspace_parameter`](crate::ResourceServerBuilder::workspace_parameter) sets.
        NoWorkspaceParameter = "no_workspace_parameter", "the route does not have the parameter that holds the workspace";
        /// The route does not have the parameter that holds the account: `account_id`, or the name that
        /// [`account_parameter`](crate::ResourceServerBuilder::account_parameter) sets.
        NoAccountParameter = "no_account_parameter", "the route does not have the parameter that holds the account";
        /// A handler asks for an account on a route that addresses a workspace.
        WorkspaceParameter = "workspace_parameter", "a handler asks for `AccountAccess` on a route that addresses a workspace; `WorkspaceAccess` compares both";
        /// The layer admits principals, and nobody can say who owns a workspace.
        NoWorkspaceDirectory = "no_workspace_directory", "the layer admits principals and the server has no workspace directory; give `workspace_directory(..)` to the builder";
        /// A handler asks for a delegation, and nobody can say who is a user of a workspace.
        NoUserDirectory = "no_user_directory", "a handler asks for a delegation and the server has no user directory; give `user_directory(..)` to the builder, or ask for an unchecked one";
        /// A handler asks for a delegation, which no issuer's tenant rules switch on.
        NoDelegation = "no_delegation", "a handler asks for a delegation, which no tenant rules switch on; add `delegation()` to them";
        /// A handler asks for userinfo, which no issuer tells.
        NoUserInfo = "no_user_info", "a handler asks for `UserInfo` and no issuer tells it; add `userinfo(..)` or `discover_userinfo()` to an issuer";
        /// A handler asks for userinfo, and the token is no longer on the request.
        TokenRemoved = "token_removed", "a handler asks for `UserInfo` and something behind the layer has taken the token from the request";
        /// The parameter of the workspace or of the account occurs twice with different values.
        RepeatedParameter = "repeated_parameter", "a tenant parameter occurs twice in the route with different values";
    }
}
