//! The settings of an issuer that is asked about its tokens.

use std::time::Duration;

use crate::source::client_authentication::ClientAuthentication;
use crate::source::token_information::TokenInformation;
use crate::verify::answer::MOST_APART;

/// Where the issuer is asked.
#[derive(Clone, Debug)]
pub(super) enum Asked {
    /// At this endpoint.
    Endpoint(String),
    /// At the endpoint that this issuer's metadata names.
    Issuer(String),
    /// At this token information service.
    Service(String),
}

/// Whether the issuer is asked about JWTs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AskedJwts {
    Never,
    Too,
    /// And about nothing else.
    Alone,
}

/// How the issuer is asked.
#[derive(Clone)]
pub(super) struct Asking {
    pub(super) identifier: Option<String>,
    pub(super) authentication: Option<ClientAuthentication>,
    pub(super) dialect: Option<TokenInformation>,
    pub(super) bad_token: Vec<u16>,
    pub(super) jwts: AskedJwts,
    pub(super) needs_audience: bool,
    pub(super) clients_without_subject: bool,
    pub(super) signed: bool,
    pub(super) signed_for: Vec<String>,
    pub(super) signed_age: Duration,
    /// `None`: nothing is remembered.
    pub(super) life: Option<Duration>,
    pub(super) calls: usize,
    pub(super) patience: Duration,
    /// The names of the settings that were made. An issuer whose tokens are verified here has
    /// none of them.
    pub(super) set: Vec<&'static str>,
}

impl Default for Asking {
    fn default() -> Self {
        Self {
            identifier: None,
            authentication: None,
            dialect: None,
            bad_token: Vec::new(),
            jwts: AskedJwts::Never,
            needs_audience: true,
            clients_without_subject: false,
            signed: false,
            signed_for: Vec::new(),
            signed_age: MOST_APART,
            life: Some(Duration::from_secs(60)),
            calls: 64,
            patience: Duration::from_secs(2),
            set: Vec::new(),
        }
    }
}

/// Where an issuer tells about its users.
#[cfg(all(feature = "axum", feature = "jwks"))]
#[derive(Clone, Debug)]
pub(super) enum Telling {
    At(String),
    /// Where its metadata says.
    Discovered,
}
