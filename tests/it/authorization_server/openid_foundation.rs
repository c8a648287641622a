//! Checks of the OpenID Foundation's plan for basic providers that no other file makes. Each test names its modules.

use std::time::Duration;

use portcullis::test_util::{ManualClock, ServedAuthorizationServer, TestUser};
use serde_json::{Value, json};

use super::support::{builder, code, get, http, payload, redeem, send, served};

/// Claims of each scope (OpenID Connect Core section 5.4).
fn person() -> TestUser {
    TestUser::new("user-1")
        .claim("name", "Ada Example")
        .claim("nickname", "ada")
        .claim("updated_at", 1_700_000_000)
        .claim("email", "ada@example.com")
        .claim("email_verified", true)
        .claim("address", json!({"country": "IT"}))
        .claim("phone_number", "+39 02 1234")
        .claim("phone_number_verified", false)
}

async fn userinfo(server: &ServedAuthorizationServer, tokens: &Value) -> Value {
    let token = tokens["access_token"].as_str().expect("a token");
    let request = http()
        .get(format!("{}/userinfo", server.url()))
        .bearer_auth(token);
    send(request).await.json()
}

/// The names of the claims about the person.
fn personal(claims: &Value) -> Vec<&str> {
    let claims = claims.as_object().expect("an object").keys();
    let of_person = [
        "address",
        "email",
        "email_verified",
        "name",
        "nickname",
        "phone_number",
        "phone_number_verified",
        "updated_at",
    ];
    claims
        .map(String::as_str)
        .filter(|name| of_person.contains(name))
        .collect()
}

/// `oidcc-scope-profile`, `-email`, `-address`, `-phone`, `-all`, `oidcc-ensure-other-scope-order-succeeds`.
#[tokio::test]
async fn scope_decides_which_claims_stand_in_userinfo_in_any_order() {
    let server = builder(&ManualClock::new())
        .user(person())
        .serve()
        .await
        .expect("a free port");
    let email = ["email", "email_verified"];
    let profile = ["name", "nickname", "updated_at"];
    let phone = ["phone_number", "phone_number_verified"];
    let all = [
        &["address"][..],
        &email,
        &["name", "nickname"],
        &phone,
        &["updated_at"],
    ]
    .concat();
    for (scope, expected) in [
        ("openid", &[][..]),
        ("openid profile", &profile),
        ("openid email", &email),
        ("email openid", &email),
        ("openid address", &["address"]),
        ("openid phone", &phone),
        ("openid profile email address phone", &all),
    ] {
        let code = code(&server, &[("scope", scope)]).await;
        let tokens = redeem(&server, &code, &[]).await.json();
        let claims = userinfo(&server, &tokens).await;
        assert_eq!(personal(&claims), expected, "{scope}");
        // Core s5.3.2: the subject is that of the ID token.
        assert_eq!(claims["sub"], payload(&tokens["id_token"])["sub"]);
        assert_eq!(personal(&payload(&tokens["id_token"])), expected, "{scope}");
    }
    assert_eq!(
        userinfo(&server, &redeemed(&server, "openid address").await).await["address"]["country"],
        "IT"
    );
}

async fn redeemed(server: &ServedAuthorizationServer, scope: &str) -> Value {
    let code = code(server, &[("scope", scope)]).await;
    redeem(server, &code, &[]).await.json()
}

/// `oidcc-ensure-request-without-nonce-succeeds-for-code-flow`.
#[tokio::test]
async fn nonce_is_optional_and_stands_in_the_id_token_where_it_was_sent() {
    let server = served(&ManualClock::new()).await;
    for (nonce, expected) in [("", Value::Null), ("n-0S6_WzA2Mj", json!("n-0S6_WzA2Mj"))] {
        let code = code(&server, &[("nonce", nonce)]).await;
        let tokens = redeem(&server, &code, &[]).await.json();
        assert_eq!(payload(&tokens["id_token"])["nonce"], expected);
    }
}

/// `oidcc-codereuse-30seconds`: the tokens of the first use end too.
#[tokio::test]
async fn code_that_is_used_again_after_30_seconds_ends_its_tokens() {
    let clock = ManualClock::new();
    let server = served(&clock).await;
    let code = code(&server, &[]).await;
    let tokens = redeem(&server, &code, &[]).await.json();
    clock.advance(Duration::from_secs(30));
    assert_eq!(userinfo(&server, &tokens).await["sub"], "user-1");
    assert_eq!(
        redeem(&server, &code, &[]).await.error(),
        (400, "invalid_grant".into())
    );
    let token = tokens["access_token"].as_str().expect("a token");
    let ended = send(
        http()
            .get(format!("{}/userinfo", server.url()))
            .bearer_auth(token),
    )
    .await;
    assert_eq!(ended.status, 401);
}

/// `oidcc-max-age-1`, `oidcc-prompt-login`: the ID token tells the time of the last sign-in.
#[tokio::test]
async fn auth_time_is_that_of_the_last_sign_in() {
    let clock = ManualClock::new();
    let server = served(&clock).await;
    let time = async |changed: &[(&str, &str)]| {
        let code = code(&server, changed).await;
        let tokens = redeem(&server, &code, &[]).await.json();
        payload(&tokens["id_token"])["auth_time"]
            .as_i64()
            .expect("a time")
    };
    let first = time(&[("max_age", "10000")]).await;
    clock.advance(Duration::from_secs(2));
    assert_eq!(time(&[("max_age", "1")]).await, first + 2);
    clock.advance(Duration::from_secs(2));
    assert_eq!(time(&[("prompt", "login")]).await, first + 4);
}

/// `oidcc-claims-locales`, `oidcc-ui-locales`, `oidcc-display-page`, `oidcc-display-popup`,
/// `oidcc-ensure-request-with-unknown-parameter-succeeds`.
#[tokio::test]
async fn parameters_that_the_server_does_not_know_change_nothing() {
    let server = served(&ManualClock::new()).await;
    for parameter in [
        ("claims_locales", "se"),
        ("ui_locales", "se"),
        ("display", "page"),
        ("display", "popup"),
        ("extra", "foobar"),
    ] {
        let code = code(&server, &[parameter]).await;
        assert_eq!(
            redeem(&server, &code, &[]).await.status,
            200,
            "{parameter:?}"
        );
    }
}

/// `oidcc-discovery-endpoint-verification`: what OpenID Connect Discovery section 3 requires, and what it forbids.
#[tokio::test]
async fn metadata_has_what_discovery_requires() {
    let server = served(&ManualClock::new()).await;
    let url = server.url();
    let metadata = get(&format!("{url}/.well-known/openid-configuration")).await;
    assert!(
        metadata
            .header("content-type")
            .starts_with("application/json")
    );
    let metadata = metadata.json();
    assert_eq!(metadata["issuer"], url);
    for endpoint in [
        "authorization_endpoint",
        "token_endpoint",
        "jwks_uri",
        "userinfo_endpoint",
    ] {
        let address = metadata[endpoint].as_str().expect("an address");
        assert!(address.starts_with(url), "{endpoint}");
    }
    for list in [
        "response_types_supported",
        "subject_types_supported",
        "id_token_signing_alg_values_supported",
    ] {
        assert!(
            !metadata[list].as_array().expect("a list").is_empty(),
            "{list}"
        );
    }
    assert_eq!(metadata["claims_parameter_supported"], false);
    let keys = get(metadata["jwks_uri"].as_str().expect("an address"))
        .await
        .json();
    for key in keys["keys"].as_array().expect("keys") {
        assert!(key.get("d").is_none() && key["use"] == "sig" && key["kid"].is_string());
    }
}
