//! The key that a client proves to have: the binding of its tokens.

use http::request::Parts;

use super::client_authentication::AuthenticatedClient;
use super::oauth_error::OAuthError;
use crate::test_util::authorization_server::state::{Confirmation, Server};

/// What the tokens of this request are bound to; absent for bearer tokens.
#[allow(clippy::unnecessary_wraps)] // A proof may be wrong.
pub(in crate::test_util) fn confirmation(
    _server: &Server,
    _client: &AuthenticatedClient,
    _head: &Parts,
) -> Result<Option<Confirmation>, OAuthError> {
    Ok(None)
}
