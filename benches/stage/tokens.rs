//! Good tokens of two sizes: the bare signature, a token never seen, a token seen before.

use std::hint::black_box;
use std::sync::Arc;

use aws_lc_rs::signature::{self, ParsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use http::{HeaderValue, StatusCode};
use portcullis::test_util::{MockIssuer, TokenBuilder};
use portcullis::{Algorithm, ResourceServer, ResourceServerBuilder};
use tower::Layer as _;

use super::{Goal, Maker, Row, Scale, Scene, built, call, handler, round, skewed, with};

/// How long a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Size {
    Kb1,
    Kb4,
}

impl Size {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Kb1 => "1 KB",
            Self::Kb4 => "4 KB",
        }
    }

    const fn bytes(self) -> usize {
        match self {
            Self::Kb1 => 1024,
            Self::Kb4 => 4096,
        }
    }
}

/// Makes an issuer's tokens of one size.
pub(crate) struct Mint {
    issuer: MockIssuer,
    /// Real tokens grow by lists.
    permissions: Vec<String>,
}

impl Mint {
    pub(crate) fn new(issuer: &MockIssuer, size: Size) -> Self {
        let mut mint = Self {
            issuer: issuer.clone(),
            permissions: Vec::new(),
        };
        let mut length = mint.token(0).sign().len();
        while length < size.bytes() {
            let index = mint.permissions.len();
            mint.permissions
                .push(format!("missions:workspace-{index:04}:edit"));
            length = mint.token(0).sign().len();
        }
        assert!(length < size.bytes() + 50, "{length}");
        mint
    }

    /// One token, as a provider's look.
    pub(crate) fn token(&self, name: usize) -> TokenBuilder {
        self.issuer
            .token()
            .subject(&format!("2f1c7a52-6d1e-4b8e-9f0d-{name:012}"))
            .scope("app/read app/write dashboard/read")
            .claim("email", format!("user-{name:06}@customer.example"))
            .claim("email_verified", true)
            .claim("sid", "7a0a3c0e-5a3e-4a26-b6d7-0f1d8a0b9c11")
            .claim("permissions", &self.permissions)
    }

    pub(crate) fn sign(&self, count: usize) -> Vec<String> {
        (0..count).map(|name| self.token(name).sign()).collect()
    }
}

/// The values of `Authorization` fields.
pub(crate) fn values(tokens: &[String]) -> Arc<[HeaderValue]> {
    let value = |token: &String| {
        let field = format!("Bearer {token}");
        let value = HeaderValue::try_from(field).expect("a compact token is visible ascii");
        // The first clone of a value makes it shareable, which is no request's cost here.
        let _shared = value.clone();
        value
    };
    tokens.iter().map(value).collect()
}

pub(crate) fn server(issuer: &MockIssuer) -> ResourceServerBuilder {
    ResourceServer::builder(MockIssuer::AUDIENCE).issuer(issuer.trusted())
}

pub(crate) fn makers(scale: Scale) -> impl Iterator<Item = Maker> {
    [
        (Algorithm::RS256, Size::Kb1, 1.10),
        (Algorithm::RS256, Size::Kb4, 1.15),
        (Algorithm::ES256, Size::Kb1, 1.04),
        (Algorithm::ES256, Size::Kb4, 1.04),
    ]
    .into_iter()
    .map(move |(algorithm, size, most)| {
        let make = move || scene(algorithm, size, most, scale);
        (format!("{algorithm} {}", size.name()), Box::new(make) as _)
    })
}

fn scene(algorithm: Algorithm, size: Size, most: f64, scale: Scale) -> Scene {
    let issuer = &MockIssuer::new().with_algorithms([algorithm]);
    let tokens = Mint::new(issuer, size).sign(scale.strangers);
    let values = values(&tokens);
    let most_above = match size {
        Size::Kb1 => 500.0,
        Size::Kb4 => 800.0,
    };
    Scene {
        name: format!("{algorithm} {}", size.name()),
        rows: vec![
            bare(&values, scale),
            signature(issuer, algorithm, tokens),
            cold(issuer, &values, scale).over("signature", Goal::Times(most)),
            seen(issuer, &values, scale).over("handler", Goal::Above(most_above)),
        ],
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
fn signature(issuer: &MockIssuer, algorithm: Algorithm, tokens: Vec<String>) -> Row {
    let key = key(issuer, algorithm);
    let mut order = round(tokens.len());
    let split: Vec<(String, Vec<u8>)> = tokens
        .into_iter()
        .map(|token| {
            let (signed, signature) = token.rsplit_once('.').expect("three parts");
            let signature = URL_SAFE_NO_PAD.decode(signature).expect("base64url");
            (signed.to_owned(), signature)
        })
        .collect();
    Row::new("signature", move || {
        let (signed, signature) = &split[order()];
        key.verify_sig(black_box(signed.as_bytes()), black_box(signature))
            .expect("verifies");
    })
}

/// A cache in which no token is missing by chance.
pub(crate) fn roomy(builder: ResourceServerBuilder, scale: Scale) -> ResourceServerBuilder {
    builder
        .token_cache_entries((2 * scale.seen).max(2048))
        .token_cache_bytes(1 << 29)
}

/// Tokens that are not remembered, while the cache is on and full.
fn cold(issuer: &MockIssuer, values: &Arc<[HeaderValue]>, scale: Scale) -> Row {
    let server = built(server(issuer).token_cache_entries(scale.entries));
    let mut service = server.authenticate().layer(handler());
    let (values, mut order) = (Arc::clone(values), round(values.len()));
    for _ in 0..scale.entries {
        call(&mut service, with(&values[order()]), StatusCode::OK);
    }
    let strangers = Strangers(server);
    Row::new("cold", move || {
        let _strangers = &strangers;
        call(&mut service, with(&values[order()]), StatusCode::OK);
    })
    .allocates(8)
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
fn seen(issuer: &MockIssuer, values: &Arc<[HeaderValue]>, scale: Scale) -> Row {
    let server = built(roomy(server(issuer), scale));
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
