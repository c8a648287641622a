//! The authorization code grant: the code, its use, and every mistake beside what is accepted.

use std::time::Duration;

use http::StatusCode;
use portcullis::Algorithm;
use portcullis::test_util::{AuthorizationServer, ManualClock, MockIssuer, TestClient};
use serde_json::{Value, json};

use super::support::{
    CALLBACK, builder, code, is_active, payload, post, redeem, refresh, served, signed_in, verdict,
};
use crate::support::Requests as _;

#[tokio::test]
async fn authorization_code_yields_tokens_that_a_resource_server_accepts() {
    let clock = ManualClock::new();
    let server = served(&clock).await;
    let tokens = signed_in(&server).await;
    assert_eq!(tokens["token_type"], "Bearer");
    assert_eq!(tokens["expires_in"], 3600);
    assert_eq!(tokens["scope"], "openid email app/read");
    let access = payload(&tokens["access_token"]);
    assert_eq!(
        (&access["sub"], &access["client_id"]),
        (&json!("user-1"), &json!("spa"))
    );
    assert_eq!(access["workspaceId"], "acme-prod");
    assert_eq!(access["aud"], MockIssuer::AUDIENCE);
    assert!(access.get("email").is_none());
    assert_eq!(
        verdict(&server, &clock, &tokens["access_token"]).await,
        "200"
    );
    assert_eq!(
        verdict(&server, &clock, &tokens["id_token"]).await,
        "401 invalid_token token_use"
    );
}

#[tokio::test]
async fn id_token_names_client_nonce_session_and_the_hash_of_the_access_token() {
    let clock = ManualClock::new();
    let server = served(&clock).await;
    let tokens = signed_in(&server).await;
    let id = payload(&tokens["id_token"]);
    assert_eq!(
        (&id["iss"], &id["aud"]),
        (&json!(server.url()), &json!("spa"))
    );
    assert_eq!(
        (&id["sub"], &id["nonce"]),
        (&json!("user-1"), &json!("nonce-1"))
    );
    assert_eq!(
        (&id["email"], &id["role"]),
        (&json!("ada@example.com"), &json!("editor"))
    );
    assert!(id.get("name").is_none(), "no scope `profile`");
    assert_eq!(id["auth_time"], ManualClock::START.as_secs());
    assert_eq!(id["sid"], payload(&tokens["access_token"])["sid"]);
    // OpenID Connect Core s3.1.3.6, by other code.
    let hash = aws_lc_rs::digest::digest(
        &aws_lc_rs::digest::SHA256,
        tokens["access_token"].as_str().expect("a token").as_bytes(),
    );
    assert_eq!(
        id["at_hash"],
        base64::Engine::encode(
            &base64::engine::general_purpose::URL_SAFE_NO_PAD,
            &hash.as_ref()[..16],
        )
    );
    // Without `openid` there is none, and without a nonce no nonce.
    let plain = redeem(&server, &code(&server, &[("scope", "app/read")]).await, &[])
        .await
        .json();
    assert!(plain.get("id_token").is_none());
    let without = code(&server, &[("nonce", "")]).await;
    let without = redeem(&server, &without, &[]).await.json();
    assert!(payload(&without["id_token"]).get("nonce").is_none());
}

#[tokio::test]
async fn code_verifier_that_is_wrong_is_refused_and_the_right_one_is_accepted_after_it() {
    let server = served(&ManualClock::new()).await;
    let code = code(&server, &[]).await;
    let other = "a".repeat(43);
    for wrong in [&*other, "short", &"a".repeat(129), &"!".repeat(43)] {
        let answer = redeem(&server, &code, &[("code_verifier", wrong)]).await;
        assert_eq!(answer.error(), (400, "invalid_grant".into()), "{wrong}");
    }
    let answer = redeem(&server, &code, &[("code_verifier", "")]).await;
    assert_eq!(answer.error(), (400, "invalid_request".into()));
    let answer = redeem(&server, &code, &[]).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.header("cache-control"), "no-store");
}

#[tokio::test]
async fn code_that_is_used_again_ends_the_tokens_of_its_first_use() {
    let server = served(&ManualClock::new()).await;
    let code = code(&server, &[]).await;
    let tokens = redeem(&server, &code, &[]).await.json();
    let others = signed_in(&server).await;
    assert!(is_active(&server, &tokens["access_token"]).await);
    let again = redeem(&server, &code, &[]).await;
    assert_eq!(again.error(), (400, "invalid_grant".into()));
    assert!(!is_active(&server, &tokens["access_token"]).await);
    let refreshed = refresh(&server, &tokens["refresh_token"], &[]).await;
    assert_eq!(refreshed.error(), (400, "invalid_grant".into()));
    assert!(is_active(&server, &others["access_token"]).await);
}

#[tokio::test]
async fn code_that_has_expired_is_refused_and_a_fresh_one_is_accepted() {
    let clock = ManualClock::new();
    let server = served(&clock).await;
    let (late, fresh) = (code(&server, &[]).await, code(&server, &[]).await);
    clock.advance(Duration::from_secs(59));
    assert_eq!(redeem(&server, &fresh, &[]).await.status, StatusCode::OK);
    clock.advance(Duration::from_secs(1));
    let answer = redeem(&server, &late, &[]).await;
    assert_eq!(answer.error(), (400, "invalid_grant".into()));
}

#[tokio::test]
async fn code_is_good_for_its_client_and_its_redirect_uri_alone() {
    let server = served(&ManualClock::new()).await;
    let code = code(&server, &[]).await;
    for changed in [
        ("client_id", MockIssuer::CLIENT_ID),
        ("redirect_uri", "http://localhost:5174/callback"),
        ("redirect_uri", ""),
        ("code", "unknown"),
    ] {
        let answer = redeem(&server, &code, &[changed]).await;
        assert_eq!(answer.error(), (400, "invalid_grant".into()), "{changed:?}");
    }
    assert_eq!(redeem(&server, &code, &[]).await.status, StatusCode::OK);
}

#[tokio::test]
async fn redirect_uri_may_be_left_out_where_one_alone_is_registered() {
    let clock = ManualClock::new();
    let client = TestClient::public("one").redirect_uri("https://app.example/cb");
    let server = builder(&clock)
        .client(client)
        .serve()
        .await
        .expect("a free port");
    let code = code(&server, &[("client_id", "one"), ("redirect_uri", "")]).await;
    let answer = redeem(
        &server,
        &code,
        &[("client_id", "one"), ("redirect_uri", "")],
    )
    .await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
}

#[tokio::test]
async fn resources_that_were_asked_for_are_the_audience_and_others_are_an_invalid_target() {
    let clock = ManualClock::new();
    let (one, two) = ("https://one.example", "https://two.example");
    let client = TestClient::public("several")
        .audiences([one, two])
        .redirect_uri("http://localhost/callback");
    let server = builder(&clock)
        .client(client)
        .serve()
        .await
        .expect("a free port");
    let audience = async |asked: &[&str], at_token: &[&str]| {
        let mut fields = vec![("client_id", "several")];
        fields.extend(asked.iter().map(|resource| ("resource", *resource)));
        let code = code(&server, &fields).await;
        let mut fields = vec![("client_id", "several")];
        fields.extend(at_token.iter().map(|resource| ("resource", *resource)));
        let answer = redeem(&server, &code, &fields).await;
        match answer.status {
            StatusCode::OK => payload(&answer.json()["access_token"])["aud"].clone(),
            _ => answer.json()["error"].clone(),
        }
    };
    assert_eq!(audience(&[], &[]).await, one);
    assert_eq!(audience(&[two], &[]).await, two);
    assert_eq!(audience(&[one, two], &[]).await, json!([one, two]));
    assert_eq!(audience(&[one, two], &[two]).await, two);
    // RFC 8707 s2.2: within those of the authorization request.
    assert_eq!(audience(&[one], &[two]).await, "invalid_target");
    let url = super::support::authorization_url(
        &server,
        &[
            ("client_id", "several"),
            ("resource", "https://other.example"),
        ],
    );
    let back = server.sign_in(&url, "user-1").await.expect("a redirect");
    assert!(
        back.starts_with(&format!("{CALLBACK}?error=invalid_target&")),
        "{back}"
    );
}

#[tokio::test]
async fn tokens_have_the_shape_of_the_issuer() {
    let clock = ManualClock::new();
    for issuer in [
        MockIssuer::rfc9068("https://as.example"),
        MockIssuer::cognito("eu-west-1", "eu-west-1_AbCdEf"),
    ] {
        let issuer = issuer
            .with_algorithms([Algorithm::RS256])
            .with_clock(clock.clone());
        let is_cognito = issuer.issuer().contains("cognito");
        let client =
            TestClient::public(MockIssuer::CLIENT_ID).redirect_uri("http://localhost/callback");
        let server = AuthorizationServer::new(issuer)
            .client(client)
            .serve()
            .await
            .expect("a port");
        let id = ("client_id", MockIssuer::CLIENT_ID);
        let code = code(&server, &[id]).await;
        let tokens = redeem(&server, &code, &[id]).await.json();
        let access = payload(&tokens["access_token"]);
        assert_eq!(access["iss"], server.issuer());
        assert_eq!(access.get("aud").is_none(), is_cognito);
        let username = if is_cognito {
            json!("user-1")
        } else {
            Value::Null
        };
        assert_eq!(access["username"], username);
        assert_eq!(
            verdict(&server, &clock, &tokens["access_token"]).await,
            "200"
        );
    }
}

#[tokio::test]
async fn opaque_access_tokens_are_judged_by_introspection() {
    let clock = ManualClock::new();
    let server = builder(&clock)
        .opaque_access_tokens()
        .serve()
        .await
        .expect("a free port");
    let tokens = signed_in(&server).await;
    let text = tokens["access_token"].as_str().expect("a token");
    assert!(!text.contains('.'));
    let api = portcullis::ResourceServer::builder(MockIssuer::AUDIENCE)
        .issuer(server.introspected())
        .clock(clock.clone())
        .build()
        .expect("a sound configuration");
    let app = crate::support::TestApp::new(&api);
    assert_eq!(app.verdict(text).await, "200");
    assert_eq!(
        app.verdict("unknown-token").await,
        "401 invalid_token inactive"
    );
}

#[tokio::test]
async fn grant_type_that_is_unknown_or_not_the_clients_is_refused() {
    let server = served(&ManualClock::new()).await;
    let token = format!("{}/token", server.url());
    for (grant_type, client, error) in [
        ("password", "spa", "unsupported_grant_type"),
        ("client_credentials", "spa", "unauthorized_client"),
        ("", "spa", "invalid_request"),
    ] {
        let fields = [("grant_type", grant_type), ("client_id", client)];
        let answer = post(&token, &fields).await;
        assert_eq!(answer.error(), (400, error.into()));
    }
    let fields = [
        ("grant_type", "client_credentials"),
        ("client_id", "machine"),
        ("client_secret", "machine-secret"),
        ("scope", "app/read"),
    ];
    let answer = post(&token, &fields).await.json();
    assert_eq!(answer["scope"], "app/read");
    assert!(answer.get("refresh_token").is_none());
    let claims = payload(&answer["access_token"]);
    assert_eq!(
        (&claims["sub"], &claims["platform"]),
        (&json!("machine"), &json!("m2m"))
    );
    let twice = format!(
        "{}&grant_type=client_credentials",
        super::support::encoded(&fields)
    );
    let request = super::support::http()
        .post(&token)
        .header("content-type", "application/x-www-form-urlencoded")
        .body(twice);
    assert_eq!(
        super::support::send(request).await.error(),
        (400, "invalid_request".into())
    );
    let json = super::support::http()
        .post(&token)
        .header("content-type", "application/json")
        .body("{}");
    assert_eq!(
        super::support::send(json).await.error(),
        (400, "invalid_request".into())
    );
}
