//! Claims that the issuer tells when a handler asks: `UserInfo<T>`.

use std::time::Duration;

use axum::body::Body;
use axum::routing::get;
use http::{HeaderValue, Request};
use portcullis::extract::UserInfo;
use portcullis::test_util::{
    DpopKey, Endpoint, Fault, ManualClock, MockIssuer, ServedIssuer, TestCertificate,
};
use portcullis::{AccessToken, Algorithm, Issuer, ResourceServer};
use serde_json::json;

use crate::support::logs::Logs;
use crate::support::{API, Requests as _, TestApp, TestResponse};

#[derive(serde::Deserialize)]
struct Contact {
    email: String,
}

#[derive(serde::Deserialize)]
struct Anything {}

const MINUTE: Duration = Duration::from_secs(60);

fn app(server: &ResourceServer) -> TestApp {
    TestApp::behind(server.authenticate())
        .route(
            "/email",
            get(|UserInfo(contact): UserInfo<Contact>| async move { contact.email.clone() }),
        )
        .route(
            "/both",
            get(|contact: UserInfo<Contact>, _: UserInfo<Anything>| async move {
                contact.email.clone()
            }),
        )
        .route("/plain", get(|_: AccessToken| async {}))
}

/// An issuer with one user whose address userinfo tells.
async fn issuer(clock: &ManualClock) -> ServedIssuer {
    let issuer = MockIssuer::new()
        .with_algorithms([Algorithm::ES256])
        .with_clock(clock.clone());
    issuer.set_user_info("alice", json!({"email": "alice@example.com"}));
    issuer.serve().await
}

async fn server(issuer: Issuer, clock: &ManualClock) -> ResourceServer {
    ResourceServer::builder(API)
        .issuer(issuer)
        .clock(clock.clone())
        .build()
        .expect("sound")
        .connect()
        .await
        .expect("the issuer is the one that was configured")
}

fn asked(issuer: &ServedIssuer) -> Issuer {
    issuer.trusted().userinfo(issuer.url_of(Endpoint::UserInfo))
}

#[tokio::test]
async fn userinfo_is_asked_for_when_a_handler_wants_it_and_then_not_again_for_a_minute() {
    let clock = ManualClock::new();
    let issuer = issuer(&clock).await;
    for (trusted, known) in [
        (asked(&issuer), 0),
        (issuer.trusted().discover_userinfo(), 1),
    ] {
        let before = issuer.requests(Endpoint::UserInfo);
        let app = app(&server(trusted, &clock).await);
        let token = issuer.token().subject("alice").sign();
        assert_eq!(app.get("/plain", &token).await.verdict(), "200");
        let asked = || issuer.requests(Endpoint::UserInfo) - before;
        assert_eq!(asked(), 0, "no handler wants it");
        for path in ["/email", "/email", "/both"] {
            let answer = app.get(path, &token).await;
            assert_eq!(answer.verdict(), "200", "{path}, {known}");
            assert_eq!(answer.body, "alice@example.com");
        }
        assert_eq!(asked(), 1);
        clock.advance(Duration::from_secs(59));
        assert_eq!(app.get("/email", &token).await.verdict(), "200");
        assert_eq!(asked(), 1);
        clock.advance(Duration::from_secs(1));
        assert_eq!(app.get("/email", &token).await.verdict(), "200");
        assert_eq!(asked(), 2);
    }
}

#[tokio::test]
async fn the_answer_is_about_the_user_of_the_token_or_it_is_an_outage() {
    let clock = ManualClock::new();
    let issuer = issuer(&clock).await;
    let app = app(&server(asked(&issuer), &clock).await);
    issuer.set_user_info("mallory", json!({"sub": "alice", "email": "a@example.com"}));
    issuer.set_user_info("nobody", json!({"sub": null, "email": "a@example.com"}));
    let token = |subject| issuer.token().subject(subject).sign();
    let logs = Logs::default();
    let listening = logs.listen();
    assert_eq!(app.get("/email", &token("alice")).await.verdict(), "200");
    for other in ["mallory", "nobody"] {
        let answer = app.get("/email", &token(other)).await;
        assert_eq!(
            answer.verdict(),
            "503 unavailable user_info_failed",
            "{other}"
        );
        assert!(answer.header("retry-after").is_some());
    }
    drop(listening);
    let text = logs.text();
    assert!(text.contains("another user"), "{text}");
    assert!(
        !text.contains("mallory") && !text.contains("alice"),
        "{text}"
    );
    // A failure with one token does not concern other tokens.
    for _ in 0..10 {
        app.get("/email", &token("mallory")).await;
    }
    assert_eq!(app.get("/email", &token("alice")).await.verdict(), "200");
}

#[tokio::test]
async fn a_token_that_the_issuer_calls_bad_is_refused_as_a_bad_token() {
    let clock = ManualClock::new();
    let issuer = issuer(&clock).await;
    let app = app(&server(asked(&issuer), &clock).await);
    let token = issuer.token().subject("alice").sign();
    assert_eq!(app.get("/email", &token).await.verdict(), "200");
    issuer.revoke(&token);
    assert_eq!(
        app.get("/email", &token).await.verdict(),
        "200",
        "for a minute"
    );
    clock.advance(MINUTE);
    let refused = app.get("/email", &token).await;
    assert_eq!(refused.verdict(), "401 invalid_token inactive");
    let challenge = refused.challenge();
    assert!(challenge.contains("error=\"invalid_token\""), "{challenge}");
    let calls = issuer.requests(Endpoint::UserInfo);
    assert_eq!(app.get("/email", &token).await.verdict(), refused.verdict());
    assert_eq!(
        issuer.requests(Endpoint::UserInfo),
        calls,
        "remembered, for a while"
    );
    // RFC 6750 s3.1: 403 is about what this token may see, and another token of others' sees it.
    let fresh = issuer.token().subject("alice").sign();
    issuer.break_endpoint_with(Endpoint::UserInfo, Fault::Status(403));
    assert_eq!(
        app.get("/email", &fresh).await.verdict(),
        "403 wrong_caller"
    );
    assert_eq!(app.get("/plain", &fresh).await.verdict(), "200");
}

#[tokio::test]
async fn an_issuer_that_cannot_be_asked_is_an_outage_and_what_is_known_stays_known() {
    let clock = ManualClock::new();
    let issuer = issuer(&clock).await;
    let app = app(&server(asked(&issuer), &clock).await);
    let large = format!(r#"{{"sub":"alice","email":"{}"}}"#, "a".repeat(300_000));
    for fault in [
        Fault::Refuse,
        Fault::CutBody,
        Fault::Status(500),
        Fault::Status(400),
        Fault::TooManyRequests(Duration::from_secs(7)),
        Fault::Redirect(issuer.url_of(Endpoint::UserInfo)),
        Fault::Body(b"<html>".to_vec()),
        Fault::Body(br#"{"sub":"alice","sub":"alice","email":"a@example.com"}"#.to_vec()),
        Fault::Body(br#"["alice"]"#.to_vec()),
        Fault::Body(large.into_bytes()),
    ] {
        let known = issuer.token().subject("alice").sign();
        assert_eq!(app.get("/email", &known).await.verdict(), "200");
        issuer.break_endpoint_with(Endpoint::UserInfo, fault.clone());
        let unseen = issuer.token().subject("alice").sign();
        let calls = issuer.requests(Endpoint::UserInfo);
        let answer = app.get("/email", &unseen).await;
        assert!(answer.verdict().starts_with("503 unavailable"), "{fault:?}");
        assert!(answer.header("retry-after").is_some(), "{fault:?}");
        assert_eq!(issuer.requests(Endpoint::UserInfo), calls + 1, "{fault:?}");
        assert_eq!(
            app.get("/email", &known).await.verdict(),
            "200",
            "{fault:?}"
        );
        issuer.recover();
        clock.advance(Duration::from_secs(8)); // as long as it was asked to be left alone
        assert_eq!(
            app.get("/email", &unseen).await.verdict(),
            "200",
            "{fault:?}"
        );
    }
}

#[tokio::test]
async fn a_signed_answer_counts_by_the_issuers_key_and_for_the_tokens_client() {
    let clock = ManualClock::new();
    let issuer = issuer(&clock).await;
    let app = app(&server(asked(&issuer), &clock).await);
    issuer.sign_user_info();
    let ask = async |token: &str| app.get("/email", token).await;
    let good = ask(&issuer.token().subject("alice").sign()).await;
    assert_eq!(
        (good.verdict(), good.body),
        ("200".into(), "alice@example.com".into())
    );

    let answer = || {
        issuer
            .token()
            .subject("alice")
            .audience(MockIssuer::CLIENT_ID)
            .claim("email", "signed@example.com")
    };
    let refused = "503 unavailable user_info_failed";
    for (what, jwt, verdict) in [
        ("as it should be", answer().sign(), "200"),
        (
            "without a type",
            answer().without_header("typ").sign(),
            "200",
        ),
        ("of another key", answer().sign_with_wrong_key(), refused),
        ("not signed", answer().unsigned(), refused),
        ("without `iss`", answer().without("iss").sign(), refused),
        (
            "by another",
            answer().issuer("https://other.example").sign(),
            refused,
        ),
        ("for another", answer().audience("other").sign(), refused),
        ("without `aud`", answer().without("aud").sign(), refused),
        ("an access token", answer().typ("at+jwt").sign(), refused),
        ("over", answer().expired().sign(), refused),
        ("about another", answer().subject("bob").sign(), refused),
    ] {
        let typed = Fault::BodyOfType("application/jwt; charset=utf-8".into(), jwt.into_bytes());
        issuer.break_endpoint_with(Endpoint::UserInfo, typed);
        let token = issuer.token().subject("alice").sign();
        assert_eq!(ask(&token).await.verdict(), verdict, "{what}");
        clock.advance(Duration::from_secs(2)); // Past any rest.
    }
    // By its content type a JSON answer is none, and the reverse.
    for (media_type, body) in [
        (
            "application/jwt",
            r#"{"sub":"alice","email":"a@example.com"}"#.to_owned(),
        ),
        ("application/json", answer().sign()),
    ] {
        let typed = Fault::BodyOfType(media_type.into(), body.into_bytes());
        issuer.break_endpoint_with(Endpoint::UserInfo, typed);
        let token = issuer.token().subject("alice").sign();
        assert_eq!(ask(&token).await.verdict(), refused, "{media_type}");
        clock.advance(Duration::from_secs(2));
    }
}

#[tokio::test]
async fn who_is_no_user_has_no_userinfo_and_nobody_is_asked() {
    let clock = ManualClock::new();
    let issuer = issuer(&clock).await;
    let app = app(&server(asked(&issuer), &clock).await);
    let user = issuer.token().subject("alice").sign();
    assert_eq!(app.get("/email", &user).await.verdict(), "200");
    for other in [issuer.client_token(), issuer.token().without("sub")] {
        assert_eq!(
            app.get("/email", &other.sign()).await.verdict(),
            "403 wrong_caller"
        );
    }
    let unfit = issuer.token().subject("bob").sign();
    assert_eq!(
        app.get("/email", &unfit).await.verdict(),
        "401 invalid_token custom_claims",
        "bob has no address"
    );
    assert_eq!(issuer.requests(Endpoint::UserInfo), 2);
    assert_eq!(app.send("/email", &[]).await.verdict(), "401 missing_token");
}

#[tokio::test]
async fn many_requests_with_one_unseen_token_are_one_call() {
    let clock = ManualClock::new();
    let issuer = issuer(&clock).await;
    let app = app(&server(asked(&issuer), &clock).await);
    let token = issuer.token().subject("alice").sign();
    issuer.break_endpoint_with(Endpoint::UserInfo, Fault::Hang);
    let mut requests = tokio::task::JoinSet::new();
    for _ in 0..100 {
        let (app, token) = (app.clone(), token.clone());
        requests.spawn(async move { app.get("/email", &token).await });
    }
    issuer.await_requests(Endpoint::UserInfo, 1).await;
    issuer.recover();
    while let Some(answer) = requests.join_next().await {
        let answer: TestResponse = answer.expect("no panic");
        assert_eq!(answer.verdict(), "200");
    }
    assert_eq!(issuer.requests(Endpoint::UserInfo), 1);
}

#[tokio::test]
async fn nobody_waits_longer_than_two_seconds_and_the_answer_serves_the_next() {
    let clock = ManualClock::new();
    let issuer = issuer(&clock).await;
    let app = app(&server(asked(&issuer), &clock).await);
    let token = issuer.token().subject("alice").sign();
    issuer.break_endpoint_with(Endpoint::UserInfo, Fault::Hang);
    let (answer, ()) = tokio::join!(app.get("/email", &token), async {
        issuer.await_requests(Endpoint::UserInfo, 1).await;
        clock.advance(Duration::from_secs(2));
    });
    assert_eq!(answer.verdict(), "503 unavailable user_info_timed_out");
    assert!(answer.header("retry-after").is_some());
    issuer.recover();
    assert_eq!(app.get("/email", &token).await.verdict(), "200");
    assert_eq!(issuer.requests(Endpoint::UserInfo), 1);
}

#[tokio::test]
async fn what_takes_the_token_from_the_request_is_wired_wrongly() {
    let clock = ManualClock::new();
    let issuer = issuer(&clock).await;
    let server = server(asked(&issuer), &clock).await;
    let email = get(|contact: UserInfo<Contact>| async move { contact.email.clone() });
    let stripped = email.clone().layer(axum::middleware::map_request(
        |mut request: axum::extract::Request| async move {
            request.headers_mut().remove("authorization");
            request
        },
    ));
    let app = TestApp::behind(server.authenticate())
        .route("/whole", email)
        .route("/stripped", stripped);
    let token = issuer.token().subject("alice").sign();
    assert_eq!(app.get("/whole", &token).await.verdict(), "200");
    assert_eq!(
        app.get("/stripped", &token).await.verdict(),
        "500 misconfigured token_removed"
    );
}

#[tokio::test]
async fn a_handler_that_wants_userinfo_where_no_issuer_has_any_is_wired_wrongly() {
    let clock = ManualClock::new();
    let issuer = issuer(&clock).await;
    let without = app(&server(issuer.trusted(), &clock).await);
    let token = issuer.token().subject("alice").sign();
    assert_eq!(
        without.get("/email", &token).await.verdict(),
        "500 misconfigured no_user_info"
    );
    assert_eq!(without.get("/plain", &token).await.verdict(), "200");

    // Where another issuer has it, that is how its callers are.
    let other = MockIssuer::named("https://other.example").with_clock(clock.clone());
    let both = ResourceServer::builder(API)
        .issuer(asked(&issuer))
        .issuer(other.trusted())
        .clock(clock.clone())
        .build()
        .expect("sound")
        .connect()
        .await
        .expect("the issuer is the one that was configured");
    let both = app(&both);
    assert_eq!(both.get("/email", &token).await.verdict(), "200");
    assert_eq!(
        both.get("/email", &other.token().sign()).await.verdict(),
        "403 wrong_caller"
    );
}

#[tokio::test]
async fn an_optional_layer_makes_an_option_of_it() {
    let clock = ManualClock::new();
    let issuer = issuer(&clock).await;
    let server = server(asked(&issuer), &clock).await;
    let app = TestApp::behind(server.authenticate().optional()).route(
        "/",
        get(|contact: Option<UserInfo<Contact>>| async move {
            contact.map_or_else(|| "nobody".to_owned(), |contact| contact.email.clone())
        }),
    );
    let token = issuer.token().subject("alice").sign();
    assert_eq!(app.get("/", &token).await.body, "alice@example.com");
    assert_eq!(app.send("/", &[]).await.body, "nobody");
    issuer.break_endpoint_with(Endpoint::UserInfo, Fault::Status(500));
    let unseen = issuer.token().subject("alice").sign();
    assert_eq!(
        app.get("/", &unseen).await.verdict(),
        "503 unavailable user_info_failed"
    );
}

/// The endpoint would demand the client's proof or certificate (RFC 9449 section 7.1, RFC 8705
/// section 3), so it is not called.
#[tokio::test]
async fn a_bound_token_is_not_sent_to_the_userinfo_endpoint() {
    let clock = ManualClock::new();
    let issuer = issuer(&clock).await;
    let app = app(&server(asked(&issuer), &clock).await);
    let key = DpopKey::generate().with_clock(clock.clone());
    let certificate = TestCertificate::self_signed("client");
    let token = || issuer.token().audience(API).subject("alice");
    let by_key = token().bound_to_key(&key).sign();
    let by_certificate = token()
        .bound_to_certificate(certificate.certificate())
        .sign();
    let request = |path: &str| Request::get(path).body(Body::empty()).expect("a request");
    let requests = |path: &str| {
        let proof = key.proof("GET", &format!("{API}{path}"));
        let mut certified = request(path);
        let bearer = HeaderValue::try_from(format!("Bearer {by_certificate}")).expect("a token");
        certified.headers_mut().insert("authorization", bearer);
        let extensions = certified.extensions_mut();
        extensions.insert(certificate.certificate().clone());
        [proof.authorize(request(path), &by_key), certified]
    };
    let logs = Logs::default();
    let listening = logs.listen();
    for request in requests("/email") {
        let answer = app.exchange(request).await;
        assert_eq!(answer.verdict(), "503 unavailable user_info_failed");
    }
    drop(listening);
    let text = logs.text();
    for field in ["claim=cnf", "setting=userinfo", "found=a bound token"] {
        assert!(text.contains(field), "{text}");
    }
    assert_eq!(issuer.requests(Endpoint::UserInfo), 0);
    // The same tokens without `UserInfo`, and a bearer token with it.
    for request in requests("/plain") {
        assert_eq!(app.exchange(request).await.verdict(), "200");
    }
    let answer = app.get("/email", &token().sign()).await;
    assert_eq!(answer.verdict(), "200");
}
