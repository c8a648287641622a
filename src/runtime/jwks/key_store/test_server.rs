//! A loopback server with scripted answers, and a clock that tests move.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};

use super::test_keys::secs;
use crate::model::time::UnixTime;
use crate::runtime::clock::{Clock, Sleep};

pub(super) fn set(keys: &[(&str, &str)]) -> String {
    let keys: Vec<_> = keys
        .iter()
        .map(|(id, x)| format!(r#"{{"kty":"OKP","crv":"Ed25519","kid":"{id}","x":"{x}"}}"#))
        .collect();
    format!(r#"{{"keys":[{}]}}"#, keys.join(","))
}

pub(super) fn document(issuer: &str, jwks_uri: &str) -> String {
    format!(r#"{{"issuer":"{issuer}","jwks_uri":"{jwks_uri}"}}"#)
}

pub(super) fn ok(body: &str) -> Vec<u8> {
    with("", body)
}

pub(super) fn with(headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n{body}"
    )
    .into_bytes()
}

pub(super) fn chunked(body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 200 OK\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n{length:x}\r\n{body}\r\n0\r\n\r\n")
        .into_bytes()
}

pub(super) fn status(status: u16, headers: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status} X\r\nconnection: close\r\n{headers}\r\n").into_bytes()
}

/// A clock that the test advances.
#[derive(Default)]
pub(super) struct TestClock(watch::Sender<Duration>);

impl TestClock {
    pub(super) fn advance(&self, seconds: u64) {
        self.0.send_modify(|now| *now += secs(seconds));
    }
}

impl Clock for TestClock {
    fn now(&self) -> UnixTime {
        UnixTime::from_secs(0)
    }

    fn monotonic(&self) -> Duration {
        *self.0.borrow()
    }

    fn sleep_until(&self, at: Duration) -> Sleep {
        let mut time = self.0.subscribe();
        Box::pin(async move {
            if time.wait_for(|now| *now >= at).await.is_err() {
                std::future::pending::<()>().await;
            }
        })
    }
}

/// A loopback server with scripted responses; `404` otherwise.
#[derive(Clone)]
pub(super) struct Server {
    pub(super) url: String,
    script: Arc<Mutex<Script>>,
    requested: watch::Sender<usize>,
}

#[derive(Default)]
pub(super) struct Script {
    answers: HashMap<String, Vec<u8>>,
    requests: Vec<String>,
    gate: Option<Arc<Semaphore>>,
    lingers: bool,
}

impl Server {
    pub(super) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let server = Self {
            url: format!("http://{address}"),
            script: Arc::default(),
            requested: watch::Sender::new(0),
        };
        let accepting = server.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let server = accepting.clone();
                tokio::spawn(async move { server.answer(stream).await });
            }
        });
        server
    }

    async fn answer(&self, mut stream: TcpStream) {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            match stream.read_u8().await {
                Ok(byte) => head.push(byte),
                Err(_) => return,
            }
        }
        let head = String::from_utf8(head).expect("text");
        let path = head.split(' ').nth(1).expect("a path").to_owned();
        let (answer, gate, lingers) = {
            let mut script = self.script.lock().expect("a lock");
            script.requests.push(head);
            let answer = script.answers.get(&path).cloned();
            (answer, script.gate.clone(), script.lingers)
        };
        self.requested.send_modify(|requested| *requested += 1);
        if let Some(gate) = gate {
            gate.acquire().await.expect("a gate").forget();
        }
        let answer = answer.unwrap_or_else(|| status(404, "content-length: 0\r\n"));
        let _ = stream.write_all(&answer).await;
        if lingers {
            let _ = stream.read_u8().await;
        }
    }

    pub(super) fn set(&self, path: &str, answer: Vec<u8>) {
        let mut script = self.script.lock().expect("a lock");
        script.answers.insert(path.to_owned(), answer);
    }

    /// From now on an answer needs a permit.
    pub(super) fn hold(&self) -> Arc<Semaphore> {
        let gate = Arc::new(Semaphore::new(0));
        self.script.lock().expect("a lock").gate = Some(Arc::clone(&gate));
        gate
    }

    /// From now on the connection stays open behind the answer.
    pub(super) fn linger(&self) {
        self.script.lock().expect("a lock").lingers = true;
    }

    pub(super) async fn requested(&self, times: usize) {
        let mut requested = self.requested.subscribe();
        requested
            .wait_for(|requested| *requested >= times)
            .await
            .expect("a server");
    }

    pub(super) fn hits(&self, path: &str) -> usize {
        let line = format!("GET {path} ");
        let script = self.script.lock().expect("a lock");
        script
            .requests
            .iter()
            .filter(|head| head.starts_with(&line))
            .count()
    }

    pub(super) fn last_request(&self) -> String {
        let script = self.script.lock().expect("a lock");
        script.requests.last().cloned().expect("a request")
    }
}
