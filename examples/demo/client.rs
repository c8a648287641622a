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
}

impl Answer {
    pub(crate) const fn is_success(&self) -> bool {
        matches!(self.status, 200..=299)
    }

    fn parse(response: &str) -> Option<Self> {
        let (head, _) = response.split_once("\r\n\r\n")?;
        let mut lines = head.lines();
        let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
        let challenge = lines.find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("www-authenticate")
                .then_some(value)
        });
        let error = challenge
            .and_then(|challenge| challenge.split_once("error=\""))
            .and_then(|(_, rest)| rest.split_once('"'))
            .map(|(error, _)| error.to_owned());
        Some(Self { status, error })
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
    let (method, path) = split(request);
    let mut head = format!(
        "{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-length: 0\r\n",
    );
    for token in tokens {
        head.extend(["authorization: Bearer ", token, "\r\n"]);
    }
    for user in users {
        head.extend(["x-user-id: ", user, "\r\n"]);
    }
    head.push_str("\r\n");
    let exchange = async {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(head.as_bytes()).await?;
        let mut response = Vec::new();
        stream.read_to_end(&mut response).await?;
        Answer::parse(&String::from_utf8_lossy(&response))
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "the answer is not HTTP"))
    };
    tokio::time::timeout(PATIENCE, exchange).await?
}

/// Method and path.
pub(crate) fn split(request: &str) -> (&str, &str) {
    request.split_once(' ').unwrap_or(("GET", request))
}
