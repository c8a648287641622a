//! DPoP proofs at the resource server (RFC 9449): each check of section 4.3, and sections 7 to 9.

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::routing::any;
use http::{Method, Request};
use portcullis::binding::{Binding, Dpop};
use portcullis::extract::SenderConstrained;
use portcullis::test_util::{DpopKey, ManualClock, MockIssuer, ProofBuilder};
use portcullis::{AccessToken, Algorithm, ResourceServerBuilder};

use crate::support::{API, Requests as _, TestResponse, builder};

const URL: &str = "https://api.example.com/orders";

/// An issuer, a client's key, and an API.
struct Stage {
    clock: ManualClock,
    key: DpopKey,
    issuer: MockIssuer,
    app: Router,
}

impl Stage {
    fn new(settings: impl FnOnce(ResourceServerBuilder) -> ResourceServerBuilder) -> Self {
        let clock = ManualClock::new();
        let issuer = MockIssuer::new().with_clock(clock.clone());
        let server = settings(builder(&issuer).clock(clock.clone()));
        let server = server.build().expect("sound settings");
        let handler = async |token: AccessToken| format!("{}", token.is_bound());
        let guarded = async |token: SenderConstrained| format!("{}", token.is_bound());
        Self {
            app: Router::new()
                .route("/orders", any(handler))
                .route("/guarded", any(guarded))
                .nest("/nested", Router::new().route("/deep", any(handler)))
                .layer(server.authenticate()),
            key: DpopKey::generate().with_clock(clock.clone()),
            clock,
            issuer,
        }
    }

    fn accepting() -> Self {
        Self::new(|server| server.dpop(Dpop::accepted()))
    }

    /// A token for the client's key.
    fn token(&self) -> String {
        self.issuer
            .token()
            .audience(API)
            .bound_to_key(&self.key)
            .sign()
    }

    fn proof(&self, token: &str) -> ProofBuilder {
        self.key.proof("GET", URL).access_token(token)
    }

    async fn send(&self, authorization: &str, proofs: &[&str]) -> TestResponse {
        self.send_to(Method::GET, "/orders", authorization, proofs)
            .await
    }

    async fn send_to(
        &self,
        method: Method,
        path: &str,
        authorization: &str,
        proofs: &[&str],
    ) -> TestResponse {
        let mut request = Request::builder().method(method).uri(path);
        if !authorization.is_empty() {
            request = request.header("authorization", authorization);
        }
        for proof in proofs {
            request = request.header("dpop", *proof);
        }
        self.app
            .exchange(request.body(Body::empty()).expect("a request"))
            .await
    }

    /// The verdict on a request with this proof.
    async fn verdict(&self, token: &str, proof: &str) -> String {
        self.send(&format!("DPoP {token}"), &[proof])
            .await
            .verdict()
    }
}

fn challenges(answer: &TestResponse) -> Vec<&str> {
    let all = answer.headers.get_all("www-authenticate").iter();
    all.map(|value| value.to_str().expect("text")).collect()
}

#[tokio::test]
async fn a_bound_token_is_good_with_a_proof_by_its_key() {
    let stage = Stage::new(|server| server); // without any setting
    let token = stage.token();
    let proof = stage.proof(&token).sign();
    let answer = stage.send(&format!("DPoP {token}"), &[&proof]).await;
    assert_eq!(
        (answer.verdict().as_str(), answer.body.as_str()),
        ("200", "true")
    );
    // Case of the scheme, and a bearer token beside it.
    let proof = stage.proof(&token).sign();
    assert_eq!(
        stage
            .send(&format!("dpop {token}"), &[&proof])
            .await
            .verdict(),
        "200"
    );
    let bearer = stage.issuer.token().audience(API).sign();
    let answer = stage.send(&format!("Bearer {bearer}"), &[]).await;
    assert_eq!(
        (answer.verdict().as_str(), answer.body.as_str()),
        ("200", "false")
    );
    // RFC 9449 s7.2 says nothing of a proof beside a bearer token; it is not read.
    let answer = stage.send(&format!("Bearer {bearer}"), &["garbage"]).await;
    assert_eq!(answer.verdict(), "200");
}

#[tokio::test]
async fn every_algorithm_of_the_default_list_signs_proofs() {
    let stage = Stage::accepting();
    for algorithm in Algorithm::DEFAULTS {
        let key = DpopKey::for_algorithm(*algorithm).with_clock(stage.clock.clone());
        let token = stage.issuer.token().audience(API).bound_to_key(&key).sign();
        let proof = key.proof("GET", URL).access_token(&token).sign();
        assert_eq!(stage.verdict(&token, &proof).await, "200", "{algorithm}");
    }
}

#[tokio::test]
async fn each_check_of_a_proof_has_its_own_fault() {
    let stage = Stage::accepting();
    let token = stage.token();
    let proof = || stage.proof(&token);
    let other_token = stage.issuer.token().audience(API).sign();
    let hours = Duration::from_secs(3600);
    let seconds = Duration::from_secs;
    let private = serde_json::json!({"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA", "d": "AA"});
    let mut with_private = stage.key.jwk();
    with_private["d"] = "AA".into();
    let mut extra = stage.key.jwk();
    extra["kid"] = "a".into();
    extra["alg"] = "ES256".into();
    extra["use"] = "sig".into();
    extra["unknown"] = serde_json::json!({"d": 1});
    for (proof, expected) in [
        (proof().sign(), "200"),
        (proof().header("jwk", extra).sign(), "200"),
        (proof().header("typ", "DPOP+JWT").sign(), "200"),
        (proof().claim("htu", format!("{URL}?a=b#c")).sign(), "200"),
        (
            proof()
                .claim("htu", "HTTPS://API.example.com:443/orders")
                .sign(),
            "200",
        ),
        (proof().id(&"x".repeat(512)).sign(), "200"),
        (proof().issued_ago(seconds(300)).sign(), "200"),
        (proof().issued_in(seconds(60)).sign(), "200"),
        (proof().claim("iat", 1.5e9).sign(), "proof_issued_at"),
        // 2: one well-formed JWT.
        (String::new(), "proof_malformed"),
        ("garbage".to_owned(), "proof_malformed"),
        ("a.b.c".to_owned(), "proof_malformed"),
        ("a.b.c.d.e".to_owned(), "proof_malformed"),
        (
            format!("{}, {}", proof().sign(), proof().sign()),
            "proof_malformed",
        ),
        (proof().header("crit", ["x"]).sign(), "proof_malformed"),
        (proof().header("b64", false).sign(), "proof_malformed"),
        ("x".repeat(4097), "proof_too_large"),
        // 3: the claims.
        (proof().without("jti").sign(), "proof_claims"),
        (proof().claim("jti", "").sign(), "proof_claims"),
        (proof().claim("jti", 5).sign(), "proof_claims"),
        (proof().id(&"x".repeat(513)).sign(), "proof_claims"),
        (proof().without("htm").sign(), "proof_claims"),
        (proof().claim("htm", ["GET"]).sign(), "proof_claims"),
        (proof().without("htu").sign(), "proof_claims"),
        (proof().without("iat").sign(), "proof_claims"),
        (proof().claim("iat", "now").sign(), "proof_claims"),
        (proof().without("ath").sign(), "proof_claims"),
        (proof().claim("nonce", 5).sign(), "proof_claims"),
        // 4: the type.
        (proof().header("typ", "JWT").sign(), "proof_type"),
        (proof().header("typ", "at+jwt").sign(), "proof_type"),
        (proof().without_header("typ").sign(), "proof_type"),
        (proof().header("typ", ["dpop+jwt"]).sign(), "proof_type"),
        // 5: the algorithm.
        (proof().unsigned(), "proof_algorithm"),
        (proof().header("alg", "HS256").sign(), "proof_algorithm"),
        (proof().header("alg", "es256").sign(), "proof_algorithm"),
        (proof().without_header("alg").sign(), "proof_algorithm"),
        // 6 and 7: the key and the signature.
        (proof().without_header("jwk").sign(), "proof_key"),
        (proof().header("jwk", ()).sign(), "proof_key"),
        (proof().header("jwk", with_private).sign(), "proof_key"),
        (proof().header("jwk", private).sign(), "proof_key"),
        (proof().header("alg", "ES384").sign(), "proof_key"),
        (proof().header("alg", "RS256").sign(), "proof_key"),
        (proof().sign_with_wrong_key(), "proof_signature"),
        // 8: the method.
        (proof().claim("htm", "POST").sign(), "proof_method"),
        (proof().claim("htm", "get").sign(), "proof_method"),
        (proof().claim("htm", "HEAD").sign(), "proof_method"),
        // 9: the URI.
        (
            proof()
                .claim("htu", "https://api.example.com/orders/")
                .sign(),
            "proof_uri",
        ),
        (
            proof()
                .claim("htu", "https://evil.example.com/orders")
                .sign(),
            "proof_uri",
        ),
        (
            proof().claim("htu", "http://api.example.com/orders").sign(),
            "proof_uri",
        ),
        (proof().claim("htu", "/orders").sign(), "proof_uri"),
        // 11: the time.
        (proof().issued_ago(seconds(301)).sign(), "proof_issued_at"),
        (proof().issued_in(seconds(61)).sign(), "proof_issued_at"),
        (proof().issued_ago(hours).sign(), "proof_issued_at"),
        (proof().claim("iat", -1).sign(), "proof_issued_at"),
        // 12: the token.
        (
            proof().access_token(&other_token).sign(),
            "proof_access_token",
        ),
        (proof().claim("ath", &token).sign(), "proof_access_token"),
    ] {
        let verdict = stage.verdict(&token, &proof).await;
        match expected {
            "200" => assert_eq!(verdict, "200"),
            fault => assert_eq!(verdict, format!("401 invalid_dpop_proof {fault}")),
        }
    }
    // 1: one field.
    let dpop = format!("DPoP {token}");
    let answer = stage.send(&dpop, &[]).await;
    assert_eq!(answer.verdict(), "401 invalid_dpop_proof proof_missing");
    let twice = stage.send(&dpop, &[&proof().sign(), &proof().sign()]).await;
    assert_eq!(twice.verdict(), "401 invalid_dpop_proof several_proofs");
}

#[tokio::test]
async fn bindings_and_schemes_must_fit() {
    let stage = Stage::accepting();
    let token = stage.token();
    let unbound = stage.issuer.token().audience(API).sign();
    let thief = DpopKey::generate().with_clock(stage.clock.clone());
    let by_thief = thief.proof("GET", URL).access_token(&token).sign();
    assert_eq!(
        stage.verdict(&token, &by_thief).await,
        "401 invalid_token binding"
    );
    // RFC 9449 s7.2: a bound token is not a bearer token, with a proof or without.
    let proof = stage.proof(&token).sign();
    for proofs in [&[][..], &[proof.as_str()]] {
        let answer = stage.send(&format!("Bearer {token}"), proofs).await;
        assert_eq!(answer.verdict(), "401 invalid_token binding");
        assert_eq!(
            challenges(&answer),
            [
                "Bearer realm=\"https://api.example.com\", error=\"invalid_token\"",
                "DPoP realm=\"https://api.example.com\", algs=\"RS256 RS384 RS512 PS256 PS384 PS512 ES256 ES384 ES512 EdDSA Ed25519\"",
            ]
        );
    }
    // An unbound token under `DPoP`.
    let proof = stage.proof(&unbound).sign();
    assert_eq!(
        stage.verdict(&unbound, &proof).await,
        "401 invalid_token scheme"
    );
    assert_eq!(
        stage
            .send(&format!("Bearer {unbound}"), &[])
            .await
            .verdict(),
        "200"
    );
    // The proof and the token in each other's place.
    let proof = stage.proof(&token).sign();
    assert_eq!(
        stage.verdict(&proof, &token).await,
        "401 invalid_token claims"
    );
}

#[tokio::test]
async fn challenges_name_the_schemes_in_the_order_that_clients_understand() {
    let algs = "algs=\"ES256\"";
    let only_es256 = || Dpop::accepted().algorithms([Algorithm::ES256]);
    let stage = Stage::new(|server| server.dpop(only_es256()));
    let realm = "realm=\"https://api.example.com\"";
    let answer = stage.send("", &[]).await;
    assert_eq!(
        challenges(&answer),
        [format!("Bearer {realm}"), format!("DPoP {realm}, {algs}")]
    );
    let token = stage.token();
    let answer = stage.send(&format!("DPoP {token}"), &[]).await;
    assert_eq!(
        challenges(&answer),
        [
            format!("DPoP {realm}, error=\"invalid_dpop_proof\", {algs}"),
            format!("Bearer {realm}"),
        ]
    );
    // RFC 9449 s7.2: both schemes at once.
    let request = Request::get("/orders")
        .header("authorization", format!("Bearer {token}"))
        .header("authorization", format!("DPoP {token}"));
    let answer = stage
        .app
        .exchange(request.body(Body::empty()).expect("a request"))
        .await;
    assert_eq!(answer.verdict(), "400 invalid_request several_credentials");
    assert_eq!(
        challenges(&answer),
        [
            format!("Bearer {realm}, error=\"invalid_request\""),
            format!("DPoP {realm}, error=\"invalid_request\", {algs}"),
        ]
    );
    // Where only bound tokens are good, no other scheme is named.
    let stage = Stage::new(|server| server.dpop(only_es256()).require_binding(Binding::Dpop));
    let answer = stage.send("", &[]).await;
    assert_eq!(challenges(&answer), [format!("DPoP {realm}, {algs}")]);
    let bearer = stage.issuer.token().audience(API).sign();
    let answer = stage.send(&format!("Bearer {bearer}"), &[]).await;
    assert_eq!(answer.verdict(), "401 invalid_token binding");
    assert_eq!(challenges(&answer).len(), 2);
    // Without a setting the scheme is not advertised, and switched off it is not known.
    for (dpop, verdict) in [
        (Dpop::default(), "200"),
        (Dpop::off(), "401 invalid_token scheme"),
    ] {
        let stage = Stage::new(|server| server.dpop(dpop));
        assert_eq!(
            challenges(&stage.send("", &[]).await),
            [format!("Bearer {realm}")]
        );
        let token = stage.token();
        let proof = stage.proof(&token).sign();
        assert_eq!(stage.verdict(&token, &proof).await, verdict);
    }
}

#[tokio::test]
async fn a_binding_can_be_demanded_of_routes_and_issuers() {
    let stage = Stage::accepting();
    let token = stage.token();
    let bearer = format!("Bearer {}", stage.issuer.token().audience(API).sign());
    let guarded = "https://api.example.com/guarded";
    let proof = stage.key.proof("GET", guarded).access_token(&token).sign();
    let dpop = format!("DPoP {token}");
    let answer = stage
        .send_to(Method::GET, "/guarded", &dpop, &[&proof])
        .await;
    assert_eq!(answer.verdict(), "200");
    let answer = stage.send_to(Method::GET, "/guarded", &bearer, &[]).await;
    assert_eq!(answer.verdict(), "401 invalid_token binding");
    assert_eq!(stage.send(&bearer, &[]).await.verdict(), "200");

    let clock = ManualClock::new();
    let issuer = MockIssuer::new().with_clock(clock.clone());
    let key = DpopKey::generate().with_clock(clock.clone());
    let bound = issuer.token().audience(API).bound_to_key(&key).sign();
    let bearer = format!("Bearer {}", issuer.token().audience(API).sign());
    let strict = portcullis::ResourceServer::builder(API)
        .issuer(issuer.trusted().require_binding(Binding::Any))
        .clock(clock.clone())
        .build()
        .expect("sound settings");
    let plain = builder(&issuer)
        .clock(clock.clone())
        .build()
        .expect("sound settings");
    for layer in [
        strict.authenticate(),
        plain.authenticate().require_binding(Binding::Dpop),
    ] {
        let app = Router::new()
            .route("/orders", any(async || ""))
            .layer(layer);
        let request = Request::get("/orders")
            .body(Body::empty())
            .expect("a request");
        let request = key.proof("GET", URL).authorize(request, &bound);
        assert_eq!(app.exchange(request).await.verdict(), "200");
        let request = Request::get("/orders").header("authorization", &bearer);
        let answer = app
            .exchange(request.body(Body::empty()).expect("a request"))
            .await;
        assert_eq!(answer.verdict(), "401 invalid_token binding");
    }
    let layer = plain.authenticate().require_binding(Binding::MutualTls);
    let app = Router::new()
        .route("/orders", any(async || ""))
        .layer(layer);
    let request = Request::get("/orders")
        .body(Body::empty())
        .expect("a request");
    let request = key.proof("GET", URL).authorize(request, &bound);
    assert_eq!(
        app.exchange(request).await.verdict(),
        "401 invalid_token binding"
    );
}

#[tokio::test]
async fn the_target_uri_is_what_clients_see() {
    let stage = Stage::accepting();
    let token = stage.token();
    let dpop = format!("DPoP {token}");
    // axum strips the prefix of nested routers.
    let proof = stage
        .key
        .proof("GET", "https://api.example.com/nested/deep");
    let proof = proof.access_token(&token).sign();
    let answer = stage
        .send_to(Method::GET, "/nested/deep?a=b", &dpop, &[&proof])
        .await;
    assert_eq!(answer.verdict(), "200");
    // The host that the request names does not count.
    for (htu, verdict) in [
        (URL, "200"),
        (
            "https://evil.example/orders",
            "401 invalid_dpop_proof proof_uri",
        ),
    ] {
        let proof = stage.proof(&token).claim("htu", htu).sign();
        let request = Request::get("https://evil.example/orders")
            .header("host", "evil.example")
            .header("x-forwarded-host", "evil.example")
            .header("forwarded", "host=evil.example;proto=https")
            .header("authorization", &dpop)
            .header("dpop", proof);
        let answer = stage
            .app
            .exchange(request.body(Body::empty()).expect("a request"))
            .await;
        assert_eq!(answer.verdict(), verdict, "{htu}");
    }
    // A router does not remove dot segments, so that no proof of another path fits.
    for (path, htu) in [
        ("/nested/../orders", URL),
        ("/nested/%2e%2e/orders", URL),
        ("/orders/../guarded", "https://api.example.com/guarded"),
    ] {
        let proof = stage.key.proof("GET", htu).access_token(&token).sign();
        let answer = stage.send_to(Method::GET, path, &dpop, &[&proof]).await;
        assert_ne!(answer.status, 200, "{path}");
    }
    // A proxy that serves `/api/orders` and passes `/orders` on; and another origin.
    let stage = Stage::new(|server| {
        let server = server.dpop(Dpop::accepted()).public_path("", "/api");
        server.public_origin("https://gateway.example")
    });
    let token = stage.token();
    for (htu, verdict) in [
        ("https://gateway.example/api/orders", "200"),
        (
            "https://gateway.example/orders",
            "401 invalid_dpop_proof proof_uri",
        ),
        (
            "https://api.example.com/api/orders",
            "401 invalid_dpop_proof proof_uri",
        ),
    ] {
        let proof = stage.proof(&token).claim("htu", htu).sign();
        assert_eq!(stage.verdict(&token, &proof).await, verdict, "{htu}");
    }
}

#[tokio::test]
async fn a_proof_is_good_once() {
    let stage = Stage::accepting();
    let token = stage.token();
    let proof = stage.proof(&token).sign();
    assert_eq!(stage.verdict(&token, &proof).await, "200");
    let replayed = "401 invalid_dpop_proof proof_replayed";
    assert_eq!(stage.verdict(&token, &proof).await, replayed);
    // The same id in another proof of the same key, until a proof can no longer be valid.
    let again = stage.proof(&token).id("one").sign();
    assert_eq!(stage.verdict(&token, &again).await, "200");
    let twin = stage
        .proof(&token)
        .id("one")
        .issued_in(Duration::from_secs(30))
        .sign();
    assert_eq!(stage.verdict(&token, &twin).await, replayed);
    stage.clock.advance(Duration::from_secs(359));
    let late = stage.proof(&token).id("one").sign();
    assert_eq!(stage.verdict(&token, &late).await, replayed);
    stage.clock.advance(Duration::from_secs(2));
    let token = stage.token();
    let later = stage.proof(&token).id("one").sign();
    assert_eq!(stage.verdict(&token, &later).await, "200");
    // A refused request does not use its proof up.
    let proof = stage.proof(&token).sign();
    let other = stage
        .issuer
        .token()
        .audience(API)
        .bound_to_key(&stage.key)
        .subject("bob")
        .sign();
    assert_eq!(
        stage.verdict(&other, &proof).await,
        "401 invalid_dpop_proof proof_access_token"
    );
    assert_eq!(stage.verdict(&token, &proof).await, "200");
    // Switched off behind `danger()`.
    let careless = Dpop::accepted().danger().without_replay_check();
    let stage = Stage::new(|server| server.dpop(careless));
    let token = stage.token();
    let proof = stage.proof(&token).sign();
    for _ in 0..2 {
        assert_eq!(stage.verdict(&token, &proof).await, "200");
    }
}

#[tokio::test]
async fn one_client_does_not_fill_the_store_of_others() {
    let small = Dpop::accepted().replay_capacity(1_000);
    let stage = Stage::new(|server| server.dpop(small));
    let token = stage.token();
    let mut verdicts = Vec::new();
    for _ in 0..1_000 {
        let proof = stage.proof(&token).sign();
        let answer = stage.send(&format!("DPoP {token}"), &[&proof]).await;
        if answer.verdict() != "200" {
            assert!(answer.header("retry-after").is_some());
            assert_eq!(answer.header("www-authenticate"), None);
        }
        verdicts.push(answer.verdict());
    }
    let accepted = verdicts.iter().filter(|verdict| *verdict == "200").count();
    assert!((300..=600).contains(&accepted), "{accepted}");
    assert_eq!(
        verdicts.last().map(String::as_str),
        Some("503 unavailable replay_store_full")
    );
    // Another user enters.
    let other = stage.issuer.token().audience(API).subject("bob");
    let other = other.bound_to_key(&stage.key).sign();
    let proof = stage.proof(&other).sign();
    assert_eq!(stage.verdict(&other, &proof).await, "200");
    // Time frees the places.
    stage.clock.advance(Duration::from_secs(361));
    let token = stage.token();
    let proof = stage.proof(&token).sign();
    assert_eq!(stage.verdict(&token, &proof).await, "200");
}

#[tokio::test]
async fn nonces_are_demanded_checked_and_renewed() {
    let settings = Dpop::accepted().require_nonces().nonce_key(
        [7; 31]
            .iter()
            .chain(&[9])
            .copied()
            .collect::<Vec<u8>>()
            .try_into()
            .expect("32 bytes"),
    );
    let stage = Stage::new(|server| server.dpop(settings.clone()));
    let token = stage.token();
    let dpop = format!("DPoP {token}");
    let answer = stage.send(&dpop, &[&stage.proof(&token).sign()]).await;
    assert_eq!(answer.verdict(), "401 invalid_dpop_proof nonce_missing");
    assert!(
        challenges(&answer)[0]
            .starts_with("DPoP realm=\"https://api.example.com\", error=\"use_dpop_nonce\"")
    );
    assert_eq!(answer.headers.get_all("dpop-nonce").iter().count(), 1);
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let nonce = answer.header("dpop-nonce").expect("a nonce").to_owned();
    let with = |nonce: &str| stage.proof(&token).nonce(nonce).sign();
    let good = stage.send(&dpop, &[&with(&nonce)]).await;
    assert_eq!(
        (good.verdict().as_str(), good.header("dpop-nonce")),
        ("200", None)
    );
    for bad in ["", "x", &nonce[1..], &format!("{nonce}A")] {
        let verdict = stage.verdict(&token, &with(bad)).await;
        assert_eq!(verdict, "401 invalid_dpop_proof nonce", "{bad:?}");
    }
    // Past half of its life the answer carries the next one.
    stage.clock.advance(Duration::from_secs(200));
    let renewed = stage.send(&dpop, &[&with(&nonce)]).await;
    assert_eq!(renewed.verdict(), "200");
    let next = renewed
        .header("dpop-nonce")
        .expect("the next nonce")
        .to_owned();
    assert_eq!(renewed.header("cache-control"), Some("no-store"));
    assert_ne!(next, nonce);
    stage.clock.advance(Duration::from_secs(101));
    assert_eq!(
        stage.verdict(&token, &with(&nonce)).await,
        "401 invalid_dpop_proof nonce"
    );
    assert_eq!(stage.verdict(&token, &with(&next)).await, "200");
    // Every 401 whose challenges name the scheme has a nonce.
    let missing = stage.send(&dpop, &[]).await;
    assert!(missing.header("dpop-nonce").is_some());
    // Another instance with the same key takes it, one with another key does not.
    let twin = Stage::new(|server| server.dpop(settings));
    twin.clock.advance(Duration::from_secs(301));
    let token = twin.token();
    let proof = twin.proof(&token).nonce(&next).sign();
    assert_eq!(twin.verdict(&token, &proof).await, "200");
    let stranger = Stage::new(|server| server.dpop(Dpop::accepted().require_nonces()));
    stranger.clock.advance(Duration::from_secs(301));
    let token = stranger.token();
    let proof = stranger.proof(&token).nonce(&next).sign();
    assert_eq!(
        stranger.verdict(&token, &proof).await,
        "401 invalid_dpop_proof nonce"
    );
}

// `requests-oauth2client` sends the last nonce that it has received to every server.
#[tokio::test]
async fn a_nonce_of_another_server_is_ignored_where_none_is_demanded() {
    let stage = Stage::accepting();
    let token = stage.token();
    let proof = stage.proof(&token).nonce("nonce-of-another-server").sign();
    assert_eq!(stage.verdict(&token, &proof).await, "200");
}

#[tokio::test]
async fn a_cached_token_never_skips_its_proof() {
    let stage = Stage::accepting();
    let token = stage.token();
    let proof = stage.proof(&token).sign();
    assert_eq!(stage.verdict(&token, &proof).await, "200");
    let answer = stage.send(&format!("Bearer {token}"), &[]).await;
    assert_eq!(answer.verdict(), "401 invalid_token binding");
    let forged = stage.proof(&token).sign_with_wrong_key();
    assert_eq!(
        stage.verdict(&token, &forged).await,
        "401 invalid_dpop_proof proof_signature"
    );
}

#[test]
fn settings_that_cannot_hold_are_mistakes() {
    let issuer = MockIssuer::new();
    let mistake = |server: ResourceServerBuilder| {
        let error = server.build().err().map(|error| error.setting().to_owned());
        error.unwrap_or_else(|| "none".to_owned())
    };
    let seconds = Duration::from_secs;
    let with = |dpop: Dpop| mistake(builder(&issuer).dpop(dpop));
    assert_eq!(with(Dpop::accepted()), "none");
    for dpop in [
        Dpop::accepted().max_age(seconds(4)),
        Dpop::accepted().max_age(seconds(601)),
        Dpop::accepted().max_future(seconds(301)),
        Dpop::accepted().max_proof_bytes(511),
        Dpop::accepted().max_proof_bytes(16_385),
        Dpop::accepted().replay_capacity(999),
        Dpop::accepted().algorithms([]),
        Dpop::accepted().nonce_lifetime(seconds(60)),
        Dpop::accepted().require_nonces().nonce_lifetime(seconds(9)),
        Dpop::accepted().require_nonces().nonce_key([0; 32]),
        Dpop::accepted().require_nonces().nonce_key_base64("short"),
        Dpop::accepted()
            .require_nonces()
            .previous_nonce_key_base64("short"),
    ] {
        assert_eq!(with(dpop.clone()), "dpop", "{dpop:?}");
    }
    let twice = Dpop::accepted().max_age(seconds(10)).max_age(seconds(11));
    assert_eq!(with(twice), "max_age");
    let off = builder(&issuer)
        .dpop(Dpop::off())
        .require_binding(Binding::Dpop);
    assert_eq!(mistake(off), "require_binding");
    for origin in [
        "api.example.com",
        "https://a.example/b",
        "https://a.example?b",
        "urn:x",
    ] {
        assert_eq!(
            mistake(builder(&issuer).public_origin(origin)),
            "public_origin"
        );
    }
    assert_eq!(
        mistake(builder(&issuer).public_origin("https://a.example/")),
        "none"
    );
    for prefix in ["api", "/api/", "/"] {
        assert_eq!(
            mistake(builder(&issuer).public_path("", prefix)),
            "public_path"
        );
    }
    // Without a URL there is no origin to compare with.
    let urn = |dpop| {
        let server = portcullis::ResourceServer::builder("urn:api").issuer(issuer.trusted());
        mistake(server.dpop(dpop))
    };
    assert_eq!(urn(Dpop::default()), "none");
    assert_eq!(urn(Dpop::accepted()), "public_origin");
    let strict = issuer.trusted().require_binding(Binding::Dpop);
    let server = portcullis::ResourceServer::builder("urn:api").issuer(strict.clone());
    assert_eq!(mistake(server), "public_origin");
    let off = portcullis::ResourceServer::builder(API).issuer(strict);
    assert_eq!(mistake(off.dpop(Dpop::off())), "require_binding");
}
