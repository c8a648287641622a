//! The token endpoint (RFC 6749 section 3.2).

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};

use crate::test_util::authorization_server::grants::{self, TokenRequest};
use crate::test_util::authorization_server::issue::TokenResponse;
use crate::test_util::authorization_server::request::client_authentication::authenticate;
use crate::test_util::authorization_server::request::sender_constraint::confirmation;
use crate::test_util::authorization_server::request::{Form, OAuthError};
use crate::test_util::authorization_server::state::Server;

pub(super) async fn token(State(server): State<Arc<Server>>, request: Request) -> Response {
    let mut response = match answer(&server, request).await {
        Ok(response) => response.into_http(),
        Err(error) => error.into_response(),
    };
    server
        .proofs
        .add_nonce(response.headers_mut(), server.now());
    response
}

async fn answer(server: &Server, request: Request) -> Result<TokenResponse, OAuthError> {
    let (head, body) = request.into_parts();
    let form = Form::of_body(&head.headers, body).await?;
    let client = authenticate(server, &head, &form).await?;
    let confirmation = confirmation(server, &client, &head)?;
    let request = TokenRequest {
        form: &form,
        head: &head,
        confirmation,
    };
    grants::exchange(server, &client, &request)
}
