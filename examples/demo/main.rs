//! Admitted and refused requests: authorization servers and a resource server on loopback.
//!
//! ```sh
//! cargo run --example demo                # the table, then a page to look at, and routes for your curl
//! cargo run --example demo -- --port 9000 # the same, on this port
//! cargo run --example demo -- --once      # the table alone; fails if an answer is not as expected
//! ```
//!
//! 1. All servers speak real HTTP on free ports of 127.0.0.1; nothing else is contacted.
//! 2. The authorization servers are mocks: an Amazon Cognito user pool with AWorld's claims, and a
//!    gateway that issues opaque tokens for the same callers and says what they are (RFC 7662).
//! 3. A token that is bound to its client's key is stolen, and a proof is replayed.
//! 4. A revocation ends streams that are open: server-sent events and a WebSocket.
//! 5. The identity provider says that a session was revoked (CAEP): one instance is pushed the event, another
//!    fetches it, and both refuse the session's tokens.
//! 6. An agent acts for a user: routes for any agent, for one, and for none.
//! 7. While callers keep asking, its keys rotate: a key never seen before is found at its first
//!    token, and a retired one ends.
//!
//! `api.rs` is what an application would write. `page/` is the page. The other files play its callers.

mod agents;
mod api;
mod bound;
mod callers;
mod client;
mod directory;
mod events;
mod page;
mod revocation;
mod rotation;
mod streams;
mod table;

use std::error::Error;
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;

use portcullis::binding::Dpop;
use portcullis::test_util::{Endpoint, MockIssuer};
use portcullis::{Algorithm, Issuer, ResourceServer, TenantClaims};
use tokio::net::TcpListener;

use callers::{PORTAL, READ, READ_OTHER};
use directory::{Users, Workspaces};
use page::{Demo, Records};
use table::Table;

type Fault = Box<dyn Error + Send + Sync>;

#[tokio::main]
async fn main() -> Result<ExitCode, Fault> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (once, port) = match &arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => (false, 0),
        ["--once"] => (true, 0),
        ["--port", port] => (false, port.parse()?),
        _ => {
            let usage = "usage: cargo run --example demo [-- --once | --port N]";
            writeln!(io::stderr(), "{usage}")?;
            return Ok(ExitCode::from(2));
        }
    };

    // The authorization server. In production it is another system.
    let pool = MockIssuer::cognito("eu-west-1", "eu-west-1_AbCdEf");
    let authorization = Arc::new(page::authorization_server(pool.clone()).serve().await?);
    // The same issuer where it sends security events.
    let signals = pool.serve().await;
    // Another one, whose tokens only it can read: it is asked about each of them.
    let gateway = MockIssuer::named("https://gateway.example.com")
        .with_algorithms([Algorithm::ES256])
        .serve()
        .await;
    let gateway = Arc::new(gateway);

    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    let address = listener.local_addr()?;
    let origin = format!("http://{address}");

    // What was decided about each request, for the page.
    let records = Records::default();

    // The resource server. In production, in place of `authorization.trusted()`:
    // `Issuer::cognito("eu-west-1", "eu-west-1_AbCdEf").client_id("...").client_id("...")`.
    let trusted: Issuer = authorization.trusted();
    let server = ResourceServer::builder("https://api.example.com")
        .issuer(
            trusted.tenant_claims(
                TenantClaims::aworld()
                    .portal_client(MockIssuer::PORTAL_CLIENT_ID)
                    .principals_reach(["acme"])
                    .delegation(),
            ),
        )
        // In production: `Issuer::introspected("https://...").client_authentication(...)`.
        .issuer(gateway.introspected().tenant_claims(TenantClaims::aworld()))
        // Where clients reach it, for the proofs of bound tokens. In production: `https://...`.
        .public_origin(&*origin)
        .dpop(Dpop::accepted())
        // Security events of the identity provider. In production its name and a secret of yours.
        .ssf_transmitter(pool.transmitter().push_authorization(events::SECRET))
        .workspace_directory(Workspaces)
        .user_directory(Users)
        .decision_records(records.settings())
        .build()?
        .connect()
        .await?;
    let ledger = bound::server(authorization.trusted(), &origin, records.settings()).await?;
    let routes = api::routes(&server).merge(bound::routes(&ledger));
    let routes = routes.merge(events::routes(&server)?);
    let routes = routes.merge(page::routes(Demo {
        server: server.clone(),
        ledger,
        pool: Arc::clone(&authorization),
        gateway: Arc::clone(&gateway),
        address,
        records,
    })?);
    let serving = tokio::spawn(axum::serve(listener, routes).into_future());

    writeln!(
        io::stdout(),
        "authorization server  {}\ngateway               {}\nresource server       http://{address}\n",
        authorization.url_of(Endpoint::KeySet),
        gateway.url_of(Endpoint::Introspection),
    )?;
    let mut table = Table::start(address)?;
    for call in callers::all(&pool) {
        table.ask(&call).await?;
    }
    table::title("tokens that only their issuer can read")?;
    for call in callers::opaque(&gateway) {
        table.ask(&call).await?;
    }
    table::title(
        "tokens that are bound to their client's key (DPoP), and a thief who reads requests",
    )?;
    bound::show(&mut table, &pool, &origin).await?;
    table::title("tokens are revoked here")?;
    revocation::show(&mut table, &pool, &gateway, &server).await?;
    table::title("streams are open while a session is revoked")?;
    streams::show(&mut table, &pool, &server).await?;
    table::title("the identity provider says that a session was revoked (CAEP)")?;
    events::show(&mut table, &pool, &signals).await?;
    table::title("an agent acts for a user")?;
    agents::show(&mut table, &pool).await?;
    table::title("keys rotate, and callers keep asking")?;
    rotation::show(&mut table, &pool, &server).await?;
    let unexpected = table.end()?;

    if !once {
        print_curl_lines(address, &pool)?;
        tokio::select! {
            ended = serving => ended??,
            interrupted = tokio::signal::ctrl_c() => interrupted?,
        }
    }
    Ok(if unexpected == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Tokens do not belong on a terminal; these guard nothing, and end with this process.
fn print_curl_lines(address: SocketAddr, pool: &MockIssuer) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(
        out,
        "\nStill serving. A page to look at, for this machine alone:\n\npage  http://{address}/\n\nOr try these; \
         their tokens are good for an hour. Ctrl-C ends it.",
    )?;
    let user = pool.aworld_user().sign();
    let principal = pool.aworld_principal().sign();
    let client = pool.aworld_client().sign();
    let id_token = pool.id_token().sign();
    for (who, line, token) in [
        ("a user reads the missions of its workspace", READ, &user),
        ("the same user in another workspace", READ_OTHER, &user),
        ("a principal on the portal", PORTAL, &principal),
        ("a client in its workspace", READ, &client),
        ("an ID token", READ, &id_token),
    ] {
        let (method, path) = client::split(line);
        writeln!(
            out,
            "\n{who}:\n\ncurl -i -X {method} http://{address}{path} -H 'Authorization: Bearer {token}'",
        )?;
    }
    writeln!(out, "\nno token, and the readiness probe:\n")?;
    writeln!(out, "curl -i http://{address}{}", client::split(READ).1)?;
    writeln!(out, "curl -i http://{address}/ready")
}
