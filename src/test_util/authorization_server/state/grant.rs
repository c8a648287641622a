//! What the server remembers: sessions, authorization codes and grants.

use std::sync::Arc;

use crate::test_util::authorization_server::accounts::{TestClient, TestUser};
use crate::time::UnixTime;

/// The sign-in of a user in one browser.
pub(in crate::test_util) struct Session {
    pub(in crate::test_util) user: Arc<TestUser>,
    pub(in crate::test_util) authentication: Authentication,
    /// The clients that the user signed in to, for a logout.
    pub(in crate::test_util) clients: Vec<Arc<TestClient>>,
}

/// When and how a user authenticated.
#[derive(Clone)]
pub(in crate::test_util) struct Authentication {
    pub(in crate::test_util) time: UnixTime,
    /// The class that a client asked for (`acr`).
    pub(in crate::test_util) acr: Option<Box<str>>,
}

/// An authorization code; the key is its digest.
pub(in crate::test_util) struct Code {
    pub(in crate::test_util) expires_at: UnixTime,
    pub(in crate::test_util) redirect_uri: Box<str>,
    /// Whether the authorization request named the redirect URI.
    pub(in crate::test_util) names_redirect_uri: bool,
    /// S256 (RFC 7636 section 4.2).
    pub(in crate::test_util) challenge: Box<str>,
    pub(in crate::test_util) nonce: Option<Box<str>>,
    /// The thumbprint of `dpop_jkt` (RFC 9449 section 10).
    pub(in crate::test_util) dpop_jkt: Option<Box<str>>,
    /// The grant; it is absent from the map of grants until the code has been used.
    pub(in crate::test_util) grant: Option<Box<Grant>>,
    /// The id of the grant, once the code has been used.
    pub(in crate::test_util) used_for: Option<u64>,
    pub(in crate::test_util) client: Arc<TestClient>,
}

/// What a user let a client do: the family of its refresh tokens and access tokens.
pub(in crate::test_util) struct Grant {
    pub(in crate::test_util) client: Arc<TestClient>,
    pub(in crate::test_util) user: Arc<TestUser>,
    /// The id of the session, `sid`; absent where there was no browser.
    pub(in crate::test_util) session: Option<Arc<str>>,
    pub(in crate::test_util) authentication: Authentication,
    /// Scope tokens with blanks between.
    pub(in crate::test_util) scope: Box<str>,
    /// The resources that were named (RFC 8707).
    pub(in crate::test_util) resources: Box<[String]>,
    /// What the refresh tokens of a public client are bound to (RFC 9449 section 5).
    pub(in crate::test_util) confirmation: Option<Confirmation>,
    /// The number of the refresh token that is good; it counts the refreshes.
    pub(in crate::test_util) generation: u32,
    pub(in crate::test_util) refresh_expires_at: UnixTime,
}

impl Grant {
    /// Whether its refresh token of this number is good.
    pub(in crate::test_util) fn is_refreshed_by(&self, generation: u32, now: UnixTime) -> bool {
        generation == self.generation && now < self.refresh_expires_at
    }
}

/// The key that a token is bound to: the member of `cnf`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::test_util) enum Confirmation {
    /// `jkt`: a DPoP key (RFC 9449 section 6.1).
    DpopKey(Box<str>),
    /// `x5t#S256`: a certificate (RFC 8705 section 3.1).
    Certificate(Box<str>),
}
