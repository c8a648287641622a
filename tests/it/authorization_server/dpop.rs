//! Tokens that are bound to a DPoP key (RFC 9449): the proof at the token endpoint, nonces, refresh tokens.

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use portcullis::binding::Dpop;
use portcullis::test_util::{
    DpopKey, ManualClock, MockIssuer, ProofBuilder, ServedAuthorizationServer, TestClient,
};
use portcullis::{AccessToken, ResourceServer};
use serde_json::Value;
use tower::ServiceExt as _;

use super::support::{
    Answer, CALLBACK, VERIFIER, authorization_url, builder, code, http, parameter, payload,
    posting, send, served,
};

fn proof(server: &ServedAuthorizationServer, key: &DpopKey) -> ProofBuilder {
    key.proof("POST", &format!("{}/token", server.url()))
}

/// A token request of the client `machine` with these fields `DPoP`.
async fn machine(server: &ServedAuthorizationServer, proofs: &[&str]) -> Answer {
    let fields = [("grant_type", "client_credentials")];
    let mut request = posting(&format!("{}/token", server.url()), &fields)
        .basic_auth("machine", Some("machine-secret"));
    for proof in proofs {
        request = request.header("dpop", *proof);
    }
    send(request).await
}

/// A token request with a code, as `spa`.
fn redeeming(server: &ServedAuthorizationServer, code: &str) -> reqwest::RequestBuilder {
    let fields = [
        ("grant_type", "authorization_code"),
        ("client_id", "spa"),
        ("redirect_uri", CALLBACK),
        ("code", code),
        ("code_verifier", VERIFIER),
    ];
    posting(&format!("{}/token", server.url()), &fields)
}

/// Redeems a code as `spa`, with a proof by this key.
async fn redeem_with(server: &ServedAuthorizationServer, code: &str, key: &DpopKey) -> Answer {
    send(redeeming(server, code).header("dpop", proof(server, key).sign())).await
}

/// Uses a refresh token as `spa`.
async fn refresh(
    server: &ServedAuthorizationServer,
    tokens: &Value,
    key: Option<&DpopKey>,
) -> Answer {
    let token = tokens["refresh_token"].as_str().expect("a refresh token");
    let fields = [
        ("grant_type", "refresh_token"),
        ("client_id", "spa"),
        ("refresh_token", token),
    ];
    let mut request = posting(&format!("{}/token", server.url()), &fields);
    if let Some(key) = key {
        request = request.header("dpop", proof(server, key).sign());
    }
    send(request).await
}

#[tokio::test]
async fn dpop_proof_binds_the_token_and_an_api_wants_the_key() {
    let clock = ManualClock::new();
    let server = served(&clock).await;
    let key = DpopKey::generate().with_clock(clock.clone());
    let bound = machine(&server, &[&proof(&server, &key).sign()])
        .await
        .json();
    assert_eq!(bound["token_type"], "DPoP");
    assert_eq!(
        payload(&bound["access_token"])["cnf"]["jkt"],
        key.thumbprint()
    );
    let bearer = machine(&server, &[]).await.json();
    assert_eq!(bearer["token_type"], "Bearer");
    assert!(payload(&bearer["access_token"]).get("cnf").is_none());

    let api = ResourceServer::builder(MockIssuer::AUDIENCE)
        .issuer(server.trusted())
        .dpop(Dpop::accepted())
        .clock(clock.clone())
        .build()
        .expect("sound")
        .connect()
        .await
        .expect("the server is up");
    let app = Router::new()
        .route("/orders", get(|_: AccessToken| async {}))
        .layer(api.authenticate());
    let token = bound["access_token"].as_str().expect("a token");
    let url = format!("{}/orders", MockIssuer::AUDIENCE);
    let other = DpopKey::generate().with_clock(clock.clone());
    for (key, status) in [(&key, 200), (&other, 401)] {
        let request = http::Request::get(&url)
            .body(Body::empty())
            .expect("a request");
        let request = key.proof("GET", &url).authorize(request, token);
        let answer = app.clone().oneshot(request).await.expect("infallible");
        assert_eq!(answer.status(), status);
    }
}

#[tokio::test]
async fn dpop_proof_that_is_wrong_is_refused_and_the_good_one_is_not() {
    let clock = ManualClock::new();
    let server = served(&clock).await;
    let key = DpopKey::generate().with_clock(clock.clone());
    let good = || proof(&server, &key);
    let minutes = |count: u64| Duration::from_secs(60 * count);
    let used = good().sign();
    assert_eq!(machine(&server, &[&used]).await.status, 200);
    for (what, proofs) in [
        ("used before", vec![used]),
        ("two fields", vec![good().sign(), good().sign()]),
        ("no JWT", vec!["proof".to_owned()]),
        ("another method", vec![good().claim("htm", "GET").sign()]),
        (
            "another URI",
            vec![
                key.proof("POST", &format!("{}/revoke", server.url()))
                    .sign(),
            ],
        ),
        (
            "another host",
            vec![key.proof("POST", "https://as.example.com/token").sign()],
        ),
        ("old", vec![good().issued_ago(minutes(2)).sign()]),
        ("from the future", vec![good().issued_in(minutes(2)).sign()]),
        ("no jti", vec![good().without("jti").sign()]),
        ("no iat", vec![good().without("iat").sign()]),
        ("another type", vec![good().header("typ", "JWT").sign()]),
        ("no key", vec![good().without_header("jwk").sign()]),
        ("another key", vec![good().sign_with_wrong_key()]),
        ("unsigned", vec![good().unsigned()]),
    ] {
        let proofs: Vec<&str> = proofs.iter().map(String::as_str).collect();
        let answer = machine(&server, &proofs).await;
        assert_eq!(answer.error(), (400, "invalid_dpop_proof".into()), "{what}");
    }
    // `ath` is of an access token, which a token request does not have.
    assert_eq!(
        machine(&server, &[&good().access_token("other").sign()])
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn dpop_nonce_is_demanded_where_it_is_switched_on_and_ends() {
    let clock = ManualClock::new();
    let server = builder(&clock)
        .dpop_nonces()
        .serve()
        .await
        .expect("a free port");
    let key = DpopKey::generate().with_clock(clock.clone());
    let first = machine(&server, &[&proof(&server, &key).sign()]).await;
    assert_eq!(first.error(), (400, "use_dpop_nonce".into()));
    let nonce = first.header("dpop-nonce").to_owned();
    let with = |nonce: &str| proof(&server, &key).nonce(nonce).sign();
    let good = machine(&server, &[&with(&nonce)]).await;
    assert_eq!(good.status, 200);
    assert!(
        !good.header("dpop-nonce").is_empty(),
        "the next nonce (RFC 9449 s8.2)"
    );
    let foreign = machine(&server, &[&with("of-another-server")]).await;
    assert_eq!(foreign.error(), (400, "use_dpop_nonce".into()));
    clock.advance(Duration::from_secs(600));
    let late = machine(&server, &[&with(&nonce)]).await;
    assert_eq!(late.error(), (400, "use_dpop_nonce".into()));
    let again = machine(&server, &[&with(late.header("dpop-nonce"))]).await;
    assert_eq!(again.status, 200);
    // Without a proof there is no nonce to demand.
    assert_eq!(machine(&server, &[]).await.status, 200);
}

#[tokio::test]
async fn dpop_jkt_ties_the_code_to_the_key() {
    let clock = ManualClock::new();
    let server = served(&clock).await;
    let key = DpopKey::generate().with_clock(clock.clone());
    let thumbprint = key.thumbprint();
    let tied = [("dpop_jkt", &*thumbprint)];
    let other = DpopKey::generate().with_clock(clock.clone());
    let stolen = code(&server, &tied).await;
    let answer = redeem_with(&server, &stolen, &other).await;
    assert_eq!(answer.error(), (400, "invalid_dpop_proof".into()));
    let without = code(&server, &tied).await;
    let answer = send(redeeming(&server, &without)).await;
    assert_eq!(answer.error(), (400, "invalid_dpop_proof".into()));
    let own = code(&server, &tied).await;
    let answer = redeem_with(&server, &own, &key).await;
    assert_eq!(answer.json()["token_type"], "DPoP");
    // No thumbprint at all.
    let url = authorization_url(&server, &[("dpop_jkt", "too-short")]);
    let back = server.sign_in(&url, "user-1").await.expect("a redirect");
    assert_eq!(
        parameter(&back, "error").as_deref(),
        Some("invalid_request")
    );
}

#[tokio::test]
async fn refresh_token_of_a_public_client_is_bound_to_its_key() {
    let clock = ManualClock::new();
    let server = served(&clock).await;
    let key = DpopKey::generate().with_clock(clock.clone());
    let first = code(&server, &[]).await;
    let tokens = redeem_with(&server, &first, &key).await.json();
    let other = DpopKey::generate().with_clock(clock.clone());
    for thief in [Some(&other), None] {
        let answer = refresh(&server, &tokens, thief).await;
        assert_eq!(answer.error(), (400, "invalid_grant".into()));
    }
    let next = refresh(&server, &tokens, Some(&key)).await.json();
    assert_eq!(
        payload(&next["access_token"])["cnf"]["jkt"],
        key.thumbprint()
    );
    // One that was got without a proof is not bound, and a proof binds the access token alone.
    let second = code(&server, &[]).await;
    let tokens = send(redeeming(&server, &second)).await.json();
    let next = refresh(&server, &tokens, Some(&key)).await.json();
    assert_eq!(next["token_type"], "DPoP");
    assert_eq!(
        refresh(&server, &next, None).await.json()["token_type"],
        "Bearer"
    );
}

#[tokio::test]
async fn client_that_is_registered_for_dpop_gets_no_bearer_token() {
    let clock = ManualClock::new();
    let strict = TestClient::confidential("machine", "machine-secret").require_dpop();
    let server = builder(&clock)
        .client(strict)
        .serve()
        .await
        .expect("a free port");
    assert_eq!(
        machine(&server, &[]).await.error(),
        (400, "invalid_request".into())
    );
    let key = DpopKey::generate().with_clock(clock.clone());
    let answer = machine(&server, &[&proof(&server, &key).sign()]).await;
    assert_eq!(answer.json()["token_type"], "DPoP");
}

#[tokio::test]
async fn userinfo_wants_the_proof_of_a_bound_token() {
    let clock = ManualClock::new();
    let server = served(&clock).await;
    let key = DpopKey::generate().with_clock(clock.clone());
    let code = code(&server, &[]).await;
    let tokens = redeem_with(&server, &code, &key).await.json();
    let token = tokens["access_token"].as_str().expect("a token");
    let url = format!("{}/userinfo", server.url());
    let ask = async |scheme: &str, proof: Option<String>| {
        let mut request = http()
            .get(&url)
            .header("authorization", format!("{scheme} {token}"));
        if let Some(proof) = proof {
            request = request.header("dpop", proof);
        }
        send(request).await
    };
    let proof = |key: &DpopKey| key.proof("GET", &url).access_token(token).sign();
    let good = ask("DPoP", Some(proof(&key))).await;
    assert_eq!(good.json()["sub"], "user-1");
    let other = DpopKey::generate().with_clock(clock.clone());
    let unbound = key.proof("GET", &url).sign();
    for (scheme, proof) in [
        ("Bearer", None),
        ("Bearer", Some(proof(&key))),
        ("DPoP", None),
        ("DPoP", Some(proof(&other))),
        ("DPoP", Some(unbound)),
    ] {
        let answer = ask(scheme, proof).await;
        assert_eq!(answer.status, 401, "{scheme}");
        assert!(
            answer.header("www-authenticate").starts_with("DPoP "),
            "{answer:?}"
        );
    }
}

#[tokio::test]
async fn metadata_names_the_algorithms_of_proofs() {
    let server = served(&ManualClock::new()).await;
    let metadata: Value = serde_json::from_str(&server.discovery_document()).expect("JSON");
    let algorithms = metadata["dpop_signing_alg_values_supported"]
        .as_array()
        .expect("a list");
    assert!(algorithms.contains(&"ES256".into()) && !algorithms.contains(&"HS256".into()));
}
