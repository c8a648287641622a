//! The refresh token grant, with rotation (RFC 6749 section 6, RFC 9700 section 4.14.2).
//!
//! 1. Each refresh replaces the refresh token. The use of an old one ends its grant, with all of its tokens.
//! 2. A refresh may ask for less than was granted, never for more.

use super::token_request::TokenRequest;
use crate::test_util::authorization_server::issue::{
    TokenResponse, has_scope, resources_within, tokens_of_grant,
};
use crate::test_util::authorization_server::request::{AuthenticatedClient, OAuthError};
use crate::test_util::authorization_server::state::{Grant, RefreshTokenId, Server};

pub(super) fn exchange(
    server: &Server,
    client: &AuthenticatedClient,
    request: &TokenRequest<'_>,
) -> Result<TokenResponse, OAuthError> {
    let unknown = || OAuthError::invalid_grant("the refresh token is unknown, expired or revoked");
    let text = request.form.required("refresh_token")?;
    let sent = RefreshTokenId::read(text, &server.secret).ok_or_else(unknown)?;
    let now = server.now();
    let mut state = server.state();
    let grant = state.grants.get_mut(&sent.grant, now).ok_or_else(unknown)?;
    if grant.client.id != client.id {
        return Err(OAuthError::invalid_grant(
            "the refresh token was issued to another client",
        ));
    }
    if now >= grant.refresh_expires_at {
        return Err(unknown());
    }
    if sent.generation != grant.generation {
        drop(state);
        // RFC 9700 s4.14.2: one of both users of the token is an attacker.
        server.end_grants(&[sent.grant]);
        return Err(OAuthError::invalid_grant(
            "the refresh token was used before; all tokens of its grant have ended",
        ));
    }
    // RFC 9449 s5: a refresh token of a public client is good with its key alone.
    if grant.confirmation.is_some() && grant.confirmation != request.confirmation {
        return Err(OAuthError::invalid_grant(
            "the refresh token is bound to another key",
        ));
    }
    let scope = narrowed_scope(grant, request.form.get("scope"))?;
    let resources = resources_within(grant, request.form.all("resource"))?;
    grant.generation = grant.generation.saturating_add(1);
    // The grant lives as long as the new access token.
    let end = now.saturating_add(server.settings.access_token_lifetime);
    let end = grant.refresh_expires_at.max(end);
    state.grants.extend(&sent.grant, end);
    let grant = state.grants.get(&sent.grant, now).ok_or_else(unknown)?;
    let within = (&*scope, &*resources);
    let confirmation = request.confirmation.as_ref();
    Ok(tokens_of_grant(
        server,
        sent.grant,
        grant,
        within,
        None,
        confirmation,
    ))
}

/// RFC 6749 s6: no scope that was not granted.
fn narrowed_scope(grant: &Grant, asked: Option<&str>) -> Result<String, OAuthError> {
    let Some(asked) = asked else {
        return Ok(grant.scope.to_string());
    };
    let mut narrowed: Vec<&str> = Vec::new();
    for scope in asked.split(' ').filter(|scope| !scope.is_empty()) {
        if !has_scope(&grant.scope, scope) {
            return Err(OAuthError::invalid_scope(
                "the scope is wider than the grant's",
            ));
        }
        if !narrowed.contains(&scope) {
            narrowed.push(scope);
        }
    }
    Ok(narrowed.join(" "))
}
