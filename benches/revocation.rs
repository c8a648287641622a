//! What the list of revocations costs a request.
//!
//! `cargo bench --bench revocation`, with 0, 10,000 and 1,000,000 entries beside one that changes,
//! and 10,000 remembered tokens with a `jti`, a `sid`, a `sub` and a client, in turn:
//!
//! * `unchanged`: the layer's call with a token that was found clean since the last addition;
//! * `changed`: the same behind an addition, so that each of its names is looked up again. The
//!   addition is not counted. The difference is the look-up;
//! * `add`: an addition that makes a new version, in a list of that length.
//!
//! With a shared store (on real loopback, where `redis-server` or `PORTCULLIS_REDIS` is there), printed:
//!
//! * `later moments`: 31,000 rising moments of one subject, from the first call until the store has
//!   what they come to, and until another instance knows it;
//! * `one more`: one revocation more with 1,000,000 entries in list and ledger: the call itself, and
//!   the call until the store has it.
//!
//! How long the entries took to add, their memory, and the difference between the best rounds of
//! the first two are printed on the way.

#![allow(
    missing_docs,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)] // A benchmark fails loudly.

use std::convert::Infallible;
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use http::{HeaderValue, Request, Response};
use portcullis::config::SharedStore;
use portcullis::revocation::Revocation;
use portcullis::test_util::MockIssuer;
use portcullis::time::UnixTime;
use portcullis::{Algorithm, ResourceServer};
use tower::{Layer as _, Service};

const API: &str = "https://api.example.com";
const LENGTHS: [usize; 3] = [0, 10_000, 1_000_000];
const TOKENS: usize = 10_000;
/// Revocations of which the mean is taken.
const MORE: u32 = 1000;
/// Rounds of which the best counts.
const ROUNDS: usize = 50;

fn revocation(criterion: &mut Criterion) {
    // A single round that shows that it runs: unoptimised, the figures would say nothing.
    let is_test = std::env::args().any(|argument| argument == "--test");
    let (tokens, rounds) = if is_test { (100, 1) } else { (TOKENS, ROUNDS) };
    let lengths = LENGTHS.map(|length| if is_test { length / 1000 } else { length });
    let issuer = MockIssuer::new().with_algorithms([Algorithm::ES256]);
    let name = issuer.issuer();
    let values: Vec<HeaderValue> = (0..tokens)
        .map(|number| {
            let token = issuer.token().subject(&id("user", number));
            let token = token.claim("sid", id("session", number)).sign();
            HeaderValue::try_from(format!("Bearer {token}")).expect("a value")
        })
        .collect();
    for length in lengths {
        let server = ResourceServer::builder(API)
            .issuer(issuer.trusted())
            .token_cache_entries(2 * TOKENS)
            .token_cache_bytes(1 << 28)
            .most_revocations(2 * LENGTHS[2])
            .build()
            .expect("sound");
        let list = server.revocations();
        let (before, start) = (resident_bytes(), Instant::now());
        for number in 0..length {
            // Of callers that send no request.
            let id = id("other", number);
            let entry = match number % 3 {
                0 => Revocation::token(&name, &id),
                1 => Revocation::session(&name, &id),
                _ => Revocation::subject(&name, &id, UnixTime::from_secs(1)),
            };
            list.revoke(entry).expect("there is room");
        }
        let (took, bytes) = (start.elapsed(), resident_bytes().saturating_sub(before));
        let (took, each) = (took.as_millis(), bytes / length.max(1));
        println!("{length} entries: added in {took} ms, {each} bytes each");
        let mut moment = 1;
        let mut change = || {
            moment += 1;
            let nobody = Revocation::subject(&name, "nobody", UnixTime::from_secs(moment));
            list.revoke(nobody).expect("there is room");
        };
        let mut group = criterion.benchmark_group(format!("{length}"));

        let mut service = server.authenticate().layer(handler());
        let mut all = |rounds: u64| {
            let rounds = usize::try_from(rounds).expect("few");
            let start = Instant::now();
            for round in 0..rounds {
                call(&mut service, &values[round % tokens]);
            }
            start.elapsed()
        };
        all(tokens as u64);
        // In turn, and the best of each: other load on the machine slows both down.
        let [mut unchanged, mut changed] = [Duration::MAX; 2];
        for _ in 0..rounds {
            unchanged = unchanged.min(all(tokens as u64));
            change();
            changed = changed.min(all(tokens as u64));
        }
        let each = |time: Duration| time.as_nanos() / tokens as u128;
        let look = each(changed.saturating_sub(unchanged));
        println!(
            "{length} entries: {look} ns to look up, in {} ns",
            each(changed)
        );
        group.bench_function("unchanged", |bencher| bencher.iter_custom(&mut all));
        group.bench_function("changed", |bencher| {
            bencher.iter_custom(|rounds| {
                let mut time = Duration::ZERO;
                let mut rest = rounds;
                while rest > 0 {
                    let some = rest.min(tokens as u64);
                    change();
                    time += all(some);
                    rest -= some;
                }
                time
            });
        });
        group.bench_function("add", |bencher| bencher.iter(&mut change));
        group.finish();
    }
}

/// What sharing costs the instance that revokes.
fn shared(_: &mut Criterion) {
    let is_test = std::env::args().any(|argument| argument == "--test");
    let (moments, length) = if is_test {
        (310, 1000)
    } else {
        (31_000, 1_000_000)
    };
    let Some(store) = Store::start() else {
        println!("shared: there is no `redis-server` here");
        return;
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let issuer = MockIssuer::new().with_algorithms([Algorithm::ES256]);
    let name = issuer.issuer();
    let connect = async || {
        let shared =
            SharedStore::redis(&store.url).cluster_key(*b"a key of thirty-two bytes,shared");
        let server = ResourceServer::builder(API)
            .issuer(issuer.trusted())
            .most_revocations(2 * length)
            .shared_store(shared);
        let server = server.build().expect("sound").connect().await;
        server.expect("a runtime")
    };
    runtime.block_on(async {
        let (here, there) = (connect().await, connect().await);
        let list = here.revocations();
        let revoke = |moment: i64| {
            let moment = Revocation::subject(&name, "user", UnixTime::from_secs(moment));
            list.revoke(moment).expect("there is room");
        };
        let start = Instant::now();
        (1..=moments).for_each(revoke);
        let called = start.elapsed();
        here.synchronize().await.expect("the store");
        let written = start.elapsed();
        there.synchronize().await.expect("the store");
        let known = start.elapsed();
        println!(
            "{moments} later moments: called in {called:?}, written in {written:?}, known to another in {known:?}"
        );
        for number in 0..length {
            let token = Revocation::token(&name, &id("other", number));
            list.revoke(token).expect("there is room");
        }
        here.synchronize().await.expect("the store");
        let start = Instant::now();
        for number in 0..MORE {
            let token = Revocation::token(&name, &id("more", number as usize));
            list.revoke(token).expect("there is room");
        }
        let called = start.elapsed() / MORE;
        here.synchronize().await.expect("the store");
        let written = start.elapsed() / MORE;
        println!("one more at {length}: called in {called:?}, written in {written:?}, mean of {MORE}");
    });
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
        let port = TcpListener::bind("127.0.0.1:0")
            .ok()?
            .local_addr()
            .ok()?
            .port();
        let process = Command::new(binary)
            .args([
                "--bind",
                "127.0.0.1",
                "--save",
                "",
                "--port",
                &port.to_string(),
            ])
            .stdout(Stdio::null())
            .spawn();
        let process = process.ok()?;
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            std::thread::yield_now();
        }
        let url = format!("redis://127.0.0.1:{port}");
        Some(Self { process, url })
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn id(kind: &str, number: usize) -> String {
    format!("{kind}-7e2c7a1e-8a1f-4c8d-9a53-{number:08}")
}

fn handler()
-> impl Service<Request<()>, Response = Response<String>, Error = Infallible, Future: Send + 'static>
+ Clone
+ Send {
    tower::service_fn(|_: Request<()>| {
        std::future::ready(Ok::<_, Infallible>(Response::new(String::new())))
    })
}

fn call<S>(service: &mut S, value: &HeaderValue)
where
    S: Service<Request<()>, Response = Response<String>, Error = Infallible>,
{
    let mut request = Request::new(());
    let headers = request.headers_mut();
    headers.insert(http::header::AUTHORIZATION, value.clone());
    let mut future = std::pin::pin!(service.call(request));
    match future
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()))
    {
        Poll::Ready(Ok(response)) => assert_eq!(response.status(), 200),
        _ => panic!("the common case never waits"),
    }
}

/// What this process holds in memory, where the system says so.
fn resident_bytes() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<usize>().ok());
    kilobytes.unwrap_or_default() * 1024
}

criterion_group!(benches, revocation, shared);
criterion_main!(benches);
