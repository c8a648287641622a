//! Resource-server layers of other libraries, and this one, behind the same calls.
//!
//! 1. Every layer checks signature, issuer, audience and expiry, with its key set loaded, around
//!    the same empty handler; what more it does is its own affair.
//! 2. The claims are the type that the library offers by default.
//! 3. No call waits for a socket. Only oauth-resource-server needs a key-set address at all; one
//!    is served, and asked before the measurement.
//! 4. Tokens have the claims of Amazon Cognito with groups, those of ES256 the claims of Keycloak with
//!    roles. Good ones come in skewed order, the same for every layer. Nobody but this library
//!    remembers tokens, so for the others a token is always new. This library's row of new
//!    tokens has a cache that is full of others, and goes round through the same tokens.
//! 5. Time is the thread's on a processor.

#[path = "../../stage/mod.rs"]
mod stage;

pub mod dpop;
mod layers;

use std::convert::Infallible;
use std::sync::Arc;

use http::{HeaderValue, Request, Response, StatusCode};
use portcullis::Algorithm;
use portcullis::test_util::ServedIssuer;
use tower::Service;

use stage::shapes::Shape;
use stage::tokens::{Mint, Size, values};
use stage::turns::{by_turns, lower_quartile};
use stage::verified::forge;

/// Refused tokens of one kind that go round.
const REFUSED: usize = 500;

/// What is asked of every layer.
pub const CALLS: [&str; 9] = [
    "RS256 1 KB",
    "RS256 4 KB",
    "no token",
    "garbage",
    "unknown kid",
    "wrong issuer",
    "expired",
    "bad signature",
    "ES256 1 KB",
];

/// A library's layer around the handler.
pub struct Peer {
    pub name: &'static str,
    /// One for each of [`CALLS`], except for those that the library cannot answer.
    pub calls: Vec<Option<Call>>,
}

pub struct Call {
    pub status: StatusCode,
    pub run: Box<dyn FnMut()>,
}

/// An issuer and what is sent in its name.
pub struct Site {
    issuer: ServedIssuer,
    shape: Shape,
    algorithm: Algorithm,
    requests: Vec<Asked>,
}

/// The values of `Authorization` fields, none for a request without.
struct Asked {
    is_good: bool,
    values: Arc<[HeaderValue]>,
}

impl Asked {
    fn good(tokens: &[String]) -> Self {
        let (is_good, values) = (true, values(tokens));
        Self { is_good, values }
    }

    fn bad(tokens: &[String]) -> Self {
        let (is_good, values) = (false, values(tokens));
        Self { is_good, values }
    }
}

impl Site {
    fn start(shape: Shape, algorithm: Algorithm) -> ServedIssuer {
        let issuer = shape.issuer().with_algorithms([algorithm]);
        stage::runtime().block_on(issuer.serve())
    }

    /// All but ES256.
    fn rs256(tokens: usize) -> Self {
        let (shape, algorithm) = (Shape::Cognito, Algorithm::RS256);
        let issuer = Self::start(shape, algorithm);
        let small = Mint::of(shape, &issuer, Size::Kb1);
        let large = Mint::of(shape, &issuer, Size::Kb4);
        let good = small.sign(tokens);
        let each = |make: &dyn Fn(usize) -> String| (0..REFUSED).map(make).collect::<Vec<_>>();
        let unknown = |name: usize| small.token(name).key_id(&format!("stranger-{name}")).sign();
        let foreign = |name| small.token(name).issuer("https://elsewhere.example").sign();
        let expired = |name| small.token(name).expired().sign();
        let requests = vec![
            Asked::good(&good),
            Asked::good(&large.sign(tokens)),
            Asked::bad(&[]),
            Asked::bad(&["x".repeat(1_400)]),
            Asked::bad(&each(&unknown)),
            Asked::bad(&each(&foreign)),
            Asked::bad(&each(&expired)),
            Asked::bad(&each(&|name| forge(&good[name % good.len()]))),
        ];
        Self {
            issuer,
            shape,
            algorithm,
            requests,
        }
    }

    fn es256(tokens: usize) -> Self {
        let (shape, algorithm) = (Shape::Keycloak, Algorithm::ES256);
        let issuer = Self::start(shape, algorithm);
        let mint = Mint::of(shape, &issuer, Size::Kb1);
        Self {
            shape,
            algorithm,
            requests: vec![Asked::good(&mint.sign(tokens))],
            issuer,
        }
    }

    /// Good tokens of at least this length.
    fn of_length(bytes: usize, tokens: usize) -> Self {
        let (shape, algorithm) = (Shape::Cognito, Algorithm::RS256);
        let issuer = Self::start(shape, algorithm);
        let mint = Mint::of_length(shape, &issuer, bytes);
        Self {
            shape,
            algorithm,
            requests: vec![Asked::good(&mint.sign(tokens))],
            issuer,
        }
    }

    /// The layer's calls, of which the good tokens alone come through.
    fn peer<S, B>(&self, name: &'static str, service: &S) -> Peer
    where
        S: Service<Request<()>, Response = Response<B>, Error = Infallible> + Clone + 'static,
    {
        self.checked(self.calls(name, service, |count| stage::skewed(count)))
    }

    /// The same, where good tokens go round.
    fn peer_of_new<S, B>(&self, name: &'static str, service: &S) -> Peer
    where
        S: Service<Request<()>, Response = Response<B>, Error = Infallible> + Clone + 'static,
    {
        self.checked(self.calls(name, service, |count| stage::round(count)))
    }

    fn checked(&self, peer: Peer) -> Peer {
        for (place, call) in peer.calls.iter().enumerate() {
            let status = call.as_ref().map(|call| call.status);
            let is_good = status.is_none_or(|status| status == StatusCode::OK);
            let wanted = self.requests[place].is_good;
            assert_eq!(is_good, wanted, "{}: {place}", peer.name);
        }
        peer
    }

    /// No calls: the library does not verify this algorithm here.
    fn without(&self, name: &'static str) -> Peer {
        Peer {
            name,
            calls: self.requests.iter().map(|_| None).collect(),
        }
    }

    /// A service's calls, each answered before as it will be.
    fn calls<S, B, O>(&self, name: &'static str, service: &S, order: impl Fn(usize) -> O) -> Peer
    where
        S: Service<Request<()>, Response = Response<B>, Error = Infallible> + Clone + 'static,
        O: FnMut() -> usize + 'static,
    {
        let call = |asked: &Asked| {
            let (mut service, values) = (service.clone(), Arc::clone(&asked.values));
            let mut order = order(values.len().max(1));
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
            Some(Call { status, run })
        };
        Peer {
            name,
            calls: self.requests.iter().map(call).collect(),
        }
    }
}

/// The handler alone, this library with a cache that is always full of other tokens and with one
/// that knows all of them, and the others, with so many good tokens of each kind.
#[must_use]
pub fn peers(tokens: usize) -> Vec<Peer> {
    let sites = [Site::rs256(tokens), Site::es256(tokens)];
    let _inside = stage::runtime().enter();
    let mut peers: Vec<Peer> = Vec::new();
    for site in &sites {
        let here = layers::all(site);
        if peers.is_empty() {
            peers = here;
        } else {
            for (peer, more) in peers.iter_mut().zip(here) {
                peer.calls.extend(more.calls);
            }
        }
    }
    // Their addresses must stay open for those that ask.
    std::mem::forget(sites);
    peers
}

/// Nanoseconds of a call with a good RS256 token of each of these lengths: the names of the layers, and
/// their times.
#[must_use]
pub fn by_length(lengths: &[usize], tokens: usize) -> Vec<Vec<(&'static str, f64)>> {
    let by_length = lengths.iter().map(|bytes| {
        let site = Site::of_length(*bytes, tokens);
        let _inside = stage::runtime().enter();
        let mut peers = layers::all(&site);
        let names: Vec<_> = peers.iter().map(|peer| peer.name).collect();
        let times = times(&mut peers, 0)
            .into_iter()
            .map(Option::unwrap_or_default);
        std::mem::forget(site);
        names.into_iter().zip(times).collect()
    });
    by_length.collect()
}

/// Nanoseconds of one kind of call, of every layer that answers it, by turns.
pub fn times(peers: &mut [Peer], kind: usize) -> Vec<Option<f64>> {
    const TURNS: usize = 100;
    let answers: Vec<bool> = peers.iter().map(|it| it.calls[kind].is_some()).collect();
    let mut calls: Vec<&mut dyn FnMut()> = Vec::new();
    for peer in peers {
        calls.extend(peer.calls[kind].as_mut().map(|call| &mut *call.run as _));
    }
    let times = by_turns(&mut calls, TURNS);
    let mut times = times.into_iter().map(lower_quartile);
    let time = |answers: bool| answers.then(|| times.next()).flatten();
    answers.into_iter().map(time).collect()
}
