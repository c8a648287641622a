//! An API whose OpenAPI document comes from its guards, with Swagger UI and a login.
//!
//! ```sh
//! cargo run --manifest-path examples/openapi/Cargo.toml
//! ```
//!
//! Open <http://127.0.0.1:3000/docs/>, press "Authorize", choose scopes of `oauth2 (authorization code)`
//! and sign in; then try the operations. `-- --once` signs in by itself, checks the API against its
//! document, and ends.

mod api;
mod authorization_server;
mod login;

use std::error::Error;

use axum::Router;
use portcullis::test_util::{MockIssuer, OpenApiCheck};
use portcullis::{Resource, ResourceServer};
use tokio::net::TcpListener;
use utoipa::Modify as _;
use utoipa::openapi::OpenApi;
use utoipa_swagger_ui::{Config, SwaggerUi, oauth};

use authorization_server::AuthorizationServer;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let is_once = std::env::args().any(|argument| argument == "--once");
    // A login needs an address that is known beforehand; a run by itself takes any port.
    let listener = TcpListener::bind(("127.0.0.1", if is_once { 0 } else { 3000 })).await?;
    let origin = format!("http://{}", listener.local_addr()?);

    let issuer = MockIssuer::rfc9068(&origin);
    let server = ResourceServer::builder(
        Resource::new(&origin)
            .name("Orders")
            .scopes::<api::ReadOrders>()
            .scopes::<api::EditOrders>(),
    )
    .issuer(issuer.trusted())
    .build()?;
    let (app, document) = app(&server, &origin)?;
    let whole = app
        .clone()
        .merge(AuthorizationServer::new(issuer.clone(), &origin).router())
        .merge(swagger_ui(document.clone(), &origin));

    if !is_once {
        println!("Swagger UI: {origin}/docs/");
        axum::serve(listener, whole).await?;
        return Ok(());
    }
    tokio::spawn(async move { axum::serve(listener, whole).await });
    login::run(&origin).await?;
    let token = issuer.token().audience(&origin);
    let called = OpenApiCheck::new(&document)
        .good_token(token.clone().scope("orders:read orders:write").sign())
        .token_without_scope(token.sign())
        .run(app)
        .await?;
    println!("{called} operations answer as documented");
    Ok(())
}

/// The API behind its layer, its metadata, and the document with the server's security schemes.
fn app(server: &ResourceServer, origin: &str) -> Result<(Router, OpenApi), Box<dyn Error>> {
    let (router, mut document) = api::router(server).split_for_parts();
    let app = router.merge(server.metadata());
    // Another server's endpoints are read from its metadata: `schemes.discover().await`.
    let schemes = server
        .security_schemes()
        .endpoints(
            origin,
            format!("{origin}/authorize"),
            format!("{origin}/token"),
        )?
        .describe_scope("orders:read", "Read orders")
        .describe_scope("orders:write", "Make and cancel orders");
    schemes.modify(&mut document);
    Ok((app, document))
}

fn swagger_ui(document: OpenApi, origin: &str) -> SwaggerUi {
    let redirect = format!("{origin}/docs/oauth2-redirect.html");
    let config = Config::new(["/openapi.json"]).oauth2_redirect_url(redirect);
    let client = oauth::Config::new()
        .client_id(authorization_server::CLIENT)
        .scopes(vec!["orders:read".to_owned()])
        .use_pkce_with_authorization_code_grant(true);
    SwaggerUi::new("/docs")
        .url("/openapi.json", document)
        .config(config)
        .oauth(client)
}
