//! Opaque tokens that are bound to a DPoP key, by the response of introspection (RFC 9449 section 6.2).

use axum::body::Body;
use http::Request;
use portcullis::test_util::{DpopKey, ManualClock};
use serde_json::json;

use crate::support::endpoint::Endpoint;
use crate::support::introspection::{TOKEN, app, issuer, server, with};
use crate::support::{API, Requests as _};

#[tokio::test]
async fn an_opaque_token_is_bound_by_what_its_issuer_reports() {
    let clock = ManualClock::new();
    let key = DpopKey::generate().with_clock(clock.clone());
    let thief = DpopKey::generate().with_clock(clock.clone());
    for token_type in ["DPoP", "dpop", "Bearer"] {
        let mut reported = with("token_type", token_type.into());
        reported["cnf"] = json!({"jkt": key.thumbprint()});
        let endpoint = Endpoint::saying(reported).await;
        let app = app(&server(issuer(&endpoint), &clock));
        for (key, expected) in [(&key, "200"), (&thief, "401 invalid_token binding")] {
            let request = Request::get("/").body(Body::empty()).expect("a request");
            let proof = key.proof("GET", &format!("{API}/"));
            let answer = app.exchange(proof.authorize(request, TOKEN)).await;
            assert_eq!(answer.verdict(), expected, "{token_type}");
        }
        let answer = app.get("/", TOKEN).await;
        assert_eq!(answer.verdict(), "401 invalid_token binding");
        assert_eq!(endpoint.calls(), 1, "a cached token never skips the proof");
    }
    // The response says that the token is bound, and not to which key.
    for confirmation in [json!(null), json!({"x5t#S256": key.thumbprint()})] {
        let mut reported = with("token_type", "DPoP".into());
        reported["cnf"] = confirmation;
        let endpoint = Endpoint::saying(reported).await;
        let app = app(&server(issuer(&endpoint), &clock));
        let request = Request::get("/").body(Body::empty()).expect("a request");
        let proof = key.proof("GET", &format!("{API}/"));
        let answer = app.exchange(proof.authorize(request, TOKEN)).await;
        assert_eq!(answer.verdict(), "401 invalid_token binding");
    }
}
