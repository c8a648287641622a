//! Tokens of the systems that this library is for, each kind beside the twin that is refused.

use std::time::Duration;

use axum::Router;
use axum::routing::get;
use portcullis::test_util::{ManualClock, MockIssuer};
use portcullis::{AccessToken, Algorithm, Claims, Issuer, ResourceServer};
use serde_json::json;

use crate::support::{API, Requests as _, TestApp, server, trusting};

fn app(server: &ResourceServer) -> TestApp {
    TestApp::behind(server.authenticate()).route("/", get(|_: AccessToken| async { "ok" }))
}

fn behind(trusted: Issuer) -> TestApp {
    app(&trusting([trusted]))
}

#[tokio::test]
async fn every_algorithm_verifies_and_is_confined_to_its_issuer() {
    let issuer = MockIssuer::new().with_algorithms(Algorithm::all());
    let all = behind(issuer.trusted().algorithms(Algorithm::all()));
    for algorithm in Algorithm::all() {
        let token = issuer.token().algorithm(algorithm);
        assert_eq!(
            all.verdict(&token.clone().sign()).await,
            "200",
            "{algorithm}"
        );
        let tampered = all.get("/", &token.tampered_payload()).await.verdict();
        assert_eq!(tampered, "401 invalid_token signature", "{algorithm}");
        let tampered = all.get("/", &token.tampered_signature()).await.verdict();
        assert_eq!(tampered, "401 invalid_token signature", "{algorithm}");
        for only in Algorithm::all() {
            let confined = behind(issuer.trusted().algorithms([only]));
            let expected = if only == algorithm {
                "200"
            } else {
                "401 invalid_token algorithm"
            };
            assert_eq!(
                confined.verdict(&token.clone().sign()).await,
                expected,
                "{algorithm} at {only}"
            );
        }
    }
}

#[tokio::test]
async fn a_token_that_says_itself_that_it_is_over_costs_no_signature_and_no_question() {
    let clock = ManualClock::new();
    let issuer = MockIssuer::new()
        .with_algorithms([Algorithm::ES256])
        .with_clock(clock.clone());
    let served = issuer.serve().await;
    let server = ResourceServer::builder(API)
        .issuer(served.trusted())
        .clock(clock.clone())
        .build()
        .expect("sound")
        .connect()
        .await
        .expect("a runtime");
    let app = app(&server);
    clock.advance(Duration::from_secs(60)); // The issuer could be asked about unknown keys.
    let over = issuer.token().expired();
    for bad in [
        over.sign(),
        over.sign_with_wrong_key(),
        over.tampered_signature(),
        over.sign_with_unknown_key(),
    ] {
        let verdict = app.get("/", &bad).await.verdict();
        assert_eq!(verdict, "401 invalid_token expired");
    }
    assert_eq!(served.fetches(), 1, "no key set was fetched");

    // What it says to its favour is not believed.
    let good = issuer.token();
    assert_eq!(app.verdict(&good.clone().sign()).await, "200");
    let forged = app.get("/", &good.sign_with_wrong_key()).await.verdict();
    assert_eq!(forged, "401 invalid_token signature");
    let unknown = app.get("/", &good.sign_with_unknown_key()).await.verdict();
    assert_eq!(unknown, "401 invalid_token unknown_key");
    assert_eq!(served.fetches(), 2);
}

#[tokio::test]
async fn forged_and_broken_tokens_are_refused() {
    let issuer = MockIssuer::new();
    let app = app(&server(&issuer));
    let good = issuer.token();
    let whole = good.sign();
    let (signed, signature) = whole.rsplit_once('.').expect("three parts");
    for (name, token, expected) in [
        ("the accepted twin", good.sign(), "200"),
        ("alg none", good.unsigned(), "401 invalid_token algorithm"),
        (
            "hmac of the public key",
            good.with_hmac_of_public_key(),
            "401 invalid_token algorithm",
        ),
        (
            "another key under the same id",
            good.sign_with_wrong_key(),
            "401 invalid_token signature",
        ),
        (
            "an id that is in no key set",
            good.sign_with_unknown_key(),
            "401 invalid_token unknown_key",
        ),
        (
            "a shortened token",
            good.truncated(),
            "401 invalid_token malformed",
        ),
        (
            "no signature",
            format!("{signed}."),
            "401 invalid_token signature",
        ),
        (
            "two parts",
            signed.to_owned(),
            "401 invalid_token malformed",
        ),
        (
            "four parts",
            format!("{whole}.x"),
            "401 invalid_token malformed",
        ),
        (
            "five parts",
            issuer.refresh_token(),
            "401 invalid_token encrypted",
        ),
        (
            "six parts",
            format!("{whole}.a.b.c"),
            "401 invalid_token malformed",
        ),
        (
            "padding",
            format!("{whole}="),
            "401 invalid_token malformed",
        ),
        (
            "the other alphabet",
            format!("{signed}.+/{signature}"),
            "401 invalid_token malformed",
        ),
        (
            "no token at all",
            "x".to_owned(),
            "401 invalid_token malformed",
        ),
        ("only dots", "..".to_owned(), "401 invalid_token malformed"),
        (
            "percent",
            format!("{whole}%2E"),
            "400 invalid_request not_a_token",
        ),
        (
            "crit",
            good.clone().header("crit", ["exp2"]).sign(),
            "401 invalid_token critical",
        ),
        (
            "empty crit",
            good.clone().header("crit", json!([])).sign(),
            "401 invalid_token critical",
        ),
        (
            "b64",
            good.clone().header("b64", false).sign(),
            "401 invalid_token header",
        ),
        (
            "zip",
            good.clone().header("zip", "DEF").sign(),
            "401 invalid_token header",
        ),
        (
            "kid as a number",
            good.clone().header("kid", 1).sign(),
            "401 invalid_token header",
        ),
        (
            "kid as null",
            good.clone().header("kid", json!(null)).sign(),
            "401 invalid_token header",
        ),
        (
            "a kid of 257 bytes",
            good.clone().key_id(&"k".repeat(257)).sign(),
            "401 invalid_token header",
        ),
        (
            "a kid in other case",
            good.clone().key_id("KEY-1").sign(),
            "401 invalid_token unknown_key",
        ),
        (
            "alg in lower case",
            good.clone().header("alg", "rs256").sign(),
            "401 invalid_token algorithm",
        ),
        (
            "alg as a list",
            good.clone().header("alg", ["RS256"]).sign(),
            "401 invalid_token algorithm",
        ),
        (
            "no alg",
            good.clone().without_header("alg").sign(),
            "401 invalid_token algorithm",
        ),
        (
            "a bound token",
            good.clone().claim("cnf", json!({"jkt": "x"})).sign(),
            "401 invalid_token binding",
        ),
        (
            "an empty binding",
            good.clone().claim("cnf", json!({})).sign(),
            "401 invalid_token binding",
        ),
        (
            "a member twice",
            good.clone()
                .payload_json(r#"{"iss":"https://issuer.test","iss":"https://issuer.test"}"#)
                .sign(),
            "401 invalid_token duplicate_member",
        ),
        (
            "a payload that is no object",
            good.clone().payload_json("[]").sign(),
            "401 invalid_token malformed",
        ),
        (
            "a payload that is no text",
            good.clone().payload_json([0xff, 0xfe]).sign(),
            "401 invalid_token malformed",
        ),
        (
            "a header that is no object",
            good.clone().header_json("[]").sign(),
            "401 invalid_token malformed",
        ),
    ] {
        assert_eq!(app.get("/", &token).await.verdict(), expected, "{name}");
    }
}

#[tokio::test]
async fn keys_that_a_token_brings_along_are_not_looked_at() {
    let (issuer, attacker) = (MockIssuer::new(), MockIssuer::new());
    let app = app(&server(&issuer));
    let key_set: serde_json::Value = serde_json::from_str(&attacker.key_set()).expect("json");
    let own = &key_set["keys"][0];
    for parameter in ["jwk", "jku", "x5u", "x5c", "x5t"] {
        let value = if parameter == "jwk" {
            own.clone()
        } else {
            json!("http://127.0.0.1:9/")
        };
        let forged = attacker.token().header(parameter, &value);
        assert_eq!(
            app.verdict(&forged.sign()).await,
            "401 invalid_token signature",
            "{parameter}"
        );
        let genuine = issuer.token().header(parameter, &value);
        assert_eq!(
            app.verdict(&genuine.sign()).await,
            "200",
            "{parameter} beside a genuine signature"
        );
    }
}

#[tokio::test]
async fn required_claims_are_there_and_have_their_type() {
    let issuer = MockIssuer::new();
    let app = app(&server(&issuer));
    let good = issuer.token();
    for (name, token, expected) in [
        (
            "no exp",
            good.clone().without("exp"),
            "401 invalid_token no_expiry",
        ),
        (
            "exp as text",
            good.clone().claim("exp", "4102444800"),
            "401 invalid_token claims",
        ),
        (
            "exp as null",
            good.clone().claim("exp", json!(null)),
            "401 invalid_token claims",
        ),
        (
            "exp as a list",
            good.clone().claim("exp", [4_102_444_800_u64]),
            "401 invalid_token claims",
        ),
        (
            "exp with a fraction",
            good.clone().claim("exp", 4_102_444_800.5),
            "200",
        ),
        (
            "exp beyond reason",
            good.clone().claim("exp", 1e30),
            "401 invalid_token claims",
        ),
        (
            "nbf as text",
            good.clone().claim("nbf", "0"),
            "401 invalid_token claims",
        ),
        ("nbf of 0", good.clone().claim("nbf", 0), "200"),
        (
            "iat as text",
            good.clone().claim("iat", "0"),
            "401 invalid_token claims",
        ),
        (
            "iat ahead",
            good.clone().claim("iat", 4_102_444_800_u64),
            "200",
        ),
        ("no iat", good.clone().without("iat"), "200"),
        (
            "no iss",
            good.clone().without("iss"),
            "401 invalid_token claims",
        ),
        (
            "iss as a list",
            good.clone().claim("iss", ["https://issuer.test"]),
            "401 invalid_token claims",
        ),
        (
            "iss with a slash",
            good.clone().issuer("https://issuer.test/"),
            "401 invalid_token unknown_issuer",
        ),
        (
            "iss in other case",
            good.clone().issuer("https://ISSUER.test"),
            "401 invalid_token unknown_issuer",
        ),
        (
            "no aud",
            good.clone().without("aud"),
            "401 invalid_token audience",
        ),
        (
            "aud of another",
            good.clone().audience("https://other.example.com"),
            "401 invalid_token audience",
        ),
        (
            "aud with a slash",
            good.clone().audience("https://api.example.com/"),
            "401 invalid_token audience",
        ),
        (
            "aud among others",
            good.clone().audiences(["x", API]),
            "200",
        ),
        (
            "no audiences",
            good.clone().claim("aud", json!([])),
            "401 invalid_token audience",
        ),
        (
            "aud with a number beside",
            good.clone().claim("aud", json!([API, 5])),
            "401 invalid_token audience",
        ),
        (
            "aud as an object",
            good.clone().claim("aud", json!({"0": API})),
            "401 invalid_token audience",
        ),
        (
            "aud as a list in text",
            good.clone().audience("[\"https://api.example.com\"]"),
            "401 invalid_token audience",
        ),
        (
            "aud as text with spaces",
            good.clone().audience("x https://api.example.com"),
            "401 invalid_token audience",
        ),
        (
            "sub as a number",
            good.clone().claim("sub", 5),
            "401 invalid_token claims",
        ),
        // OpenID Connect's access tokens need no subject, and an empty one is none.
        ("empty sub", good.clone().subject(""), "200"),
        ("no sub", good.clone().without("sub"), "200"),
        (
            "client as a number",
            good.clone().claim("client_id", 5),
            "401 invalid_token claims",
        ),
        (
            "scope as a number",
            good.clone().claim("scope", 5),
            "401 invalid_token claims",
        ),
        (
            "jti as a number",
            good.clone().claim("jti", 5),
            "401 invalid_token claims",
        ),
    ] {
        assert_eq!(app.verdict(&token.sign()).await, expected, "{name}");
    }
}

#[tokio::test]
async fn times_are_judged_with_the_leeway_on_the_servers_clock() {
    let clock = ManualClock::new();
    let issuer = MockIssuer::new().with_clock(clock.clone());
    let trusted = issuer.trusted().leeway(Duration::from_secs(60));
    let server = ResourceServer::builder(API)
        .issuer(trusted)
        .clock(clock.clone())
        .build()
        .expect("sound");
    let app = app(&server);
    let short = issuer.token().expires_in(Duration::from_secs(30)).sign();
    let early = issuer
        .token()
        .not_before_in(Duration::from_secs(100))
        .sign();
    assert_eq!(app.get("/", &short).await.verdict(), "200");
    assert_eq!(
        app.get("/", &early).await.verdict(),
        "401 invalid_token not_yet_valid"
    );
    clock.advance(Duration::from_secs(39));
    assert_eq!(
        app.get("/", &early).await.verdict(),
        "401 invalid_token not_yet_valid"
    );
    clock.advance(Duration::from_secs(1));
    assert_eq!(app.get("/", &early).await.verdict(), "200");
    clock.advance(Duration::from_secs(49));
    assert_eq!(app.get("/", &short).await.verdict(), "200");
    clock.advance(Duration::from_secs(1));
    assert_eq!(
        app.get("/", &short).await.verdict(),
        "401 invalid_token expired"
    );
    // A clock that jumps back makes neither panic nor a longer life of what is not yet valid.
    clock.set_wall(ManualClock::START.saturating_sub(Duration::from_secs(5)));
    assert_eq!(
        app.get("/", &early).await.verdict(),
        "401 invalid_token not_yet_valid"
    );
    clock.set_wall(portcullis::time::UnixTime::from_secs(-5));
    assert_eq!(
        app.get("/", &early).await.verdict(),
        "503 unavailable clock_unset"
    );
    clock.set_wall(portcullis::time::UnixTime::from_secs(i64::MAX));
    assert_eq!(
        app.get("/", &early).await.verdict(),
        "401 invalid_token expired"
    );
}

#[tokio::test]
async fn rfc9068_is_taken_to_the_letter() {
    let issuer = MockIssuer::rfc9068("https://issuer.test");
    let app = app(&server(&issuer));
    let good = issuer.token();
    for typ in [
        "at+jwt",
        "AT+JWT",
        "application/at+jwt",
        "Application/At+Jwt",
    ] {
        assert_eq!(
            app.verdict(&good.clone().typ(typ).sign()).await,
            "200",
            "{typ}"
        );
    }
    for typ in [
        "JWT",
        "id_token+jwt",
        "logout+jwt",
        "",
        "at+jwt ",
        "at",
        "x/at+jwt",
    ] {
        assert_eq!(
            app.verdict(&good.clone().typ(typ).sign()).await,
            "401 invalid_token token_type",
            "{typ:?}"
        );
    }
    assert_eq!(
        app.verdict(&good.clone().without_header("typ").sign())
            .await,
        "401 invalid_token token_type"
    );
    for claim in ["sub", "client_id", "iat", "jti"] {
        assert_eq!(
            app.verdict(&good.clone().without(claim).sign()).await,
            "401 invalid_token claims",
            "{claim}"
        );
    }
    assert_eq!(
        app.verdict(&good.clone().without("aud").sign()).await,
        "401 invalid_token audience"
    );
    assert_eq!(
        app.verdict(&good.without("exp").sign()).await,
        "401 invalid_token no_expiry"
    );
}

#[tokio::test]
async fn tokens_for_somebody_else_are_no_access_tokens() {
    let issuer = MockIssuer::new();
    let lenient = behind(issuer.trusted().accept_type("secevent+jwt"));
    let app = app(&server(&issuer));
    let good = issuer.token();
    for typ in ["JWT", "jwt", "at+jwt", "application/at+jwt"] {
        assert_eq!(
            app.verdict(&good.clone().typ(typ).sign()).await,
            "200",
            "{typ}"
        );
    }
    for typ in [
        "logout+jwt",
        "dpop+jwt",
        "secevent+jwt",
        "JOSE",
        "refresh+jwt",
        "",
    ] {
        assert_eq!(
            app.verdict(&good.clone().typ(typ).sign()).await,
            "401 invalid_token token_type",
            "{typ:?}"
        );
    }
    assert_eq!(
        app.verdict(&good.clone().header("typ", ["JWT"]).sign())
            .await,
        "401 invalid_token token_type"
    );
    assert_eq!(
        lenient
            .verdict(&good.clone().typ("application/secevent+jwt").sign())
            .await,
        "200"
    );
    for (claim, value) in [
        ("at_hash", json!("x")),
        ("c_hash", json!("x")),
        ("events", json!({})),
        ("token_use", json!("id")),
        ("token_use", json!(["access"])),
        ("typ", json!("ID")),
        ("typ", json!("Refresh")),
        ("typ", json!("Offline")),
        ("typ", json!("logout")),
        ("typ", json!(["ID"])),
        ("typ", json!(null)),
    ] {
        let token = good.clone().claim(claim, &value);
        assert_eq!(
            app.verdict(&token.sign()).await,
            "401 invalid_token token_use",
            "{claim} {value}"
        );
    }
    for (claim, value) in [
        ("type", "refresh_token"),
        ("type", "ID_TOKEN"),
        ("token_type", "Refresh"),
        ("token_class", "refresh_token"),
        ("token_class", "id_token"),
    ] {
        let token = good.clone().claim(claim, value);
        assert_eq!(
            app.verdict(&token.sign()).await,
            "401 invalid_token token_use",
            "{claim} {value}"
        );
    }
    // A `nonce` is for the client, unless the token has what no ID token has.
    let answer = good.clone().without("jti").claim("nonce", "n-1");
    assert_eq!(
        app.verdict(&answer.clone().sign()).await,
        "401 invalid_token token_use"
    );
    assert_eq!(app.verdict(&answer.clone().scope("a").sign()).await, "200");
    assert_eq!(app.verdict(&answer.claim("jti", "j-1").sign()).await, "200");
    for (claim, value) in [
        ("token_use", "access"),
        ("typ", "Bearer"),
        ("type", "access_token"),
        ("token_type", "Bearer"),
        ("token_class", "access_token"),
        ("token_class", "whatever"),
    ] {
        assert_eq!(
            app.verdict(&good.clone().claim(claim, value).sign()).await,
            "200",
            "{claim} {value}"
        );
    }
    assert!(
        app.verdict(&issuer.id_token().sign())
            .await
            .starts_with("401 invalid_token")
    );
    // Where any audience goes, a token for its own client alone is still an ID token.
    let any = behind(issuer.trusted().danger().accept_any_audience());
    assert_eq!(
        any.verdict(&good.clone().audience("https://other.example.com").sign())
            .await,
        "200"
    );
    assert_eq!(
        any.verdict(&good.clone().without("aud").sign()).await,
        "200"
    );
    assert_eq!(
        any.verdict(&good.audience(MockIssuer::CLIENT_ID).sign())
            .await,
        "401 invalid_token audience"
    );
}

#[tokio::test]
async fn cognito_access_tokens_pass_and_everything_else_of_the_pool_does_not() {
    let pool = MockIssuer::cognito("eu-west-1", "eu-west-1_AbCdEf");
    let app = app(&server(&pool));
    let good = pool.token();
    let client = MockIssuer::CLIENT_ID;
    for (name, token, expected) in [
        ("a user's", good.clone(), "200"),
        ("a machine's", pool.client_token(), "200"),
        ("resource-bound", good.clone().audience(API), "200"),
        (
            "aud is its own client",
            good.clone().audience(client),
            "200",
        ),
        (
            "aud of another resource",
            good.clone().audience("https://other.example.com"),
            "401 invalid_token audience",
        ),
        (
            "aud is a list with its client",
            good.clone().audiences([client, "x"]),
            "401 invalid_token audience",
        ),
        (
            "another client's",
            good.clone().client("another"),
            "401 invalid_token client_id",
        ),
        (
            "another client's for our resource",
            good.clone().client("another").audience(API),
            "401 invalid_token client_id",
        ),
        (
            "without a client",
            good.clone().without("client_id"),
            "401 invalid_token claims",
        ),
        (
            "an ID token",
            pool.id_token(),
            "401 invalid_token token_use",
        ),
        (
            "an ID token with a client id",
            pool.id_token().claim("client_id", client),
            "401 invalid_token token_use",
        ),
        (
            "no token_use",
            good.clone().without("token_use"),
            "401 invalid_token token_use",
        ),
        (
            "token_use in other case",
            good.clone().claim("token_use", "ACCESS"),
            "401 invalid_token token_use",
        ),
        (
            "token_use as a list",
            good.clone().claim("token_use", ["access"]),
            "401 invalid_token token_use",
        ),
        (
            "another pool's",
            good.clone()
                .issuer("https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Other"),
            "401 invalid_token unknown_issuer",
        ),
        (
            "an identity pool's",
            good.clone()
                .issuer("https://cognito-identity.amazonaws.com"),
            "401 invalid_token unknown_issuer",
        ),
        (
            "the updated form of the same pool",
            good.clone()
                .issuer("https://issuer-cognito-idp.eu-west-1.amazonaws.com/eu-west-1_AbCdEf"),
            "200",
        ),
        (
            "expired",
            good.clone().expired(),
            "401 invalid_token expired",
        ),
        (
            "signed by an unknown key",
            good.clone().key_id("other"),
            "401 invalid_token unknown_key",
        ),
    ] {
        assert_eq!(app.verdict(&token.sign()).await, expected, "{name}");
    }
    assert_eq!(
        app.get("/", &pool.refresh_token()).await.verdict(),
        "401 invalid_token encrypted"
    );
}

#[tokio::test]
async fn cognito_partitions_have_their_own_domains() {
    for (region, domain) in [
        ("cn-north-1", "amazonaws.com.cn"),
        ("eusc-de-east-1", "amazonaws.eu"),
        ("us-gov-west-1", "amazonaws.com"),
    ] {
        let pool = MockIssuer::cognito(region, format!("{region}_AbCdEf"));
        let own = pool.token().issuer(&format!(
            "https://cognito-idp.{region}.{domain}/{region}_AbCdEf"
        ));
        let other = pool.token().issuer(&format!(
            "https://cognito-idp.{region}.example.com/{region}_AbCdEf"
        ));
        let app = app(&server(&pool));
        assert_eq!(app.verdict(&own.sign()).await, "200", "{region}");
        assert_eq!(
            app.verdict(&other.sign()).await,
            "401 invalid_token unknown_issuer",
            "{region}"
        );
    }
}

#[tokio::test]
async fn large_tokens_pass_up_to_the_limit() {
    #[derive(serde::Deserialize)]
    struct WayGee {
        #[serde(rename = "UAID")]
        uaid: String,
    }
    let issuer = MockIssuer::new();
    let trusted = || ResourceServer::builder(API).issuer(issuer.trusted());
    let routes = Router::new().route(
        "/",
        get(|Claims(claims): Claims<WayGee>| async move { claims.uaid.clone() }),
    );
    let by_default = routes
        .clone()
        .route_layer(trusted().build().expect("sound").authenticate());
    let wide = routes.clone().route_layer(
        trusted()
            .max_token_bytes(64 * 1024)
            .build()
            .expect("sound")
            .authenticate(),
    );
    let tight = routes.route_layer(
        trusted()
            .max_token_bytes(4096)
            .build()
            .expect("sound")
            .authenticate(),
    );
    let sized = |bytes: usize| {
        issuer
            .token()
            .claim("UAID", "u-1")
            .claim("padding", "x".repeat(bytes))
            .sign()
    };
    assert_eq!(by_default.get("/", &sized(3000)).await.body, "u-1");
    assert_eq!(by_default.get("/", &sized(11_000)).await.body, "u-1");
    assert_eq!(
        by_default.get("/", &sized(13_000)).await.verdict(),
        "401 invalid_token too_large"
    );
    assert_eq!(wide.get("/", &sized(13_000)).await.body, "u-1");
    assert_eq!(wide.get("/", &sized(45_000)).await.body, "u-1");
    assert_eq!(
        wide.get("/", &sized(50_000)).await.verdict(),
        "401 invalid_token too_large"
    );
    assert_eq!(tight.get("/", &sized(2000)).await.body, "u-1");
    assert_eq!(
        tight.get("/", &sized(3000)).await.verdict(),
        "401 invalid_token too_large"
    );
}

#[tokio::test]
async fn nesting_is_bounded() {
    let issuer = MockIssuer::new();
    let app = app(&server(&issuer));
    let nested = |depth: usize| {
        let base = serde_json::to_string(
            &json!({"iss": issuer.issuer(), "aud": API, "exp": 4_102_444_800_u64}),
        )
        .expect("json");
        let payload = format!(
            "{},\"deep\":{}{}}}",
            base.trim_end_matches('}'),
            "[".repeat(depth),
            "]".repeat(depth)
        );
        issuer.token().payload_json(payload)
    };
    assert_eq!(app.verdict(&nested(60).sign()).await, "200");
    assert_eq!(
        app.verdict(&nested(64).sign()).await,
        "401 invalid_token malformed"
    );
    assert_eq!(
        app.verdict(&nested(5000).sign()).await,
        "401 invalid_token malformed"
    );
}

#[tokio::test]
async fn a_token_without_kid_is_tried_with_the_few_keys_that_fit() {
    let issuer = MockIssuer::new();
    let rotate = |times: usize| (0..times).for_each(|_| issuer.rotate());
    let token = |issuer: &MockIssuer| issuer.token().without_header("kid");
    assert_eq!(
        app(&server(&issuer)).verdict(&token(&issuer).sign()).await,
        "200"
    );
    rotate(3);
    assert_eq!(
        app(&server(&issuer)).verdict(&token(&issuer).sign()).await,
        "200",
        "four keys fit"
    );
    let forged = MockIssuer::new().token().without_header("kid");
    assert_eq!(
        app(&server(&issuer)).verdict(&forged.sign()).await,
        "401 invalid_token signature"
    );
    rotate(1);
    assert_eq!(
        app(&server(&issuer)).verdict(&token(&issuer).sign()).await,
        "401 invalid_token ambiguous_key"
    );
}

#[tokio::test]
async fn any_client_of_a_pool_is_accepted_only_where_that_is_said_to_be_dangerous() {
    let pool = MockIssuer::cognito("eu-west-1", "eu-west-1_AbCdEf");
    let issuer = |pool: &MockIssuer| {
        Issuer::cognito("eu-west-1", "eu-west-1_AbCdEf").key_set(pool.key_set())
    };
    let any = behind(issuer(&pool).danger().accept_any_audience());
    let named = behind(issuer(&pool).client_id("a"));
    let token = pool.token().client("b");
    assert_eq!(any.verdict(&token.clone().sign()).await, "200");
    assert_eq!(
        any.verdict(&token.clone().claim("token_use", "id").sign())
            .await,
        "401 invalid_token token_use"
    );
    assert_eq!(
        named.verdict(&token.sign()).await,
        "401 invalid_token client_id"
    );
}

#[tokio::test]
async fn only_spaces_stand_between_scheme_and_token() {
    let issuer = MockIssuer::new();
    let app = app(&server(&issuer));
    let token = issuer.token().sign();
    for (blanks, expected) in [
        (" ", "200"),
        ("   ", "200"),
        (" \t", "400 invalid_request not_a_token"),
        ("  \t \t", "400 invalid_request not_a_token"),
        ("\t", "400 invalid_request not_a_token"),
    ] {
        let field = format!("Bearer{blanks}{token}");
        let answer = app.send("/", &[("authorization", &field)]).await;
        assert_eq!(answer.verdict(), expected, "{blanks:?}");
    }
}

#[tokio::test]
async fn a_strict_issuer_with_another_type_still_refuses_id_tokens() {
    let issuer = MockIssuer::rfc9068("https://issuer.test");
    let app = behind(issuer.trusted().accept_type("JWT"));
    let token = issuer.token().typ("JWT");
    assert_eq!(app.verdict(&token.clone().sign()).await, "200");
    assert_eq!(
        app.verdict(&token.claim("at_hash", "x").sign()).await,
        "401 invalid_token token_use"
    );
}

#[tokio::test]
async fn a_token_for_its_own_client_is_an_id_token_wherever_the_audience_is_named() {
    let issuer = MockIssuer::new();
    let app = behind(issuer.trusted().audience_claim("resource"));
    let token = issuer.token().claim("resource", API);
    assert_eq!(
        app.verdict(&token.clone().audience("another").sign()).await,
        "200"
    );
    assert_eq!(
        app.verdict(&token.clone().without("aud").sign()).await,
        "200"
    );
    assert_eq!(
        app.verdict(&token.audience(MockIssuer::CLIENT_ID).sign())
            .await,
        "401 invalid_token token_use"
    );
}

#[test]
fn a_server_that_was_never_connected_answers_503_even_outside_a_runtime() {
    let issuer = MockIssuer::new();
    let trusted = Issuer::oidc(issuer.issuer()).key_set_url("http://127.0.0.1:9/jwks.json");
    let app = behind(trusted);
    let token = issuer.token().sign();
    let mut asked = std::pin::pin!(app.get("/", &token));
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match asked.as_mut().poll(&mut context) {
        std::task::Poll::Ready(answer) => {
            assert_eq!(answer.verdict(), "503 unavailable not_connected");
        }
        std::task::Poll::Pending => panic!("there is nothing to wait for"),
    }
}
