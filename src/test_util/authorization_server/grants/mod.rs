//! Grants: one file for each grant type of the token endpoint.
//!
//! 1. A client may use the grant types that it is registered for (RFC 6749 section 5.2, `unauthorized_client`).

// In the order in which they may name each other.
mod token_request;
mod issued;
mod authorization_code;
mod client_credentials;
mod refresh_token;
mod token_exchange;
mod device_code;

pub(super) use token_request::TokenRequest;

use super::accounts::client::{
    AUTHORIZATION_CODE, CLIENT_CREDENTIALS, DEVICE_CODE, REFRESH_TOKEN, TOKEN_EXCHANGE,
};
use super::issue::TokenResponse;
use super::request::{AuthenticatedClient, OAuthError};
use super::state::Server;

/// The grant types that the server knows, for its metadata.
pub(super) const SUPPORTED: &[&str] = &[
    AUTHORIZATION_CODE,
    CLIENT_CREDENTIALS,
    REFRESH_TOKEN,
    TOKEN_EXCHANGE,
    DEVICE_CODE,
];

/// Exchanges a grant for tokens.
pub(super) fn exchange(
    server: &Server,
    client: &AuthenticatedClient,
    request: &TokenRequest<'_>,
) -> Result<TokenResponse, OAuthError> {
    let grant_type = request.form.required("grant_type")?;
    if !SUPPORTED.contains(&grant_type) {
        return Err(OAuthError::new(
            "unsupported_grant_type",
            "the grant type is unknown",
        ));
    }
    if !client.may_use(grant_type) {
        return Err(OAuthError::new(
            "unauthorized_client",
            format!("the client may not use `{grant_type}`"),
        ));
    }
    match grant_type {
        AUTHORIZATION_CODE => authorization_code::exchange(server, client, request),
        CLIENT_CREDENTIALS => client_credentials::exchange(server, client, request),
        TOKEN_EXCHANGE => token_exchange::exchange(server, client, request),
        DEVICE_CODE => device_code::exchange(server, client, request),
        _ => refresh_token::exchange(server, client, request),
    }
}
