//! The authorization code grant with PKCE (RFC 6749 section 4.1.3, RFC 7636).
//!
//! 1. A code is good once, for its client, its redirect URI and its code verifier.
//! 2. A second use of a code ends the tokens of the first (RFC 6749 section 4.1.2).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::issued::{begin_grant, check_client};
use super::token_request::TokenRequest;
use crate::test_util::authorization_server::issue::{
    TokenResponse, resources_within, tokens_of_grant,
};
use crate::test_util::authorization_server::request::{AuthenticatedClient, Form, OAuthError};
use crate::test_util::authorization_server::state::{Code, Confirmation, Server};
use crate::test_util::keys::sha256;
use crate::time::UnixTime;

pub(super) fn exchange(
    server: &Server,
    client: &AuthenticatedClient,
    request: &TokenRequest<'_>,
) -> Result<TokenResponse, OAuthError> {
    let digest = sha256(request.form.required("code")?.as_bytes());
    let now = server.now();
    let mut state = server.state();
    let unknown =
        || OAuthError::invalid_grant("the code is unknown or expired, or was used before");
    let code = state.codes.get_mut(&digest, now).ok_or_else(unknown)?;
    check_client("code", &code.client, client)?;
    if let Some(grant) = code.used_for {
        drop(state);
        // RFC 6749 s4.1.2: the second use may be an attacker's, or the first was.
        server.end_grants(&[grant]);
        return Err(unknown());
    }
    check(code, request.form, request.confirmation.as_ref(), now)?;
    let granted = code.grant.as_ref().ok_or_else(unknown)?;
    let resources = resources_within(granted, request.form.all("resource"))?;
    let nonce = code.nonce.take();
    let grant = code.grant.take().ok_or_else(unknown)?;
    let id = begin_grant(server, &mut state, client, request, *grant, now);
    state.use_code(&digest, id, now);
    let grant = state.grants.get(&id, now).ok_or_else(unknown)?;
    let within = (&*grant.scope, &*resources);
    let confirmation = request.confirmation.as_ref();
    Ok(tokens_of_grant(
        server,
        id,
        grant,
        within,
        nonce.as_deref(),
        confirmation,
    ))
}

/// Whether the request fits the authorization request.
fn check(
    code: &Code,
    form: &Form,
    confirmation: Option<&Confirmation>,
    now: UnixTime,
) -> Result<(), OAuthError> {
    if now >= code.expires_at {
        return Err(OAuthError::invalid_grant("the code has expired"));
    }
    // RFC 6749 s4.1.3: required, and the same, where the authorization request has it.
    let redirect_uri = form.get("redirect_uri");
    let fits = match redirect_uri {
        Some(sent) => *sent == *code.redirect_uri,
        None => !code.names_redirect_uri,
    };
    if !fits {
        return Err(OAuthError::invalid_grant(
            "`redirect_uri` is not that of the authorization request",
        ));
    }
    // RFC 7636 s4.1, s4.6.
    let verifier = form.required("code_verifier")?;
    let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    if !(43..=128).contains(&verifier.len()) || !verifier.bytes().all(unreserved) {
        return Err(OAuthError::invalid_grant(
            "`code_verifier` is not 43 to 128 unreserved characters",
        ));
    }
    if URL_SAFE_NO_PAD.encode(sha256(verifier.as_bytes())) != *code.challenge {
        return Err(OAuthError::invalid_grant(
            "`code_verifier` does not fit the code challenge",
        ));
    }
    // RFC 9449 s10: the key that the authorization request named.
    let fits = code.dpop_jkt.as_ref().is_none_or(
        |jkt| matches!(confirmation, Some(Confirmation::DpopKey(proved)) if proved == jkt),
    );
    if !fits {
        return Err(OAuthError::new(
            "invalid_dpop_proof",
            "the proof is not by the key of `dpop_jkt`",
        ));
    }
    Ok(())
}
