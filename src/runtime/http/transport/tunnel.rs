//! A tunnel through a proxy by `CONNECT` (RFC 9110 section 9.3.6).

use http::HeaderValue;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::runtime::http::probe::ConnectionProblem;
use crate::runtime::http::transport::dial::ByteStream;
use crate::runtime::http::transport::server_origin::ServerOrigin;
use crate::runtime::http::transport::transport_error::TransportError;

/// Sent to servers and proxies.
pub(super) const USER_AGENT: &str = concat!("portcullis/", env!("CARGO_PKG_VERSION"));

/// The head of a proxy's response: longer ones are refused.
const MAX_HEAD_BYTES: usize = 8 << 10;

/// Makes a connection to a proxy one to this server. No byte behind the response's head is read: it
/// belongs to the tunnel.
pub(super) async fn open_tunnel(
    stream: &mut dyn ByteStream,
    to: &ServerOrigin,
    credentials: Option<&HeaderValue>,
) -> Result<(), TransportError> {
    let authority = to.authority();
    let mut request = format!(
        "CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\nUser-Agent: {USER_AGENT}\r\n"
    )
    .into_bytes();
    if let Some(credentials) = credentials {
        request.extend_from_slice(b"Proxy-Authorization: ");
        request.extend_from_slice(credentials.as_bytes());
        request.extend_from_slice(b"\r\n");
    }
    request.extend_from_slice(b"\r\n");
    let written = stream.write_all(&request).await;
    written.map_err(|error| TransportError::connect(&error))?;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() == MAX_HEAD_BYTES {
            return Err(refused("the proxy answers with a head without an end"));
        }
        let byte = stream.read_u8().await;
        head.push(byte.map_err(|_| refused("the proxy closed the connection"))?);
    }
    match status_of(&head) {
        Some(b"200") => Ok(()),
        Some(b"407") => Err(refused("the proxy demands credentials (407)")),
        Some(status) => {
            let status = String::from_utf8_lossy(status);
            Err(refused(&format!("the proxy opened no tunnel ({status})")))
        }
        None => Err(refused("the proxy does not speak HTTP/1.1")),
    }
}

fn refused(cause: &str) -> TransportError {
    TransportError::connect_because(ConnectionProblem::Proxy, cause)
}

/// The three digits of a status line (RFC 9112 section 4).
fn status_of(head: &[u8]) -> Option<&[u8]> {
    let version = [b"HTTP/1.1 ", b"HTTP/1.0 "];
    let rest = version
        .iter()
        .find_map(|version| head.strip_prefix(*version))?;
    let (status, rest) = rest.split_at_checked(3)?;
    let ends = matches!(rest.first(), Some(b' ' | b'\r'));
    (ends && status.iter().all(u8::is_ascii_digit)).then_some(status)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_of_a_proxy_is_read_strictly() {
        for (head, status) in [
            ("HTTP/1.1 200 Connection established\r\n\r\n", Some("200")),
            ("HTTP/1.0 200\r\n\r\n", Some("200")),
            ("HTTP/1.1 407 \r\n\r\n", Some("407")),
            ("HTTP/1.1 2000\r\n\r\n", None),
            ("HTTP/1.1 20\r\n\r\n", None),
            ("HTTP/1.1 +20 x\r\n\r\n", None),
            ("HTTP/2 200\r\n\r\n", None),
            ("SSH-2.0-OpenSSH\r\n\r\n", None),
            ("\r\n\r\n", None),
        ] {
            assert_eq!(
                status_of(head.as_bytes()),
                status.map(str::as_bytes),
                "{head}"
            );
        }
    }
}
