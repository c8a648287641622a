//! The refresh token grant, with rotation (RFC 6749 section 6, RFC 9700 section 4.14.2).
//!
//! 1. Each refresh replaces the refresh token. The use of an old one ends its grant, with all of its tokens.
//! 2. A refresh may ask for less than was granted, never for more.

use super::token_request::TokenRequest;
use crate::test_util::authorization_server::issue::{
    TokenResponse, granted_resources, has_scope, tokens_of_grant,
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
    let asked = granted_resources(
        |resource| grant.resources.iter().any(|one| one == resource),
        request.form.all("resource"),
    )?;
    grant.generation = grant.generation.saturating_add(1);
    let resources = if asked.is_empty() {
        grant.resources.clone()
    } else {
        asked
    };
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
    let wider = asked
        .split(' ')
        .any(|scope| !scope.is_empty() && !has_scope(&grant.scope, scope));
    if wider {
        return Err(OAuthError::invalid_scope(
            "the scope is wider than the grant's",
        ));
    }
    Ok(asked.to_owned())
}
