//! Opaque tokens whose binding an introspection response states (RFC 9449 section 6.2).

use axum::Router;
use portcullis::test_util::{DpopKey, ManualClock};
use serde_json::{Value, json};

use crate::support::endpoint::Endpoint;
use crate::support::introspection::{TOKEN, app, issuer, server, with};
use crate::support::{API, Requests as _};

/// The verdict on the token with a proof by this key.
async fn verdict(app: &Router, key: &DpopKey) -> String {
    let proof = key.proof("GET", &format!("{API}/"));
    let proof = proof.access_token(TOKEN).sign();
    let authorization = format!("DPoP {TOKEN}");
    let fields = [("authorization", &*authorization), ("dpop", &*proof)];
    app.send("/", &fields).await.verdict()
}

#[tokio::test]
async fn an_opaque_token_is_bound_by_the_response_and_its_type_may_say_so() {
    let clock = ManualClock::new();
    let key = DpopKey::generate().with_clock(clock.clone());
    let other = DpopKey::generate().with_clock(clock.clone());
    for token_type in [
        "DPoP".into(),
        "dpop".into(),
        Value::Null,
        // RFC 9449 s6.2 demands `DPoP`; what decides is `cnf`.
        "Bearer".into(),
    ] {
        let mut response = with("token_type", token_type.clone());
        response["cnf"] = json!({"jkt": key.thumbprint()});
        let endpoint = Endpoint::saying(response).await;
        let app = app(&server(issuer(&endpoint), &clock));
        for (found, expected) in [
            (verdict(&app, &key).await, "200"),
            (verdict(&app, &other).await, "401 invalid_token binding"),
            (
                app.get("/", TOKEN).await.verdict(),
                "401 invalid_token binding",
            ),
        ] {
            assert_eq!(found, expected, "{token_type}");
        }
    }
}

#[tokio::test]
async fn a_response_of_the_type_dpop_without_a_key_is_refused() {
    let clock = ManualClock::new();
    let key = DpopKey::generate().with_clock(clock.clone());
    let zeros = "A".repeat(43);
    for confirmation in [Value::Null, json!({"x5t#S256": zeros})] {
        let mut response = with("token_type", "DPoP".into());
        response["cnf"] = confirmation.clone();
        let endpoint = Endpoint::saying(response).await;
        let app = app(&server(issuer(&endpoint), &clock));
        for found in [
            verdict(&app, &key).await,
            app.get("/", TOKEN).await.verdict(),
        ] {
            assert_eq!(found, "401 invalid_token binding", "{confirmation}");
        }
    }
}
