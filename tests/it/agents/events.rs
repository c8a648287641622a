//! The names of callers in events: both of them, where a setting asks for them.

use axum::routing::get;
use portcullis::extract::WithoutActor;
use portcullis::test_util::MockIssuer;
use portcullis::{AccessToken, ResourceServerBuilder, Scoped};
use serde_json::json;

use crate::support::logs::Logs;
use crate::support::{Requests as _, TestApp, builder};

portcullis::scopes! { Read = "app/read"; }

fn app(builder: ResourceServerBuilder) -> TestApp {
    let server = builder.build().expect("sound");
    TestApp::behind(server.authenticate())
        .route("/", get(async |_: AccessToken| {}))
        .route("/alone", get(async |_: WithoutActor| {}))
        .route("/read", get(async |_: Scoped<Read>| {}))
}

/// The lines of this event, of one request.
async fn lines(app: &TestApp, path: &str, token: &str, message: &str) -> String {
    let logs = Logs::default();
    {
        let _listening = logs.listen();
        let span = tracing::info_span!(
            "request",
            auth.subject = tracing::field::Empty,
            auth.client = tracing::field::Empty,
            auth.actor = tracing::field::Empty,
            auth.actor_issuer = tracing::field::Empty
        );
        let _entered = span.enter();
        app.get(path, token).await;
    }
    let text = logs.text();
    let wanted = |line: &&str| line.contains(message) || line.contains("auth.");
    text.lines().filter(wanted).collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn both_names_stand_in_the_events_of_a_good_token() {
    let issuer = MockIssuer::new();
    let app = app(builder(&issuer).log_callers());
    let actor = json!({"iss": "https://agents.example", "sub": "agent\n7"});
    let token = issuer.token().subject("alice").actor_with(actor).sign();
    for (path, message) in [
        ("/", "token admitted"),
        ("/alone", "request refused"),
        ("/read", "request refused"),
    ] {
        let found = lines(&app, path, &token, message).await;
        for expected in [
            "subject=alice ",
            &format!("client={} ", MockIssuer::CLIENT_ID),
            "actor=agent\\n7 ",
            "actor_issuer=https://agents.example ",
            "auth.subject=alice ",
            "auth.actor=agent\\n7 ",
        ] {
            assert!(
                found.contains(expected),
                "{path}: no {expected} in\n{found}"
            );
        }
    }
    let alone = issuer.token().subject("alice").sign();
    let found = lines(&app, "/", &alone, "token admitted").await;
    assert!(
        found.contains("subject=alice ") && !found.contains("actor"),
        "{found}"
    );
}

#[tokio::test]
async fn names_are_escaped_and_cut() {
    let issuer = MockIssuer::new();
    let app = app(builder(&issuer).log_callers());
    let token = issuer
        .token()
        .subject(&"x".repeat(1000))
        .actor("a\u{202e}\r\n")
        .sign();
    assert_eq!(app.verdict(&token).await, "200");
    let found = lines(&app, "/", &token, "token admitted").await;
    assert!(
        found.contains(&"x".repeat(256)) && !found.contains(&"x".repeat(257)),
        "{found}"
    );
    assert!(found.contains("actor=a\\u{202e}\\r\\n"), "{found}");
}

#[tokio::test]
async fn no_name_stands_in_events_by_default_nor_of_a_token_that_is_not_good() {
    let issuer = MockIssuer::new();
    let token = issuer.token().subject("alice").actor("agent-7");
    let silent = app(builder(&issuer));
    for path in ["/", "/alone"] {
        let found = lines(&silent, path, &token.sign(), "").await;
        assert!(
            !found.contains("alice") && !found.contains("agent-7"),
            "{found}"
        );
        assert!(!found.contains(MockIssuer::CLIENT_ID), "{found}");
    }
    let naming = app(builder(&issuer).log_callers());
    let found = lines(&naming, "/", &token.expired().sign(), "").await;
    assert!(found.contains("request refused"), "{found}");
    assert!(
        !found.contains("alice") && !found.contains("agent-7"),
        "{found}"
    );
}
