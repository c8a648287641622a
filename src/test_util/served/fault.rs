//! The endpoints of a served issuer, and their ways to fail.

use std::collections::BTreeMap;
use std::time::Duration;

/// An endpoint of a [`ServedIssuer`](crate::test_util::ServedIssuer) or of a
/// [`ServedAuthorizationServer`](crate::test_util::ServedAuthorizationServer).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Endpoint {
    /// Metadata (OpenID Connect Discovery, RFC 8414).
    Discovery,
    /// The key set (RFC 7517 section 5).
    KeySet,
    /// Token introspection (RFC 7662), signed too (RFC 9701).
    Introspection,
    /// The token information service, in the dialect of Axway API Gateway.
    TokenInformation,
    /// Userinfo (OpenID Connect Core section 5.3).
    UserInfo,
    /// Token revocation (RFC 7009).
    Revocation,
    /// Authorization (RFC 6749 section 3.1); of an authorization server alone.
    Authorization,
    /// Tokens (RFC 6749 section 3.2); of an authorization server alone.
    Token,
    /// Device authorization (RFC 8628 section 3.1); of an authorization server alone.
    DeviceAuthorization,
    /// Dynamic client registration (RFC 7591 section 3); of an authorization server alone.
    Registration,
    /// Logout (OpenID Connect RP-Initiated Logout 1.0); of an authorization server alone.
    Logout,
    /// The configuration document of a transmitter of security events (SSF 1.0 section 7).
    SsfConfiguration,
    /// The poll endpoint for security events (RFC 8936).
    SsfPoll,
    /// Token Status Lists (draft-ietf-oauth-status-list-21), each at its name below `/statuslists/`.
    #[cfg(feature = "status-list")]
    StatusList,
}

impl Endpoint {
    /// The endpoints of an authorization server.
    pub(in crate::test_util) const OF_AUTHORIZATION_SERVER: &[Self] = &[
        Self::Discovery,
        Self::KeySet,
        Self::Introspection,
        Self::UserInfo,
        Self::Revocation,
        Self::Authorization,
        Self::Token,
        Self::DeviceAuthorization,
        Self::Registration,
        Self::Logout,
    ];

    /// The endpoints of a served issuer.
    const ALL: &[Self] = &[
        Self::Discovery,
        Self::KeySet,
        Self::Introspection,
        Self::TokenInformation,
        Self::UserInfo,
        Self::Revocation,
        Self::SsfConfiguration,
        Self::SsfPoll,
        #[cfg(feature = "status-list")]
        Self::StatusList,
    ];

    /// What a path leads to.
    pub(super) fn at(path: &str) -> Option<Self> {
        let metadata = path.ends_with("/.well-known/openid-configuration")
            || path.starts_with("/.well-known/oauth-authorization-server");
        // Cognito and Auth0, Keycloak, Entra, Okta.
        let key_set = [
            "/.well-known/jwks.json",
            "/protocol/openid-connect/certs",
            "/discovery/v2.0/keys",
            "/v1/keys",
        ]
        .iter()
        .any(|end| path.ends_with(end));
        #[cfg(feature = "status-list")]
        if path.starts_with(Self::StatusList.path()) {
            return Some(Self::StatusList);
        }
        match () {
            () if metadata => Some(Self::Discovery),
            () if key_set => Some(Self::KeySet),
            () => Self::ALL
                .iter()
                .copied()
                .find(|endpoint| endpoint.path() == path),
        }
    }

    /// Where it is.
    pub(in crate::test_util) const fn path(self) -> &'static str {
        match self {
            Self::Discovery => "/.well-known/openid-configuration",
            Self::KeySet => "/jwks.json",
            Self::Introspection => "/introspect",
            Self::TokenInformation => "/api/oauth/tokeninfo",
            Self::UserInfo => "/userinfo",
            Self::Revocation => "/revoke",
            Self::Authorization => "/authorize",
            Self::Token => "/token",
            Self::DeviceAuthorization => "/device_authorization",
            Self::Registration => "/register",
            Self::Logout => "/logout",
            Self::SsfConfiguration => "/.well-known/ssf-configuration",
            Self::SsfPoll => "/ssf/poll",
            #[cfg(feature = "status-list")]
            Self::StatusList => "/statuslists/",
        }
    }
}

/// A way to fail.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// The connection is closed without an answer.
    Refuse,
    /// No answer comes until the fault is lifted or replaced; then the request is answered as
    /// the issuer stands at that moment.
    Hang,
    /// This status code with an empty body. Codes outside 100 to 999 become 500.
    Status(u16),
    /// 429 with an empty body, and this time in `Retry-After`, in whole seconds.
    TooManyRequests(Duration),
    /// 200 with this body, said to be JSON.
    Body(Vec<u8>),
    /// 200 with this content type and body.
    BodyOfType(String, Vec<u8>),
    /// 200 with the right body, one byte at a time with this pause before each, in real time.
    SlowBody(Duration),
    /// 200 with the right length, and the connection is closed after half of the body.
    CutBody,
    /// A redirect (302) to this URL.
    Redirect(String),
}

/// What fails, and how.
#[derive(Clone, Default)]
pub(in crate::test_util) struct Faults(BTreeMap<Endpoint, Fault>);

impl Faults {
    pub(in crate::test_util) fn at(&self, endpoint: Endpoint) -> Option<&Fault> {
        self.0.get(&endpoint)
    }

    pub(in crate::test_util) fn set(&mut self, endpoint: Endpoint, fault: Fault) {
        self.0.insert(endpoint, fault);
    }

    pub(in crate::test_util) fn everywhere(fault: &Fault) -> Self {
        let all = Endpoint::ALL.iter();
        Self(all.map(|endpoint| (*endpoint, fault.clone())).collect())
    }
}
