//! Logout by the application, and what clients and APIs hear of it.

use axum::body::Body;
use axum::routing::get;
use axum::{Router, middleware};
use http::{Request, StatusCode};
use portcullis::test_util::{
    Accounts, ManualClock, ServedAuthorizationServer, TestClient, TestUser,
};
use portcullis::{AccessToken, ResourceServer};
use serde_json::Value;
use tower::ServiceExt as _;

use super::support::{
    Answer, CALLBACK, authorization_url, builder, encoded, get as open, http, parameter, payload,
    post, redeem, send, served, signed_in,
};
use crate::support::API;

const BACK: &str = "http://localhost:5173/";

/// The logout of a session by its ID token, with these parameters beside or in place of its own.
fn logout_url(
    server: &ServedAuthorizationServer,
    tokens: &Value,
    changed: &[(&str, &str)],
) -> String {
    let hint = tokens["id_token"].as_str().unwrap_or("");
    let mut fields = vec![
        ("id_token_hint", hint),
        ("post_logout_redirect_uri", BACK),
        ("state", "state 2"),
    ];
    fields.retain(|(name, _)| !changed.iter().any(|(other, _)| other == name));
    fields.extend(changed.iter().filter(|(_, value)| !value.is_empty()));
    format!("{}/logout?{}", server.url(), encoded(&fields))
}

fn is_active(server: &ServedAuthorizationServer, tokens: &Value) -> bool {
    let token = tokens["access_token"].as_str().expect("text");
    let told: Value = serde_json::from_str(&server.introspection(token)).expect("JSON");
    told["active"] == true
}

#[tokio::test]
async fn logout_with_an_id_token_ends_the_session_and_its_tokens() {
    let clock = ManualClock::new();
    let server = served(&clock).await;
    let (tokens, others) = (signed_in(&server).await, signed_in(&server).await);
    // An expired ID token is a hint all the same.
    let long = std::time::Duration::from_secs(2 * 3600);
    clock.advance(long);
    let refresh = [
        ("grant_type", "refresh_token"),
        ("client_id", "spa"),
        (
            "refresh_token",
            tokens["refresh_token"].as_str().expect("text"),
        ),
    ];
    let fresh = post(&format!("{}/token", server.url()), &refresh)
        .await
        .json();
    assert!(is_active(&server, &fresh));
    let answer = open(&logout_url(&server, &tokens, &[])).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER);
    assert_eq!(
        answer.header("location"),
        "http://localhost:5173/?state=state+2"
    );
    assert!(!is_active(&server, &fresh));
    let refresh = [
        refresh[0],
        refresh[1],
        (
            "refresh_token",
            fresh["refresh_token"].as_str().expect("text"),
        ),
    ];
    let refused = post(&format!("{}/token", server.url()), &refresh).await;
    assert_eq!(refused.error(), (400, "invalid_grant".into()));
    // The session of another browser goes on, and so does a second logout.
    let refresh = [
        refresh[0],
        refresh[1],
        (
            "refresh_token",
            others["refresh_token"].as_str().expect("text"),
        ),
    ];
    assert_eq!(
        post(&format!("{}/token", server.url()), &refresh)
            .await
            .status,
        200
    );
    assert_eq!(
        open(&logout_url(&server, &tokens, &[])).await.status,
        StatusCode::SEE_OTHER
    );
}

#[tokio::test]
async fn logout_goes_back_to_registered_uris_alone_and_else_ends_nothing() {
    let server = served(&ManualClock::new()).await;
    let tokens = signed_in(&server).await;
    let forged = server.id_token().client("spa").sign_with_wrong_key();
    let access = tokens["access_token"].as_str().expect("text").to_owned();
    for changed in [
        &[("post_logout_redirect_uri", "https://evil.example/")][..],
        &[("post_logout_redirect_uri", "http://localhost:5173/other")],
        &[("id_token_hint", "no.id.token")],
        &[("id_token_hint", &*forged)],
        &[("id_token_hint", &*access)],
        &[("client_id", "web")],
        &[("id_token_hint", "")],
        &[("id_token_hint", ""), ("client_id", "unknown")],
        &[("state", "a"), ("state", "b")],
    ] {
        let answer = open(&logout_url(&server, &tokens, changed)).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{changed:?}");
        assert_eq!(answer.header("location"), "");
        assert!(is_active(&server, &tokens), "{changed:?}");
    }
    let answer = open(&logout_url(
        &server,
        &tokens,
        &[("post_logout_redirect_uri", "")],
    ))
    .await;
    assert_eq!(answer.status, StatusCode::OK);
    assert!(answer.body.contains("You are signed out"));
    assert!(!is_active(&server, &tokens));
}

/// The value of a hidden field.
fn hidden(page: &Answer, name: &str) -> String {
    let (_, rest) = page
        .body
        .split_once(&format!("name=\"{name}\" value=\""))
        .expect("the field");
    let (value, _) = rest.split_once('"').expect("a value");
    value.replace("&amp;", "&")
}

/// Signs in over the login page: the session's cookie.
async fn cookie(server: &ServedAuthorizationServer) -> String {
    let of = |answer: &Answer| {
        let set = answer.header("set-cookie").to_owned();
        set.split(';').next().unwrap_or_default().to_owned()
    };
    let page = open(&authorization_url(server, &[])).await;
    let fields = [
        (
            "authorization_request",
            hidden(&page, "authorization_request"),
        ),
        ("csrf", hidden(&page, "csrf")),
        ("subject", "user-1".to_owned()),
    ];
    let fields = fields.each_ref().map(|(name, value)| (*name, &**value));
    let form = http()
        .post(format!("{}/login", server.url()))
        .header("content-type", "application/x-www-form-urlencoded")
        .header("cookie", of(&page))
        .body(encoded(&fields));
    let answer = send(form).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{answer:?}");
    of(&answer)
}

#[tokio::test]
async fn logout_without_an_id_token_asks_the_user_first() {
    let server = served(&ManualClock::new()).await;
    let cookie = cookie(&server).await;
    let url = format!("{}/logout", server.url());
    let is_signed_in = async || {
        let url = authorization_url(&server, &[("prompt", "none")]);
        let answer = send(http().get(url).header("cookie", &cookie)).await;
        answer.parameter("code").is_some()
    };
    let asked = format!(
        "{url}?{}",
        encoded(&[("client_id", "spa"), ("post_logout_redirect_uri", BACK)])
    );
    let page = send(http().get(&asked).header("cookie", &cookie)).await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(
        page.body.contains("Sign out?") && page.body.contains("Ada"),
        "{}",
        page.body
    );
    assert!(
        page.header("content-security-policy")
            .contains("frame-ancestors 'none'")
    );
    assert!(is_signed_in().await);

    let submit = async |csrf: &str| {
        let fields = [
            ("client_id", "spa"),
            ("post_logout_redirect_uri", BACK),
            ("csrf", csrf),
        ];
        let form = http()
            .post(&url)
            .header("content-type", "application/x-www-form-urlencoded")
            .header("cookie", &cookie)
            .body(encoded(&fields));
        send(form).await
    };
    // A form of another site has no value of this session.
    let forged = submit("forged").await;
    assert!(forged.body.contains("Sign out?"));
    assert!(is_signed_in().await);
    let answer = submit(&hidden(&page, "csrf")).await;
    assert_eq!(
        (answer.status, answer.header("location")),
        (StatusCode::SEE_OTHER, BACK)
    );
    assert!(answer.header("set-cookie").contains("Max-Age=0"));
    assert!(!is_signed_in().await);
    // Who is not signed in is not asked.
    let again = open(&asked).await;
    assert_eq!(again.header("location"), BACK);
}

/// An API that takes logout tokens for the client `web`, served on loopback: its router, and the address.
async fn api(server: &ServedAuthorizationServer, listener: tokio::net::TcpListener) -> Router {
    let api = ResourceServer::builder(API)
        .issuer(server.trusted().logout_client("web"))
        .build()
        .expect("sound")
        .connect()
        .await
        .expect("an issuer");
    let app = Router::new()
        .route("/me", get(async |_: AccessToken| "in"))
        .route_layer(api.authenticate())
        .route_service("/backchannel", api.backchannel_logout().expect("a client"));
    let served = app.clone().layer(middleware::from_fn(
        async |request: axum::extract::Request, next: middleware::Next| {
            assert_eq!(request.uri().path(), "/backchannel");
            next.run(request).await
        },
    ));
    tokio::spawn(async move { axum::serve(listener, served).await });
    app
}

async fn status(api: &Router, tokens: &Value) -> u16 {
    let token = tokens["access_token"].as_str().expect("text");
    let request = Request::get("/me")
        .header("authorization", format!("Bearer {token}"))
        .body(Body::empty())
        .expect("a request");
    let answer = api.clone().oneshot(request).await.expect("an answer");
    answer.status().as_u16()
}

#[tokio::test]
async fn logout_is_told_to_an_api_that_then_refuses_the_session() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let uri = format!(
        "http://{}/backchannel",
        listener.local_addr().expect("an address")
    );
    // One client that hears of it, one that does not answer, and one that wants to hear nothing.
    let client = |id: &str| {
        TestClient::public(id)
            .redirect_uri(CALLBACK)
            .post_logout_redirect_uri(BACK)
    };
    let accounts = Accounts::none()
        .user(TestUser::new("user-1"))
        .client(client("web").backchannel_logout_uri(&uri))
        .client(client("gone").backchannel_logout_uri("http://127.0.0.1:1/backchannel"))
        .client(client("spa"));
    // Tokens of the machine's time: the API goes by its clock.
    let issuer =
        portcullis::test_util::MockIssuer::new().with_algorithms([portcullis::Algorithm::ES256]);
    let server = portcullis::test_util::AuthorizationServer::new(issuer).accounts(accounts);
    let server = server.serve().await.expect("a port");
    let api = api(&server, listener).await;
    let sign_in = async |client: &str| {
        let url = authorization_url(&server, &[("client_id", client)]);
        let back = server.sign_in(&url, "user-1").await.expect("a redirect");
        let code = parameter(&back, "code").expect("a code");
        redeem(&server, &code, &[("client_id", client)])
            .await
            .json()
    };
    let (ours, others, gone) = (
        sign_in("web").await,
        sign_in("web").await,
        sign_in("gone").await,
    );
    assert_ne!(
        payload(&ours["id_token"])["sid"],
        payload(&others["id_token"])["sid"]
    );
    for tokens in [&ours, &others, &gone] {
        assert_eq!(status(&api, tokens).await, 200);
    }
    let answer = open(&logout_url(&server, &ours, &[])).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{answer:?}");
    assert_eq!(status(&api, &ours).await, 401);
    assert_eq!(status(&api, &others).await, 200);
    // A client that cannot be told does not keep the user signed in.
    let answer = open(&logout_url(&server, &gone, &[])).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER);
    assert_eq!(status(&api, &gone).await, 200, "nobody told the API");
    assert!(!is_active(&server, &gone));
    // The admin's end of a session is told too.
    let sid = payload(&others["id_token"])["sid"]
        .as_str()
        .expect("text")
        .to_owned();
    let ended = send(http().delete(format!("{}/admin/sessions/{sid}", server.url()))).await;
    assert_eq!(ended.status, StatusCode::NO_CONTENT);
    assert_eq!(status(&api, &others).await, 401);
}

#[tokio::test]
async fn logout_is_in_the_metadata() {
    let server = builder(&ManualClock::new()).serve().await.expect("a port");
    let metadata: Value = serde_json::from_str(&server.discovery_document()).expect("JSON");
    assert_eq!(
        metadata["end_session_endpoint"],
        format!("{}/logout", server.url())
    );
    assert_eq!(
        metadata["registration_endpoint"],
        format!("{}/register", server.url())
    );
    for name in [
        "backchannel_logout_supported",
        "backchannel_logout_session_supported",
    ] {
        assert_eq!(metadata[name], true);
    }
}
