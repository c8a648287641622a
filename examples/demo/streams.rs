//! Streams that are open while a session is revoked: server-sent events and a WebSocket.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::time::Duration;

use futures_core::Stream as _;
use http::Request;
use portcullis::ResourceServer;
use portcullis::revocation::Revocation;
use portcullis::test_util::MockIssuer;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use crate::table::Table;
use crate::{Fault, client};

const EVENTS: &str = "GET /app/workspaces/acme-prod/events";
const FEED: &str = "GET /app/workspaces/acme-prod/feed";

/// Longer than an end takes; a demo that hangs shows nothing.
const PATIENCE: Duration = Duration::from_secs(20);

/// Streams of two sessions, of which one is revoked.
pub(crate) async fn show(
    table: &mut Table,
    pool: &MockIssuer,
    server: &ResourceServer,
) -> Result<(), Fault> {
    let lost = pool.aworld_user().claim("origin_jti", "lost-phone").sign();
    let other = pool.aworld_user().claim("origin_jti", "laptop").sign();
    let mut events = Events::open(table.address(), &lost).await?;
    let mut others = Events::open(table.address(), &other).await?;
    let (mut socket, status) = web_socket(table.address(), &lost).await?;
    table.line("user on a phone", EVENTS, &events.see().await?, "an event")?;
    table.line("user on a laptop", EVENTS, &others.see().await?, "an event")?;
    table.line("user on a phone", FEED, &status, "101")?;
    server
        .revocations()
        .revoke(Revocation::session(&pool.issuer(), "lost-phone"))?;
    let ended = events.see().await?;
    table.line("the phone is revoked", EVENTS, &ended, "ends")?;
    let closed = close_of(&mut socket).await?;
    table.line("the phone is revoked", FEED, &closed, "closed, 1008")?;
    let open = if server.lease_status().open() == 1 {
        "open"
    } else {
        "ended"
    };
    table.line("user on a laptop", EVENTS, open, "open")?;
    drop(others);
    Ok(())
}

/// Server-sent events over a connection of their own.
struct Events(TcpStream);

impl Events {
    async fn open(address: SocketAddr, token: &str) -> io::Result<Self> {
        let (method, path) = client::split(EVENTS);
        let mut stream = TcpStream::connect(address).await?;
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {token}\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await?;
        Ok(Self(stream))
    }

    /// What comes next: an event, or the end of the body.
    async fn see(&mut self) -> io::Result<String> {
        let mut seen = Vec::new();
        let mut buffer = [0; 1024];
        loop {
            let read = tokio::time::timeout(PATIENCE, self.0.read(&mut buffer)).await??;
            seen.extend_from_slice(buffer.get(..read).unwrap_or_default());
            let text = String::from_utf8_lossy(&seen);
            // The last chunk is empty (RFC 9112 section 7.1).
            if read == 0 || text.ends_with("0\r\n\r\n") {
                return Ok("ends".to_owned());
            }
            if text.contains("data: ") {
                return Ok("an event".to_owned());
            }
        }
    }
}

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

async fn web_socket(address: SocketAddr, token: &str) -> Result<(Socket, String), Fault> {
    let (_, path) = client::split(FEED);
    let request = Request::get(format!("ws://{address}{path}"))
        .header("host", address.to_string())
        .header("connection", "upgrade")
        .header("upgrade", "websocket")
        .header("sec-websocket-version", "13")
        .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
        .header("authorization", format!("Bearer {token}"))
        .body(())?;
    let (socket, response) = tokio_tungstenite::connect_async(request).await?;
    Ok((socket, response.status().as_str().to_owned()))
}

/// How the socket is closed.
async fn close_of(socket: &mut Socket) -> Result<String, Fault> {
    let next = std::future::poll_fn(|context| Pin::new(&mut *socket).poll_next(context));
    match tokio::time::timeout(PATIENCE, next).await? {
        Some(Ok(Message::Close(Some(close)))) => Ok(format!("closed, {}", u16::from(close.code))),
        other => Ok(format!("{other:?}")),
    }
}
