//! The claims that state how and when a user authenticated (RFC 9470 section 6): absence, other types
//! and a time in the future meet no demand.

use std::time::Duration;

use axum::routing::get;
use portcullis::extract::Authorized;
use portcullis::test_util::{ManualClock, MockIssuer, TokenBuilder};
use portcullis::time::Clock as _;
use portcullis::{AccessToken, Issuer};
use serde_json::{Value, json};

use crate::support::{API, Requests as _, TestApp};

portcullis::requirements! {
    Phr { acr: "phr" | "0" }
    Recent { max_age: Duration::from_secs(300) }
    Day { max_age: Duration::from_secs(86_400) }
}

struct Stage {
    clock: ManualClock,
    issuer: MockIssuer,
    app: TestApp,
}

impl Stage {
    fn new(settings: impl FnOnce(Issuer) -> Issuer) -> Self {
        let clock = ManualClock::new();
        let issuer = MockIssuer::new().with_clock(clock.clone());
        let server = portcullis::ResourceServer::builder(API)
            .issuer(settings(issuer.trusted()))
            .clock(clock.clone())
            .build()
            .expect("sound");
        let app = TestApp::behind(server.authenticate())
            .route("/acr", get(async |_: Authorized<Phr>| {}))
            .route("/age", get(async |_: Authorized<Recent>| {}))
            .route("/day", get(async |_: Authorized<Day>| {}))
            .route(
                "/values",
                get(async |token: AccessToken| token.acr_values().collect::<Vec<_>>().join(",")),
            );
        Self { clock, issuer, app }
    }

    fn token(&self) -> TokenBuilder {
        self.issuer.token().audience(API)
    }

    async fn is_let_in(&self, path: &str, token: &TokenBuilder) -> bool {
        let answer = self.app.get(path, &token.sign()).await;
        let verdict = answer.verdict();
        assert!(
            ["200", "401 insufficient_user_authentication"].contains(&&*verdict),
            "{verdict}"
        );
        answer.status == 200
    }
}

#[tokio::test]
async fn acr_is_one_text_or_an_array_of_texts_compared_byte_for_byte() {
    let stage = Stage::new(|issuer| issuer);
    for (acr, expected) in [
        (json!("phr"), true),
        (json!("0"), true),
        (json!(["pwd", "phr"]), true),
        (json!("PHR"), false),
        (json!("phr "), false),
        (json!("phr pwd"), false),
        (json!(""), false),
        (json!([]), false),
        (json!([""]), false),
        (json!(["pwd"]), false),
        (json!(["phr", 7]), false),
        (json!([["phr"]]), false),
        (json!({"phr": true}), false),
        (json!(0), false),
        (json!(true), false),
        (Value::Null, false),
    ] {
        let token = stage.token().claim("acr", &acr);
        assert_eq!(stage.is_let_in("/acr", &token).await, expected, "{acr}");
        // Another route does not care.
        assert_eq!(stage.app.get("/values", &token.sign()).await.status, 200);
    }
    assert!(!stage.is_let_in("/acr", &stage.token()).await, "absent");
    // What a token says of the methods is no class.
    let methods = stage.token().claim("amr", ["phr"]);
    assert!(!stage.is_let_in("/acr", &methods).await);
}

#[tokio::test]
async fn claim_of_another_name_and_place_is_read_where_it_is_set() {
    let entra = Stage::new(|issuer| issuer.acr_claim("acrs"));
    let token = entra
        .token()
        .claim("acrs", ["c1", "phr"])
        .claim("acr", "pwd");
    assert!(entra.is_let_in("/acr", &token).await);
    let answer = entra.app.get("/values", &token.sign()).await;
    assert_eq!(answer.body, "c1,phr");
    let default = entra.token().claim("acr", "phr");
    assert!(!entra.is_let_in("/acr", &default).await, "not the default");

    let nested = Stage::new(|issuer| issuer.acr_claim(["https://id.example.com", "acr"]));
    let inside = nested
        .token()
        .claim("https://id.example.com", json!({"acr": "phr"}));
    assert!(nested.is_let_in("/acr", &inside).await);
    let flat = nested.token().claim("https://id.example.com", "phr");
    assert!(!nested.is_let_in("/acr", &flat).await);
}

#[tokio::test]
async fn auth_time_is_a_number_of_the_past_and_no_other_time_stands_in() {
    let stage = Stage::new(|issuer| issuer);
    let now = stage.clock.now().as_secs();
    for (auth_time, expected) in [
        (json!(now), true),
        (json!(now - 300), true),
        (json!(now - 301), false),
        // A fraction counts down, to the older second.
        (
            json!(f64::from(i32::try_from(now).unwrap_or(0)) + 0.5),
            true,
        ),
        // Clocks differ by the leeway, and by no more.
        (json!(now + 30), true),
        (json!(now + 31), false),
        (json!(now * 1000), false),
        (json!(0), false),
        (json!(-1), false),
        (json!(now.to_string()), false),
        (json!([now]), false),
        (json!({"at": now}), false),
        (json!(true), false),
        (json!(1e300), false),
        (Value::Null, false),
    ] {
        let token = stage.token().claim("auth_time", &auth_time);
        let found = stage.is_let_in("/age", &token).await;
        assert_eq!(found, expected, "{auth_time}");
    }
    // RFC 9470 s6.2: neither the time of issue nor that of a session.
    let fresh = stage.token().without("auth_time").claim("iat", now);
    assert!(!stage.is_let_in("/age", &fresh).await);
    assert!(!stage.is_let_in("/day", &fresh).await);
}
