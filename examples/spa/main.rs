//! A single-page application, its API and an authorization server: a front end's whole set-up.
//!
//! ```sh
//! cargo run --example spa             # all three, for your browser
//! cargo run --example spa -- --dpop   # with tokens that are bound to a key of the browser
//! cargo run --example spa -- --once   # plays the browser by HTTP, and fails on an unexpected answer
//! ```
//!
//! 1. Three origins, as in production: the page, the API, and the authorization server, which is the
//!    development server of `test_util`. Sign in as any user of its login page.
//! 2. `oauth.js` is the client: authorization code with PKCE, refresh with rotation, step-up, logout. It
//!    has no dependency and no build step; `dpop.js` makes proofs, `app.js` is the page.
//! 3. `api.rs` is the API: the layer, guards, and CORS outside of it.
//! 4. A logout ends the session of the authorization server, which tells the API (back-channel logout), so
//!    that access tokens end with it.
//! 5. Access tokens live for a minute, so that a refresh is seen.
//! 6. `once.rs` does what the user does, with a clock that it moves; `browser.rs` does what the scripts do.

mod api;
mod browser;
mod front_end;
mod once;

use std::error::Error;
use std::time::Duration;

use portcullis::test_util::{
    AuthorizationServer, ManualClock, MockIssuer, ServedAuthorizationServer, TestClient, TestUser,
};
use portcullis::{Algorithm, ResourceServer};
use tokio::net::TcpListener;

type Fault = Box<dyn Error + Send + Sync>;

/// The id of the application at the authorization server.
const CLIENT_ID: &str = "spa";

/// What runs, and where.
struct SetUp {
    authorization: ServedAuthorizationServer,
    front_end: String,
    api: String,
}

#[tokio::main]
async fn main() -> Result<(), Fault> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => serve(false).await,
        ["--dpop"] => serve(true).await,
        ["--once"] => {
            for dpop in [false, true] {
                let clock = ManualClock::new();
                once::run(&start([0; 3], dpop, Some(&clock)).await?, dpop, &clock).await?;
            }
            Ok(())
        }
        _ => Err("usage: cargo run --example spa [-- --dpop | --once]".into()),
    }
}

async fn serve(dpop: bool) -> Result<(), Fault> {
    let set_up = start([3000, 3001, 9400], dpop, None).await?;
    println!("authorization server  {}", set_up.authorization.url());
    println!("API                   {}", set_up.api);
    println!("open                  {}", set_up.front_end);
    Ok(tokio::signal::ctrl_c().await?)
}

/// Starts page, API and authorization server on these ports, 0 for free ones.
async fn start(
    [page, api, authorization]: [u16; 3],
    dpop: bool,
    clock: Option<&ManualClock>,
) -> Result<SetUp, Fault> {
    let page = TcpListener::bind(("127.0.0.1", page)).await?;
    let api = TcpListener::bind(("127.0.0.1", api)).await?;
    let front_end = format!("http://{}", page.local_addr()?);
    let api_url = format!("http://{}", api.local_addr()?);

    // In production another system.
    let mut issuer = MockIssuer::new().with_algorithms([Algorithm::ES256]);
    if let Some(clock) = clock {
        issuer = issuer.with_clock(clock.clone());
    }
    let mut client = TestClient::public(CLIENT_ID)
        .name("Orders")
        .redirect_uri(format!("{front_end}/"))
        .post_logout_redirect_uri(format!("{front_end}/"))
        .backchannel_logout_uri(format!("{api_url}/backchannel-logout"))
        .audiences([&api_url]);
    if dpop {
        client = client.require_dpop();
    }
    let authorization = AuthorizationServer::new(issuer)
        .user(TestUser::new("alice").name("Alice").kind("customer"))
        .client(client)
        .listen(format!("127.0.0.1:{authorization}"))
        .access_token_lifetime(Duration::from_secs(60))
        .serve()
        .await?;

    // In production `.issuer(Issuer::oidc("https://id.example.com"))`.
    let trusted = authorization.trusted().logout_client(CLIENT_ID);
    let mut server = ResourceServer::builder(&*api_url).issuer(trusted);
    server = api::accept_dpop(server, dpop);
    if let Some(clock) = clock {
        server = server.clock(clock.clone());
    }
    let server = server.build()?.connect().await?;

    let routes = api::routes(&server, &front_end)?;
    tokio::spawn(axum::serve(api, routes).into_future());
    let page_routes = front_end::routes(authorization.url(), &api_url, &front_end, dpop)?;
    tokio::spawn(axum::serve(page, page_routes).into_future());
    Ok(SetUp {
        authorization,
        front_end,
        api: api_url,
    })
}
