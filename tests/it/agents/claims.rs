//! The claim: what is read, what is refused, and how much work a long chain is.

use portcullis::test_util::MockIssuer;
use portcullis::{Issuer, ResourceServer};
use serde_json::{Value, json};

use crate::agents::actors_app;
use crate::support::{API, Requests as _, TestApp, trusting};

const MALFORMED: &str = "401 invalid_token claims";

fn app(issuer: Issuer) -> TestApp {
    actors_app(&trusting([issuer]))
}

/// A chain of so many actors, the current one first.
fn chain(actors: usize) -> Value {
    (0..actors).rev().fold(Value::Null, |earlier, place| {
        let mut actor = json!({ "sub": format!("agent-{place}") });
        if !earlier.is_null() {
            actor["act"] = earlier;
        }
        actor
    })
}

#[tokio::test]
async fn outermost_actor_is_the_current_one_and_nested_ones_are_earlier() {
    let issuer = MockIssuer::new();
    let app = app(issuer.trusted());
    let name = issuer.issuer();
    let once = issuer.token().actor("agent-1");
    for (token, expected) in [
        (issuer.token(), "none".to_owned()),
        (once.clone(), format!("{name} sub=agent-1 client=-")),
        (
            once.clone().actor("agent-2"),
            format!("{name} sub=agent-2 client=- < {name} sub=agent-1 client=-"),
        ),
        (
            issuer.token().actor_with(json!({"client_id": "bot"})),
            format!("{name} sub=- client=bot"),
        ),
        (
            issuer.token().actor_with(json!({
                "iss": "https://agents.example", "sub": "a\u{1f}\"b", "client_id": "c", "exp": 1, "aud": 7,
            })),
            "https://agents.example sub=a\u{1f}\"b client=c".to_owned(),
        ),
        // The issuer's own name says no more than its absence.
        (
            issuer.token().actor_with(json!({"iss": name, "sub": "agent-1"})),
            format!("{name} sub=agent-1 client=-"),
        ),
    ] {
        let answer = app.get("/", &token.sign()).await;
        assert_eq!(answer.body_or_verdict(), expected);
    }
}

#[tokio::test]
async fn actor_that_is_named_by_another_name_of_the_issuer_is_the_issuers_own() {
    const OTHER_NAME: &str = "https://login.example";
    let issuer = MockIssuer::new();
    let app = app(issuer.trusted().also_named(OTHER_NAME));
    let name = issuer.issuer();
    for (stated, expected) in [
        (OTHER_NAME, &*name),
        (&*name, &*name),
        ("https://login.example/", "https://login.example/"),
    ] {
        let token = issuer
            .token()
            .actor_with(json!({ "iss": stated, "sub": "agent-1" }));
        let answer = app.get("/", &token.sign()).await;
        let expected = format!("{expected} sub=agent-1 client=-");
        assert_eq!(answer.body_or_verdict(), expected, "{stated}");
    }
}

/// The figures of RFC 8693 section 4.1, and that of section 4.4, in which no party acts.
#[tokio::test]
async fn examples_of_the_specification_are_read() {
    let issuer = MockIssuer::new();
    let app = app(issuer.trusted());
    let name = issuer.issuer();
    let user = || issuer.token().subject("user@example.com");
    let figure_5 = user().claim("act", json!({"sub": "admin@example.com"}));
    let figure_6 = user().claim(
        "act",
        json!({
            "sub": "https://service16.example.com",
            "act": {"sub": "https://service77.example.com"},
        }),
    );
    let may_act = user().claim("may_act", json!({"sub": "admin@example.com"}));
    for (token, expected) in [
        (figure_5, format!("{name} sub=admin@example.com client=-")),
        (
            figure_6,
            format!(
                "{name} sub=https://service16.example.com client=- < {name} sub=https://service77.example.com client=-"
            ),
        ),
        (may_act, "none".to_owned()),
    ] {
        assert_eq!(
            app.get("/", &token.sign()).await.body_or_verdict(),
            expected
        );
    }
}

/// What no actor can be: each is refused, since a guard against agents would miss it.
fn faulty() -> Vec<Value> {
    let long = "x".repeat(1025);
    vec![
        json!("agent-1"),
        json!(""),
        json!(true),
        json!(7),
        json!([]),
        json!([{"sub": "agent-1"}]),
        json!({}),
        json!({"iss": "https://agents.example"}),
        json!({"azp": "agent-1"}),
        json!({"sub": 7}),
        json!({"sub": ""}),
        json!({"sub": " "}),
        json!({"sub": "\u{200b}"}),
        json!({"sub": ["agent-1"]}),
        json!({"sub": long}),
        json!({"sub": "agent-1", "client_id": false}),
        json!({"sub": "agent-1", "client_id": ""}),
        json!({"sub": "agent-1", "iss": {}}),
        json!({"sub": "agent-1", "iss": ""}),
        json!({"sub": "agent-1", "iss": long}),
        json!({"sub": "agent-1", "act": "agent-0"}),
        json!({"sub": "agent-1", "act": {}}),
        json!({"sub": "agent-1", "act": {"sub": "agent-0", "act": []}}),
    ]
}

#[tokio::test]
async fn an_actor_that_cannot_be_read_is_refused() {
    let issuer = MockIssuer::new();
    let app = app(issuer.trusted());
    let nulls = [
        json!(null),
        json!({"sub": null}),
        json!({"sub": "agent-1", "client_id": null}),
        json!({"sub": "agent-1", "iss": null}),
        json!({"sub": "agent-1", "act": null}),
    ];
    for actor in faulty().into_iter().chain(nulls) {
        let token = issuer.token().claim("act", actor.clone()).sign();
        assert_eq!(app.get("/", &token).await.verdict(), MALFORMED, "{actor}");
    }
    let longest = json!({"sub": "x".repeat(1024)});
    let token = issuer.token().claim("act", longest).sign();
    assert_eq!(app.get("/", &token).await.status, 200, "the accepted twin");
}

#[tokio::test]
async fn introspected_tokens_have_actors_too_and_null_is_absent_there() {
    let issuer = MockIssuer::new();
    let served = issuer.serve().await;
    let app = app(served.introspected());
    let name = issuer.issuer();
    for (actor, expected) in [
        (
            json!({"sub": "agent-1"}),
            format!("{name} sub=agent-1 client=-"),
        ),
        (
            json!({"sub": "agent-1", "client_id": null, "iss": null, "act": null}),
            format!("{name} sub=agent-1 client=-"),
        ),
        (json!(null), "none".to_owned()),
    ] {
        let token = issuer.token().claim("act", actor.clone()).issue();
        let answer = app.get("/", &token).await;
        assert_eq!(answer.body_or_verdict(), expected, "{actor}");
    }
    for actor in faulty() {
        let token = issuer.token().claim("act", actor.clone()).issue();
        assert_eq!(app.get("/", &token).await.verdict(), MALFORMED, "{actor}");
    }
    // An answer that is nested too deeply is none, and others are judged as before.
    for (actors, status) in [(5, 401), (60, 401), (1000, 503)] {
        let token = issuer.token().claim("act", chain(actors)).issue();
        assert_eq!(app.get("/", &token).await.status, status, "{actors}");
    }
    let good = issuer.token().claim("act", chain(4)).issue();
    assert_eq!(app.get("/", &good).await.status, 200);
}

#[tokio::test]
async fn a_chain_is_read_up_to_the_limit_and_refused_beyond_it() {
    let issuer = MockIssuer::new();
    for (trusted, most) in [
        (issuer.trusted(), 4),
        (issuer.trusted().max_actors(1), 1),
        (issuer.trusted().max_actors(16), 16),
    ] {
        let app = app(trusted);
        let good = issuer.token().claim("act", chain(most)).sign();
        let answer = app.get("/", &good).await.body_or_verdict();
        assert_eq!(answer.split(" < ").count(), most, "{answer}");
        for more in [most + 1, most + 2, 60] {
            let token = issuer.token().claim("act", chain(more)).sign();
            assert_eq!(app.get("/", &token).await.verdict(), MALFORMED, "{more}");
        }
    }
}

/// JSON of more than 64 levels is not read at all, so a chain of 1,000 costs one pass up to there.
#[tokio::test]
async fn a_chain_of_a_thousand_actors_is_refused() {
    let issuer = MockIssuer::new();
    let server = ResourceServer::builder(API)
        .issuer(issuer.trusted().max_actors(16))
        .max_token_bytes(1 << 20)
        .build()
        .expect("sound");
    let app = actors_app(&server);
    let actors = |count: usize| {
        let opening = r#"{"sub":"a","act":"#.repeat(count - 1);
        format!(r#"{opening}{{"sub":"a"}}{}"#, "}".repeat(count - 1))
    };
    let payload = |count| {
        let builder = issuer.token().claim("marker", 7);
        let token = builder.sign();
        let middle = token.split('.').nth(1).expect("a payload").to_owned();
        let text = String::from_utf8(decoded(&middle)).expect("json");
        text.replace(r#""marker":7"#, &format!(r#""act":{}"#, actors(count)))
    };
    let token = |count| issuer.token().payload_json(payload(count)).sign();
    assert_eq!(
        app.get("/", &token(16)).await.status,
        200,
        "the accepted twin"
    );
    for count in [17, 62, 63, 64, 1000] {
        let answer = app.get("/", &token(count)).await;
        assert_eq!(answer.status, 401, "{count}: {}", answer.verdict());
    }
}

fn decoded(text: &str) -> Vec<u8> {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD
        .decode(text)
        .expect("base64url")
}

#[tokio::test]
async fn the_claim_may_have_another_name_or_be_nested() {
    let issuer = MockIssuer::new();
    let name = issuer.issuer();
    let uri = "https://id.example.com/act";
    let actor = json!({"sub": "agent-1", "act": {"sub": "agent-0"}});
    let both = format!("{name} sub=agent-1 client=- < {name} sub=agent-0 client=-");
    let named = app(issuer.trusted().actor_claim(uri));
    let token = issuer.token().claim(uri, &actor).actor("other").sign();
    assert_eq!(named.get("/", &token).await.body_or_verdict(), both);
    let plain = issuer.token().actor("other").sign();
    assert_eq!(named.get("/", &plain).await.body_or_verdict(), "none");

    let nested = app(issuer.trusted().actor_claim(["context", "agent"]));
    for (context, expected) in [
        (json!({"agent": actor}), both.as_str()),
        (json!({"agent": null}), MALFORMED),
        (json!({"agent": []}), MALFORMED),
        (json!({"other": 7}), "none"),
        (json!("text"), MALFORMED),
        (json!([actor]), MALFORMED),
        (json!(null), "none"),
    ] {
        let token = issuer.token().claim("context", &context).sign();
        let answer = nested.get("/", &token).await.body_or_verdict();
        assert_eq!(answer, expected, "{context}");
    }
}

#[test]
fn settings_are_checked() {
    let issuer = MockIssuer::new();
    let build = |issuer: Issuer| {
        let built = ResourceServer::builder(API).issuer(issuer).build();
        built.map_or_else(|error| error.setting(), |_| "sound")
    };
    assert_eq!(build(issuer.trusted().max_actors(1)), "sound");
    assert_eq!(build(issuer.trusted().max_actors(16)), "sound");
    assert_eq!(build(issuer.trusted().max_actors(0)), "max_actors");
    assert_eq!(build(issuer.trusted().max_actors(17)), "max_actors");
    assert_eq!(build(issuer.trusted().actor_claim("")), "actor_claim");
    let twice = issuer.trusted().actor_claim("act").actor_claim("actor");
    assert_eq!(build(twice), "actor_claim");
    let twice = issuer.trusted().max_actors(2).max_actors(3);
    assert_eq!(build(twice), "max_actors");
}
