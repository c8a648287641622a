//! The settings of an introspected issuer.

use std::time::Duration;

use crate::runtime::introspection::client_auth::ClientAuthentication;
use crate::runtime::introspection::dialect::TokenInformation;
use crate::verify::claims::introspection_response::MOST_APART;

/// Where tokens are introspected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::server) enum IntrospectionTarget {
    /// At this endpoint.
    Endpoint(String),
    /// At the endpoint that this issuer's metadata names.
    Issuer(String),
    /// At this token information service.
    Service(String),
}

/// Whether JWTs are introspected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::server) enum IntrospectedJwts {
    Never,
    Also,
    /// Tokens of another form are refused.
    Only,
}

/// How tokens are introspected.
#[derive(Clone)]
pub(in crate::server) struct IntrospectionSettings {
    pub(in crate::server) identifier: Option<String>,
    pub(in crate::server) authentication: Option<ClientAuthentication>,
    pub(in crate::server) dialect: Option<TokenInformation>,
    pub(in crate::server) bad_token: Vec<u16>,
    pub(in crate::server) jwts: IntrospectedJwts,
    pub(in crate::server) needs_audience: bool,
    pub(in crate::server) clients_without_subject: bool,
    pub(in crate::server) signed: bool,
    pub(in crate::server) signed_for: Vec<String>,
    pub(in crate::server) signed_age: Duration,
    /// `None`: no response is cached.
    pub(in crate::server) life: Option<Duration>,
    pub(in crate::server) calls: usize,
    pub(in crate::server) wait_limit: Duration,
    /// The names of the settings that were called. An issuer whose tokens are verified here must
    /// have none of them.
    pub(in crate::server) set: Vec<&'static str>,
}

impl Default for IntrospectionSettings {
    fn default() -> Self {
        Self {
            identifier: None,
            authentication: None,
            dialect: None,
            bad_token: Vec::new(),
            jwts: IntrospectedJwts::Never,
            needs_audience: true,
            clients_without_subject: false,
            signed: false,
            signed_for: Vec::new(),
            signed_age: MOST_APART,
            life: Some(Duration::from_secs(60)),
            calls: 64,
            wait_limit: Duration::from_secs(2),
            set: Vec::new(),
        }
    }
}

/// Where the userinfo endpoint of an issuer is.
#[cfg(all(feature = "axum", feature = "jwks"))]
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::server) enum UserInfoLocation {
    At(String),
    /// At the URL in the issuer's metadata.
    Discovered,
}
