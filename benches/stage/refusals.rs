//! Requests that are refused before any signature work, responses included.

use std::convert::Infallible;
use std::future::ready;
use std::time::Duration;

use http::header::{CACHE_CONTROL, WWW_AUTHENTICATE};
use http::{HeaderValue, Request, Response, StatusCode};
use portcullis::test_util::{ManualClock, MockIssuer, ServedIssuer, TokenBuilder};
use portcullis::{Algorithm, RejectionKind, ResourceServer};
use tower::{Layer as _, Service as _};

use super::shapes::Shape;
use super::tokens::{Mint, Size, server, values};
use super::{Goal, Row, Scene, built, call, handler, round, runtime, with};

/// Strangers' keys that go round.
const KEYS: usize = 500;

pub(crate) fn scene() -> Scene {
    let issuer = Shape::Cognito.issuer();
    let good = Mint::of(Shape::Cognito, &issuer, Size::Kb1).token(0);
    let unknown = |name: usize| good.clone().key_id(&format!("stranger-{name}")).sign();
    let unknown: Vec<String> = (0..KEYS).map(unknown).collect();
    let garbage = "x".repeat(1_400);
    Scene {
        name: "refusals".to_owned(),
        rows: vec![
            without_token("handler"),
            response().over("handler", Goal::None),
            missing(&issuer).over("handler", Goal::None),
            handler_given("handler, token", &[good.sign()]),
            refused("garbage", &issuer, &[garbage]).over("handler, token", Goal::Total(330.0)),
            refused("wrong issuer", &issuer, &[foreign(&good)])
                .over("handler, token", Goal::Total(800.0)),
            refused("expired", &issuer, &[good.clone().expired().sign()])
                .over("handler, token", Goal::Total(800.0)),
            handler_given("handler, tokens", &unknown),
            refused("unknown kid", &issuer, &unknown).over("handler, tokens", Goal::None),
            Fetched::start().unknown(StatusCode::UNAUTHORIZED, "unknown kid, fetched keys"),
            Fetched::start().unknown(StatusCode::SERVICE_UNAVAILABLE, "unknown kid, cooldown"),
        ],
    }
}

fn foreign(good: &TokenBuilder) -> String {
    good.clone().issuer("https://elsewhere.example").sign()
}

fn without_token(name: &'static str) -> Row {
    let mut service = handler();
    Row::new(name, move || {
        call(&mut service, Request::new(()), StatusCode::OK);
    })
}

/// What a 401 costs by itself: two header fields and a kind.
fn response() -> Row {
    let challenge = HeaderValue::from_static("Bearer realm=\"https://api.example.com\"");
    let mut service = tower::service_fn(move |_: Request<()>| {
        let mut response = Response::new(String::new());
        *response.status_mut() = StatusCode::UNAUTHORIZED;
        let headers = response.headers_mut();
        headers.insert(WWW_AUTHENTICATE, challenge.clone());
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response
            .extensions_mut()
            .insert(RejectionKind::MissingToken);
        ready(Ok::<_, Infallible>(response))
    });
    Row::new("bare 401", move || {
        call(&mut service, Request::new(()), StatusCode::UNAUTHORIZED);
    })
}

fn missing(issuer: &MockIssuer) -> Row {
    let server = built(server(issuer));
    let mut service = server.authenticate().layer(handler());
    Row::new("no token", move || {
        call(&mut service, Request::new(()), StatusCode::UNAUTHORIZED);
    })
}

fn handler_given(name: &'static str, tokens: &[String]) -> Row {
    let (values, mut order) = (values(tokens), round(tokens.len()));
    let mut service = handler();
    Row::new(name, move || {
        call(&mut service, with(&values[order()]), StatusCode::OK);
    })
}

/// Static keys know what they know, and answer at once.
fn refused(name: &'static str, issuer: &MockIssuer, tokens: &[String]) -> Row {
    let server = built(server(issuer));
    let mut service = server.authenticate().layer(handler());
    let (values, mut order) = (values(tokens), round(tokens.len()));
    Row::new(name, move || {
        call(
            &mut service,
            with(&values[order()]),
            StatusCode::UNAUTHORIZED,
        );
    })
}

/// A server whose keys were fetched, at a time that stands still.
struct Fetched {
    site: ServedIssuer,
    server: ResourceServer,
    clock: ManualClock,
}

impl Fetched {
    fn start() -> Self {
        runtime().block_on(async {
            let clock = ManualClock::new();
            // No signature is looked at, and these are quick to make.
            let issuer = MockIssuer::new().with_algorithms([Algorithm::ES256]);
            let site = issuer.with_clock(clock.clone()).serve().await;
            let builder = ResourceServer::builder(MockIssuer::AUDIENCE)
                .issuer(site.trusted())
                .clock(clock.clone());
            let server = built(builder).connect().await.expect("up");
            Self {
                site,
                server,
                clock,
            }
        })
    }

    /// Keys that the issuer does not have. Within the cooldown that is not known yet, and the
    /// answer is 503; after a fetch it is 401.
    fn unknown(self, status: StatusCode, name: &'static str) -> Row {
        let good = Mint::new(&self.site, Size::Kb1).token(0);
        let unknown = |name: usize| good.clone().key_id(&format!("stranger-{name}")).sign();
        let tokens: Vec<String> = (0..KEYS).map(unknown).collect();
        let (values, mut order) = (values(&tokens), round(tokens.len()));
        let mut service = self.server.authenticate().layer(handler());
        let mut outside = service.clone();
        let mut ask = |name: &str| {
            let stranger = good.clone().key_id(name).bearer();
            let answer = runtime().block_on(outside.call(with(&stranger)));
            assert_eq!(
                answer.expect("never fails").status(),
                StatusCode::UNAUTHORIZED
            );
        };
        // The first one has the issuer asked, and a cooldown begins.
        ask("first");
        for value in values.iter() {
            call(&mut service, with(value), StatusCode::SERVICE_UNAVAILABLE);
        }
        if status == StatusCode::UNAUTHORIZED {
            self.clock.advance(Duration::from_secs(31));
            ask("second");
        }
        Row::new(name, move || {
            let _running = &self;
            call(&mut service, with(&values[order()]), status);
        })
        .over("handler, tokens", Goal::None)
    }
}

/// Ten thousand random key ids ask for one fetch at most, and leave nothing behind: `growth` tells
/// how many bytes more are live after it has run something. Returns what was missed.
pub(crate) fn random_keys(growth: impl Fn(&mut dyn FnMut()) -> i64) -> Option<String> {
    const REQUESTS: usize = 10_000;
    let Fetched { site, server, .. } = Fetched::start();
    let good = Mint::new(&site, Size::Kb1).token(0);
    let before = site.fetches();
    let mut service = server.authenticate().layer(handler());
    let mut ask = |names: std::ops::Range<usize>| {
        let tokens = names.map(|name| good.clone().key_id(&format!("random-{name}")).sign());
        let values = values(&tokens.collect::<Vec<_>>());
        growth(&mut || {
            for value in values.iter() {
                let answer = runtime().block_on(service.call(with(value)));
                assert_ne!(answer.expect("never fails").status(), StatusCode::OK);
            }
        })
    };
    // What is remembered of them is bounded, and full after these.
    let first = ask(0..REQUESTS / 2);
    let second = ask(REQUESTS / 2..REQUESTS);
    let fetches = site.fetches() - before;
    let line = format!(
        "{REQUESTS} requests with random kids: {fetches} fetches, {first} bytes more after the \
         first half, {second} after the second"
    );
    println!("{line}; at most 1 fetch, no growth");
    (fetches > 1 || second > 0).then_some(line)
}
