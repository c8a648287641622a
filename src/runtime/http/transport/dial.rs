//! A TCP connection to a host: each of its addresses is tried, the next one as soon as the one before has
//! failed or has not answered for a moment (RFC 8305 sections 4 and 5).

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, lookup_host};
use tokio::task::JoinSet;

use crate::runtime::http::probe::ConnectionProblem;
use crate::runtime::http::transport::server_origin::ServerOrigin;
use crate::runtime::http::transport::transport_error::TransportError;

/// RFC 8305 s5: the Connection Attempt Delay.
const ATTEMPT_DELAY: Duration = Duration::from_millis(250);

/// A connection of any kind: one type, so that what is built on it is compiled once.
pub(super) trait ByteStream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> ByteStream for T {}

/// Opens a connection without a limit of time.
pub(super) async fn dial(origin: &ServerOrigin) -> Result<TcpStream, TransportError> {
    let found = lookup_host((origin.host(), origin.port)).await;
    let addresses: Vec<SocketAddr> = match found {
        Ok(found) => found.collect(),
        Err(error) => {
            let cause = error.get_ref().map(ToString::to_string);
            let cause = cause.unwrap_or_else(|| error.kind().to_string());
            return Err(TransportError::connect_because(
                ConnectionProblem::Dns,
                &cause,
            ));
        }
    };
    let connected = connect_first(alternated(addresses), ATTEMPT_DELAY).await;
    let stream = connected.map_err(|error| TransportError::connect(&error))?;
    // Requests are small, and each waits for its response.
    stream
        .set_nodelay(true)
        .map_err(|error| TransportError::connect(&error))?;
    Ok(stream)
}

/// RFC 8305 s4: the families take turns, beginning with that of the first address.
fn alternated(addresses: Vec<SocketAddr>) -> VecDeque<SocketAddr> {
    let first_is_ipv6 = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let (first, second): (Vec<_>, Vec<_>) = addresses
        .into_iter()
        .partition(|address| address.is_ipv6() == first_is_ipv6);
    let (mut first, mut second) = (first.into_iter(), second.into_iter());
    let mut order = VecDeque::new();
    loop {
        let pair = [first.next(), second.next()];
        if pair == [None, None] {
            return order;
        }
        order.extend(pair.into_iter().flatten());
    }
}

/// The first connection that succeeds; otherwise the error of the last address.
async fn connect_first(
    mut addresses: VecDeque<SocketAddr>,
    delay: Duration,
) -> io::Result<TcpStream> {
    let mut failed = io::Error::other("the host has no address");
    // Those that are not needed end when this is dropped.
    let mut attempts = JoinSet::new();
    loop {
        match addresses.pop_front() {
            Some(address) if addresses.is_empty() && attempts.is_empty() => {
                return TcpStream::connect(address).await;
            }
            Some(address) => drop(attempts.spawn(TcpStream::connect(address))),
            None if attempts.is_empty() => return Err(failed),
            None => {}
        }
        let ended = if addresses.is_empty() {
            attempts.join_next().await
        } else {
            match tokio::time::timeout(delay, attempts.join_next()).await {
                Ok(ended) => ended,
                Err(_) => continue,
            }
        };
        match ended {
            Some(Ok(Ok(stream))) => return Ok(stream),
            Some(Ok(Err(error))) => failed = error,
            Some(Err(_)) | None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    fn address(text: &str) -> SocketAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn addresses_of_both_families_take_turns() {
        let texts = [
            "[::1]:1",
            "[::1]:2",
            "[::1]:3",
            "127.0.0.1:4",
            "127.0.0.1:5",
        ];
        let order = alternated(texts.map(address).to_vec());
        let ports: Vec<u16> = order.iter().map(SocketAddr::port).collect();
        assert_eq!(ports, [1, 4, 2, 5, 3]);
        assert!(alternated(Vec::new()).is_empty());
    }

    #[tokio::test]
    async fn addresses_that_refuse_are_passed_over_and_the_last_error_is_told() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let open = listener.local_addr().expect("an address");
        let closed = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let refusing = closed.local_addr().expect("an address");
        drop(closed);
        for addresses in [
            vec![open],
            vec![refusing, open],
            vec![refusing, refusing, open],
            vec![open, refusing],
        ] {
            let stream = connect_first(addresses.into(), ATTEMPT_DELAY)
                .await
                .expect("one answers");
            assert_eq!(stream.peer_addr().ok(), Some(open));
        }
        for addresses in [vec![refusing], vec![refusing, refusing]] {
            let error = connect_first(addresses.into(), ATTEMPT_DELAY)
                .await
                .expect_err("none");
            assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
        }
        let none = connect_first(VecDeque::new(), ATTEMPT_DELAY)
            .await
            .expect_err("none");
        assert_eq!(none.to_string(), "the host has no address");
    }

    /// 192.0.2.0/24 is for documentation (RFC 5737): an attempt there hangs, or fails at once.
    #[tokio::test]
    async fn address_that_does_not_answer_does_not_keep_the_next_one() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let open = listener.local_addr().expect("an address");
        let silent = address("192.0.2.1:443");
        let stream = connect_first(vec![silent, silent, open].into(), Duration::ZERO).await;
        assert_eq!(stream.expect("the last").peer_addr().ok(), Some(open));
    }
}
