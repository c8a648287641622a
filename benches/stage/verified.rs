//! Good tokens beside their signature: never seen, seen before, and with a bad signature.

use std::hint::black_box;
use std::sync::Arc;

use aws_lc_rs::signature::{self, ParsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use http::{HeaderValue, StatusCode};
use portcullis::test_util::MockIssuer;
use portcullis::{Algorithm, ResourceServer};
use tower::Layer as _;

use super::shapes::Shape;
use super::tokens::{Mint, Size, roomy, values};
use super::{Goal, Maker, Row, Scale, Scene, built, call, handler, round, skewed, with};

/// Above those of the handler, whatever the claims are.
const MOST_ALLOCATIONS: u64 = 6;

/// What is measured of one kind of token.
#[derive(Clone, Copy)]
struct Kind {
    shape: Shape,
    algorithm: Algorithm,
    size: Size,
    /// Whether it stands in the table of goals. The others have a tenth of its tokens.
    is_main: bool,
}

impl Kind {
    fn name(self) -> String {
        let size = self.size.name();
        if self.is_main {
            format!("{} {size}", self.algorithm)
        } else {
            format!("{} {size}", self.shape.name())
        }
    }

    /// Most times its signature that a new token may cost.
    const fn most_new(self) -> f64 {
        match (self.algorithm, self.size) {
            (Algorithm::ES256, _) => 1.03,
            (_, Size::Kb1) => 1.12,
            (_, Size::Kb4) => 1.25,
        }
    }

    /// Most nanoseconds above the handler that a seen token may cost.
    const fn most_seen(self) -> f64 {
        match self.size {
            Size::Kb1 => 300.0,
            Size::Kb4 => 450.0,
        }
    }
}

pub(crate) fn makers(scale: Scale) -> impl Iterator<Item = Maker> {
    let main = [
        (Shape::Cognito, Algorithm::RS256, Size::Kb1),
        (Shape::Cognito, Algorithm::RS256, Size::Kb4),
        (Shape::Keycloak, Algorithm::ES256, Size::Kb1),
    ];
    let main = main.map(|(shape, algorithm, size)| Kind {
        shape,
        algorithm,
        size,
        is_main: true,
    });
    let sizes = [Size::Kb1, Size::Kb4];
    let others = Shape::NAMED.into_iter().flat_map(move |shape| {
        sizes.map(|size| Kind {
            shape,
            algorithm: Algorithm::RS256,
            size,
            is_main: false,
        })
    });
    // Cognito's stand in the table.
    let others = others.filter(|kind| kind.shape != Shape::Cognito);
    main.into_iter().chain(others).map(move |kind| {
        let make = move || scene(kind, scale);
        (kind.name(), Box::new(make) as _)
    })
}

fn scene(kind: Kind, scale: Scale) -> Scene {
    let scale = if kind.is_main { scale } else { scale.tenth() };
    let issuer = kind.shape.issuer().with_algorithms([kind.algorithm]);
    let mint = &Mint::of(kind.shape, &issuer, kind.size);
    let tokens = mint.sign(scale.strangers);
    let forged: Vec<String> = tokens
        .iter()
        .take(scale.seen)
        .map(|token| forge(token))
        .collect();
    let values = values(&tokens);
    let mut rows = vec![
        bare(&values, scale),
        signature("signature", mint, kind.algorithm, &tokens, true),
        unseen(mint, &values, scale).over("signature", Goal::Times(kind.most_new())),
        seen(mint, &values, scale).over("handler", Goal::Above(kind.most_seen())),
    ];
    if kind.is_main {
        rows.push(signature("bad alone", mint, kind.algorithm, &forged, false));
        rows.push(refused(mint, &forged).over("bad alone", Goal::Times(1.06)));
    }
    Scene {
        name: kind.name(),
        rows,
    }
}

/// The handler alone, asked with the tokens that are seen again.
fn bare(values: &Arc<[HeaderValue]>, scale: Scale) -> Row {
    let mut service = handler();
    let (values, mut order) = (Arc::clone(values), skewed(scale.seen));
    Row::new("handler", move || {
        call(&mut service, with(&values[order()]), StatusCode::OK);
    })
}

/// Bare verification with a key that was parsed before.
fn signature(
    name: &'static str,
    mint: &Mint,
    algorithm: Algorithm,
    tokens: &[String],
    is_good: bool,
) -> Row {
    let key = key(mint.issuer(), algorithm);
    let mut order = round(tokens.len());
    let split: Vec<(String, Vec<u8>)> = tokens
        .iter()
        .map(|token| {
            let (signed, signature) = token.rsplit_once('.').expect("three parts");
            let signature = URL_SAFE_NO_PAD.decode(signature).expect("base64url");
            (signed.to_owned(), signature)
        })
        .collect();
    Row::new(name, move || {
        let (signed, signature) = &split[order()];
        let verified = key.verify_sig(black_box(signed.as_bytes()), black_box(signature));
        assert_eq!(verified.is_ok(), is_good);
    })
}

/// The token under a signature of the right form that differs in its lowest bits alone, so that it is
/// computed to its end.
pub(crate) fn forge(token: &str) -> String {
    let place = token.len() - 3;
    let (before, rest) = token.split_at(place);
    let other = if rest.starts_with('A') { 'B' } else { 'A' };
    format!("{before}{other}{}", &rest[1..])
}

/// Tokens that are not remembered, while the cache is on and full.
fn unseen(mint: &Mint, values: &Arc<[HeaderValue]>, scale: Scale) -> Row {
    let server = built(mint.server().token_cache_entries(scale.entries));
    let mut service = server.authenticate().layer(handler());
    let (values, mut order) = (Arc::clone(values), round(values.len()));
    // Full of others, since the cache keeps those that fill it. Each of its shards is full in the end.
    let held = || server.token_cache_status().expect("it is on").entries();
    for name in values.len().. {
        if held() >= scale.entries {
            break;
        }
        call(
            &mut service,
            with(&mint.token(name).bearer()),
            StatusCode::OK,
        );
    }
    let strangers = Strangers(server);
    Row::new("new", move || {
        let _strangers = &strangers;
        call(&mut service, with(&values[order()]), StatusCode::OK);
    })
    .allocates(MOST_ALLOCATIONS)
}

/// In the end, nearly no token was found in the cache.
struct Strangers(ResourceServer);

impl Drop for Strangers {
    fn drop(&mut self) {
        let status = self.0.token_cache_status().expect("it is on");
        assert!(status.hits() * 100 <= status.misses(), "{status:?}");
    }
}

/// Remembered tokens, in skewed order.
fn seen(mint: &Mint, values: &Arc<[HeaderValue]>, scale: Scale) -> Row {
    let server = built(roomy(mint.server(), scale));
    let mut service = server.authenticate().layer(handler());
    for value in values.iter().take(scale.seen) {
        call(&mut service, with(value), StatusCode::OK);
    }
    let (values, mut order) = (Arc::clone(values), skewed(scale.seen));
    Row::new("seen", move || {
        call(&mut service, with(&values[order()]), StatusCode::OK);
    })
    .allocates(3)
}

/// Tokens whose signature is another's.
fn refused(mint: &Mint, forged: &[String]) -> Row {
    let server = built(mint.server());
    let mut service = server.authenticate().layer(handler());
    let (values, mut order) = (values(forged), round(forged.len()));
    Row::new("bad signature", move || {
        call(
            &mut service,
            with(&values[order()]),
            StatusCode::UNAUTHORIZED,
        );
    })
}

fn key(issuer: &MockIssuer, algorithm: Algorithm) -> ParsedPublicKey {
    let pem = issuer.public_key_pem();
    let body: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    let der = STANDARD.decode(body).expect("base64");
    let parsed = match algorithm {
        Algorithm::RS256 => ParsedPublicKey::new(&signature::RSA_PKCS1_2048_8192_SHA256, der),
        _ => ParsedPublicKey::new(&signature::ECDSA_P256_SHA256_FIXED, der),
    };
    parsed.expect("a public key")
}
