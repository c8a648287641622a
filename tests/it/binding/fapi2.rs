//! `Issuer::fapi2`: the clauses of the FAPI 2.0 Security Profile for resource servers (sections 5.3.4
//! and 5.4), each with an accepted and a refused request. The manual's chapter on bound tokens names
//! these tests.

use std::time::Duration;

use axum::body::Body;
use axum::routing::any;
use http::{HeaderValue, Method, Request};
use portcullis::binding::{ClientCertificate, Dpop};
use portcullis::revocation::Revocation;
use portcullis::test_util::{DpopKey, ManualClock, MockIssuer, TestCertificate, TokenBuilder};
use portcullis::{AccessToken, Algorithm, Issuer, ResourceServer, Scoped};

use crate::support::{API, Requests as _, TestApp};

const URL: &str = "https://api.example.com/accounts";

const PROFILE: [Algorithm; 4] = [
    Algorithm::PS256,
    Algorithm::ES256,
    Algorithm::EdDSA,
    Algorithm::Ed25519,
];

portcullis::scopes! { ReadAccounts = "accounts:read"; }

/// An authorization server of the profile, an API, and a client with a key and a certificate.
struct Stage {
    clock: ManualClock,
    issuer: MockIssuer,
    server: ResourceServer,
    app: TestApp,
    key: DpopKey,
    certificate: TestCertificate,
}

/// What a request shows of its sender.
enum Sender<'s> {
    Bearer,
    Key(&'s DpopKey),
    Certificate(&'s ClientCertificate),
}

impl Stage {
    fn new() -> Self {
        let clock = ManualClock::new();
        let others = [Algorithm::RS256, Algorithm::ES384];
        let issuer = MockIssuer::named("https://as.example.com")
            .with_algorithms(PROFILE.into_iter().chain(others))
            .with_clock(clock.clone());
        let server = ResourceServer::builder(API)
            .issuer(Issuer::fapi2(issuer.issuer()).key_set(issuer.key_set()))
            .dpop(Dpop::accepted().algorithms(PROFILE))
            .clock(clock.clone())
            .build()
            .expect("sound settings");
        let app = TestApp::behind(server.authenticate())
            .route("/accounts", any(async |_: AccessToken| {}))
            .route("/scoped", any(async |_: Scoped<ReadAccounts>| {}));
        Self {
            app,
            key: DpopKey::generate().with_clock(clock.clone()),
            certificate: TestCertificate::self_signed("client"),
            issuer,
            server,
            clock,
        }
    }

    fn token(&self) -> TokenBuilder {
        self.issuer.token().audience(API)
    }

    async fn verdict(&self, token: &str, sender: Sender<'_>) -> String {
        self.verdict_at("/accounts", token, sender).await
    }

    async fn verdict_at(&self, path: &str, token: &str, sender: Sender<'_>) -> String {
        let request = Request::get(path).body(Body::empty());
        let mut request = request.expect("a request");
        match sender {
            Sender::Key(key) => {
                let proof = key.proof("GET", &format!("{API}{path}"));
                request = proof.authorize(request, token);
            }
            Sender::Bearer | Sender::Certificate(_) => {
                let value = HeaderValue::try_from(format!("Bearer {token}"));
                let headers = request.headers_mut();
                headers.insert("authorization", value.expect("a token"));
            }
        }
        if let Sender::Certificate(certificate) = sender {
            request.extensions_mut().insert(certificate.clone());
        }
        self.app.exchange(request).await.verdict()
    }
}

#[tokio::test]
async fn only_sender_constrained_tokens_are_accepted() {
    let stage = Stage::new();
    let by_key = stage.token().bound_to_key(&stage.key).sign();
    let certificate = stage.certificate.certificate();
    let by_certificate = stage.token().bound_to_certificate(certificate).sign();
    let bearer = stage.token().sign();
    let thief = DpopKey::generate().with_clock(stage.clock.clone());
    let other = TestCertificate::self_signed("client");
    let refused = "401 invalid_token binding";
    for (token, sender, expected) in [
        (&by_key, Sender::Key(&stage.key), "200"),
        (&by_key, Sender::Key(&thief), refused),
        (&by_key, Sender::Bearer, refused),
        (&by_key, Sender::Certificate(certificate), refused),
        (&by_certificate, Sender::Certificate(certificate), "200"),
        (
            &by_certificate,
            Sender::Certificate(other.certificate()),
            refused,
        ),
        (&by_certificate, Sender::Bearer, refused),
        (&bearer, Sender::Bearer, refused),
        (&bearer, Sender::Certificate(certificate), refused),
        (&bearer, Sender::Key(&stage.key), refused),
    ] {
        assert_eq!(stage.verdict(token, sender).await, expected);
    }
}

#[tokio::test]
async fn tokens_are_read_from_the_authorization_field_alone() {
    let stage = Stage::new();
    let token = stage.token().bound_to_key(&stage.key).sign();
    let proof = || stage.key.proof("GET", URL).access_token(&token).sign();
    for (with_field, verdict) in [(true, "200"), (false, "401 missing_token")] {
        let mut request = Request::get(format!("/accounts?access_token={token}"));
        request = request.header("dpop", proof());
        if with_field {
            request = request.header("authorization", format!("DPoP {token}"));
        }
        let request = request.body(Body::empty()).expect("a request");
        assert_eq!(stage.app.exchange(request).await.verdict(), verdict);
    }
    // RFC 6750 s2.2: a form in the body is not read either.
    let request = Request::builder()
        .method(Method::POST)
        .uri("/accounts")
        .header("content-type", "application/x-www-form-urlencoded")
        .header(
            "dpop",
            stage.key.proof("POST", URL).access_token(&token).sign(),
        )
        .body(Body::from(format!("access_token={token}")))
        .expect("a request");
    assert_eq!(
        stage.app.exchange(request).await.verdict(),
        "401 missing_token"
    );
}

#[tokio::test]
async fn validity_integrity_expiry_and_revocation_are_verified() {
    let stage = Stage::new();
    let bound = || stage.token().bound_to_key(&stage.key);
    let sender = || Sender::Key(&stage.key);
    let revoked = bound().claim("jti", "revoked").sign();
    assert_eq!(stage.verdict(&revoked, sender()).await, "200");
    let revocation = Revocation::token(&stage.issuer.issuer(), "revoked");
    stage.server.revocations().revoke(revocation).expect("room");
    for (token, expected) in [
        (bound().sign(), "200"),
        (bound().claim("jti", "other").sign(), "200"),
        (revoked, "401 invalid_token revoked"),
        (bound().expired().sign(), "401 invalid_token expired"),
        (bound().without("exp").sign(), "401 invalid_token no_expiry"),
        (bound().sign_with_wrong_key(), "401 invalid_token signature"),
        (
            bound().audience("https://other.example.com").sign(),
            "401 invalid_token audience",
        ),
    ] {
        assert_eq!(stage.verdict(&token, sender()).await, expected);
    }
}

#[tokio::test]
async fn a_token_without_the_scope_is_answered_insufficient_scope() {
    let stage = Stage::new();
    for (scope, expected) in [
        ("accounts:read", "200"),
        ("accounts", "403 insufficient_scope"),
    ] {
        let token = stage.token().scope(scope).bound_to_key(&stage.key).sign();
        let verdict = stage.verdict_at("/scoped", &token, Sender::Key(&stage.key));
        assert_eq!(verdict.await, expected);
    }
}

#[tokio::test]
async fn tokens_and_proofs_are_signed_by_the_algorithms_of_the_profile() {
    let stage = Stage::new();
    let bound = |algorithm| stage.token().bound_to_key(&stage.key).algorithm(algorithm);
    for algorithm in PROFILE {
        let token = bound(algorithm).sign();
        let verdict = stage.verdict(&token, Sender::Key(&stage.key)).await;
        assert_eq!(verdict, "200", "{algorithm}");
        let key = DpopKey::for_algorithm(algorithm).with_clock(stage.clock.clone());
        let token = stage.token().bound_to_key(&key).sign();
        let verdict = stage.verdict(&token, Sender::Key(&key)).await;
        assert_eq!(verdict, "200", "{algorithm}");
    }
    for algorithm in [Algorithm::RS256, Algorithm::ES384] {
        let token = bound(algorithm).sign();
        let verdict = stage.verdict(&token, Sender::Key(&stage.key)).await;
        assert_eq!(verdict, "401 invalid_token algorithm", "{algorithm}");
        let key = DpopKey::for_algorithm(algorithm).with_clock(stage.clock.clone());
        let token = stage.token().bound_to_key(&key).sign();
        let verdict = stage.verdict(&token, Sender::Key(&key)).await;
        let expected = "401 invalid_dpop_proof proof_algorithm";
        assert_eq!(verdict, expected, "{algorithm}");
    }
    let unsigned = bound(Algorithm::ES256).unsigned();
    let verdict = stage.verdict(&unsigned, Sender::Key(&stage.key)).await;
    assert_eq!(verdict, "401 invalid_token algorithm");
}

#[tokio::test]
async fn clocks_may_differ_by_ten_seconds() {
    let seconds = Duration::from_secs;
    let stage = Stage::new();
    let bound = || stage.token().bound_to_key(&stage.key);
    for (ahead, expected) in [
        (0, "200"),
        (10, "200"),
        (11, "401 invalid_token not_yet_valid"),
        (61, "401 invalid_token not_yet_valid"),
    ] {
        let token = bound().not_before_in(seconds(ahead)).sign();
        let verdict = stage.verdict(&token, Sender::Key(&stage.key)).await;
        assert_eq!(verdict, expected, "{ahead}");
    }
    let token = bound().sign();
    for (ahead, expected) in [
        (0, "200"),
        (10, "200"),
        (60, "200"),
        (61, "401 invalid_dpop_proof proof_issued_at"),
    ] {
        let proof = stage.key.proof("GET", URL).issued_in(seconds(ahead));
        let request = Request::get("/accounts").body(Body::empty());
        let request = proof.authorize(request.expect("a request"), &token);
        let verdict = stage.app.exchange(request).await.verdict();
        assert_eq!(verdict, expected, "{ahead}");
    }
    // Past the end of the token: 10 s and no more.
    let short = bound().expires_in(seconds(60)).sign();
    stage.clock.advance(seconds(69));
    let verdict = stage.verdict(&short, Sender::Key(&stage.key)).await;
    assert_eq!(verdict, "200");
    stage.clock.advance(seconds(1));
    let verdict = stage.verdict(&short, Sender::Key(&stage.key)).await;
    assert_eq!(verdict, "401 invalid_token expired");
}
