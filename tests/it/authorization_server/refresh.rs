//! Refresh tokens: rotation, reuse, narrower scopes, the end.

use std::time::Duration;

use http::StatusCode;
use portcullis::test_util::{Endpoint, ManualClock, TestClient};
use serde_json::{Value, json};

use super::support::{builder, http, is_active, payload, post, refresh, send, served, signed_in};

const HOUR: Duration = Duration::from_secs(3600);

#[tokio::test]
async fn refresh_token_is_replaced_and_the_use_of_an_old_one_ends_all_of_its_grant() {
    let server = served(&ManualClock::new()).await;
    let first = signed_in(&server).await;
    let second = refresh(&server, &first["refresh_token"], &[]).await;
    assert_eq!(second.status, StatusCode::OK);
    let second = second.json();
    assert_ne!(first["refresh_token"], second["refresh_token"]);
    let third = refresh(&server, &second["refresh_token"], &[]).await.json();
    let others = signed_in(&server).await;
    // OpenID Connect Core s12.2: the same user and sign-in, and no nonce of another time.
    let id = payload(&third["id_token"]);
    assert_eq!((&id["sub"], id.get("nonce")), (&json!("user-1"), None));
    for tokens in [&first, &second, &third] {
        assert!(is_active(&server, &tokens["access_token"]).await);
    }
    let reused = refresh(&server, &first["refresh_token"], &[]).await;
    assert_eq!(reused.error(), (400, "invalid_grant".into()));
    let newest = refresh(&server, &third["refresh_token"], &[]).await;
    assert_eq!(newest.error(), (400, "invalid_grant".into()));
    for tokens in [&first, &second, &third] {
        assert!(!is_active(&server, &tokens["access_token"]).await);
    }
    assert!(is_active(&server, &others["access_token"]).await);
}

#[tokio::test]
async fn refresh_may_narrow_the_scope_and_never_widen_it() {
    let server = served(&ManualClock::new()).await;
    let tokens = signed_in(&server).await;
    let wider = refresh(
        &server,
        &tokens["refresh_token"],
        &[("scope", "openid app/write")],
    )
    .await;
    assert_eq!(wider.error(), (400, "invalid_scope".into()));
    let narrow = refresh(&server, &tokens["refresh_token"], &[("scope", "app/read")])
        .await
        .json();
    assert_eq!(narrow["scope"], "app/read");
    assert!(narrow.get("id_token").is_none());
    // RFC 6749 s6: the refresh token itself keeps its scope.
    let again = refresh(&server, &narrow["refresh_token"], &[]).await.json();
    assert_eq!(again["scope"], "openid email app/read");
    let other = refresh(
        &server,
        &again["refresh_token"],
        &[("resource", "https://other.example")],
    )
    .await;
    assert_eq!(other.error(), (400, "invalid_target".into()));
}

#[tokio::test]
async fn refresh_token_that_has_expired_is_refused_and_a_younger_one_is_accepted() {
    let clock = ManualClock::new();
    let server = builder(&clock)
        .refresh_token_lifetime(HOUR * 2)
        .serve()
        .await
        .expect("a free port");
    let old = signed_in(&server).await;
    clock.advance(HOUR);
    let young = signed_in(&server).await;
    clock.advance(HOUR);
    let answer = refresh(&server, &old["refresh_token"], &[]).await;
    assert_eq!(answer.error(), (400, "invalid_grant".into()));
    let young = refresh(&server, &young["refresh_token"], &[]).await;
    assert_eq!(young.status, StatusCode::OK);
    // A refresh does not lengthen the grant.
    clock.advance(HOUR);
    let late = refresh(&server, &young.json()["refresh_token"], &[]).await;
    assert_eq!(late.error(), (400, "invalid_grant".into()));
}

#[tokio::test]
async fn refresh_token_is_good_for_its_client_alone() {
    let clock = ManualClock::new();
    let other = TestClient::public("other").redirect_uri("http://localhost/callback");
    let server = builder(&clock)
        .client(other)
        .serve()
        .await
        .expect("a free port");
    let tokens = signed_in(&server).await;
    let text = tokens["refresh_token"].as_str().expect("a token");
    let fields = [
        ("grant_type", "refresh_token"),
        ("client_id", "other"),
        ("refresh_token", text),
    ];
    let stolen = post(&format!("{}/token", server.url()), &fields).await;
    assert_eq!(stolen.error(), (400, "invalid_grant".into()));
    for forged in [
        "",
        "unknown",
        &text[..text.len() - 1],
        tokens["access_token"].as_str().expect("a token"),
    ] {
        let answer = refresh(&server, &Value::from(forged), &[]).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{forged}");
    }
    assert_eq!(
        refresh(&server, &tokens["refresh_token"], &[]).await.status,
        StatusCode::OK
    );
}

#[tokio::test]
async fn scope_of_a_refresh_has_each_token_once_and_no_blanks_between() {
    let server = served(&ManualClock::new()).await;
    let tokens = signed_in(&server).await;
    let asked = [("scope", " app/read  openid app/read ")];
    let answer = refresh(&server, &tokens["refresh_token"], &asked).await;
    assert_eq!(answer.json()["scope"], "app/read openid");
    let asked = [("scope", "app/write")];
    let wider = refresh(&server, &answer.json()["refresh_token"], &asked).await;
    assert_eq!(wider.error(), (400, "invalid_scope".into()));
}

#[tokio::test]
async fn access_token_of_the_last_refresh_outlives_the_refresh_token() {
    let clock = ManualClock::new();
    let hour = Duration::from_secs(3600);
    let server = builder(&clock).refresh_token_lifetime(hour).serve().await;
    let server = server.expect("a free port");
    let tokens = signed_in(&server).await;
    clock.advance(Duration::from_secs(3000));
    let tokens = refresh(&server, &tokens["refresh_token"], &[]).await.json();
    clock.advance(Duration::from_secs(1000));
    let bearer = format!("Bearer {}", tokens["access_token"].as_str().expect("text"));
    let about = http().get(server.url_of(Endpoint::UserInfo));
    let about = send(about.header("authorization", bearer)).await;
    assert_eq!(about.status, 200, "{about:?}");
    let again = refresh(&server, &tokens["refresh_token"], &[]).await;
    assert_eq!(again.error(), (400, "invalid_grant".into()));
}
