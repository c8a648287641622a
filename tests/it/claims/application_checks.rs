//! The application's own checks: after all others, on every request, in order.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::routing::get;
use portcullis::error::{Objection, TokenFault};
use portcullis::test_util::{ManualClock, MockIssuer};
use portcullis::{AccessToken, Algorithm, AuthenticateLayer, RejectionKind};

use crate::support::{API, Requests as _, TestApp, builder};

/// A counter, and a check that counts its calls.
fn counting(
    then: impl Fn(&AccessToken) -> Result<(), Objection> + Send + Sync + 'static,
) -> (
    Arc<AtomicUsize>,
    impl Fn(&AccessToken) -> Result<(), Objection> + Send + Sync + 'static,
) {
    let calls = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&calls);
    let check = move |token: &AccessToken| {
        counter.fetch_add(1, Ordering::SeqCst);
        then(token)
    };
    (calls, check)
}

fn issuer() -> MockIssuer {
    MockIssuer::new().with_algorithms([Algorithm::ES256])
}

fn routes(layer: AuthenticateLayer) -> TestApp {
    TestApp::behind(layer).route("/", get(|_: AccessToken| async {}))
}

#[tokio::test]
async fn an_objection_to_the_token_is_401_and_one_to_the_caller_403() {
    let issuer = issuer();
    let server = builder(&issuer)
        .check(|token: &AccessToken| match token.subject() {
            Some(subject) if subject.as_str() == "lost" => Err(Objection::Token),
            Some(subject) if subject.as_str() == "barred" => Err(Objection::Caller),
            _ => Ok(()),
        })
        .build()
        .expect("sound");
    let app = routes(server.authenticate());
    let of = |subject| issuer.token().subject(subject).sign();
    assert_eq!(app.get("/", &of("alice")).await.verdict(), "200");

    let lost = app.get("/", &of("lost")).await;
    assert_eq!(lost.verdict(), "401 invalid_token objection");
    assert_eq!(
        lost.kind,
        Some(RejectionKind::InvalidToken(TokenFault::Objection))
    );
    let challenge = format!("Bearer realm=\"{API}\", error=\"invalid_token\"");
    assert_eq!(lost.header("www-authenticate"), Some(&*challenge));

    let barred = app.get("/", &of("barred")).await;
    assert_eq!(barred.verdict(), "403 wrong_caller");
    assert_eq!(barred.header("www-authenticate"), None);
}

#[tokio::test]
async fn a_check_runs_on_every_request_with_a_good_token_and_on_no_other() {
    let clock = ManualClock::new();
    let issuer = issuer().with_clock(clock.clone());
    let (calls, check) = counting(|_| Ok(()));
    let server = builder(&issuer)
        .clock(clock.clone())
        .check(check)
        .build()
        .expect("sound");
    let app = routes(server.authenticate());
    let good = issuer.token().sign();
    for calls_so_far in 1..=3 {
        assert_eq!(app.get("/", &good).await.verdict(), "200");
        assert_eq!(calls.load(Ordering::SeqCst), calls_so_far);
    }
    for (name, token) in [
        ("forged", issuer.token().sign_with_wrong_key()),
        ("unsigned", issuer.token().unsigned()),
        ("expired", issuer.token().expired().sign()),
        (
            "a stranger's",
            issuer.token().issuer("https://other.test").sign(),
        ),
        (
            "another's",
            issuer.token().audience("https://other.test").sign(),
        ),
        ("an ID token", issuer.id_token().sign()),
        (
            "bound",
            issuer.token().claim("cnf", serde_json::json!({})).sign(),
        ),
        ("a refresh token", issuer.refresh_token()),
    ] {
        assert_eq!(app.get("/", &token).await.status, 401, "{name}");
        assert_eq!(calls.load(Ordering::SeqCst), 3, "{name}");
    }
    assert_eq!(app.send("/", &[]).await.verdict(), "401 missing_token");
    clock.advance(Duration::from_secs(2 * 3600));
    assert_eq!(
        app.get("/", &good).await.verdict(),
        "401 invalid_token expired"
    );
    assert_eq!(calls.load(Ordering::SeqCst), 3, "what was good once");
}

#[tokio::test]
async fn all_checks_must_pass_in_their_order() {
    let issuer = issuer();
    let scoped = |wanted: &'static str, objection| {
        move |token: &AccessToken| {
            let has = token
                .scope()
                .to_string()
                .split(' ')
                .any(|one| one == wanted);
            if has { Ok(()) } else { Err(objection) }
        }
    };
    let (first, one) = counting(scoped("one", Objection::Caller));
    let (second, two) = counting(scoped("two", Objection::Token));
    let server = builder(&issuer)
        .check(one)
        .check(two)
        .build()
        .expect("sound");
    let app = routes(server.authenticate());
    for (scope, expected, calls) in [
        ("one two", "200", (1, 1)),
        ("one", "401 invalid_token objection", (2, 2)),
        ("two", "403 wrong_caller", (3, 2)),
        ("three", "403 wrong_caller", (4, 2)),
    ] {
        let token = issuer.token().scope(scope).sign();
        assert_eq!(app.get("/", &token).await.verdict(), expected, "{scope}");
        let counted = (first.load(Ordering::SeqCst), second.load(Ordering::SeqCst));
        assert_eq!(counted, calls, "{scope}");
    }
}

#[tokio::test]
async fn an_optional_route_asks_the_checks_about_every_token_that_was_sent() {
    let issuer = issuer();
    let (calls, check) = counting(|_| Err(Objection::Token));
    let server = builder(&issuer).check(check).build().expect("sound");
    let app = TestApp::behind(server.authenticate().optional())
        .route("/", get(|_: Option<AccessToken>| async {}));
    assert_eq!(app.send("/", &[]).await.verdict(), "200");
    assert_eq!(calls.load(Ordering::SeqCst), 0);
    assert_eq!(
        app.get("/", &issuer.token().sign()).await.verdict(),
        "401 invalid_token objection"
    );
    assert_eq!(calls.load(Ordering::SeqCst), 1);
}
