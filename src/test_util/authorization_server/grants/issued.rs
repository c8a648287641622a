//! What authorization codes and device codes have in common: they were issued to one client, and begin a grant.

use super::token_request::TokenRequest;
use crate::test_util::authorization_server::accounts::TestClient;
use crate::test_util::authorization_server::request::{AuthenticatedClient, OAuthError};
use crate::test_util::authorization_server::state::{Grant, Server, State};
use crate::time::UnixTime;

/// Compares the client of a request with the one that a code was issued to (RFC 6749 section 5.2).
pub(super) fn check_client(
    code: &'static str,
    issued_to: &TestClient,
    client: &AuthenticatedClient,
) -> Result<(), OAuthError> {
    if issued_to.id == client.id {
        return Ok(());
    }
    Err(OAuthError::invalid_grant(format!(
        "the {code} was issued to another client"
    )))
}

/// Begins the grant of a code that is redeemed. Its id.
pub(super) fn begin_grant(
    server: &Server,
    state: &mut State,
    client: &AuthenticatedClient,
    request: &TokenRequest<'_>,
    mut grant: Grant,
    now: UnixTime,
) -> u64 {
    // RFC 9449 s5: refresh tokens of public clients are bound to the key.
    if client.is_public() {
        grant.confirmation.clone_from(&request.confirmation);
    }
    grant.refresh_expires_at = now.saturating_add(server.settings.refresh_token_lifetime);
    state.begin_grant(grant, now)
}
