//! Revocation, introspection and userinfo.

use std::time::Duration;

use http::StatusCode;
use portcullis::test_util::{ManualClock, MockIssuer};
use serde_json::{Value, json};

use super::support::{
    as_api, basic, code, http, is_active, payload, post, posting, redeem, refresh, send, served,
    signed_in,
};

async fn userinfo(url: &str, authorization: Option<&str>) -> super::support::Answer {
    let mut request = http().get(format!("{url}/userinfo"));
    if let Some(value) = authorization {
        request = request.header("authorization", value);
    }
    send(request).await
}

#[tokio::test]
async fn revocation_of_a_refresh_token_ends_its_grant_and_of_an_access_token_that_alone() {
    let server = served(&ManualClock::new()).await;
    let revoke = async |client: &str, token: &Value| {
        let token = token.as_str().expect("a token");
        let fields = [
            ("client_id", client),
            ("token", token),
            ("token_type_hint", "odd"),
        ];
        post(&format!("{}/revoke", server.url()), &fields).await
    };
    let first = signed_in(&server).await;
    assert_eq!(
        revoke("spa", &first["access_token"]).await.status,
        StatusCode::OK
    );
    assert!(!is_active(&server, &first["access_token"]).await);
    let second = refresh(&server, &first["refresh_token"], &[]).await.json();
    assert!(is_active(&server, &second["access_token"]).await);

    // RFC 7009 s2.1: by the client that owns it.
    for token in ["access_token", "refresh_token"] {
        let foreign = revoke(MockIssuer::CLIENT_ID, &second[token]).await;
        assert_eq!(foreign.error(), (400, "invalid_grant".into()));
    }
    assert!(is_active(&server, &second["refresh_token"]).await);

    assert_eq!(
        revoke("spa", &second["refresh_token"]).await.status,
        StatusCode::OK
    );
    assert!(!is_active(&server, &second["access_token"]).await);
    assert!(!is_active(&server, &second["refresh_token"]).await);
    let ended = refresh(&server, &second["refresh_token"], &[]).await;
    assert_eq!(ended.error(), (400, "invalid_grant".into()));

    // RFC 7009 s2.2.
    assert_eq!(
        revoke("spa", &json!("unknown")).await.status,
        StatusCode::OK
    );
    assert_eq!(
        revoke("spa", &second["refresh_token"]).await.status,
        StatusCode::OK
    );
    let unknown = revoke("unknown", &json!("unknown")).await;
    assert_eq!(unknown.error(), (401, "invalid_client".into()));
}

#[tokio::test]
async fn introspection_tells_a_clients_tokens_to_clients_that_authenticate() {
    let clock = ManualClock::new();
    let server = served(&clock).await;
    let tokens = signed_in(&server).await;
    let token = tokens["access_token"].as_str().expect("a token");
    let answer = as_api(&server, "/introspect", &[("token", token)])
        .await
        .json();
    assert_eq!(
        (&answer["active"], &answer["token_type"]),
        (&json!(true), &json!("Bearer"))
    );
    assert_eq!(
        (&answer["sub"], &answer["scope"]),
        (&json!("user-1"), &json!("openid email app/read"))
    );
    let refresh = tokens["refresh_token"].as_str().expect("a token");
    let answer = as_api(&server, "/introspect", &[("token", refresh)])
        .await
        .json();
    assert_eq!(
        (&answer["active"], &answer["client_id"]),
        (&json!(true), &json!("spa"))
    );
    let answer = as_api(&server, "/introspect", &[("token", "unknown")])
        .await
        .json();
    assert_eq!(answer, json!({"active": false}));
    assert_eq!(
        as_api(&server, "/introspect", &[]).await.error(),
        (400, "invalid_request".into())
    );

    let url = format!("{}/introspect", server.url());
    let public = post(&url, &[("client_id", "spa"), ("token", token)]).await;
    assert_eq!(public.error(), (401, "invalid_client".into()));
    clock.advance(Duration::from_secs(3600));
    assert!(!is_active(&server, &tokens["access_token"]).await);
}

#[tokio::test]
async fn introspection_is_signed_where_the_request_asks_for_it() {
    let server = served(&ManualClock::new()).await;
    let tokens = signed_in(&server).await;
    let token = tokens["access_token"].as_str().expect("a token");
    let media_type = "application/token-introspection+jwt";
    let request = posting(&format!("{}/introspect", server.url()), &[("token", token)])
        .header("authorization", basic("web", "web-secret"))
        .header("accept", media_type);
    let answer = send(request).await;
    assert_eq!(answer.header("content-type"), media_type);
    let claims = payload(&Value::from(answer.body));
    assert_eq!(
        (&claims["iss"], &claims["aud"]),
        (&json!(server.url()), &json!("web"))
    );
    assert_eq!(claims["token_introspection"]["active"], true);
}

#[tokio::test]
async fn userinfo_shows_the_claims_of_the_scope_and_refuses_as_rfc_6750_says() {
    let clock = ManualClock::new();
    let server = served(&clock).await;
    let url = server.url();
    let tokens = signed_in(&server).await;
    let bearer = |tokens: &Value| {
        format!(
            "Bearer {}",
            tokens["access_token"].as_str().expect("a token")
        )
    };
    let claims = userinfo(url, Some(&bearer(&tokens))).await.json();
    assert_eq!(
        (&claims["sub"], &claims["email"]),
        (&json!("user-1"), &json!("ada@example.com"))
    );
    assert_eq!(
        (&claims["role"], claims.get("name")),
        (&json!("editor"), None)
    );

    let none = userinfo(url, None).await;
    assert_eq!(none.status, StatusCode::UNAUTHORIZED);
    assert_eq!(none.header("www-authenticate"), "Bearer realm=\"userinfo\"");
    for wrong in ["Bearer unknown", "Basic x"] {
        let answer = userinfo(url, Some(wrong)).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{wrong}");
        assert!(
            answer
                .header("www-authenticate")
                .contains("error=\"invalid_token\"")
        );
    }
    let posted = http()
        .post(format!("{url}/userinfo"))
        .header("authorization", bearer(&tokens));
    assert_eq!(send(posted).await.json(), claims);
    let text = tokens["access_token"].as_str().expect("a token");
    let form = posting(&format!("{url}/userinfo"), &[("access_token", text)]);
    assert_eq!(send(form).await.json(), claims);
    let both = posting(&format!("{url}/userinfo"), &[("access_token", text)]);
    let both = send(both.header("authorization", bearer(&tokens))).await;
    assert_eq!(both.error(), (400, "invalid_request".into()));

    let code = code(&server, &[("scope", "app/read")]).await;
    let without = redeem(&server, &code, &[]).await.json();
    let answer = userinfo(url, Some(&bearer(&without))).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    assert!(
        answer
            .header("www-authenticate")
            .contains("error=\"insufficient_scope\"")
    );
    // A token that a test made itself.
    let own = userinfo(
        url,
        Some(&format!("Bearer {}", server.token().subject("bob").sign())),
    )
    .await;
    assert_eq!(own.json(), json!({"sub": "bob"}));
    clock.advance(Duration::from_secs(3600));
    assert_eq!(
        userinfo(url, Some(&bearer(&tokens))).await.status,
        StatusCode::UNAUTHORIZED
    );
}
