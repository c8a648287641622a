//! Authorization requests: what is refused at the redirect URI, and what is shown to the user alone.

use http::StatusCode;
use portcullis::test_util::{ManualClock, TestClient};

use super::support::{CALLBACK, authorization_url, builder, get, parameter, served};

#[tokio::test]
async fn authorization_request_without_s256_is_refused_at_the_redirect_uri() {
    let server = served(&ManualClock::new()).await;
    for (changed, error) in [
        (&[("code_challenge", "")][..], "invalid_request"),
        (&[("code_challenge_method", "")], "invalid_request"),
        (&[("code_challenge_method", "plain")], "invalid_request"),
        (&[("code_challenge", "too-short")], "invalid_request"),
        (&[("response_type", "")], "invalid_request"),
        (&[("response_type", "token")], "unsupported_response_type"),
        (
            &[("response_type", "code id_token")],
            "unsupported_response_type",
        ),
        (&[("response_mode", "fragment")], "invalid_request"),
        (&[("resource", "https://other.example")], "invalid_target"),
        (&[("scope", "a\"b")], "invalid_scope"),
        (&[("prompt", "none login")], "invalid_request"),
        (&[("max_age", "soon")], "invalid_request"),
        (&[("request", "e30.e30.")], "request_not_supported"),
        (
            &[("request_uri", "https://rp.example/r")],
            "request_uri_not_supported",
        ),
        (&[("prompt", "none")], "login_required"),
    ] {
        let answer = get(&authorization_url(&server, changed)).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{changed:?}");
        assert!(
            answer
                .header("location")
                .starts_with(&format!("{CALLBACK}?"))
        );
        assert_eq!(
            answer.parameter("error").as_deref(),
            Some(error),
            "{changed:?}"
        );
        assert_eq!(answer.parameter("state").as_deref(), Some("state-1"));
        // RFC 9207 s2.
        assert_eq!(answer.parameter("iss").as_deref(), Some(server.url()));
    }
    let good = get(&authorization_url(&server, &[])).await;
    assert_eq!(good.status, StatusCode::OK);
    assert!(good.body.contains("Pick a user"));
}

#[tokio::test]
async fn redirect_uri_of_another_is_shown_an_error_and_never_redirected_to() {
    let server = served(&ManualClock::new()).await;
    for changed in [
        ("redirect_uri", "https://evil.example/callback"),
        ("redirect_uri", "http://localhost:5173/callback/"),
        (
            "redirect_uri",
            "http://localhost:5173@evil.example/callback",
        ),
        ("redirect_uri", "http://localhost.evil.example/callback"),
        ("redirect_uri", "javascript:alert(1)"),
        ("redirect_uri", ""),
        ("client_id", "<script>alert(1)</script>"),
        ("client_id", ""),
    ] {
        // An error beside it does not redirect either.
        let url = authorization_url(&server, &[changed, ("response_type", "token")]);
        let answer = get(&url).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{changed:?}");
        assert_eq!(answer.header("location"), "");
        assert!(answer.header("content-type").starts_with("text/html"));
        assert!(!answer.body.contains("<script>"));
        assert!(server.sign_in(&url, "user-1").await.is_err());
    }
    let twice = format!("{}&client_id=spa", authorization_url(&server, &[]));
    assert_eq!(get(&twice).await.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn redirect_uri_on_loopback_may_have_any_port_and_another_host_may_not() {
    let clock = ManualClock::new();
    let client = TestClient::public("app")
        .redirect_uri("https://app.example/cb?tenant=a")
        .redirect_uri("com.example.app:/cb");
    let server = builder(&clock)
        .client(client)
        .serve()
        .await
        .expect("a free port");
    for (client, uri, good) in [
        ("spa", "http://127.0.0.1:40000/callback", true),
        ("spa", "http://localhost/callback", true),
        ("app", "https://app.example/cb?tenant=a", true),
        ("app", "com.example.app:/cb", true),
        ("app", "https://app.example:8443/cb?tenant=a", false),
        ("app", "https://app.example/cb?tenant=b", false),
    ] {
        let url = authorization_url(&server, &[("client_id", client), ("redirect_uri", uri)]);
        match server.sign_in(&url, "user-1").await {
            Ok(back) => {
                assert!(good && back.starts_with(uri), "{back}");
                assert!(parameter(&back, "code").is_some());
            }
            Err(_) => assert!(!good, "{uri}"),
        }
    }
}

#[tokio::test]
async fn scope_that_the_client_may_not_have_is_refused_and_no_scope_is_all_that_it_may_have() {
    let clock = ManualClock::new();
    let client = TestClient::public("narrow")
        .redirect_uri("http://localhost/callback")
        .scopes(["openid", "app/read"]);
    let server = builder(&clock)
        .client(client)
        .serve()
        .await
        .expect("a free port");
    let id = ("client_id", "narrow");
    let url = authorization_url(&server, &[id, ("scope", "openid app/write")]);
    assert_eq!(
        get(&url).await.parameter("error").as_deref(),
        Some("invalid_scope")
    );
    let code = super::support::code(&server, &[id, ("scope", "")]).await;
    let tokens = super::support::redeem(&server, &code, &[id]).await.json();
    assert_eq!(tokens["scope"], "openid app/read");
}
