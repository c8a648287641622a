//! A soak: 10,000 streams over HTTP/2, revocations at random, and a count of the streams that ended
//! without a reason and of those that should have ended.
//!
//! `PORTCULLIS_SOAK_SECONDS=60 cargo test --test load stream_soak -- --nocapture`: revocations go on for so
//! long, by default 3 seconds.

use std::collections::HashSet;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::routing::get;
use bytes::Bytes;
use futures_core::Stream;
use http::Request;
use http_body_util::BodyExt as _;
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use portcullis::revocation::Revocation;
use portcullis::test_util::MockIssuer;
use portcullis::time::{Clock as _, SystemClock};
use portcullis::{AccessToken, Algorithm, ResourceServer};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::support::{API, TestApp};

const CONNECTIONS: usize = 100;
const STREAMS_OF_EACH: usize = 100;
/// Streams of one subject: two sessions of two tokens, and five streams with each token.
const STREAMS_OF_A_SUBJECT: usize = 20;

/// How long a stream may take to end before it counts as missed.
const PATIENCE: Duration = Duration::from_secs(30);

/// One byte, and then nothing more.
struct OneByte(bool);

impl Stream for OneByte {
    type Item = Result<Bytes, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if std::mem::replace(&mut self.0, true) {
            return Poll::Pending;
        }
        Poll::Ready(Some(Ok(Bytes::from_static(b"."))))
    }
}

/// What the issuer wrote into the token of a stream.
#[derive(Clone)]
struct Names {
    subject: String,
    session: String,
    token: String,
}

struct Open {
    names: Names,
    connection: usize,
    /// Ends with the stream.
    reading: JoinHandle<()>,
}

/// The generator of xorshift (Marsaglia, 2003): the same numbers for the same seed.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % bound as u64).expect("below a usize")
    }
}

struct Soak {
    issuer: MockIssuer,
    connections: Vec<SendRequest<Body>>,
    address: SocketAddr,
    subjects: usize,
}

impl Soak {
    /// Opens the streams of one more subject, which has one token after the other.
    async fn open_subject(&mut self, connection: usize) -> Vec<Open> {
        self.subjects += 1;
        let number = self.subjects;
        let mut opened = Vec::new();
        for token in 0..4 {
            let names = Names {
                subject: format!("user-{number}"),
                session: format!("session-{number}-{}", token / 2),
                token: format!("token-{number}-{token}"),
            };
            let signed = self.issuer.token().audience(API).subject(&names.subject);
            let signed = signed
                .claim("sid", &names.session)
                .claim("jti", &names.token);
            let bearer = signed.bearer();
            for _ in 0..STREAMS_OF_A_SUBJECT / 4 {
                let request = Request::get(format!("http://{}/", self.address))
                    .header("authorization", bearer.clone())
                    .body(Body::empty())
                    .expect("a request");
                let sender = &mut self.connections[connection];
                sender.ready().await.expect("open");
                let response = sender.send_request(request).await.expect("an answer");
                assert_eq!(response.status(), 200);
                let mut body = response.into_body();
                let first = body.frame().await.expect("a frame").expect("no error");
                assert_eq!(first.into_data().expect("data"), ".");
                let reading =
                    tokio::spawn(async move { while let Some(Ok(_)) = body.frame().await {} });
                opened.push(Open {
                    names: names.clone(),
                    connection,
                    reading,
                });
            }
        }
        opened
    }
}

async fn connect(server: &ResourceServer) -> (SocketAddr, Vec<SendRequest<Body>>) {
    let handler = get(async |_: AccessToken| Body::from_stream(OneByte(false)));
    let app = TestApp::behind(server.authenticate().end_streams()).route("/", handler);
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let app = axum::Router::from(app);
    tokio::spawn(async move { axum::serve(listener, app).await });
    let mut connections = Vec::new();
    for _ in 0..CONNECTIONS {
        let stream = TcpStream::connect(address).await.expect("it listens");
        let handshake = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await;
        let (sender, connection) = handshake.expect("HTTP/2");
        tokio::spawn(connection);
        connections.push(sender);
    }
    (address, connections)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stream_soak_ends_what_is_revoked_and_nothing_else() {
    let seconds = std::env::var("PORTCULLIS_SOAK_SECONDS").ok();
    let seconds = seconds.and_then(|text| text.parse().ok()).unwrap_or(3);
    let issuer = MockIssuer::new().with_algorithms([Algorithm::ES256]);
    let server = crate::support::server(&issuer);
    let (address, connections) = connect(&server).await;
    let mut soak = Soak {
        issuer,
        connections,
        address,
        subjects: 0,
    };
    let mut open = Vec::new();
    for connection in 0..CONNECTIONS {
        for _ in 0..STREAMS_OF_EACH / STREAMS_OF_A_SUBJECT {
            open.extend(soak.open_subject(connection).await);
        }
    }
    assert_eq!(open.len(), CONNECTIONS * STREAMS_OF_EACH);
    assert_eq!(server.lease_status().open(), open.len());

    let name = soak.issuer.issuer();
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    let (mut revoked, mut ended, mut missed, mut wrong) = (0_usize, 0_usize, 0_usize, 0_usize);
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(seconds) {
        // A handful at once, of all kinds.
        let mut names: [HashSet<String>; 3] = Default::default();
        for _ in 0..=random.below(8) {
            let chosen = open[random.below(open.len())].names.clone();
            let kind = random.below(3);
            let revocation = match kind {
                0 => Revocation::subject(&name, &chosen.subject, SystemClock::new().now()),
                1 => Revocation::session(&name, &chosen.session),
                _ => Revocation::token(&name, &chosen.token),
            };
            server.revocations().revoke(revocation).expect("room");
            let [subjects, sessions, tokens] = &mut names;
            match kind {
                0 => subjects.insert(chosen.subject),
                1 => sessions.insert(chosen.session),
                _ => tokens.insert(chosen.token),
            };
            revoked += 1;
        }
        let [subjects, sessions, tokens] = &names;
        let is_concerned = |one: &Open| {
            let names = &one.names;
            subjects.contains(&names.subject)
                || sessions.contains(&names.session)
                || tokens.contains(&names.token)
        };
        let deadline = tokio::time::Instant::now() + PATIENCE;
        let concerned = open.iter_mut().filter(|one| is_concerned(one));
        for one in concerned {
            let end = tokio::time::timeout_at(deadline, &mut one.reading).await;
            ended += 1;
            missed += usize::from(end.is_err());
        }
        wrong += open
            .iter()
            .filter(|one| !is_concerned(one) && one.reading.is_finished())
            .count();
        // New subjects in the place of those of which a stream has ended.
        let gone: HashSet<String> = open
            .iter()
            .filter(|one| is_concerned(one))
            .map(|one| one.names.subject.clone())
            .collect();
        let rest: Vec<_> = gone
            .iter()
            .map(|subject| {
                let of_it = |one: &&Open| one.names.subject == *subject;
                open.iter().find(of_it).expect("one of them").connection
            })
            .collect();
        for subject in &gone {
            let now = SystemClock::new().now();
            let all = Revocation::subject(&name, subject, now);
            server.revocations().revoke(all).expect("room");
        }
        open.retain(|one| !gone.contains(&one.names.subject));
        for connection in rest {
            open.extend(soak.open_subject(connection).await);
        }
    }
    println!(
        "{} streams at a time, {} in all, {revoked} revocations at random: {ended} streams ended by them, {missed} missed, {wrong} wrong",
        open.len(),
        server.lease_status().opened(),
    );
    assert!(revoked > 0 && ended > 0);
    assert_eq!((missed, wrong), (0, 0));
}
