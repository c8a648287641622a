//! A small HTTP/1.1 client: one connection for each request.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Longer than any answer takes; a demo that hangs shows nothing.
const PATIENCE: Duration = Duration::from_secs(20);

/// What the table shows of a response.
pub(crate) struct Answer {
    status: u16,
    /// The `error` of the challenge (RFC 6750 section 3).
    error: Option<String>,
    /// The server's nonce for the next proof (RFC 9449 section 8.1).
    nonce: Option<String>,
}

impl Answer {
    pub(crate) const fn is_success(&self) -> bool {
        matches!(self.status, 200..=299)
    }

    pub(crate) fn nonce(&self) -> Option<&str> {
        self.nonce.as_deref()
    }

    pub(crate) const fn status(&self) -> u16 {
        self.status
    }

    fn parse(response: &str) -> Option<Self> {
        let (head, _) = response.split_once("\r\n\r\n")?;
        let (first, fields) = head.split_once("\r\n")?;
        let status = first.split(' ').nth(1)?.parse().ok()?;
        let field = |wanted: &str| {
            let mut lines = fields.lines().filter_map(|line| line.split_once(':'));
            let (_, value) = lines.find(|(name, _)| name.eq_ignore_ascii_case(wanted))?;
            Some(value.trim())
        };
        let error = field("www-authenticate")
            .and_then(|challenge| challenge.split_once("error=\""))
            .and_then(|(_, rest)| rest.split_once('"'))
            .map(|(error, _)| error.to_owned());
        let nonce = field("dpop-nonce").map(ToOwned::to_owned);
        Some(Self {
            status,
            error,
            nonce,
        })
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.error {
            Some(error) => write!(f, "{} {error}", self.status),
            None => write!(f, "{}", self.status),
        }
    }
}

/// Sends a request such as `GET /ready` with an `Authorization` field for each token, and an
/// `X-User-Id` field for each user that the caller acts for.
pub(crate) async fn send(
    address: SocketAddr,
    request: &str,
    tokens: &[String],
    users: &[&str],
) -> io::Result<Answer> {
    let tokens = tokens.iter().map(|token| format!("Bearer {token}"));
    let users = users.iter().map(|user| (*user).to_owned());
    let fields: Vec<_> = tokens
        .map(|token| ("authorization", token))
        .chain(users.map(|user| ("x-user-id", user)))
        .collect();
    send_fields(address, request, &fields).await
}

/// Sends a request with these header fields.
pub(crate) async fn send_fields(
    address: SocketAddr,
    request: &str,
    fields: &[(&str, String)],
) -> io::Result<Answer> {
    send_body(address, request, fields, "").await
}

/// Sends a request with these header fields and this body.
pub(crate) async fn send_body(
    address: SocketAddr,
    request: &str,
    fields: &[(&str, String)],
    body: &str,
) -> io::Result<Answer> {
    let exchange = exchange(address, request, fields, body).await?;
    Ok(exchange.answer)
}

/// A request and its response, as they were on the wire.
pub(crate) struct Exchange {
    pub(crate) request: String,
    pub(crate) response: String,
    pub(crate) answer: Answer,
}

/// The same, with both texts.
pub(crate) async fn exchange(
    address: SocketAddr,
    request: &str,
    fields: &[(&str, String)],
    body: &str,
) -> io::Result<Exchange> {
    let (method, path) = split(request);
    let mut head = format!(
        "{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-length: {}\r\n",
        body.len(),
    );
    for (name, value) in fields {
        head.extend([name, ": ", value, "\r\n"]);
    }
    head.push_str("\r\n");
    head.push_str(body);
    let receive = async {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(head.as_bytes()).await?;
        let mut response = Vec::new();
        stream.read_to_end(&mut response).await?;
        io::Result::Ok(String::from_utf8_lossy(&response).into_owned())
    };
    let response = tokio::time::timeout(PATIENCE, receive).await??;
    let answer = Answer::parse(&response)
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "the answer is not HTTP"))?;
    Ok(Exchange {
        request: head,
        response,
        answer,
    })
}

/// Method and path.
pub(crate) fn split(request: &str) -> (&str, &str) {
    request.split_once(' ').unwrap_or(("GET", request))
}
