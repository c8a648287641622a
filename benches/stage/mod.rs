//! What is measured: calls, each in a scene with the floor that it stands on.
//!
//! 1. A [`Scene`] holds rows that belong side by side. A [`Row`] is one call, and names the row
//!    of its scene over which it is judged, and the goal.
//! 2. Every measurement, of time, allocations or instructions, runs these same rows.
//! 3. A call is a request with one header field, made, answered and dropped. A row and its floor
//!    go through the same header values in the same order and read all of their bytes first, as
//!    one who takes them from a socket must: what memory costs to fetch them is in both.
//! 4. The future of a call is polled once: the common case never waits.
//!
//! Without `--bench` on the command line, as in `cargo test --benches`, everything is small and
//! runs once.

#![allow(dead_code)] // Each benchmark uses a part of it.

pub(crate) mod bound;
pub(crate) mod forged;
pub(crate) mod mcp;
pub(crate) mod guards;
pub(crate) mod observed;
pub(crate) mod refusals;
pub(crate) mod seen;
pub(crate) mod shapes;
pub(crate) mod tokens;
pub(crate) mod turns;
pub(crate) mod verified;

use std::convert::Infallible;
use std::future::{Future, Ready, ready};
use std::hint::black_box;
use std::pin::pin;
use std::sync::OnceLock;
use std::task::{Context, Poll, Waker};

use http::header::AUTHORIZATION;
use http::{HeaderValue, Request, Response, StatusCode};
use portcullis::{ResourceServer, ResourceServerBuilder};
use tokio::runtime::Runtime;
use tower::Service;

/// How much of everything.
#[derive(Clone, Copy)]
pub(crate) struct Scale {
    /// Tokens that are remembered, and seen again in skewed order.
    pub(crate) seen: usize,
    /// Entries of the cache that cold tokens go through, all taken.
    pub(crate) entries: usize,
    /// Tokens that go round in that cache, so many that none is there when it comes again.
    pub(crate) strangers: usize,
    /// Issuers, where many are asked for.
    pub(crate) issuers: usize,
}

impl Scale {
    /// As the issue of the hot path asks.
    pub(crate) const FULL: Self = Self {
        seen: 10_000,
        entries: 4_000,
        strangers: 20_000,
        issuers: 1_000,
    };

    /// Where memory is not the question.
    pub(crate) const SMALL: Self = Self {
        seen: 64,
        entries: 32,
        strangers: 160,
        issuers: 50,
    };

    /// A tenth of the tokens, as far as that leaves enough.
    pub(crate) fn tenth(self) -> Self {
        Self {
            seen: (self.seen / 10).max(Self::SMALL.seen),
            entries: (self.entries / 10).max(Self::SMALL.entries),
            strangers: (self.strangers / 10).max(Self::SMALL.strangers),
            ..self
        }
    }
}

/// Whether figures are wanted, or only whether it runs.
pub(crate) fn is_bench() -> bool {
    std::env::args().any(|argument| argument == "--bench")
}

/// Rows that belong side by side.
pub(crate) struct Scene {
    pub(crate) name: String,
    pub(crate) rows: Vec<Row>,
}

/// One call, over and over.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    /// The row of the same scene that it stands on.
    pub(crate) floor: Option<&'static str>,
    pub(crate) goal: Goal,
    /// Most allocations above those of the floor.
    pub(crate) allocations: Option<u64>,
    pub(crate) run: Box<dyn FnMut()>,
}

#[derive(Clone, Copy)]
pub(crate) enum Goal {
    None,
    /// So many times the floor.
    Times(f64),
    /// So many nanoseconds above the floor.
    Above(f64),
    /// So many nanoseconds, the floor's included.
    Total(f64),
}

impl Row {
    pub(crate) fn new(name: &'static str, run: impl FnMut() + 'static) -> Self {
        Self {
            name,
            floor: None,
            goal: Goal::None,
            allocations: None,
            run: Box::new(run),
        }
    }

    pub(crate) fn over(mut self, floor: &'static str, goal: Goal) -> Self {
        (self.floor, self.goal) = (Some(floor), goal);
        self
    }

    pub(crate) fn allocates(mut self, most: u64) -> Self {
        self.allocations = Some(most);
        self
    }
}

/// Every scene by its name, to be made when its turn comes: they hold many tokens.
pub(crate) fn makers(scale: Scale) -> Vec<Maker> {
    let mut makers: Vec<Maker> = vec![("refusals".to_owned(), Box::new(refusals::scene))];
    makers.push(("forged".to_owned(), Box::new(forged::scene)));
    makers.extend(verified::makers(scale));
    makers.push((
        "claims of a seen token".to_owned(),
        Box::new(move || seen::claims(scale)),
    ));
    makers.push(("opaque".to_owned(), Box::new(seen::opaque)));
    makers.push(("DPoP".to_owned(), Box::new(move || bound::scene(scale))));
    makers.push(("MCP".to_owned(), Box::new(mcp::scene)));
    makers.push((
        "guard of a scope".to_owned(),
        Box::new(move || guards::scene(scale)),
    ));
    makers.push((
        "observed".to_owned(),
        Box::new(move || observed::scene(scale)),
    ));
    makers.push(("issuers".to_owned(), Box::new(move || seen::issuers(scale))));
    makers
}

/// Every scene, one after the other.
pub(crate) fn scenes(scale: Scale) -> impl Iterator<Item = Scene> {
    makers(scale).into_iter().map(|(_, make)| make())
}

pub(crate) type Maker = (String, Box<dyn FnOnce() -> Scene>);

pub(crate) fn built(builder: ResourceServerBuilder) -> ResourceServer {
    builder.build().expect("sound settings")
}

/// The empty handler.
pub(crate) fn handler() -> impl Service<
    Request<()>,
    Response = Response<String>,
    Error = Infallible,
    Future = Ready<Result<Response<String>, Infallible>>,
> + Clone
+ Send
+ 'static {
    tower::service_fn(|_: Request<()>| ready(Ok(Response::new(String::new()))))
}

/// A request with this token, as it has just come from a socket: its bytes are in the
/// processor's cache.
pub(crate) fn with(value: &HeaderValue) -> Request<()> {
    const LINE: usize = 64;
    let lines = value.as_bytes().iter().step_by(LINE);
    black_box(lines.fold(0, |sum: u8, byte| sum.wrapping_add(*byte)));
    let mut request = Request::new(());
    request.headers_mut().insert(AUTHORIZATION, value.clone());
    request
}

/// One call, answered at once and with this status.
pub(crate) fn call<S>(service: &mut S, request: Request<()>, status: StatusCode)
where
    S: Service<Request<()>, Response = Response<String>, Error = Infallible>,
{
    match now(service.call(request)) {
        Ok(response) => assert_eq!(response.status(), status),
        Err(never) => match never {},
    }
}

/// What a future gives that has no reason to wait.
pub(crate) fn now<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    match future
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()))
    {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("the common case never waits"),
    }
}

/// Where issuers are served and fetched from, beside the calls.
pub(crate) fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        builder.worker_threads(1).enable_all();
        builder.build().expect("a runtime")
    })
}

/// Places in a list, the first ones far oftener than the last: the square of an even draw.
pub(crate) fn skewed(count: usize) -> impl FnMut() -> usize + Send + 'static {
    let mut state: u64 = 0x9e37_79b9_7f4a_7c15;
    move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let even = state % count as u64;
        let place = even * even / count as u64;
        usize::try_from(place).unwrap_or_default()
    }
}

/// Places in a list, one after the other.
pub(crate) fn round(count: usize) -> impl FnMut() -> usize {
    let mut next = 0;
    move || {
        next = (next + 1) % count;
        next
    }
}
