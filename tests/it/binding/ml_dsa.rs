//! Keys of ML-DSA (RFC 9964) in DPoP proofs, and the header fields that such tokens and proofs need.

use std::net::SocketAddr;

use aws_lc_rs::signature::{KeyPair as _, ML_DSA_44_SIGNING, ML_DSA_65_SIGNING, ML_DSA_87_SIGNING};
use aws_lc_rs::signature::{PqdsaKeyPair, PqdsaSigningAlgorithm};
use axum::Router;
use axum::body::Body;
use axum::routing::get;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::Request;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use portcullis::binding::Dpop;
use portcullis::test_util::{DpopKey, MockIssuer, ProofBuilder};
use portcullis::{AccessToken, Algorithm, ResourceServer};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::support::{API, Requests as _, TestApp};

const URL: &str = "https://api.example.com/";
const ML_DSA: [Algorithm; 3] = [Algorithm::MlDsa44, Algorithm::MlDsa65, Algorithm::MlDsa87];

fn server(issuer: &MockIssuer, dpop: Dpop) -> ResourceServer {
    ResourceServer::builder(API)
        .issuer(issuer.trusted().algorithms(Algorithm::all()))
        .dpop(dpop)
        .build()
        .expect("a sound configuration")
}

fn app(issuer: &MockIssuer, dpop: Dpop) -> TestApp {
    TestApp::new(&server(issuer, dpop))
}

async fn verdict(app: &TestApp, token: &str, proof: &str) -> String {
    let authorization = format!("DPoP {token}");
    let fields = [("authorization", &*authorization), ("dpop", proof)];
    app.send("/", &fields).await.verdict()
}

/// A token that is bound to this key, and a proof for it.
fn bound(issuer: &MockIssuer, key: &DpopKey) -> (String, ProofBuilder) {
    let token = issuer.token().audience(API).bound_to_key(key).sign();
    let proof = key.proof("GET", URL).access_token(&token);
    (token, proof)
}

#[tokio::test]
async fn proofs_of_ml_dsa_are_refused_until_the_algorithms_of_proofs_name_it() {
    let issuer = MockIssuer::new().with_algorithms([Algorithm::EdDSA]);
    // The proof is longer than the default admits, so that the length is not the reason.
    let default = app(&issuer, Dpop::accepted().max_proof_bytes(16 * 1024));
    for algorithm in ML_DSA {
        let named = app(&issuer, Dpop::accepted().algorithms([algorithm]));
        let key = DpopKey::for_algorithm(algorithm);
        let (token, proof) = bound(&issuer, &key);
        assert_eq!(
            verdict(&default, &token, &proof.sign()).await,
            "401 invalid_dpop_proof proof_algorithm",
            "{algorithm}"
        );
        assert_eq!(
            verdict(&named, &token, &proof.sign_with_wrong_key()).await,
            "401 invalid_dpop_proof proof_signature",
            "{algorithm}"
        );
        assert_eq!(
            verdict(&named, &token, &proof.sign()).await,
            "200",
            "{algorithm}"
        );
        assert_eq!(
            verdict(&named, &token, &proof.sign()).await,
            "401 invalid_dpop_proof proof_replayed",
            "{algorithm}"
        );
        let (_, stolen) = bound(&issuer, &DpopKey::for_algorithm(algorithm));
        let stolen = stolen.access_token(&token).sign();
        assert_eq!(
            verdict(&named, &token, &stolen).await,
            "401 invalid_token binding",
            "{algorithm}"
        );
    }
}

#[tokio::test]
async fn keys_of_ml_dsa_in_proofs_state_their_algorithm_and_have_its_length() {
    let issuer = MockIssuer::new().with_algorithms([Algorithm::EdDSA]);
    let app = app(&issuer, Dpop::accepted().algorithms(Algorithm::all()));
    let key = DpopKey::for_algorithm(Algorithm::MlDsa65);
    let (token, good) = bound(&issuer, &key);
    let public = key.jwk()["pub"].as_str().expect("text").to_owned();
    let with = |change: &dyn Fn(&mut Value)| {
        let mut jwk = key.jwk();
        change(&mut jwk);
        good.clone().header("jwk", jwk)
    };
    let twin = with(&|jwk| jwk["kid"] = "another".into());
    assert_eq!(verdict(&app, &token, &twin.sign()).await, "200");
    for (what, change) in [
        ("no `alg`", ("alg", Value::Null)),
        ("another algorithm", ("alg", "ML-DSA-87".into())),
        ("an algorithm of another type", ("alg", "ES256".into())),
        ("no key", ("pub", Value::Null)),
        ("a short key", ("pub", public[4..].into())),
        ("a long key", ("pub", format!("{public}AAAA").into())),
        ("padding", ("pub", format!("{public}=").into())),
        ("a private key", ("priv", "A".repeat(43).into())),
        ("a private member without a value", ("priv", "".into())),
        ("another type", ("kty", "OKP".into())),
    ] {
        let (name, value) = change;
        let proof = with(&|jwk| jwk[name] = value.clone());
        assert_eq!(
            verdict(&app, &token, &proof.id(what).sign()).await,
            "401 invalid_dpop_proof proof_key",
            "{what}"
        );
    }
    // The header states one parameter set and the key another.
    for (alg, expected) in [
        ("ML-DSA-44", "401 invalid_dpop_proof proof_key"),
        ("ES256", "401 invalid_dpop_proof proof_key"),
        ("ML-DSA-66", "401 invalid_dpop_proof proof_algorithm"),
    ] {
        let proof = good.clone().header("alg", alg).id(alg);
        assert_eq!(
            verdict(&app, &token, &proof.sign()).await,
            expected,
            "{alg}"
        );
    }
}

/// The key of the examples in RFC 9964: its seed is 32 zero bytes, and `kid` is its thumbprint.
#[tokio::test]
async fn thumbprints_are_those_of_the_specification() {
    let issuer = MockIssuer::new().with_algorithms([Algorithm::EdDSA]);
    let app = app(&issuer, Dpop::accepted().algorithms(Algorithm::all()));
    let cases: [(Algorithm, &'static PqdsaSigningAlgorithm, &str); 3] = [
        (
            Algorithm::MlDsa44,
            &ML_DSA_44_SIGNING,
            "T4xl70S7MT6Zeq6r9V9fPJGVn76wfnXJ21-gyo0Gu6o",
        ),
        (
            Algorithm::MlDsa65,
            &ML_DSA_65_SIGNING,
            "Suiu29qbfuaBaR4Ats-c6XQBePB_OpAxAwcTR_0KXVM",
        ),
        (
            Algorithm::MlDsa87,
            &ML_DSA_87_SIGNING,
            "tRn1JNIkgMsABVQBlXeDHxAIcclh-2IX0UdDEzPt5XU",
        ),
    ];
    for (algorithm, signing, thumbprint) in cases {
        let pair = PqdsaKeyPair::from_seed(signing, &[0; 32]).expect("a seed");
        let public = URL_SAFE_NO_PAD.encode(pair.public_key().as_ref());
        let jwk = json!({"kty": "AKP", "alg": algorithm, "pub": public});
        // The signature is made here, since the key is not one of the test kit.
        let signed = |token: &str| {
            let template = DpopKey::for_algorithm(algorithm).proof("GET", URL);
            let proof = template.access_token(token).header("jwk", &jwk).sign();
            let (input, _) = proof.rsplit_once('.').expect("three parts");
            let mut signature = vec![0; signing.signature_len()];
            pair.sign(input.as_bytes(), &mut signature)
                .expect("a signature");
            format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature))
        };
        let bound = |jkt: &str| {
            let token = issuer.token().audience(API);
            token.claim("cnf", json!({ "jkt": jkt })).sign()
        };
        let token = bound(thumbprint);
        assert_eq!(
            verdict(&app, &token, &signed(&token)).await,
            "200",
            "{algorithm}"
        );
        // RFC 7638 s3.2: without `alg` it would be another thumbprint, which does not count.
        let shorter = format!(r#"{{"kty":"AKP","pub":"{public}"}}"#);
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, shorter.as_bytes());
        let token = bound(&URL_SAFE_NO_PAD.encode(digest));
        assert_eq!(
            verdict(&app, &token, &signed(&token)).await,
            "401 invalid_token binding",
            "{algorithm}"
        );
    }
}

/// Serves over a real socket as applications do.
async fn serve(issuer: &MockIssuer) -> SocketAddr {
    let server = server(issuer, Dpop::accepted().algorithms(Algorithm::all()));
    let routes = Router::new().route("/", get(async |_: AccessToken| "ok"));
    let service = routes.layer(server.authenticate());
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move { axum::serve(listener, service).await });
    address
}

/// The status of the answer to a request with these header fields.
async fn exchange(address: SocketAddr, fields: &[(&str, &str)]) -> u16 {
    let mut stream = TcpStream::connect(address).await.expect("a server");
    let mut head = String::from("GET / HTTP/1.1\r\nhost: api.example.com\r\nconnection: close\r\n");
    for (name, value) in fields {
        head.extend([*name, ": ", *value, "\r\n"]);
    }
    head.push_str("\r\n");
    stream
        .write_all(head.as_bytes())
        .await
        .expect("a connection");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("an answer");
    let status = answer.split(' ').nth(1).expect("a status line");
    status.parse().expect("a status")
}

/// The same over HTTP/2, on a connection of its own.
async fn exchange_http2(address: SocketAddr, fields: &[(&str, &str)]) -> u16 {
    let stream = TcpStream::connect(address).await.expect("a server");
    let handshake = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await;
    let (mut sender, connection) = handshake.expect("a connection");
    tokio::spawn(connection);
    let mut request = Request::get(format!("http://{address}/"));
    for (name, value) in fields {
        request = request.header(*name, *value);
    }
    let request = request.body(Body::empty()).expect("a request");
    let answer = sender.send_request(request).await.expect("an answer");
    answer.status().as_u16()
}

/// Access tokens as long as those of usual issuers: with about 600 bytes of claims.
#[tokio::test]
async fn tokens_and_proofs_of_ml_dsa_and_the_default_header_limits_of_hyper() {
    // Bytes of the two field lines, at most, and the answers by HTTP/1.1 and HTTP/2. HTTP/2 of hyper
    // reads 16 KiB of header fields, which a token and a proof of ML-DSA-87 exceed together.
    let cases = [
        (Algorithm::MlDsa44, (4_100, 6_000), (200, 200)),
        (Algorithm::MlDsa65, (5_300, 8_400), (200, 200)),
        (Algorithm::MlDsa87, (7_100, 11_300), (200, 431)),
    ];
    for (algorithm, most, expected) in cases {
        let issuer = MockIssuer::new().with_algorithms([algorithm]);
        let address = serve(&issuer).await;
        let key = DpopKey::for_algorithm(algorithm);
        let builder = issuer.token().audience(API).bound_to_key(&key);
        let token = builder.claim("filler", "f".repeat(250)).sign();
        let fields_with = |key: &DpopKey, token: &str| {
            let proof = key.proof("GET", URL).access_token(token).sign();
            [("authorization", format!("DPoP {token}")), ("dpop", proof)]
        };
        let fields = fields_with(&key, &token);
        let sizes = fields
            .each_ref()
            .map(|(name, value)| name.len() + 2 + value.len());
        println!(
            "{algorithm}: {} {} {sizes:?}",
            token.len(),
            fields[1].1.len()
        );
        assert!(
            sizes[0] <= most.0 && sizes[1] <= most.1,
            "{algorithm}: {sizes:?}"
        );
        let sent = fields.each_ref().map(|(name, value)| (*name, &**value));
        assert_eq!(exchange(address, &sent).await, expected.0, "{algorithm}");
        let fields = fields_with(&key, &token); // another proof
        let sent = fields.each_ref().map(|(name, value)| (*name, &**value));
        assert_eq!(
            exchange_http2(address, &sent).await,
            expected.1,
            "{algorithm}"
        );
        // With a proof by a short key, tokens of each algorithm fit.
        let key = DpopKey::generate();
        let token = issuer.token().audience(API).bound_to_key(&key).sign();
        let fields = fields_with(&key, &token);
        let sent = fields.each_ref().map(|(name, value)| (*name, &**value));
        assert_eq!(exchange_http2(address, &sent).await, 200, "{algorithm}");
    }
}
