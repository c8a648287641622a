//! The settings of an issuer that is asked about its tokens.

use std::time::Duration;

use crate::runtime::introspection::client_auth::ClientAuthentication;
use crate::runtime::introspection::dialect::TokenInformation;
use crate::verify::claims::introspection_response::MOST_APART;

/// Where the issuer is asked.
#[derive(Clone, Debug)]
pub(in crate::server) enum IntrospectionTarget {
    /// At this endpoint.
    Endpoint(String),
    /// At the endpoint that this issuer's metadata names.
    Issuer(String),
    /// At this token information service.
    Service(String),
}

/// Whether the issuer is asked about JWTs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::server) enum IntrospectedJwts {
    Never,
    Also,
    /// And about nothing else.
    Only,
}

/// How the issuer is asked.
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
    /// `None`: nothing is remembered.
    pub(in crate::server) life: Option<Duration>,
    pub(in crate::server) calls: usize,
    pub(in crate::server) wait_limit: Duration,
    /// The names of the settings that were made. An issuer whose tokens are verified here has
    /// none of them.
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

/// Where an issuer tells about its users.
#[cfg(all(feature = "axum", feature = "jwks"))]
#[derive(Clone, Debug)]
pub(in crate::server) enum UserInfoLocation {
    At(String),
    /// Where its metadata says.
    Discovered,
}
