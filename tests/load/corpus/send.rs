//! Sending a request as it is written: through the service where `http` can express it, else
//! byte for byte through a socket.

use std::net::{Ipv4Addr, SocketAddr};
use std::str::FromStr as _;
use std::time::{Duration, Instant};

use axum::body::{Body, to_bytes};
use axum::{Extension, Router};
use http::{HeaderName, HeaderValue, Method, Request, Uri};
use tokio::io::{self, AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tower::ServiceExt as _;

use super::app::Reached;
use super::data::Http;

/// Longer than anything that a server may take, on a busy machine too.
const PATIENCE: Duration = Duration::from_secs(120);

/// What came back.
pub(super) struct Reply {
    pub(super) status: u16,
    /// Names in lower case; values as latin-1, one character a byte.
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
    pub(super) handlers_reached: usize,
    pub(super) took: Duration,
}

impl Reply {
    pub(super) fn header<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let named = move |(held, _): &&(String, String)| held == name;
        self.headers.iter().filter(named).map(|(_, value)| &**value)
    }

    /// Everything that the client can read, as latin-1.
    pub(super) fn text(&self) -> String {
        let headers = self.headers.iter();
        let lines: Vec<String> = headers
            .map(|(name, value)| format!("{name}: {value}"))
            .chain([latin1(&self.body)])
            .collect();
        lines.join("\n")
    }
}

pub(super) async fn send(router: &Router, http: &Http, raw: bool) -> Reply {
    let reached = Reached::default();
    let since = Instant::now();
    let reply = if let Some(mut request) = request(http).filter(|_| !raw) {
        request.extensions_mut().insert(reached.clone());
        timeout(PATIENCE, call(router.clone(), request)).await
    } else {
        let router = router.clone().layer(Extension(reached.clone()));
        timeout(PATIENCE, over_a_socket(router, http)).await
    };
    let (status, headers, body) = reply.unwrap_or_else(|_| (0, Vec::new(), Vec::new()));
    Reply {
        status,
        headers,
        body,
        handlers_reached: reached.count(),
        took: since.elapsed(),
    }
}

type Parts = (u16, Vec<(String, String)>, Vec<u8>);

async fn call(router: Router, request: Request<Body>) -> Parts {
    let response = router
        .oneshot(request)
        .await
        .unwrap_or_else(|never| match never {});
    let (parts, body) = response.into_parts();
    let headers = parts
        .headers
        .iter()
        .map(|(name, value)| (name.as_str().to_owned(), latin1(value.as_bytes())))
        .collect();
    let body = to_bytes(body, usize::MAX).await.expect("a body");
    (parts.status.as_u16(), headers, body.to_vec())
}

/// The request, where `http` has words for it.
fn request(http: &Http) -> Option<Request<Body>> {
    if http.content_length.is_some() {
        return None;
    }
    let body = http.body.clone().map_or_else(Body::empty, Body::from);
    let mut request = Request::new(body);
    *request.method_mut() = Method::from_str(&http.method).ok()?;
    *request.uri_mut() = Uri::from_str(&http.path).ok()?;
    for (name, value) in &http.headers {
        let name = HeaderName::from_str(name).ok()?;
        let value = HeaderValue::from_bytes(&value.bytes()).ok()?;
        request.headers_mut().append(name, value);
    }
    Some(request)
}

async fn over_a_socket(router: Router, http: &Http) -> Parts {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .await
        .expect("a free port");
    let address = listener.local_addr().expect("an address");
    let server = tokio::spawn(async move { axum::serve(listener, router).await });
    let reply = exchange(address, http).await.expect("an answer");
    server.abort();
    reply
}

async fn exchange(address: SocketAddr, http: &Http) -> io::Result<Parts> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(&written(http)).await?;
    loop {
        let head = read_head(&mut stream).await?;
        let (status, headers) = parse_head(&head);
        if status >= 200 {
            let length = (headers.iter())
                .find(|(name, _)| name == "content-length")
                .and_then(|(_, value)| value.parse::<usize>().ok())
                .unwrap_or(0);
            let mut body = vec![0; length];
            stream.read_exact(&mut body).await?;
            return Ok((status, headers, body));
        }
    }
}

fn written(http: &Http) -> Vec<u8> {
    let mut bytes = format!("{} {} HTTP/1.1\r\n", http.method, http.path).into_bytes();
    let has = |wanted: &str| {
        let mut names = http.headers.iter().map(|(name, _)| name);
        names.any(|name| name.eq_ignore_ascii_case(wanted))
    };
    if !has("host") {
        bytes.extend(b"Host: api.example.com\r\n");
    }
    for (name, value) in &http.headers {
        bytes.extend(name.as_bytes());
        bytes.extend(b": ");
        bytes.extend(value.bytes());
        bytes.extend(b"\r\n");
    }
    let own = http.body.as_ref().map(|body| body.len() as u64);
    if let Some(length) = http.content_length.or(own) {
        bytes.extend(format!("Content-Length: {length}\r\n").bytes());
    }
    bytes.extend(b"\r\n");
    bytes.extend(http.body.iter().flat_map(|body| body.bytes()));
    bytes
}

async fn read_head(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    Ok(head)
}

fn parse_head(head: &[u8]) -> (u16, Vec<(String, String)>) {
    let text = latin1(head);
    let mut lines = text.split("\r\n");
    let status = lines
        .next()
        .and_then(|line| line.split(' ').nth(1))
        .and_then(|status| status.parse().ok())
        .expect("a status line");
    let headers = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    (status, headers)
}

fn latin1(bytes: &[u8]) -> String {
    bytes.iter().copied().map(char::from).collect()
}
