//! Floods: strangers cost the issuer nothing, and regulars little.

use std::time::Duration;

use axum::Router;
use axum::routing::get;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use portcullis::test_util::{ManualClock, MockIssuer};
use portcullis::{AccessToken, Algorithm, ResourceServer};

use crate::support::{API, Requests as _, builder};

fn issuer() -> MockIssuer {
    MockIssuer::new().with_algorithms([Algorithm::ES256])
}

fn app(server: &ResourceServer) -> Router {
    Router::new()
        .route("/", get(|_: AccessToken| async {}))
        .route_layer(server.authenticate())
}

/// The same token in the name of another key.
fn under(key: &str, token: &str) -> String {
    let header = format!(r#"{{"alg":"ES256","kid":"{key}","typ":"JWT"}}"#);
    let (_, rest) = token.split_once('.').expect("three parts");
    format!("{}.{rest}", URL_SAFE_NO_PAD.encode(header))
}

#[tokio::test]
async fn ten_thousand_random_key_ids_cause_one_fetch_and_keep_nobody_out() {
    let clock = ManualClock::new();
    let issuer = issuer().with_clock(clock.clone()).serve().await;
    let server = ResourceServer::builder(API)
        .issuer(issuer.trusted())
        .clock(clock.clone())
        .build()
        .expect("sound")
        .connect()
        .await
        .expect("up");
    let app = app(&server);
    let good = issuer.token().sign();
    assert_eq!(app.verdict(&good).await, "200");
    let before = issuer.fetches();
    for stranger in 0..10_000 {
        let answer = app
            .verdict(&under(&format!("random-{stranger}"), &good))
            .await;
        if stranger == 0 {
            assert_eq!(answer, "401 invalid_token unknown_key");
        } else {
            assert!(answer.starts_with("503"), "{stranger}: {answer}");
        }
    }
    assert_eq!(issuer.fetches() - before, 1);
    assert_eq!(app.verdict(&good).await, "200");
    let cache = server.token_cache_status().expect("it is on");
    assert_eq!(cache.entries(), 1, "no stranger came in");

    // And a rotation is still found, by the one fetch that the next cooldown grants.
    issuer.rotate();
    clock.advance(Duration::from_secs(31));
    let rotated = issuer.token().sign();
    assert_eq!(app.verdict(&rotated).await, "200");
    assert_eq!(issuer.fetches() - before, 2);
}

/// Twenty regulars come again and again while nine of ten requests bring a token that was never
/// seen: five times as many as the cache holds, all of them valid.
#[tokio::test]
async fn a_flood_of_distinct_valid_tokens_leaves_regulars_their_hits() {
    const MOST: usize = 400;
    const STRANGERS: usize = 5 * MOST;
    let issuer = issuer();
    let server = builder(&issuer)
        .token_cache_entries(MOST)
        .build()
        .expect("sound");
    let app = app(&server);
    let regulars: Vec<String> = (0..20)
        .map(|name| issuer.token().subject(&format!("regular-{name}")).sign())
        .collect();
    for token in &regulars {
        assert_eq!(app.verdict(token).await, "200");
    }
    let mut asked = 0;
    for stranger in 0..STRANGERS {
        let token = issuer.token().subject(&format!("stranger-{stranger}"));
        assert_eq!(app.verdict(&token.sign()).await, "200");
        if stranger % 9 == 0 {
            let regular = &regulars[asked % regulars.len()];
            assert_eq!(app.verdict(regular).await, "200");
            asked += 1;
        }
    }
    let cache = server.token_cache_status().expect("it is on");
    assert!(cache.entries() <= MOST, "{cache:?}");
    // Strangers are never seen again, so none takes a regular's place and every hit is a regular's.
    assert_eq!(cache.evictions(), 0, "{cache:?}");
    let hits = usize::try_from(cache.hits()).expect("few");
    assert_eq!(hits, asked, "{cache:?}");
}
