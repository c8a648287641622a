//! The revocation endpoint (RFC 7009).
//!
//! 1. A client revokes its own tokens. A refresh token ends with its grant, an access token alone.
//! 2. To revoke an unknown token is no error (section 2.2).

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;

use crate::test_util::authorization_server::request::client_authentication::authenticate;
use crate::test_util::authorization_server::request::{Form, OAuthError};
use crate::test_util::authorization_server::state::{RefreshTokenId, Server};

pub(super) async fn revoke(State(server): State<Arc<Server>>, request: Request) -> Response {
    match answer(&server, request).await {
        Ok(()) => StatusCode::OK.into_response(),
        Err(error) => error.into_response(),
    }
}

async fn answer(server: &Server, request: Request) -> Result<(), OAuthError> {
    let (head, body) = request.into_parts();
    let form = Form::of_body(&head.headers, body).await?;
    let client = authenticate(server, &head, &form).await?;
    let token = form.required("token")?;
    // RFC 7009 s2.1: the hint may be wrong, so it is not needed.
    let now = server.now();
    if let Some(refresh) = RefreshTokenId::read(token, &server.secret) {
        let owner = {
            let state = server.state();
            let grant = state.grants.get(&refresh.grant, now);
            grant.map(|grant| grant.client.id == client.id)
        };
        return match owner {
            None => Ok(()),
            Some(false) => Err(foreign()),
            Some(true) => {
                server.end_grants(&[refresh.grant]);
                Ok(())
            }
        };
    }
    let owned = server
        .issuer
        .registered(|register, now| register.owned(token, now));
    if owned.is_some_and(|(owner, _)| *owner.client != *client.id) {
        return Err(foreign());
    }
    server.issuer.revoke(token);
    Ok(())
}

/// RFC 7009 s2.1.
fn foreign() -> OAuthError {
    OAuthError::invalid_grant("the token was issued to another client")
}
