//! Tokens seen before, where more is asked: their claims, opaque ones, and among many issuers.

use std::convert::Infallible;
use std::future::ready;
use std::hint::black_box;
use std::time::Duration;

use axum::extract::FromRequestParts as _;
use http::{Request, Response, StatusCode};
use portcullis::test_util::MockIssuer;
use portcullis::{AccessToken, Algorithm, Claims, ResourceServer};
use serde::Deserialize;
use tower::{Layer as _, Service as _};

use super::tokens::{Mint, Size, roomy, server, values};
use super::{Goal, Row, Scale, Scene, built, call, handler, now, runtime, skewed, with};

#[derive(Deserialize)]
struct Payload {
    email: String,
    permissions: Vec<String>,
}

/// The payload as a type of the application's, beside the token alone.
pub(crate) fn claims(scale: Scale) -> Scene {
    let issuer = MockIssuer::new().with_algorithms([Algorithm::ES256]);
    let tokens = Mint::new(&issuer, Size::Kb4).sign(scale.seen);
    let values = values(&tokens);
    let row = |name, wants_claims: bool| {
        let server = built(roomy(server(&issuer), scale));
        let handler = tower::service_fn(move |request: Request<()>| {
            let (mut parts, ()) = request.into_parts();
            if wants_claims {
                let claims = now(Claims::<Payload>::from_request_parts(&mut parts, &()));
                let claims = claims.expect("they fit");
                black_box((&claims.email, &claims.permissions));
            } else {
                let token = now(AccessToken::from_request_parts(&mut parts, &()));
                let _ = black_box(token.expect("a token"));
            }
            ready(Ok::<_, Infallible>(Response::new(String::new())))
        });
        let mut service = server.authenticate().layer(handler);
        for value in values.iter() {
            call(&mut service, with(value), StatusCode::OK);
        }
        let (values, mut order) = (values.clone(), skewed(scale.seen));
        Row::new(name, move || {
            call(&mut service, with(&values[order()]), StatusCode::OK);
        })
    };
    Scene {
        name: "claims of a seen token, 4 KB".to_owned(),
        rows: vec![
            row("token", false),
            row("claims", true).over("token", Goal::None),
        ],
    }
}

/// Opaque tokens that the issuer has judged, beside JWTs that were verified.
pub(crate) fn opaque() -> Scene {
    const TOKENS: usize = 256;
    let issuer = MockIssuer::new().with_algorithms([Algorithm::ES256]);
    let served = runtime().block_on(issuer.serve());
    let jwts = Mint::new(&issuer, Size::Kb1).sign(TOKENS);
    let name = |number: usize| issuer.token().subject(&format!("user-{number}"));
    let opaque: Vec<String> = (0..TOKENS).map(|number| name(number).issue()).collect();
    let asked = served
        .introspected()
        .introspection_cache_life(Duration::from_secs(300)); // longer than this takes
    let row = |name, server: ResourceServer, tokens: &[String]| {
        let mut service = server.authenticate().layer(handler());
        let values = values(tokens);
        for value in values.iter() {
            let first = runtime().block_on(service.call(with(value)));
            assert_eq!(first.expect("never fails").status(), StatusCode::OK);
        }
        let mut order = skewed(TOKENS);
        Row::new(name, move || {
            call(&mut service, with(&values[order()]), StatusCode::OK);
        })
    };
    let asking = ResourceServer::builder(MockIssuer::AUDIENCE).issuer(asked);
    let rows = vec![
        row("JWT", built(server(&issuer)), &jwts),
        row("opaque", built(asking), &opaque).over("JWT", Goal::Times(1.1)),
    ];
    drop(served); // Nobody is asked again.
    Scene {
        name: "opaque tokens seen before".to_owned(),
        rows,
    }
}

/// One issuer's tokens, never seen and seen, at a server of one, ten and very many issuers.
pub(crate) fn issuers(scale: Scale) -> Scene {
    let issuer = MockIssuer::new().with_algorithms([Algorithm::ES256]);
    let tokens = Mint::new(&issuer, Size::Kb1).sign(256);
    let values = values(&tokens);
    let row = |name, others: usize, is_seen: bool| {
        let mut builder = server(&issuer);
        if !is_seen {
            builder = builder.without_token_cache();
        }
        for other in 1..others {
            let other = MockIssuer::named(format!("https://issuer-{other}.test"));
            builder = builder.issuer(other.with_algorithms([Algorithm::ES256]).trusted());
        }
        let server = built(builder);
        let mut service = server.authenticate().layer(handler());
        for value in values.iter() {
            call(&mut service, with(value), StatusCode::OK);
        }
        let (values, mut order) = (values.clone(), skewed(tokens.len()));
        Row::new(name, move || {
            call(&mut service, with(&values[order()]), StatusCode::OK);
        })
    };
    Scene {
        name: "issuers, ES256 1 KB".to_owned(),
        rows: vec![
            row("new, 1", 1, false),
            row("new, 10", 10, false).over("new, 1", Goal::None),
            row("new, many", scale.issuers, false).over("new, 1", Goal::None),
            row("seen, 1", 1, true),
            row("seen, 10", 10, true).over("seen, 1", Goal::None),
            row("seen, many", scale.issuers, true).over("seen, 1", Goal::None),
        ],
    }
}
