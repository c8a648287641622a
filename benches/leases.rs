//! What open streams cost: memory, the revocation of one subject among them, and the time until its
//! streams end, on one machine and through a shared store.
//!
//! `cargo bench --bench leases`; `cargo test --bench leases` runs the same smaller and unoptimised. Both
//! fail where a goal is missed that does not depend on the machine: bytes and wakes.
//!
//! 1. A stream is the body of a response under `end_streams()` that has sent nothing yet and is polled
//!    once. Its bytes are those of the body and of its lease, as they were asked for; the same without
//!    the setting is subtracted.
//! 2. The time of an end through a store (real loopback, where `redis-server` or `PORTCULLIS_REDIS` is
//!    there) is that from the call at one instance to the end of the stream at another.

#![allow(
    missing_docs,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)] // A benchmark fails loudly.

use std::convert::Infallible;
use std::net::{TcpListener, TcpStream};
use std::pin::Pin;
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use allocation_counter::measure;
use bytes::Bytes;
use http::{HeaderValue, Request, Response};
use http_body::{Body, Frame};
use portcullis::config::SharedStore;
use portcullis::lease::LeasedBody;
use portcullis::revocation::Revocation;
use portcullis::test_util::MockIssuer;
use portcullis::time::{Clock as _, SystemClock};
use portcullis::{Algorithm, ResourceServer};
use tower::{Layer as _, Service};

const API: &str = "https://api.example.com";

/// Streams that are open, and subjects that they belong to.
const STREAMS: usize = 100_000;
const SUBJECTS: usize = 10_000;

/// The most bytes of an open stream.
const MOST_BYTES: i64 = 400;

/// Ends through the store of which the worst counts.
const ROUNDS: usize = 50;

/// A body that waits for ever.
struct Waiting;

impl Body for Waiting {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Pending
    }
}

#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

fn main() -> ExitCode {
    let is_bench = std::env::args().any(|argument| argument == "--bench");
    let (streams, subjects) = if is_bench {
        (STREAMS, SUBJECTS)
    } else {
        (STREAMS / 10, SUBJECTS / 10)
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime");
    let _inside = runtime.enter();
    let is_small = memory(streams, subjects);
    runtime.block_on(shared(if is_bench { ROUNDS } else { 3 }));
    if is_small {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn tokens(issuer: &MockIssuer, subjects: usize) -> Vec<HeaderValue> {
    let token = |number: usize| {
        let token = issuer.token().audience(API).client("app");
        let token = token.subject(&format!("user-{number:06}"));
        let token = token.claim("sid", format!("session-{number:06}"));
        token.claim("jti", format!("token-{number:06}")).bearer()
    };
    (0..subjects).map(token).collect()
}

/// Opens streams, and revokes one subject. Whether the goals are met.
fn memory(streams: usize, subjects: usize) -> bool {
    let issuer = MockIssuer::new().with_algorithms([Algorithm::ES256]);
    let server = ResourceServer::builder(API)
        .issuer(issuer.trusted())
        .token_cache_entries(2 * subjects)
        .token_cache_bytes(1 << 28)
        .build()
        .expect("sound");
    let tokens = tokens(&issuer, subjects);
    let handler = || {
        tower::service_fn(|_: Request<()>| {
            std::future::ready(Ok::<_, Infallible>(Response::new(Maybe(Some(Waiting)))))
        })
    };
    let wakes = Arc::new(Wakes::default());
    let counting = Waker::from(Arc::clone(&wakes));
    // All tokens are in the cache, so that none counts as a stream's.
    let mut plain = server.authenticate().layer(handler());
    for token in &tokens {
        let _: Maybe = body(&mut plain, token);
    }
    let mut watched = server.authenticate().end_streams().layer(handler());
    let mut open: Vec<LeasedBody<Maybe>> = Vec::with_capacity(streams);
    let held = measure(|| {
        for number in 0..streams {
            let mut body = body(&mut watched, &tokens[number % subjects]);
            let polled = Pin::new(&mut body).poll_frame(&mut Context::from_waker(&counting));
            assert!(polled.is_pending());
            open.push(body);
        }
    });
    let streams_held = i64::try_from(streams).expect("few");
    let own = i64::try_from(size_of::<LeasedBody<Maybe>>() - size_of::<Maybe>()).expect("few");
    let each = held.bytes_current / streams_held + own;
    println!(
        "{streams} open streams: {each} bytes each, {own} of them in the body; at most {MOST_BYTES}"
    );
    assert_eq!(server.lease_status().open(), streams);

    let revocation = |number: usize| {
        let subject = format!("user-{number:06}");
        Revocation::subject(&issuer.issuer(), &subject, SystemClock::new().now())
    };
    let start = Instant::now();
    server.revocations().revoke(revocation(7)).expect("known");
    let took = start.elapsed();
    let (woken, expected) = (wakes.0.load(Ordering::Relaxed), streams / subjects);
    println!(
        "a subject of {streams} streams is revoked: its {woken} streams are woken after {took:?}"
    );
    let start = Instant::now();
    let whole = Revocation::whole_issuer(&issuer.issuer(), SystemClock::new().now());
    server.revocations().revoke(whole).expect("known");
    println!(
        "their issuer is revoked: all are woken after {:?}",
        start.elapsed()
    );
    assert_eq!(wakes.0.load(Ordering::Relaxed), streams);
    assert_eq!(server.lease_status().open(), 0);
    each <= MOST_BYTES && woken == expected
}

/// A body with a default, as refusals have it.
#[derive(Default)]
struct Maybe(Option<Waiting>);

impl Body for Maybe {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match &mut self.0 {
            Some(body) => Pin::new(body).poll_frame(context),
            None => Poll::Ready(None),
        }
    }
}

fn body<S, B>(service: &mut S, token: &HeaderValue) -> B
where
    S: Service<Request<()>, Response = Response<B>, Error = Infallible>,
{
    let mut request = Request::new(());
    let headers = request.headers_mut();
    headers.insert(http::header::AUTHORIZATION, token.clone());
    let mut future = std::pin::pin!(service.call(request));
    match future
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()))
    {
        Poll::Ready(Ok(response)) => {
            assert_eq!(response.status(), 200);
            response.into_body()
        }
        _ => panic!("the common case never waits"),
    }
}

/// The time until a stream at one instance ends by a revocation at another.
async fn shared(rounds: usize) {
    let Some(store) = Store::start() else {
        println!("shared: there is no `redis-server` here");
        return;
    };
    let issuer = MockIssuer::new().with_algorithms([Algorithm::ES256]);
    let connect = async || {
        let shared =
            SharedStore::redis(&store.url).cluster_key(*b"a key of thirty-two bytes,shared");
        let server = ResourceServer::builder(API)
            .issuer(issuer.trusted())
            .shared_store(shared);
        let server = server.build().expect("sound").connect().await;
        server.expect("a runtime")
    };
    let (here, there) = (connect().await, connect().await);
    let mut service = there
        .authenticate()
        .layer(tower::service_fn(async |request: Request<()>| {
            let lease = portcullis::lease::Lease::of(&request).ok();
            Ok::<_, Infallible>(Response::new(lease.map(Some)))
        }));
    let mut times = Vec::new();
    for (round, token) in tokens(&issuer, rounds).iter().enumerate() {
        let mut request = Request::new(());
        let headers = request.headers_mut();
        headers.insert(http::header::AUTHORIZATION, token.clone());
        let response = service.call(request).await.expect("never fails");
        let mut lease = response.into_body().flatten().expect("admitted");
        let subject = format!("user-{round:06}");
        let now = SystemClock::new().now();
        let revocation = Revocation::subject(&issuer.issuer(), &subject, now);
        let start = Instant::now();
        here.revocations().revoke(revocation).expect("known");
        let _ = lease.ended().await;
        times.push(start.elapsed());
    }
    times.sort();
    let (median, worst) = (times[times.len() / 2], times[times.len() - 1]);
    let goal = Duration::from_millis(100);
    println!(
        "through the store: ended {median:?} after the call in the median, {worst:?} at worst; goal {goal:?}"
    );
}

/// A store of the benchmark's own.
struct Store {
    process: Child,
    url: String,
}

impl Store {
    fn start() -> Option<Self> {
        let binary = std::env::var("PORTCULLIS_REDIS").unwrap_or_default();
        let binary = match &*binary {
            "" | "required" => "redis-server",
            path => path,
        };
        let port = TcpListener::bind("127.0.0.1:0").ok()?.local_addr().ok()?;
        let port = port.port().to_string();
        let process = Command::new(binary)
            .args(["--bind", "127.0.0.1", "--save", "", "--port", &port])
            .stdout(Stdio::null())
            .spawn();
        let process = process.ok()?;
        let url = format!("redis://127.0.0.1:{port}");
        while TcpStream::connect(format!("127.0.0.1:{port}")).is_err() {
            std::thread::yield_now();
        }
        Some(Self { process, url })
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
