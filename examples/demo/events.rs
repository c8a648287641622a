//! An identity provider says that a session was revoked (Shared Signals, CAEP): one instance is pushed the
//! event, another fetches it.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use axum::Router;
use portcullis::ssf::EventType;
use portcullis::test_util::{Endpoint, MockIssuer, ServedIssuer};
use portcullis::{ResourceServer, TenantClaims};
use serde_json::json;
use tokio::net::TcpListener;

use crate::callers::READ;
use crate::table::Table;
use crate::{Fault, api, client};

/// The secret that the identity provider sends with its events.
pub(crate) const SECRET: &str = "Bearer a-secret-of-the-event-stream";

const PUSH: &str = "POST /ssf/events";

/// Longer than an event takes; a demo that hangs shows nothing.
const PATIENCE: Duration = Duration::from_secs(20);

/// The endpoint for pushed events, outside the layers: the identity provider has no access token.
pub(crate) fn routes(server: &ResourceServer) -> Result<Router, Fault> {
    Ok(Router::new().route_service("/ssf/events", server.ssf_push()?))
}

/// Another instance of the API, which fetches events.
async fn second_instance(pool: &ServedIssuer) -> Result<SocketAddr, Fault> {
    let server = ResourceServer::builder("https://api.example.com")
        .issuer(pool.trusted().tenant_claims(TenantClaims::aworld()))
        .ssf_transmitter(
            pool.transmitter()
                .poll(pool.url_of(Endpoint::SsfPoll))
                .poll_interval(Duration::from_secs(1)),
        )
        .build()?
        .connect()
        .await?;
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let address = listener.local_addr()?;
    tokio::spawn(axum::serve(listener, api::routes(&server)).into_future());
    Ok(address)
}

pub(crate) async fn show(
    table: &mut Table,
    pool: &MockIssuer,
    authorization: &ServedIssuer,
) -> Result<(), Fault> {
    let (first, second) = (table.address(), second_instance(authorization).await?);
    let ended = pool.aworld_user().claim("origin_jti", "kiosk").sign();
    let other = pool.aworld_user().claim("origin_jti", "tablet").sign();
    for (caller, address) in [
        ("user, first instance", first),
        ("user, second instance", second),
    ] {
        let answer = client::send(address, READ, std::slice::from_ref(&ended), &[]).await?;
        table.line(caller, READ, &answer.to_string(), "200")?;
    }
    let event = pool.security_event(&EventType::SESSION_REVOKED).claim(
        "sub_id",
        json!({ "format": "complex", "session": { "format": "opaque", "id": "kiosk" } }),
    );
    let event = event.sign();
    let fields = [
        ("content-type", "application/secevent+jwt".to_owned()),
        ("authorization", SECRET.to_owned()),
    ];
    let answer = client::send_body(first, PUSH, &fields, &event).await?;
    table.line("identity provider", PUSH, &answer.to_string(), "202")?;
    let answer = client::send_body(first, PUSH, &fields[..1], &event).await?;
    table.line("a stranger", PUSH, &answer.to_string(), "400")?;
    authorization.queue_security_event(event);
    let start = Instant::now();
    let mut answers = [String::new(), String::new()];
    while answers.iter().any(|answer| answer != "401 invalid_token") && start.elapsed() < PATIENCE {
        for (answer, address) in answers.iter_mut().zip([first, second]) {
            let got = client::send(address, READ, std::slice::from_ref(&ended), &[]).await?;
            *answer = got.to_string();
        }
    }
    let [pushed, fetched] = &answers;
    table.line("user, first instance", READ, pushed, "401 invalid_token")?;
    table.line("user, second instance", READ, fetched, "401 invalid_token")?;
    for (caller, address) in [
        ("other session, first", first),
        ("other session, second", second),
    ] {
        let answer = client::send(address, READ, std::slice::from_ref(&other), &[]).await?;
        table.line(caller, READ, &answer.to_string(), "200")?;
    }
    Ok(())
}
