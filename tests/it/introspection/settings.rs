//! How the issuer of opaque tokens is found and asked, in which dialect it answers, and signed.

use std::time::Duration;

use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED,
    ECDSA_P384_SHA384_FIXED_SIGNING, ED25519, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _,
    RSA_PKCS1_2048_8192_SHA256, RsaKeyPair, UnparsedPublicKey, VerificationAlgorithm,
};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use portcullis::config::{ClientAuthentication, TokenInformation};
use portcullis::error::ConnectError;
use portcullis::test_util::{ManualClock, MockIssuer};
use portcullis::time::Clock as _;
use portcullis::{Algorithm, Issuer, ResourceServer};
use serde_json::{Value, json};

use crate::support::endpoint::{Endpoint, field, json as answer, raw};
use crate::support::introspection::{
    AS, SIGNED, TOKEN, app, builder, good, issuer, issuer_by, ours, server, signed, with,
};
use crate::support::{API, Requests as _, trusting};

const SECOND: Duration = Duration::from_secs(1);

/// The setting of the mistake in an issuer's settings.
fn mistake(issuer: Issuer) -> &'static str {
    let built = ResourceServer::builder(API).issuer(issuer).build();
    built.expect_err("a mistake").setting()
}

#[tokio::test]
async fn each_way_of_client_authentication_is_spoken() {
    let endpoint = Endpoint::saying(good()).await;
    for (ours, header, form) in [
        (
            ClientAuthentication::basic("a b", "p:%"),
            // `a+b:p%3A%25`
            "Basic YStiOnAlM0ElMjU=",
            Vec::new(),
        ),
        (
            ClientAuthentication::post("orders api", "s3&cr3t"),
            "",
            vec![("client_id", "orders api"), ("client_secret", "s3&cr3t")],
        ),
        (
            ClientAuthentication::bearer("our.own-token"),
            "Bearer our.own-token",
            Vec::new(),
        ),
    ] {
        let server = server(issuer_by(&endpoint, ours.clone()), &ManualClock::new());
        assert_eq!(app(&server).verdict(TOKEN).await, "200");
        let question = endpoint.last();
        assert_eq!(question.header("authorization"), header, "{ours:?}");
        assert_eq!(question.field("token").as_deref(), Some(TOKEN));
        assert_eq!(question.body.split('&').count(), 1 + form.len());
        for (name, value) in form {
            assert_eq!(question.field(name).as_deref(), Some(value), "{ours:?}");
        }
    }
}

fn pem(der: &[u8]) -> String {
    let base64 = STANDARD.encode(der);
    format!("-----BEGIN PRIVATE KEY-----\n{base64}\n-----END PRIVATE KEY-----\n")
}

/// A private key in PEM, and its public part.
fn keys() -> Vec<(
    &'static str,
    String,
    Vec<u8>,
    &'static dyn VerificationAlgorithm,
)> {
    let ec = |signing| {
        let pair = EcdsaKeyPair::generate(signing).expect("a key");
        let public = pair.public_key().as_ref().to_vec();
        (pem(pair.to_pkcs8v1().expect("der").as_ref()), public)
    };
    let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).expect("a key");
    let ed25519 = Ed25519KeyPair::from_pkcs8(document.as_ref()).expect("a key");
    let rsa = RsaKeyPair::generate(KeySize::Rsa2048).expect("a key");
    let (p256, p256_public) = ec(&ECDSA_P256_SHA256_FIXED_SIGNING);
    let (p384, p384_public) = ec(&ECDSA_P384_SHA384_FIXED_SIGNING);
    vec![
        ("ES256", p256, p256_public, &ECDSA_P256_SHA256_FIXED),
        ("ES384", p384, p384_public, &ECDSA_P384_SHA384_FIXED),
        (
            "EdDSA",
            pem(document.as_ref()),
            ed25519.public_key().as_ref().to_vec(),
            &ED25519,
        ),
        (
            "RS256",
            pem(rsa
                .as_der()
                .map(|der: aws_lc_rs::encoding::Pkcs8V1Der<'_>| der.as_ref().to_vec())
                .expect("der")
                .as_slice()),
            rsa.public_key().as_ref().to_vec(),
            &RSA_PKCS1_2048_8192_SHA256,
        ),
    ]
}

#[tokio::test]
async fn we_sign_who_we_are_anew_for_each_question() {
    let clock = ManualClock::new();
    let endpoint = Endpoint::saying(good()).await;
    for (name, pem, public, algorithm) in keys() {
        let ours = ClientAuthentication::private_key_jwt("orders-api", pem).with_key_id("k1");
        let server = server(issuer_by(&endpoint, ours), &clock);
        let app = app(&server);
        let mut ids = Vec::new();
        for token in ["one", "two"] {
            assert_eq!(app.verdict(token).await, "200");
            let question = endpoint.last();
            assert_eq!(question.header("authorization"), "");
            assert_eq!(
                question.field("client_assertion_type").as_deref(),
                Some("urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
            );
            let assertion = question.field("client_assertion").expect("an assertion");
            let (message, signature) = assertion.rsplit_once('.').expect("three parts");
            let part = |text: &str| URL_SAFE_NO_PAD.decode(text).expect("base64url");
            UnparsedPublicKey::new(algorithm, &public)
                .verify(message.as_bytes(), &part(signature))
                .expect("it is signed");
            let (header, claims) = message.split_once('.').expect("two parts");
            let header: Value = serde_json::from_slice(&part(header)).expect("json");
            assert_eq!(header, json!({"alg": name, "typ": "JWT", "kid": "k1"}));
            let claims: Value = serde_json::from_slice(&part(claims)).expect("json");
            for (name, value) in [("iss", "orders-api"), ("sub", "orders-api"), ("aud", AS)] {
                assert_eq!(claims[name], value);
            }
            let now = clock.now().as_secs();
            assert_eq!(claims["exp"], now + 60);
            assert!(claims["iat"].as_i64().expect("a date") <= now);
            ids.push(claims["jti"].as_str().expect("an id").to_owned());
        }
        assert_ne!(ids[0], ids[1], "an id of its own");
    }
}

#[tokio::test]
async fn the_audience_of_our_statement_can_be_named() {
    let endpoint = Endpoint::saying(good()).await;
    let (_, pem, _, _) = keys().remove(0);
    let ours = ClientAuthentication::private_key_jwt("id", pem).for_audience("https://as/token");
    let server = server(issuer_by(&endpoint, ours), &ManualClock::new());
    assert_eq!(app(&server).verdict(TOKEN).await, "200");
    let assertion = endpoint.last().field("client_assertion").expect("one");
    let claims = assertion.split('.').nth(1).expect("three parts");
    let claims = URL_SAFE_NO_PAD.decode(claims).expect("base64url");
    let claims: Value = serde_json::from_slice(&claims).expect("json");
    assert_eq!(claims["aud"], "https://as/token");
    assert_eq!(claims.get("kid"), None);
}

fn service(endpoint: &Endpoint) -> Issuer {
    portcullis::presets::axway(endpoint.url()).introspection_timeout(30 * SECOND)
}

#[tokio::test]
async fn a_token_information_service_is_asked_in_its_dialect() {
    let clock = ManualClock::new();
    let said = json!({
        "audience": "web", "user_id": "admin", "scope": "orders:read other",
        "expires_in": 25,
    });
    let endpoint = Endpoint::saying(said).await;
    let server = server(service(&endpoint), &clock);
    let app = app(&server);
    let reply = app.get("/", TOKEN).await;
    assert_eq!(reply.verdict(), "200");
    assert!(reply.body.starts_with("subject admin of http://127.0.0.1"));
    assert_eq!(app.get("/orders", TOKEN).await.verdict(), "200");
    let question = endpoint.last();
    assert_eq!(
        (&*question.method, &*question.target),
        ("POST", "/introspect")
    );
    assert_eq!(question.body, format!("access_token={TOKEN}"));
    assert_eq!(endpoint.calls(), 1);

    // It is remembered until its own end.
    endpoint.turn(|_| answer(400, &json!({"error": "invalid_request"})));
    clock.advance(24 * SECOND);
    assert_eq!(app.verdict(TOKEN).await, "200");
    clock.advance(SECOND);
    assert_eq!(app.verdict(TOKEN).await, "401 invalid_token inactive");
    assert_eq!(app.verdict(TOKEN).await, "401 invalid_token inactive");
    assert_eq!(endpoint.calls(), 2);
    endpoint.turn(|_| answer(500, &json!({})));
    assert_eq!(
        app.verdict("other").await,
        "503 unavailable introspection_failed"
    );
    endpoint.turn(|_| answer(200, &json!({"user_id": "admin", "active": false})));
    assert_eq!(app.verdict("third").await, "401 invalid_token inactive");
    endpoint.turn(|_| answer(200, &json!({"user_id": "admin", "expires_in": "soon"})));
    assert_eq!(app.verdict("fourth").await, "401 invalid_token claims");
}

#[tokio::test]
async fn another_dialect_is_a_few_lines() {
    let said = json!({"user": "admin", "app": "web", "ttl": 25, "rights": ["orders:read"]});
    let endpoint = Endpoint::saying(said).await;
    let dialect = TokenInformation::field("ticket")
        .bad_token_status(404)
        .lifetime_claim("ttl");
    let service = service(&endpoint)
        .token_dialect(dialect)
        .client_authentication(ours())
        .subject_claim("user")
        .client_id_claim("app")
        .client_id("web")
        .scope_claim("rights");
    let server = server(service, &ManualClock::new());
    let app = app(&server);
    assert_eq!(app.get("/orders", TOKEN).await.verdict(), "200");
    assert_eq!(endpoint.last().body, format!("ticket={TOKEN}"));
    assert!(
        endpoint
            .last()
            .header("authorization")
            .starts_with("Basic ")
    );
    endpoint.turn(|_| answer(404, &json!({})));
    assert_eq!(app.verdict("other").await, "401 invalid_token inactive");
    endpoint.turn(|_| answer(400, &json!({})));
    assert_eq!(
        app.verdict("third").await,
        "503 unavailable introspection_failed"
    );
}

#[tokio::test]
async fn an_old_service_gets_the_token_in_the_query_and_nobody_reads_it_in_a_log() {
    let logs = crate::support::logs::Logs::default();
    let listening = logs.listen();
    let said = json!({"audience": "web", "user_id": "admin", "expires_in": 25});
    let endpoint = Endpoint::saying(said).await;
    let service = || {
        portcullis::presets::axway(format!("{}?v=1", endpoint.url()))
            .introspection_timeout(30 * SECOND)
            .token_dialect(portcullis::presets::axway_dialect().in_query())
    };
    let server = server(service(), &ManualClock::new());
    let app = app(&server);
    assert_eq!(app.verdict("a/b+c=").await, "200");
    let question = endpoint.last();
    assert_eq!((&*question.method, &*question.body), ("GET", ""));
    let (path, query) = question.target.split_once('?').expect("a query");
    assert_eq!(path, "/introspect");
    assert_eq!(field(query, "access_token").as_deref(), Some("a/b+c="));
    assert_eq!(field(query, "v").as_deref(), Some("1"));
    endpoint.turn(|_| answer(500, &json!({})));
    assert_eq!(
        app.verdict(TOKEN).await,
        "503 unavailable introspection_failed"
    );
    // More fits into no address.
    let long = "a".repeat(1025);
    assert_eq!(app.verdict(&long).await, "401 invalid_token too_large");
    assert_eq!(endpoint.calls(), 2);
    drop(listening);
    let text = logs.text();
    assert!(
        text.contains("/introspect") && !text.contains(TOKEN),
        "{text}"
    );
    let in_form = ClientAuthentication::post("id", "secret");
    assert_eq!(
        mistake(service().client_authentication(in_form)),
        "client_authentication"
    );
}

#[tokio::test]
async fn a_status_is_about_the_token_only_where_the_configuration_says_so() {
    let endpoint = Endpoint::doing(|_| answer(400, &json!({"error": "invalid_request"}))).await;
    let plain = server(issuer(&endpoint), &ManualClock::new());
    assert_eq!(
        app(&plain).verdict(TOKEN).await,
        "503 unavailable introspection_failed"
    );
    let told = server(issuer(&endpoint).bad_token_status(400), &ManualClock::new());
    assert_eq!(
        app(&told).verdict(TOKEN).await,
        "401 invalid_token inactive"
    );
    for about_us in [200, 302, 401, 403, 429, 500] {
        assert_eq!(
            mistake(issuer(&endpoint).bad_token_status(about_us)),
            "bad_token_status"
        );
    }
}

#[tokio::test]
async fn an_answer_without_an_audience_is_accepted_where_the_configuration_says_so() {
    let endpoint = Endpoint::saying(with("aud", Value::Null)).await;
    let strict = server(issuer(&endpoint), &ManualClock::new());
    assert_eq!(
        app(&strict).verdict(TOKEN).await,
        "401 invalid_token audience"
    );
    let lenient = server(
        issuer(&endpoint).audience_where_stated(),
        &ManualClock::new(),
    );
    let app = app(&lenient);
    assert_eq!(app.verdict(TOKEN).await, "200");
    endpoint.turn(|_| answer(200, &with("aud", "https://other.example".into())));
    assert_eq!(app.verdict("other").await, "401 invalid_token audience");
}

/// Metadata of the issuer, and its introspection endpoint.
async fn discovered(names: Option<&'static str>) -> Endpoint {
    let endpoint = Endpoint::saying(good()).await;
    let origin = endpoint.origin().to_owned();
    endpoint.turn(move |question| match &*question.target {
        "/.well-known/oauth-authorization-server" => answer(
            200,
            &json!({
                "issuer": names.unwrap_or(&origin),
                "introspection_endpoint": format!("{origin}/introspect"),
            }),
        ),
        "/introspect" => answer(200, &with("iss", origin.clone().into())),
        _ => answer(404, &json!({})),
    });
    endpoint
}

fn by(endpoint: &Endpoint) -> Issuer {
    Issuer::introspection_discovered(endpoint.origin())
        .client_authentication(ours())
        .introspection_timeout(30 * SECOND)
}

fn targets(endpoint: &Endpoint) -> Vec<String> {
    let questions = endpoint.questions();
    questions.into_iter().map(|one| one.target).collect()
}

#[tokio::test]
async fn the_endpoint_is_found_by_the_issuers_metadata() {
    let endpoint = discovered(None).await;
    let server = server(by(&endpoint), &ManualClock::new());
    assert!(!server.ready(), "the endpoint is unknown");
    let server = server.connect().await.expect("it is there");
    assert!(server.ready());
    let app = app(&server);
    assert_eq!(app.verdict("one").await, "200");
    assert_eq!(app.verdict("two").await, "200");
    assert_eq!(
        targets(&endpoint),
        [
            "/.well-known/openid-configuration",
            "/.well-known/oauth-authorization-server",
            "/introspect",
            "/introspect",
        ]
    );
}

#[tokio::test]
async fn metadata_that_was_not_there_is_looked_for_again_by_a_request() {
    let endpoint = Endpoint::doing(|_| answer(500, &json!({}))).await;
    let clock = ManualClock::new();
    let server = server(by(&endpoint), &clock).connect().await.expect("down");
    let app = app(&server);
    assert!(!server.ready());
    assert_eq!(
        app.verdict(TOKEN).await,
        "503 unavailable introspection_failed"
    );
    let status = server.introspection_status().expect("asked");
    assert!(status.last_error().expect("one").contains("answered 500"));
    let origin = endpoint.origin().to_owned();
    endpoint.turn(move |question| match &*question.target {
        "/introspect" => answer(200, &with("iss", origin.clone().into())),
        _ => answer(
            200,
            &json!({"issuer": origin, "introspection_endpoint": format!("{origin}/introspect")}),
        ),
    });
    assert_eq!(app.verdict(TOKEN).await, "200");
    assert!(server.ready());
}

#[tokio::test]
async fn metadata_of_another_issuer_is_a_mistake_and_is_never_followed() {
    let endpoint = discovered(Some("https://evil.example")).await;
    let server = server(by(&endpoint), &ManualClock::new());
    let app = app(&server);
    assert_eq!(
        app.verdict(TOKEN).await,
        "503 unavailable introspection_failed"
    );
    match server.connect().await {
        Err(ConnectError::IssuerMismatch { found, .. }) => {
            assert_eq!(found, "https://evil.example");
        }
        other => panic!("{other:?}"),
    }
    assert!(!targets(&endpoint).contains(&"/introspect".to_owned()));
}

#[tokio::test]
async fn a_jwt_is_asked_about_only_where_the_configuration_says_so() {
    let clock = ManualClock::new();
    let mock = MockIssuer::named(AS).with_clock(clock.clone());
    let other = MockIssuer::named("https://other.example").with_clock(clock.clone());
    let endpoint = Endpoint::saying(good()).await;
    let (own, foreign) = (mock.token().sign(), other.token().sign());
    let plain = server(issuer(&endpoint), &clock);
    let plain = app(&plain);
    assert_eq!(
        plain.verdict(&own).await,
        "401 invalid_token unknown_issuer"
    );
    let settings = builder(issuer(&endpoint).introspect_jwts(), &clock);
    let both = settings.issuer(other.trusted()).build().expect("sound");
    let app = app(&both);
    assert_eq!(app.verdict(&foreign).await, "200", "verified here");
    assert_eq!(endpoint.calls(), 0);
    for _ in 0..2 {
        assert_eq!(app.verdict(&own).await, "200");
    }
    assert_eq!(endpoint.calls(), 1);
    assert_eq!(endpoint.last().field("token"), Some(own.clone()));
    // The answer counts, whatever the token says of itself.
    endpoint.turn(|_| answer(200, &json!({"active": false})));
    let forged = mock.token().subject("admin").sign_with_wrong_key();
    assert_eq!(app.verdict(&forged).await, "401 invalid_token inactive");
    for nobodys in [
        other.token().tampered_signature(),
        MockIssuer::named(format!("{AS}/")).token().sign(),
        "abc.def.ghi".to_owned(),
        "a.b.c.d.e".to_owned(),
    ] {
        assert_eq!(app.get("/", &nobodys).await.status, 401);
    }
    assert_eq!(endpoint.calls(), 2);
    let twice = builder(issuer(&endpoint).introspect_jwts(), &clock).issuer(mock.trusted());
    assert_eq!(
        twice.build().expect_err("two places").setting(),
        "introspect_jwts"
    );
}

#[tokio::test]
async fn a_signed_answer_counts_only_if_all_of_it_is_right() {
    let mock = MockIssuer::named(AS).with_algorithms([Algorithm::ES256, Algorithm::RS256]);
    let other = MockIssuer::named("https://other.example");
    let settings = |endpoint: &Endpoint| {
        issuer(endpoint)
            .signed_answers()
            .algorithms([Algorithm::ES256])
            .key_set(mock.key_set())
    };
    let right = signed(&mock, "orders-api", &good());
    let builder = || mock.token().typ("token-introspection+jwt");
    let claims = |value: Value| builder().payload_json(value.to_string());
    let whole = json!({
        "iss": AS, "aud": "orders-api", "iat": ManualClock::START.as_secs(),
        "token_introspection": good(),
    });
    let but = |member: &str, value: Value| {
        let mut whole = whole.clone();
        whole[member] = value;
        claims(whole).sign()
    };
    let failed = "503 unavailable introspection_failed";
    for (what, media_type, body, expected) in [
        ("right", SIGNED, right.clone(), "200"),
        (
            "right, with parameters",
            "Application/Token-Introspection+JWT; charset=utf-8",
            right.clone(),
            "200",
        ),
        (
            "for several",
            SIGNED,
            but("aud", json!(["x", "orders-api"])),
            "200",
        ),
        (
            "inactive",
            SIGNED,
            signed(&mock, "orders-api", &json!({"active": false})),
            "401 invalid_token inactive",
        ),
        (
            "for another audience inside",
            SIGNED,
            signed(
                &mock,
                "orders-api",
                &with("aud", "https://x.example".into()),
            ),
            "401 invalid_token audience",
        ),
        (
            "unsigned json",
            "application/json",
            good().to_string(),
            failed,
        ),
        ("json under the type", SIGNED, good().to_string(), failed),
        (
            "another media type",
            "application/jwt",
            right.clone(),
            failed,
        ),
        (
            "for another client",
            SIGNED,
            signed(&mock, "other", &good()),
            failed,
        ),
        (
            "by another issuer",
            SIGNED,
            signed(&other, "orders-api", &good()),
            failed,
        ),
        ("without aud", SIGNED, but("aud", Value::Null), failed),
        ("without iat", SIGNED, but("iat", Value::Null), failed),
        (
            "answer as text",
            SIGNED,
            but("token_introspection", "{}".into()),
            failed,
        ),
        (
            "members beside the answer",
            SIGNED,
            {
                let mut top = good();
                top["aud"] = "orders-api".into();
                top["iat"] = ManualClock::START.as_secs().into();
                claims(top).sign()
            },
            failed,
        ),
        ("alg none", SIGNED, claims(whole.clone()).unsigned(), failed),
        (
            "a wrong key",
            SIGNED,
            claims(whole.clone()).sign_with_wrong_key(),
            failed,
        ),
        (
            "an algorithm that is not allowed",
            SIGNED,
            claims(whole.clone()).algorithm(Algorithm::RS256).sign(),
            failed,
        ),
        (
            "an access token's type",
            SIGNED,
            claims(whole.clone()).typ("at+jwt").sign(),
            failed,
        ),
        (
            "no type",
            SIGNED,
            claims(whole.clone()).without_header("typ").sign(),
            failed,
        ),
        (
            "two parts",
            SIGNED,
            right.rsplit_once('.').expect("parts").0.to_owned(),
            failed,
        ),
    ] {
        let endpoint = Endpoint::doing(move |_| raw(200, media_type, body.clone())).await;
        let server = server(settings(&endpoint), &ManualClock::new());
        let found = app(&server).verdict(TOKEN).await;
        assert_eq!(found, expected, "{what}");
        assert_eq!(endpoint.last().header("accept"), SIGNED);
    }
}

#[tokio::test]
async fn a_signed_answer_is_no_access_token() {
    let mock = MockIssuer::named(AS);
    let server = trusting([mock.trusted()]);
    let app = app(&server);
    let mut claims = good();
    claims["token_introspection"] = good();
    claims["iat"] = 1.into();
    let token = mock.token().payload_json(claims.to_string());
    assert_eq!(app.verdict(&token.sign()).await, "200", "the twin");
    for kind in ["token-introspection+jwt", SIGNED] {
        let answer = token.clone().typ(kind).sign();
        assert_eq!(app.verdict(&answer).await, "401 invalid_token token_type");
    }
}

#[tokio::test]
async fn keys_of_signed_answers_are_fetched_and_followed() {
    let clock = ManualClock::new();
    let mock = MockIssuer::new().with_clock(clock.clone()).serve().await;
    let name = mock.issuer();
    let said = with("iss", name.clone().into());
    let endpoint = Endpoint::doing({
        let (mock, said) = (mock.clone(), said.clone());
        move |_| raw(200, SIGNED, signed(&mock, "orders-api", &said))
    })
    .await;
    let settings = Issuer::introspected(endpoint.url())
        .identified_as(&name)
        .client_authentication(ours())
        .introspection_timeout(30 * SECOND)
        .signed_answers()
        .key_set_url(mock.key_set_url());
    let server = server(settings, &clock)
        .connect()
        .await
        .expect("it is there");
    assert!(server.ready());
    let app = app(&server);
    assert_eq!(app.verdict("one").await, "200");
    mock.rotate();
    clock.advance(31 * SECOND);
    assert_eq!(
        app.verdict("two").await,
        "200",
        "after a look for the new key"
    );
    assert_eq!(mock.fetches(), 2);
    assert!(
        server.issuer_keys(&name).is_some(),
        "its keys can be steered"
    );
}

#[test]
fn mistakes_in_these_settings_are_found() {
    let asked =
        || Issuer::introspected("https://as.example/introspect").client_authentication(ours());
    let oidc = || Issuer::oidc("https://id.example.com");
    let service = || portcullis::presets::axway("https://gw.example/tokeninfo");
    let cases = vec![
        (
            Issuer::introspected("https://as.example/introspect"),
            "client_authentication",
        ),
        (
            asked().client_authentication(ClientAuthentication::basic("", "x")),
            "client_authentication",
        ),
        (
            asked().client_authentication(ClientAuthentication::private_key_jwt("a", "b")),
            "client_authentication",
        ),
        (
            Issuer::introspected("http://as.example/introspect").identified_as(AS),
            "client_authentication",
        ),
        (
            Issuer::introspected("http://as.example/introspect")
                .identified_as(AS)
                .client_authentication(ours()),
            "introspected",
        ),
        (
            Issuer::introspection_discovered("urn:as").client_authentication(ours()),
            "introspection_discovered",
        ),
        (asked().identified_as(""), "issuer"),
        (
            asked().introspection_cache_life(Duration::ZERO),
            "introspection_cache_life",
        ),
        (
            asked().introspection_cache_life(301 * SECOND),
            "introspection_cache_life",
        ),
        (
            asked().introspection_timeout(31 * SECOND),
            "introspection_timeout",
        ),
        (
            asked().concurrent_introspections(0),
            "concurrent_introspections",
        ),
        (
            asked().concurrent_introspections(1025),
            "concurrent_introspections",
        ),
        (
            asked().token_dialect(portcullis::presets::axway_dialect()),
            "token_dialect",
        ),
        (
            service().token_dialect(TokenInformation::field("")),
            "token_dialect",
        ),
        (
            asked().key_set_url("https://as.example/keys"),
            "key_set_url",
        ),
        (asked().algorithms([Algorithm::ES256]), "algorithms"),
        (
            asked().discovery_url("https://as.example/meta"),
            "discovery_url",
        ),
        (asked().require_header("signer", "x"), "require_header"),
        (asked().accept_type("at+jwt"), "accept_type"),
        (
            Issuer::introspected("https://as.example/introspect")
                .client_authentication(ClientAuthentication::bearer("x"))
                .signed_answers()
                .key_set_url("https://as.example/keys"),
            "signed_answers",
        ),
        (oidc().introspect_jwts(), "introspect_jwts"),
        (
            oidc().client_authentication(ours()),
            "client_authentication",
        ),
        (
            oidc().introspection_cache_life(SECOND),
            "introspection_cache_life",
        ),
        (oidc().audience_where_stated(), "audience_where_stated"),
    ];
    for (issuer, setting) in cases {
        assert_eq!(mistake(issuer.clone()), setting, "{issuer:?}");
    }
    let two = ResourceServer::builder(API)
        .issuer(asked())
        .issuer(service());
    let error = two.build().expect_err("whose token would it be");
    assert_eq!(error.setting(), "introspected");
    assert_eq!(error.issuer(), Some("https://gw.example/tokeninfo"));
}
