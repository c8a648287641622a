//! Which tokens the endpoint is asked about, by their form, and who is a client by its answer.

use portcullis::test_util::{ManualClock, MockIssuer};
use portcullis::{Algorithm, Issuer, TenantClaims};
use serde_json::{Value, json};

use crate::support::Requests as _;
use crate::support::endpoint::{Endpoint, json as answer};
use crate::support::introspection::{AS, TOKEN, app, builder, good, issuer, server, with};
use crate::support::logs::Logs;

const PASETO: &str = "v4.public.eyJkYXRhIjoidGhpcyBpcyBhIHNpZ25lZCBtZXNzYWdlIn0";

fn mock(name: &str, clock: &ManualClock) -> MockIssuer {
    MockIssuer::named(name)
        .with_algorithms([Algorithm::ES256])
        .with_clock(clock.clone())
}

/// Tokens with dots of other forms than a JWT of this issuer.
fn others(clock: &ManualClock) -> Vec<String> {
    let own = mock(AS, clock);
    vec![
        PASETO.to_owned(),
        "abc.def.ghi".to_owned(),
        own.token().without("iss").sign(),
        mock("https://other.example", clock).token().sign(),
        "eyJhbGciOiJkaXIifQ.a.b.c.d".to_owned(),
        "a.b".to_owned(),
        "a.b.c.d.e.f".to_owned(),
        TOKEN.to_owned(),
    ]
}

#[tokio::test]
async fn token_of_every_form_is_asked_about_where_no_other_issuer_is_configured() {
    let clock = ManualClock::new();
    let endpoint = Endpoint::saying(good()).await;
    let alone = server(issuer(&endpoint).introspect_jwts(), &clock);
    let app = app(&alone);
    for token in others(&clock) {
        let before = endpoint.calls();
        for _ in 0..2 {
            assert_eq!(app.verdict(&token).await, "200", "{token}");
        }
        assert_eq!(endpoint.calls(), before + 1, "and remembered: {token}");
        assert_eq!(endpoint.last().field("token"), Some(token));
    }
    for bad in ["a.b;c.d", "a.b.c&x=y"] {
        let found = app.verdict(bad).await;
        assert_eq!(found, "400 invalid_request not_a_token", "{bad}");
    }
    let long = format!("a.b.{}", "c".repeat(17_000));
    assert_eq!(app.verdict(&long).await, "401 invalid_token too_large");
}

#[tokio::test]
async fn token_of_another_form_is_asked_about_nowhere_where_tokens_are_verified_here() {
    let clock = ManualClock::new();
    let endpoint = Endpoint::saying(good()).await;
    let other = mock("https://verified.example", &clock);
    let settings = builder(issuer(&endpoint).introspect_jwts(), &clock);
    let both = settings.issuer(other.trusted()).build().expect("sound");
    let both = app(&both);
    for token in others(&clock) {
        let dots = token.matches('.').count();
        let is_asked = dots != 2 && dots != 4;
        let found = both.verdict(&token).await;
        assert_eq!(found == "200", is_asked, "{token}: {found}");
    }
    assert_eq!(both.verdict(&other.token().sign()).await, "200");
    assert_eq!(both.verdict(&mock(AS, &clock).token().sign()).await, "200");
    // Without the setting three and five parts are refused, alone or not.
    let plain = app(&server(issuer(&endpoint), &clock));
    for token in [PASETO, "a.b.c.d.e"] {
        let reply = plain.get("/", token).await;
        assert_eq!(reply.status, 401, "{token}");
    }
}

#[tokio::test]
async fn token_that_is_no_jwt_is_refused_unasked_where_only_jwts_are_asked_about() {
    let clock = ManualClock::new();
    let endpoint = Endpoint::saying(good()).await;
    let only = server(issuer(&endpoint).introspect_only_jwts(), &clock);
    let app = app(&only);
    for token in others(&clock) {
        let reply = app.get("/", &token).await;
        assert_eq!(reply.status, 401, "{token}");
    }
    assert_eq!(endpoint.calls(), 0);
    let own = mock(AS, &clock).token().sign();
    for _ in 0..2 {
        assert_eq!(app.verdict(&own).await, "200");
    }
    assert_eq!(endpoint.calls(), 1);
    let setting = portcullis::ResourceServer::builder(crate::support::API)
        .issuer(Issuer::oidc("https://id.example.com").introspect_only_jwts())
        .build();
    assert_eq!(
        setting.expect_err("no endpoint is asked").setting(),
        "introspect_only_jwts"
    );
}

/// oidc-provider says that it judges opaque tokens and no JWTs.
#[tokio::test]
async fn jwt_that_the_endpoint_does_not_judge_is_refused_and_not_unavailable_for_ever() {
    let clock = ManualClock::new();
    let logs = Logs::default();
    let listening = logs.listen();
    let endpoint = Endpoint::doing(|question| {
        let token = question.field("token").expect("a token");
        match token.matches('.').count() {
            0 => answer(200, &good()),
            2 => answer(400, &json!({"error": "unsupported_token_type"})),
            _ => answer(400, &json!({"error": "invalid_request"})),
        }
    })
    .await;
    let server = server(issuer(&endpoint).introspect_jwts(), &clock);
    let app = app(&server);
    let own = mock(AS, &clock);
    for number in 0..20 {
        let token = own.token().claim("number", number).sign();
        let found = app.verdict(&token).await;
        assert_eq!(found, "401 invalid_token inactive");
    }
    drop(listening);
    let told = logs
        .text()
        .matches("does not judge tokens of this type")
        .count();
    assert_eq!(told, 1, "once a minute");
    let status = server.introspection_status().expect("asked");
    assert_eq!(status.failures(), 0);
    // Another 400 says nothing about the token.
    let found = app.verdict("a.b").await;
    assert_eq!(found, "503 unavailable introspection_failed");
    assert_eq!(app.verdict(TOKEN).await, "200");
}

#[tokio::test]
async fn jwts_and_opaque_tokens_of_one_issuer_are_told_apart_by_their_form() {
    let clock = ManualClock::new();
    let endpoint = Endpoint::saying(good()).await;
    let own = mock(AS, &clock);
    let settings = builder(issuer(&endpoint), &clock).issuer(own.trusted());
    let both = settings.build().expect("one issuer, two kinds of token");
    let app = app(&both);
    assert_eq!(app.verdict(&own.token().sign()).await, "200");
    assert_eq!(endpoint.calls(), 0);
    assert_eq!(app.verdict(TOKEN).await, "200");
    assert_eq!(endpoint.calls(), 1);
    let forged = own.token().sign_with_wrong_key();
    assert_eq!(app.verdict(&forged).await, "401 invalid_token signature");
    assert_eq!(endpoint.calls(), 1);
}

/// Who is calling, by what the endpoint says.
async fn caller(said: Value, settings: impl FnOnce(Issuer) -> Issuer) -> String {
    let endpoint = Endpoint::saying(said).await;
    let server = server(settings(issuer(&endpoint)), &ManualClock::new());
    let reply = app(&server).get("/", TOKEN).await;
    assert_eq!(reply.status, 200);
    reply.body.split(' ').next().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn client_without_a_subject_is_a_client_by_a_setting() {
    let named = |member: &str, value: &str| {
        let mut said = with("sub", Value::Null);
        said[member] = value.into();
        said
    };
    for (said, without, with) in [
        (with("sub", Value::Null), "subject", "client"),
        (named("sub", ""), "subject", "client"),
        (named("username", "bob"), "subject", "subject"),
        (named("preferred_username", "bob"), "subject", "subject"),
        (named("upn", "bob@example.com"), "subject", "subject"),
        (named("sub", "user-1"), "subject", "subject"),
        (named("sub", "web"), "client", "client"),
        (
            {
                let mut said = with("sub", Value::Null);
                said.as_object_mut().expect("an object").remove("client_id");
                said
            },
            "subject",
            "subject",
        ),
    ] {
        assert_eq!(
            caller(said.clone(), |issuer| issuer).await,
            without,
            "{said}"
        );
        let found = caller(said.clone(), Issuer::clients_without_subject).await;
        assert_eq!(found, with, "{said}");
    }
    // The subject is another claim here, and `sub` is stated all the same.
    let settings = |issuer: Issuer| issuer.clients_without_subject().subject_claim("user_id");
    assert_eq!(caller(good(), settings).await, "subject");
    // A client's tenant is found as ever.
    let mut said = with("sub", Value::Null);
    said["workspace"] = "acme".into();
    let rules = TenantClaims::by_workspace("workspace").without_accounts();
    let settings = |issuer: Issuer| issuer.clients_without_subject().tenant_claims(rules);
    assert_eq!(caller(said, settings).await, "client");
}

/// A user may have chosen the client's id as a name, where the issuer makes `sub` of it. Other
/// names of a user then say that it is no machine; where there are none, nothing tells them apart.
#[tokio::test]
async fn subject_with_the_clients_id_is_a_client_unless_a_user_is_named() {
    for (member, expected) in [
        (None, "client"),
        (Some("username"), "subject"),
        (Some("preferred_username"), "subject"),
        (Some("upn"), "subject"),
        (Some("cognito:username"), "subject"),
    ] {
        let mut said = with("sub", "web".into());
        if let Some(member) = member {
            said[member] = "web".into();
        }
        assert_eq!(caller(said, |issuer| issuer).await, expected, "{member:?}");
        // And in a JWT.
        let own = MockIssuer::new().with_algorithms([Algorithm::ES256]);
        let mut token = own.token().client("web").subject("web");
        if let Some(member) = member {
            token = token.claim(member, "web");
        }
        let server = crate::support::server(&own);
        let reply = app(&server).get("/", &token.sign()).await;
        assert!(
            reply.body.starts_with(expected),
            "{member:?}: {}",
            reply.body
        );
    }
}
