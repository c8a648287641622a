//! Server-sent events, a WebSocket and a long poll that end with their token.
//!
//! ```sh
//! cargo run --example streams
//! ```
//!
//! 1. A token is judged when its request begins. `end_streams()` ends the body of the response when
//!    the token expires or is revoked, and other streams go on.
//! 2. A WebSocket is no body: its handler gives it the lease. It is closed with the code 1008.
//! 3. A browser cannot set `Authorization` on a WebSocket. Its script sends the token as a
//!    subprotocol, and the answer selects another one. A cookie with allowed origins is the second
//!    way, see `browser.rs`.
//! 4. A client that stays longer than its token lives sends the next token as a message.
//! 5. A handler that has not answered yet waits for the end of the lease beside its work.
//!
//! The clock is moved by hand, so that no expiry takes real time. The program ends by itself, and
//! fails on an answer that is not the expected one.

use std::convert::Infallible;
use std::error::Error;
use std::future::{pending, poll_fn};
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::extract::ws::{Message, WebSocketUpgrade};
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse as _, Response};
use axum::{Router, routing::any, routing::get};
use futures_core::Stream;
use futures_sink::Sink as _;
use http::{Request, StatusCode};
use portcullis::lease::{Lease, LeaseEnd, LeasedWebSocket};
use portcullis::revocation::Revocation;
use portcullis::test_util::{ManualClock, MockIssuer, TokenBuilder};
use portcullis::{AccessToken, Algorithm, ResourceServer, Scoped, scopes};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::Message as Sent;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

type Fault = Box<dyn Error + Send + Sync>;
type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

const MINUTE: Duration = Duration::from_secs(60);

/// Longer than an end takes; a program that hangs shows nothing.
const PATIENCE: Duration = Duration::from_secs(20);

scopes! {
    /// Follow what happens.
    ReadFeed = "feed:read";
}

fn app(server: &ResourceServer) -> Router {
    let layer = server.authenticate().end_streams();
    Router::new()
        .route("/events", get(events))
        .route("/next", get(next))
        .route("/feed", any(feed))
        .route_layer(layer.danger().token_subprotocol("bearer"))
}

/// The layer ends the body; the handler knows nothing of it.
async fn events(token: Scoped<ReadFeed, AccessToken>) -> Sse<Events> {
    let subject = token.subject().map(ToString::to_string);
    let hello = Event::default().data(format!("hello, {}", subject.unwrap_or_default()));
    Sse::new(Events(Some(hello)))
}

/// Stands for the stream of an application: one event, and then a wait for the next.
struct Events(Option<Event>);

impl Stream for Events {
    type Item = Result<Event, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0
            .take()
            .map_or(Poll::Pending, |event| Poll::Ready(Some(Ok(event))))
    }
}

/// A long poll. No body exists yet that the layer could end.
async fn next(_: Scoped<ReadFeed, AccessToken>, mut lease: Lease) -> Response {
    let news = pending::<String>(); // what the handler waits for
    tokio::select! {
        news = news => news.into_response(),
        end = lease.ended() => match end {
            LeaseEnd::Unavailable => StatusCode::SERVICE_UNAVAILABLE.into_response(),
            end => (StatusCode::UNAUTHORIZED, end.to_string()).into_response(),
        },
    }
}

/// Selects the subprotocol of the application. The token is one of those offered, and is never selected.
async fn feed(
    _: Scoped<ReadFeed, AccessToken>,
    lease: Lease,
    upgrade: WebSocketUpgrade,
) -> Response {
    let upgrade = upgrade.protocols(["feed.v1", "bearer"]);
    upgrade.on_upgrade(move |socket| echo(lease.web_socket(socket)))
}

async fn echo(mut socket: LeasedWebSocket) {
    while let Some(Ok(message)) = socket.recv().await {
        let token = message.to_text().ok();
        let token = token.and_then(|text| text.strip_prefix("token:"));
        let answer = match token {
            None => message,
            Some(token) => match socket.lease().renew(token).await {
                // The scopes of the next token are not those of the one before.
                Ok(token) if token.has_scope("feed:read") => Message::from("renewed"),
                Ok(_) => break,
                Err(error) => Message::from(error.to_string()),
            },
        };
        if socket.send(answer).await.is_err() {
            break;
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Fault> {
    let clock = ManualClock::new();
    let issuer = MockIssuer::new()
        .with_algorithms([Algorithm::ES256])
        .with_clock(clock.clone());
    let server = ResourceServer::builder(MockIssuer::AUDIENCE)
        .issuer(issuer.trusted())
        .clock(clock.clone())
        .build()?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let serving = tokio::spawn(axum::serve(listener, app(&server)).into_future());

    expiry(address, &issuer, &clock).await?;
    revocation(address, &issuer, &server).await?;
    web_socket(address, &issuer, &server, &clock).await?;

    let status = server.lease_status();
    show(
        "streams that expired and were revoked",
        &format!("{} and {}", status.expired(), status.revoked()),
        "1 and 3",
    )?;
    show("streams that are open", &status.open().to_string(), "0")?;
    serving.abort();
    Ok(())
}

/// A token of this session that is good for ten minutes.
fn token(issuer: &MockIssuer, session: &str) -> TokenBuilder {
    let token = issuer.token().scope("feed:read").claim("sid", session);
    token.expires_in(10 * MINUTE)
}

async fn expiry(
    address: SocketAddr,
    issuer: &MockIssuer,
    clock: &ManualClock,
) -> Result<(), Fault> {
    let token = token(issuer, "phone").sign();
    let mut events = get_with(address, "/events", &token).await?;
    show(
        "server-sent events",
        &chunk(&mut events).await?,
        "data: hello, user-1",
    )?;
    clock.advance(11 * MINUTE); // past `exp` and the leeway
    show(
        "the token has expired",
        &chunk(&mut events).await?,
        "the end",
    )?;
    let again = get_with(address, "/events", &token).await?;
    show("EventSource connects again", again.status().as_str(), "401")
}

async fn revocation(
    address: SocketAddr,
    issuer: &MockIssuer,
    server: &ResourceServer,
) -> Result<(), Fault> {
    let (phone, laptop) = (
        token(issuer, "lost-phone").sign(),
        token(issuer, "laptop").sign(),
    );
    let mut events = get_with(address, "/events", &phone).await?;
    let mut others = get_with(address, "/events", &laptop).await?;
    chunk(&mut events).await?;
    chunk(&mut others).await?;
    let poll = tokio::spawn(async move { get_with(address, "/next", &phone).await });
    // The handler waits where a third lease is open.
    while server.lease_status().open() < 3 {
        tokio::task::yield_now().await;
    }
    let revocations = server.revocations();
    revocations.revoke(Revocation::session(&issuer.issuer(), "lost-phone"))?;
    show(
        "the session is revoked: its events",
        &chunk(&mut events).await?,
        "the end",
    )?;
    let mut answer = tokio::time::timeout(PATIENCE, poll).await???;
    show("its long poll", answer.status().as_str(), "401")?;
    show(
        "and why",
        &chunk(&mut answer).await?,
        "the access token was revoked",
    )?;
    show(
        "streams of the other session",
        &server.lease_status().open().to_string(),
        "1",
    )?;
    drop(others);
    while server.lease_status().open() > 0 {
        tokio::task::yield_now().await;
    }
    Ok(())
}

async fn web_socket(
    address: SocketAddr,
    issuer: &MockIssuer,
    server: &ResourceServer,
    clock: &ManualClock,
) -> Result<(), Fault> {
    let late = token(issuer, "tablet").expired().sign();
    let refused = connect(address, &late)
        .await
        .err()
        .map(|fault| fault.to_string());
    show(
        "a WebSocket with an expired token",
        &refused.unwrap_or_default(),
        "HTTP error: 401 Unauthorized",
    )?;

    let first = token(issuer, "tablet");
    let (mut socket, protocol) = connect(address, &first.sign()).await?;
    show(
        "a WebSocket; the subprotocol selected",
        &protocol,
        "feed.v1",
    )?;
    show("a message", &say(&mut socket, "hello").await?, "hello")?;
    let other = issuer.token().subject("somebody-else").scope("feed:read");
    let refused = say(&mut socket, &format!("token:{}", other.sign())).await?;
    show(
        "a token of another caller",
        &refused,
        "the token is of another issuer, subject, client, actor or sender",
    )?;
    let next = first.expires_in(60 * MINUTE).sign();
    show(
        "the next token",
        &say(&mut socket, &format!("token:{next}")).await?,
        "renewed",
    )?;
    clock.advance(20 * MINUTE);
    show(
        "the first token has expired",
        &say(&mut socket, "still here").await?,
        "still here",
    )?;
    let revocations = server.revocations();
    revocations.revoke(Revocation::session(&issuer.issuer(), "tablet"))?;
    show(
        "the session is revoked",
        &receive(&mut socket).await?,
        "closed, 1008: the access token was revoked",
    )
}

/// Prints what was seen, and fails where it is not what was expected.
fn show(what: &str, seen: &str, expected: &str) -> Result<(), Fault> {
    writeln!(io::stdout(), "{what:<40}  {seen}")?;
    if seen == expected {
        return Ok(());
    }
    Err(format!("{what}: `{seen}` in place of `{expected}`").into())
}

async fn get_with(
    address: SocketAddr,
    path: &str,
    token: &str,
) -> Result<reqwest::Response, Fault> {
    let request = reqwest::Client::new().get(format!("http://{address}{path}"));
    Ok(request.bearer_auth(token).send().await?)
}

/// The next piece of a body.
async fn chunk(response: &mut reqwest::Response) -> Result<String, Fault> {
    let chunk = tokio::time::timeout(PATIENCE, response.chunk()).await??;
    let text = chunk.map(|bytes| String::from_utf8_lossy(&bytes).trim().to_owned());
    Ok(text.unwrap_or_else(|| "the end".to_owned()))
}

/// What `new WebSocket("wss://..", ["feed.v1", "bearer", token])` sends, and the subprotocol that was selected.
async fn connect(address: SocketAddr, token: &str) -> Result<(Socket, String), Fault> {
    let request = Request::get(format!("ws://{address}/feed"))
        .header("host", address.to_string())
        .header("connection", "upgrade")
        .header("upgrade", "websocket")
        .header("sec-websocket-version", "13")
        .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
        .header(
            "sec-websocket-protocol",
            format!("feed.v1, bearer, {token}"),
        )
        .body(())?;
    let (socket, response) = tokio_tungstenite::connect_async(request).await?;
    let protocol = response.headers().get("sec-websocket-protocol");
    let protocol = protocol.and_then(|value| value.to_str().ok());
    Ok((socket, protocol.unwrap_or_default().to_owned()))
}

async fn say(socket: &mut Socket, text: &str) -> Result<String, Fault> {
    poll_fn(|context| Pin::new(&mut *socket).poll_ready(context)).await?;
    Pin::new(&mut *socket).start_send(Sent::text(text.to_owned()))?;
    poll_fn(|context| Pin::new(&mut *socket).poll_flush(context)).await?;
    receive(socket).await
}

async fn receive(socket: &mut Socket) -> Result<String, Fault> {
    let next = poll_fn(|context| Pin::new(&mut *socket).poll_next(context));
    Ok(match tokio::time::timeout(PATIENCE, next).await? {
        Some(Ok(Sent::Close(Some(close)))) => {
            format!("closed, {}: {}", u16::from(close.code), close.reason)
        }
        Some(Ok(message)) => message.into_text()?.to_string(),
        other => format!("{other:?}"),
    })
}
