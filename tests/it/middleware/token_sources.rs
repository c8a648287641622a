//! Tokens in cookies and in other headers: one credential in all, and no cookie for strangers.

use axum::body::Body;
use axum::routing::any;
use http::{HeaderName, HeaderValue, Request};
use portcullis::test_util::MockIssuer;
use portcullis::{AccessToken, AuthenticateLayer};

use crate::support::{Requests as _, TestApp, TestResponse, server};

const OURS: &str = "https://app.example.com";

fn app(layer: AuthenticateLayer) -> TestApp {
    TestApp::behind(layer).route(
        "/",
        any(|token: Option<AccessToken>| async move { token.is_some().to_string() }),
    )
}

async fn ask(app: &TestApp, method: &str, fields: &[(&str, &str)]) -> TestResponse {
    let mut request = Request::builder()
        .method(method)
        .uri("/")
        .body(Body::empty())
        .expect("a request");
    for (name, value) in fields {
        request.headers_mut().append(
            HeaderName::from_bytes(name.as_bytes()).expect("a name"),
            HeaderValue::from_bytes(value.as_bytes()).expect("a value"),
        );
    }
    app.exchange(request).await
}

const ADMITTED: &str = "200";
const MISSING: &str = "401 missing_token";
const SEVERAL: &str = "400 invalid_request several_credentials";
const EMPTY: &str = "400 invalid_request no_credentials";
const NO_TOKEN: &str = "400 invalid_request not_a_token";

#[tokio::test]
async fn without_danger_neither_cookies_nor_other_headers_are_read() {
    let issuer = MockIssuer::new();
    let token = issuer.token().sign();
    let cookie = format!("__Host-token={token}");
    let bearer = format!("Bearer {token}");
    let required = app(server(&issuer).authenticate());
    let optional = app(server(&issuer).authenticate().optional());
    let fields = [("cookie", &*cookie), ("x-token", &token)];
    assert_eq!(ask(&required, "GET", &fields).await.verdict(), MISSING);
    assert_eq!(ask(&optional, "GET", &fields).await.body, "false");
    let fields = [fields[0], fields[1], ("authorization", &bearer)];
    assert_eq!(ask(&required, "POST", &fields).await.verdict(), ADMITTED);
    assert_eq!(ask(&optional, "POST", &fields).await.body, "true");
}

#[tokio::test]
async fn sources_add_up_and_hold_one_credential_in_all() {
    let issuer = MockIssuer::new();
    let token = issuer.token().sign();
    let layer = server(&issuer).authenticate();
    let layer = layer.danger().token_cookie("token");
    let layer = layer.danger().token_cookie("__Host-token");
    let app = app(layer
        .danger()
        .token_header(HeaderName::from_static("x-token")));
    let bearer = ("authorization", &*format!("Bearer {token}"));
    let plain = ("cookie", &*format!("a=1; token={token}; b=\"2; 3\""));
    let host = ("cookie", &*format!("__Host-token={token}"));
    let twice = ("cookie", &*format!("token={token}; token={token}"));
    let header = ("x-token", &*token);
    let expired = issuer.token().expired().sign();
    let long = format!("token={}", "a".repeat(20_000));
    for (fields, expected) in [
        (&[][..], MISSING),
        (&[("cookie", "tokens=a; Token=b; =c")], MISSING),
        (&[bearer], ADMITTED),
        (&[plain], ADMITTED),
        (&[host], ADMITTED),
        (&[header], ADMITTED),
        (&[("cookie", "a=1"), plain, ("cookie", "b=2")], ADMITTED),
        (&[bearer, plain], SEVERAL),
        (&[bearer, header], SEVERAL),
        (&[plain, header], SEVERAL),
        (&[plain, host], SEVERAL),
        (&[plain, plain], SEVERAL),
        (&[twice], SEVERAL),
        (&[header, header], SEVERAL),
        (&[bearer, ("cookie", "token=")], SEVERAL),
        (&[("authorization", "Basic dTpw"), plain], SEVERAL),
        (&[("authorization", ""), header], SEVERAL),
        (&[("cookie", "token=")], EMPTY),
        (&[("cookie", "token")], EMPTY),
        (&[("x-token", "")], EMPTY),
        (&[("cookie", &format!("token=\"{token}\""))], NO_TOKEN),
        (&[("cookie", &format!("token=Bearer {token}"))], NO_TOKEN),
        (&[("x-token", &format!("Bearer {token}"))], NO_TOKEN),
        (&[("x-token", &format!("{token},{token}"))], NO_TOKEN),
        (&[("cookie", "token=\u{fc}")], NO_TOKEN),
        (&[("cookie", "token=abc")], "401 invalid_token malformed"),
        (&[("cookie", &long)], "401 invalid_token too_large"),
        (&[("x-token", &expired)], "401 invalid_token expired"),
        (&[("authorization", &token)], MISSING),
    ] {
        let answer = ask(&app, "GET", fields).await;
        assert_eq!(answer.verdict(), expected, "{fields:?}");
        let challenged = answer.header("www-authenticate").is_some();
        assert_eq!(challenged, expected != ADMITTED, "{fields:?}");
    }
}

#[tokio::test]
async fn a_cookie_counts_for_safe_methods_or_from_an_allowed_origin() {
    let issuer = MockIssuer::new();
    let token = issuer.token().sign();
    let cookie = ("cookie", &*format!("token={token}"));
    let bearer = ("authorization", &*format!("Bearer {token}"));
    let ours = ("origin", OURS);
    let upgrade = ("upgrade", "websocket");
    let safe = app(server(&issuer)
        .authenticate()
        .danger()
        .token_cookie("token"));
    let lenient = server(&issuer).authenticate().optional();
    let optional = app(lenient.danger().token_cookie("token"));
    let layer = server(&issuer).authenticate().danger();
    let listed = app(layer.token_cookie_from("token", ["https://admin.example.com", OURS, "null"]));

    for method in ["GET", "HEAD", "OPTIONS", "TRACE"] {
        for app in [&safe, &optional, &listed] {
            for fields in [
                &[cookie][..],
                &[cookie, ours],
                &[cookie, ("origin", "null")],
            ] {
                let answer = ask(app, method, fields).await;
                assert_eq!(answer.verdict(), ADMITTED, "{method} {fields:?}");
            }
            // A cross-site WebSocket comes as a GET that no browser asked about before.
            let answer = ask(app, method, &[cookie, upgrade]).await;
            assert_eq!(answer.verdict(), MISSING, "{method}");
        }
        for app in [&safe, &optional] {
            let answer = ask(app, method, &[cookie, upgrade, ours]).await;
            assert_eq!(answer.verdict(), MISSING, "{method}");
        }
        let answer = ask(&listed, method, &[cookie, upgrade, ours]).await;
        assert_eq!(answer.verdict(), ADMITTED, "{method}");
    }
    for method in [
        "POST", "PUT", "PATCH", "DELETE", "CONNECT", "PROPFIND", "get",
    ] {
        for fields in [
            &[cookie][..],
            &[cookie, ("origin", "")],
            &[cookie, ("origin", "null")],
            &[cookie, ("origin", "https://evil.example")],
            &[cookie, ("origin", "https://app.example.com/")],
            &[cookie, ("origin", "https://APP.example.com")],
            &[cookie, ("origin", "http://app.example.com")],
            &[cookie, ("origin", "https://app.example.com:443")],
            &[cookie, ("origin", "https://app.example.com.evil.example")],
            &[
                cookie,
                ("origin", "https://app.example.com https://evil.example"),
            ],
            &[cookie, ours, ours],
            &[cookie, ours, ("origin", "https://evil.example")],
            &[cookie, ("referer", "https://app.example.com/")],
        ] {
            for app in [&safe, &optional, &listed] {
                let answer = ask(app, method, fields).await;
                assert_eq!(answer.verdict(), MISSING, "{method} {fields:?}");
            }
        }
        let answer = ask(&listed, method, &[cookie, ours]).await;
        assert_eq!(answer.verdict(), ADMITTED, "{method}");
        for app in [&safe, &optional] {
            let answer = ask(app, method, &[cookie, ours]).await;
            assert_eq!(answer.verdict(), MISSING, "{method}");
        }
        // Nobody's cookie is needed for a field that a browser does not send by itself.
        for app in [&safe, &optional, &listed] {
            assert_eq!(ask(app, method, &[bearer]).await.verdict(), ADMITTED);
        }
    }
}

#[tokio::test]
async fn optional_is_none_only_when_no_source_was_sent() {
    let issuer = MockIssuer::new();
    let token = issuer.token().sign();
    let layer = server(&issuer).authenticate().optional();
    let layer = layer.danger().token_cookie("token");
    let app = app(layer
        .danger()
        .token_header(HeaderName::from_static("x-token")));
    for (method, fields, expected) in [
        ("GET", &[][..], "false"),
        ("POST", &[], "false"),
        ("GET", &[("cookie", "other=1")], "false"),
        ("GET", &[("cookie", &*format!("token={token}"))], "true"),
        ("POST", &[("x-token", &token)], "true"),
    ] {
        let answer = ask(&app, method, fields).await;
        assert_eq!(answer.body, expected, "{method} {fields:?}");
    }
    for (method, fields, expected) in [
        ("GET", &[("cookie", "token=")][..], EMPTY),
        ("GET", &[("cookie", "token=\"\"")], NO_TOKEN),
        ("POST", &[("cookie", "token=")], MISSING),
        ("POST", &[("x-token", "")], EMPTY),
        ("POST", &[("cookie", &*format!("token={token}"))], MISSING),
    ] {
        let answer = ask(&app, method, fields).await;
        assert_eq!(answer.verdict(), expected, "{method} {fields:?}");
    }
}

#[tokio::test]
async fn names_that_cannot_be_meant_change_nothing() {
    let issuer = MockIssuer::new();
    let token = issuer.token().sign();
    let cookie = format!("={token}; a=b={token}");
    let layer = server(&issuer).authenticate().danger().token_cookie("");
    let layer = layer.danger().token_cookie("a=b");
    let layer = layer.danger().token_header(http::header::AUTHORIZATION);
    let app = app(layer.danger().token_header(http::header::COOKIE));
    let bearer = format!("Bearer {token}");
    let answer = ask(&app, "GET", &[("cookie", &cookie)]).await;
    assert_eq!(answer.verdict(), MISSING);
    let answer = ask(&app, "GET", &[("cookie", &token)]).await;
    assert_eq!(answer.verdict(), MISSING);
    let answer = ask(&app, "GET", &[("authorization", &bearer)]).await;
    assert_eq!(answer.verdict(), ADMITTED);
}

#[tokio::test]
async fn a_second_setting_for_one_cookie_replaces_nothing() {
    let issuer = MockIssuer::new();
    let cookie = format!("token={}", issuer.token().sign());
    let fields = [("cookie", &*cookie), ("origin", OURS)];
    let layer = server(&issuer).authenticate().danger();
    let layer = layer.token_cookie_from("token", [OURS]);
    let same = app(layer.clone().danger().token_cookie_from("token", [OURS]));
    let other = app(layer.danger().token_cookie("token"));
    assert_eq!(ask(&same, "POST", &fields).await.verdict(), ADMITTED);
    let fault = "500 misconfigured layer_setting";
    assert_eq!(ask(&other, "POST", &fields).await.verdict(), fault);
    assert_eq!(ask(&other, "GET", &fields).await.verdict(), fault);
}
