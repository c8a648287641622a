//! The client credentials grant (RFC 6749 section 4.4).

use super::token_request::TokenRequest;
use crate::test_util::authorization_server::issue::{
    Issuance, TokenResponse, access_token, granted_resources, granted_scope, may_reach,
};
use crate::test_util::authorization_server::request::{AuthenticatedClient, OAuthError};
use crate::test_util::authorization_server::state::Server;

pub(super) fn exchange(
    server: &Server,
    client: &AuthenticatedClient,
    request: &TokenRequest<'_>,
) -> Result<TokenResponse, OAuthError> {
    // RFC 6749 s4.4: for confidential clients alone.
    if client.is_public() {
        return Err(OAuthError::new(
            "unauthorized_client",
            "a public client has no credentials",
        ));
    }
    let scope = granted_scope(client, request.form.get("scope"))?;
    let asked = request.form.all("resource");
    let resources = granted_resources(|resource| may_reach(client, resource), asked)?;
    // RFC 6749 s4.4.3: without a refresh token.
    let issuance = Issuance {
        client,
        user: None,
        grant: None,
        session: None,
        authentication: None,
        scope: &scope,
        resources: &resources,
        confirmation: request.confirmation.as_ref(),
        actor: None,
    };
    Ok(access_token(server, &issuance))
}
