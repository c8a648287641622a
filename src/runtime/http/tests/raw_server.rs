//! Servers on loopback that speak HTTP by hand, and requests of the client to them.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use http::Request;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::runtime::http::transport::http_client::HttpClient;
use crate::runtime::http::transport::transport_error::TransportError;

pub(super) const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/// What a server does with a connection after each of its requests.
#[derive(Clone, Copy)]
pub(super) enum Then {
    Wait,
    Close,
}

pub(super) struct RawServer {
    pub(super) address: SocketAddr,
    connections: Arc<AtomicUsize>,
    /// Heads and bodies of requests.
    requests: Arc<Mutex<Vec<String>>>,
    /// Ends with the server.
    _task: JoinSet<()>,
}

impl RawServer {
    pub(super) async fn answering(answer: impl Into<String>, then: Then) -> Self {
        Self::at("127.0.0.1:0", answer.into(), then)
            .await
            .expect("a free port")
    }

    pub(super) async fn at(address: &str, answer: String, then: Then) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let (connections, requests) = (Arc::default(), Arc::default());
        let counter: Arc<AtomicUsize> = Arc::clone(&connections);
        let log: Arc<Mutex<Vec<String>>> = Arc::clone(&requests);
        let mut task = JoinSet::new();
        task.spawn(async move {
            let mut open = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                counter.fetch_add(1, Ordering::SeqCst);
                open.spawn(converse(stream, answer.clone(), then, Arc::clone(&log)));
            }
        });
        Ok(Self {
            address,
            connections,
            requests,
            _task: task,
        })
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(super) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    pub(super) fn requests(&self) -> Vec<String> {
        self.requests.lock().expect("a log").clone()
    }
}

async fn converse(
    mut stream: TcpStream,
    answer: String,
    then: Then,
    log: Arc<Mutex<Vec<String>>>,
) -> Option<()> {
    loop {
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            request.push(stream.read_u8().await.ok()?);
        }
        let text = String::from_utf8_lossy(&request).into_owned();
        let length = text
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "));
        let mut body = vec![0; length.map_or(0, |length| length.parse().expect("a number"))];
        stream.read_exact(&mut body).await.ok()?;
        let text = text + &String::from_utf8_lossy(&body);
        log.lock().expect("a log").push(text);
        stream.write_all(answer.as_bytes()).await.ok()?;
        if matches!(then, Then::Close) {
            stream.shutdown().await.ok()?;
            // Until the client closes too, so that no reset overtakes the response.
            let _ = stream.read_to_end(&mut Vec::new()).await;
            return None;
        }
    }
}

pub(super) fn client(pooled: bool) -> HttpClient {
    HttpClient::new(Vec::new(), false, pooled).expect("a client")
}

pub(super) fn get(url: &str) -> Request<String> {
    Request::get(url).body(String::new()).expect("a request")
}

pub(super) fn post(url: &str) -> Request<String> {
    Request::post(url)
        .body("a=b".to_owned())
        .expect("a request")
}

/// The status and the whole body.
pub(super) async fn asked(
    client: &HttpClient,
    request: Request<String>,
) -> Result<(u16, String), TransportError> {
    let mut response = client.send(request).await?;
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        body.extend_from_slice(&chunk);
    }
    let body = String::from_utf8(body).expect("utf-8");
    Ok((response.status().as_u16(), body))
}

/// Until the server's end of every idle connection is known to the client.
pub(super) async fn all_closed(client: &HttpClient) {
    while !client.has_only_closed() {
        tokio::task::yield_now().await;
    }
}
