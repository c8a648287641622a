//! The memory of remembered tokens is what the cache says that it is, whatever their shape.

use allocation_counter::measure;
use axum::routing::get;
use portcullis::test_util::{ManualClock, MockIssuer, TokenBuilder};
use portcullis::{AccessToken, Algorithm, Issuer, ResourceServer, TenantClaims};
use serde_json::json;

use crate::support::{API, Requests as _, TestApp, trusting};

/// Whether what is counted is what is really held, within 1.3 times.
fn agree(counted: usize, held: usize) -> bool {
    held * 10 <= counted * 13 && counted * 10 <= held * 13
}

/// Room for some dozens of the largest tokens.
const MUCH: usize = 3 << 20;

/// Room for some dozens of lists and long texts.
const LITTLE: usize = 1 << 20;

type Shape = Box<dyn Fn(usize) -> TokenBuilder>;

fn issuer() -> MockIssuer {
    MockIssuer::new().with_algorithms([Algorithm::ES256])
}

/// A list of so many texts, as it stands in JSON.
fn list(text: &str, count: usize) -> String {
    format!("[{}]", vec![text; count].join(","))
}

/// Fills the cache with tokens of this shape until they drive each other out. What it says that it
/// holds, and what is given back when it goes; both in bytes.
async fn filled(
    trusted: Issuer,
    room: usize,
    token: impl Fn(usize) -> TokenBuilder,
) -> (usize, usize) {
    let server = ResourceServer::builder(API)
        .issuer(trusted)
        .token_cache_bytes(room)
        .token_cache_entries(500)
        .build()
        .expect("sound");
    let app = TestApp::new(&server);
    let status = || server.token_cache_status().expect("it is on");
    for name in 0..2_000 {
        let token = token(name).sign();
        assert!(token.len() <= 16 << 10, "{} bytes", token.len());
        // A full cache keeps a token at its second sight.
        for _ in 0..2 {
            assert_eq!(app.get("/", &token).await.verdict(), "200");
        }
        if status().evictions() > 40 {
            break;
        }
    }
    let counted = status().bytes();
    assert!((room / 5..=room).contains(&counted), "{counted}");
    // What another thread has allocated is not seen here; there is none.
    let given_back = measure(move || drop((app, server))).bytes_current;
    (
        counted,
        usize::try_from(-given_back).expect("memory is given back"),
    )
}

/// What the places of the cache take while they are empty, and the server beside it.
fn empty(trusted: Issuer, room: usize) -> usize {
    let server = ResourceServer::builder(API)
        .issuer(trusted)
        .token_cache_bytes(room)
        .token_cache_entries(500)
        .build()
        .expect("sound");
    let given_back = measure(move || drop(server)).bytes_current;
    usize::try_from(-given_back).expect("memory is given back")
}

#[tokio::test]
async fn token_cache_bytes_are_what_is_really_held_for_every_shape_of_token() {
    let issuer = issuer();
    let claim = |name: &'static str, value: String| {
        let issuer = issuer.clone();
        let value: serde_json::Value = serde_json::from_str(&value).expect("json");
        move |at: usize| {
            issuer
                .token()
                .subject(&format!("s{at}"))
                .claim(name, &value)
        }
    };
    // Escapes must reach the payload as they are.
    let raw = |members: String| {
        let issuer = issuer.clone();
        let exp = ManualClock::START.as_secs() + 100 * 365 * 24 * 3600;
        move |at: usize| {
            issuer.token().payload_json(format!(
                r#"{{"iss":"https://issuer.test","aud":"{API}","exp":{exp},"sub":"s{at}",{members}}}"#
            ))
        }
    };
    let shapes: Vec<(&str, Shape)> = vec![
        ("small", Box::new(raw(r#""client_id":"c""#.to_owned()))),
        (
            "one long string",
            Box::new(claim("x", format!("\"{}\"", "a".repeat(11_000)))),
        ),
        (
            "groups of a letter",
            Box::new(claim("groups", list("\"a\"", 2_800))),
        ),
        (
            "roles of a letter",
            Box::new(claim("roles", list("\"a\"", 2_800))),
        ),
        (
            "groups of 36 bytes",
            Box::new(claim(
                "groups",
                list(&format!("\"{}\"", "a".repeat(36)), 280),
            )),
        ),
        (
            "roles without a character",
            Box::new(claim("roles", list("\"\"", 3_600))),
        ),
        (
            "groups of an escape",
            Box::new(raw(format!(r#""groups":{}"#, list(r#""\u0061""#, 1_200)))),
        ),
        (
            "roles of a short escape",
            Box::new(raw(format!(r#""roles":{}"#, list(r#""\n""#, 2_100)))),
        ),
        (
            "actors",
            Box::new(raw(
                r#""act":{"sub":"a","act":{"client_id":"\u0061","act":{"iss":"\u0062","sub":"c"}}}"#
                    .to_owned(),
            )),
        ),
        (
            "roles and groups",
            Box::new(raw(format!(
                r#""roles":{},"groups":{}"#,
                list("\"b\"", 1_200),
                list(r#""\u0061""#, 600)
            ))),
        ),
        (
            "a scope of an escape",
            Box::new(raw(format!(r#""scope":"\u0061{}""#, "b ".repeat(5_000)))),
        ),
        (
            "a list of scopes",
            Box::new(raw(format!(r#""scope":{}"#, list("\"a\"", 2_800)))),
        ),
        (
            "ids with escapes",
            Box::new(raw(format!(
                r#""client_id":"\u0061{0}","jti":"\u0061{0}","sid":"\u0061{0}","origin_jti":"\u0061{0}""#,
                "c".repeat(240)
            ))),
        ),
        (
            "deep and wide",
            Box::new(raw(format!(r#""x":{}"#, list(r#"{"a":[1,2,{}]}"#, 200)))),
        ),
    ];
    for (name, token) in shapes {
        let room = LITTLE;
        let places = empty(issuer.trusted(), room);
        let (counted, held) = filled(issuer.trusted(), room, token).await;
        let held = held - places;
        assert!(
            agree(counted, held),
            "{name}: {held} held, {counted} counted"
        );
    }
}

#[tokio::test]
async fn token_cache_bytes_count_the_reach_of_principals_that_the_token_states() {
    let pool =
        MockIssuer::cognito("eu-west-1", "eu-west-1_AbCdEf").with_algorithms([Algorithm::RS256]);
    let rules = || {
        TenantClaims::aworld()
            .portal_client(MockIssuer::PORTAL_CLIENT_ID)
            .principals_reach_claim("reach")
    };
    let places = empty(pool.trusted().tenant_claims(rules()), MUCH);
    let accounts = json!(vec!["a"; 2_700]);
    let principal = |at: usize| {
        let token = pool.aworld_principal().claim("jti", format!("t-{at}"));
        token.claim("reach", &accounts)
    };
    let (counted, held) = filled(pool.trusted().tenant_claims(rules()), MUCH, principal).await;
    let held = held - places;
    assert!(agree(counted, held), "{held} held, {counted} counted");
}

/// What a setting gives to every principal is held once, and is no part of any token's memory.
#[tokio::test]
async fn token_cache_bytes_do_not_count_the_reach_that_a_setting_gives() {
    let pool =
        MockIssuer::cognito("eu-west-1", "eu-west-1_AbCdEf").with_algorithms([Algorithm::RS256]);
    let many: Vec<String> = (0..3_000)
        .map(|account| format!("account-{account}"))
        .collect();
    let rules = TenantClaims::aworld()
        .portal_client(MockIssuer::PORTAL_CLIENT_ID)
        .principals_reach(many);
    let server = trusting([pool.trusted().tenant_claims(rules)]);
    let app = TestApp::behind(server.authenticate().context("portal").admit_principals())
        .route("/", get(|_: AccessToken| async {}));
    for at in 0..10 {
        let token = pool
            .aworld_principal()
            .claim("jti", format!("t-{at}"))
            .sign();
        let answer = app.get("/", &token).await.verdict();
        assert!(answer == "200" || answer.starts_with("403"), "{answer}");
    }
    let status = server.token_cache_status().expect("it is on");
    assert_eq!(status.entries(), 10);
    assert!(status.bytes() < 10 * 4096, "{status:?}");
}

/// A token of about a thousand bytes, as most are.
#[tokio::test]
async fn token_of_a_kilobyte_takes_at_most_eight_hundred_bytes() {
    let issuer = issuer();
    let server = trusting([issuer.trusted()]);
    let app = TestApp::new(&server);
    let token = issuer
        .token()
        .scope("orders:read orders:write profile email")
        .roles(["buyer", "seller"])
        .groups(["north", "south"])
        .claim("x", "a".repeat(300))
        .sign();
    assert!((900..1100).contains(&token.len()), "{}", token.len());
    assert_eq!(app.get("/", &token).await.verdict(), "200");
    let status = server.token_cache_status().expect("it is on");
    assert_eq!(status.entries(), 1);
    assert!(status.bytes() <= 800, "{status:?}");
}
