//! The README's quick start with a mock provider: an API that serves, and a good token for `curl`.
//!
//! ```sh
//! cargo run --example quick_start             # serves until Ctrl-C
//! cargo run --example quick_start -- --once   # calls itself with and without a token, and ends
//! ```

use axum::{Router, routing::get};
use portcullis::test_util::MockIssuer;
use portcullis::{AccessToken, ResourceServer};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    tracing_subscriber::fmt().init();
    let provider = MockIssuer::new().serve().await;
    let issuer = provider.trusted(); // in production: `Issuer::oidc("https://id.example.com")`
    let server = ResourceServer::builder(MockIssuer::AUDIENCE)
        .issuer(issuer)
        .build()?
        .connect()
        .await?;
    let hello = async |token: AccessToken| format!("hello, {:?}\n", token.subject());
    let app = Router::new()
        .route("/", get(hello))
        .route_layer(server.authenticate());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    tracing::info!("listening on {url}");

    let serving = tokio::spawn(axum::serve(listener, app).into_future());
    let good = provider.token().sign();
    let other_api = provider
        .token()
        .audience("https://other.example.com")
        .sign();
    if std::env::args().any(|argument| argument == "--once") {
        let client = reqwest::Client::new();
        for (token, expected) in [(None, 401), (Some(&other_api), 401), (Some(&good), 200)] {
            let mut request = client.get(&url);
            if let Some(token) = token {
                request = request.bearer_auth(token);
            }
            assert_eq!(request.send().await?.status(), expected);
        }
        return Ok(());
    }
    // Tokens do not belong on a terminal; these guard nothing, and end with this process.
    println!("\nNo token, 401:\n\ncurl -i {url}");
    println!("\nA good token, 200:\n\ncurl -i {url} -H 'Authorization: Bearer {good}'");
    println!(
        "\nA token for another API, 401:\n\ncurl -i {url} -H 'Authorization: Bearer {other_api}'\n"
    );
    Ok(serving.await??)
}
