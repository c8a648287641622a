//! Resource-server layers of other libraries, and this one, behind the same calls.
//!
//! 1. Every layer checks signature, issuer, audience and expiry, with its key set loaded, around
//!    the same empty handler; what more it does is its own affair.
//! 2. The claims are the type that the library offers by default.
//! 3. No call waits for a socket. Only oauth-resource-server needs a key-set address at all; one
//!    is served, and asked before the measurement.
//! 4. Calls go through the same tokens in the same order. Nobody but this library remembers
//!    tokens, so for the others a token is always new.

#[path = "../../stage/mod.rs"]
mod stage;

pub mod dpop;
mod layers;

use std::convert::Infallible;
use std::sync::Arc;

use http::{HeaderValue, Request, Response, StatusCode};
use portcullis::test_util::{MockIssuer, ServedIssuer};
use tower::Service;

use stage::tokens::{Mint, Size, values};
use stage::turns::{by_turns, lower_quartile};

/// Tokens of each size that go round.
const TOKENS: usize = 2_000;

/// What is asked of every layer.
pub const CALLS: [&str; 5] = [
    "RS256 1 KB",
    "RS256 4 KB",
    "missing token",
    "garbage",
    "unknown kid",
];

/// A library's layer around the handler.
pub struct Peer {
    pub name: &'static str,
    /// One for each of [`CALLS`].
    pub calls: Vec<Call>,
}

pub struct Call {
    pub status: StatusCode,
    pub run: Box<dyn FnMut()>,
}

/// An issuer and what is sent in its name.
pub struct Site {
    issuer: ServedIssuer,
    requests: Vec<Arc<[HeaderValue]>>,
}

impl Site {
    fn start() -> Self {
        let issuer = MockIssuer::named("https://issuer.test");
        let issuer = stage::runtime().block_on(issuer.serve());
        let good = Mint::new(&issuer, Size::Kb1).token(0);
        let unknown = |name: usize| good.clone().key_id(&format!("stranger-{name}")).sign();
        let requests = vec![
            values(&Mint::new(&issuer, Size::Kb1).sign(TOKENS)),
            values(&Mint::new(&issuer, Size::Kb4).sign(TOKENS)),
            values(&[]),
            values(&["x".repeat(1000)]),
            values(&(0..500).map(unknown).collect::<Vec<_>>()),
        ];
        Self { issuer, requests }
    }

    /// The layer's calls, of which the good tokens alone come through.
    fn peer<S, B>(&self, name: &'static str, service: &S) -> Peer
    where
        S: Service<Request<()>, Response = Response<B>, Error = Infallible> + Clone + 'static,
    {
        let peer = self.bare(name, service);
        for (call, what) in peer.calls.iter().zip(CALLS) {
            let is_good = what.starts_with("RS256");
            assert_eq!(call.status == StatusCode::OK, is_good, "{name}: {what}");
        }
        peer
    }

    /// A service's calls, each answered before as it will be.
    fn bare<S, B>(&self, name: &'static str, service: &S) -> Peer
    where
        S: Service<Request<()>, Response = Response<B>, Error = Infallible> + Clone + 'static,
    {
        let call = |values: &Arc<[HeaderValue]>| {
            let (mut service, values) = (service.clone(), Arc::clone(values));
            let mut order = stage::round(values.len().max(1));
            let mut request = move || match values.get(order()) {
                Some(value) => stage::with(value),
                None => Request::new(()),
            };
            // The first may have to ask the issuer.
            let first = stage::runtime().block_on(service.call(request()));
            assert!(first.is_ok());
            let second = stage::now(service.call(request()));
            let status = second.map(|it| it.status()).unwrap_or_default();
            let run = Box::new(move || {
                let answer = stage::now(service.call(request()));
                assert!(answer.is_ok_and(|it| it.status() == status));
            });
            Call { status, run }
        };
        Peer {
            name,
            calls: self.requests.iter().map(call).collect(),
        }
    }
}

/// The handler alone, this library with a cache that is always full of other tokens and with one
/// that knows all of them, and the others.
#[must_use]
pub fn peers() -> Vec<Peer> {
    let site = Site::start();
    let _inside = stage::runtime().enter();
    let mut peers = layers::own(&site);
    peers.extend([
        layers::jwt_authorizer(&site),
        layers::tower_oauth2_resource_server(&site),
        layers::oauth_resource_server(&site),
        layers::aliri_tower(&site),
    ]);
    // Its address must stay open for those that ask.
    std::mem::forget(site);
    peers
}

/// Nanoseconds of one kind of call, of every layer by turns.
pub fn times(peers: &mut [Peer], kind: usize) -> Vec<f64> {
    const TURNS: usize = 100;
    let mut calls: Vec<&mut dyn FnMut()> = Vec::new();
    for peer in peers {
        calls.push(&mut *peer.calls[kind].run);
    }
    by_turns(&mut calls, TURNS)
        .into_iter()
        .map(lower_quartile)
        .collect()
}
