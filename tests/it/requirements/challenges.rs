//! The challenges of requirements, byte for byte, as `challenges.golden.txt` has them.

use std::fmt::Write as _;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use http::Request;
use portcullis::binding::Dpop;
use portcullis::extract::Authorized;
use portcullis::layer::RequireLayer;
use portcullis::test_util::{DpopKey, ManualClock, MockIssuer, TokenBuilder};
use portcullis::time::Clock as _;
use portcullis::{AccessToken, ResourceServer};

use crate::support::golden::assert_golden;
use crate::support::{API, Requests as _, TestApp, TestResponse, builder};

portcullis::scopes! {
    Audit = "audit:read";
    Session = "openid profile";
}

portcullis::requirements! {
    Class { acr: "phr" | "mfa" }
    Recent { max_age: Duration::from_secs(300) }
    Pay {
        scope: "pay:write" | "pay:admin",
        acr: "phr" | "mfa",
        max_age: Duration::from_secs(300),
    }
    Bound {
        scope: "pay:write",
        binding: Dpop,
        acr: "phr",
    }
}

fn routes() -> Router {
    Router::new()
        .route("/class", get(async |_: Authorized<Class>| {}))
        .route("/recent", get(async |_: Authorized<Recent>| {}))
        .route("/pay", get(async |_: Authorized<Pay>| {}))
        .route("/bound", get(async |_: Authorized<Bound>| {}))
        .route(
            "/inside",
            get(async |_: AccessToken| {})
                .route_layer(RequireLayer::of::<Pay>().challenge_scope::<Audit>()),
        )
}

/// The status and the challenges of an answer.
fn seen(answer: &TestResponse) -> String {
    let all = answer.headers.get_all("www-authenticate").iter();
    let all = all.map(|value| value.to_str().expect("text").to_owned());
    let mut lines = vec![answer.verdict()];
    lines.extend(all);
    lines.join("\n")
}

#[tokio::test]
async fn challenges_are_those_of_the_golden_file() {
    let clock = ManualClock::new();
    let now = clock.now().as_secs();
    let issuer = MockIssuer::new().with_clock(clock.clone());
    let key = DpopKey::generate().with_clock(clock.clone());
    let build = || builder(&issuer).clock(clock.clone());
    let sound = |server: portcullis::ResourceServerBuilder| server.build().expect("sound");
    let plain = sound(build());
    let dpop = sound(build().dpop(Dpop::accepted()));
    let apps: [(&str, &ResourceServer, TestApp); 3] = [
        (
            "plain",
            &plain,
            TestApp::behind(plain.authenticate().optional()),
        ),
        (
            "every setting on",
            &plain,
            TestApp::behind(
                plain
                    .authenticate()
                    .optional()
                    .error_descriptions()
                    .challenge_scope::<Session>()
                    .resource_metadata("https://api.example.com/metadata"),
            ),
        ),
        (
            "DPoP",
            &dpop,
            TestApp::behind(dpop.authenticate().optional()),
        ),
    ];
    let token = || issuer.token().audience(API).scope("pay:write x");
    let signed_in = |acr: &str, ago: i64| token().claim("acr", acr).claim("auth_time", now - ago);
    let cases: [(&str, &str, Option<TokenBuilder>); 11] = [
        ("nothing sent", "/pay", None),
        ("nothing sent, no scope demanded", "/class", None),
        ("the class alone", "/class", Some(signed_in("pwd", 0))),
        ("the age alone", "/recent", Some(signed_in("phr", 301))),
        ("class and age", "/pay", Some(signed_in("pwd", 301))),
        ("of both the age", "/pay", Some(signed_in("mfa", 301))),
        ("of both the class", "/pay", Some(signed_in("pwd", 300))),
        ("neither is stated", "/pay", Some(token())),
        ("all", "/pay", Some(signed_in("pwd", 301).scope("x"))),
        (
            "a binding and the class",
            "/bound",
            Some(signed_in("pwd", 0)),
        ),
        ("a guard inside", "/inside", Some(signed_in("pwd", 0))),
    ];
    let mut found = String::new();
    for (name, server, app) in apps {
        let app = app.routes(routes());
        for (case, path, token) in &cases {
            let answer = match token {
                None => app.send(path, &[]).await,
                Some(token) => app.get(path, &token.sign()).await,
            };
            let _ = writeln!(found, "# {name}, {case}\n{}\n", seen(&answer));
            let Some(token) = token.as_ref().filter(|_| name == "DPoP") else {
                continue;
            };
            let token = token.clone().bound_to_key(&key).sign();
            let request = Request::get(*path).body(Body::empty()).expect("a request");
            let proof = key.proof("GET", &format!("{API}{path}"));
            let answer = app.exchange(proof.authorize(request, &token)).await;
            let _ = writeln!(found, "# {name}, {case}, bound\n{}\n", seen(&answer));
        }
        let _ = server;
    }
    assert_golden("requirements/challenges.golden.txt", &found);
}

#[tokio::test]
async fn other_scheme_in_a_challenge_names_the_requirement_too() {
    let clock = ManualClock::new();
    let issuer = MockIssuer::new().with_clock(clock.clone());
    let server = builder(&issuer).clock(clock).dpop(Dpop::accepted());
    let server = server.build().expect("sound");
    let app = TestApp::behind(server.authenticate().optional()).routes(routes());
    let token = issuer.token().audience(API).scope("x").sign();
    let all = |answer: TestResponse| -> Vec<String> {
        let all = answer.headers.get_all("www-authenticate").iter();
        all.map(|value| value.to_str().expect("text").to_owned())
            .collect()
    };
    let unbound = all(app.get("/bound", &token).await);
    let missing = all(app.send("/bound", &[]).await);
    for challenges in [unbound, missing] {
        assert_eq!(challenges.len(), 2, "{challenges:?}");
        assert!(challenges[0].starts_with("Bearer"), "{challenges:?}");
        assert!(challenges[1].starts_with("DPoP"), "{challenges:?}");
        for challenge in challenges {
            let named = challenge.contains("scope=\"pay:write\", acr_values=\"phr\"");
            assert!(named, "{challenge}");
        }
    }
}

#[tokio::test]
async fn nothing_of_the_request_is_in_a_challenge() {
    let issuer = MockIssuer::new();
    let app =
        TestApp::behind(builder(&issuer).build().expect("sound").authenticate()).routes(routes());
    let token = issuer
        .token()
        .audience(API)
        .scope("secret-scope pay:write")
        .claim("acr", ["secret-class", "x\", error=\"y"])
        .claim("auth_time", 12_345);
    for path in ["/class", "/recent", "/pay", "/bound", "/inside"] {
        let answer = app.get(path, &token.sign()).await;
        let wire = answer.wire();
        for secret in ["secret", "12345", "error=\"y"] {
            assert!(!wire.contains(secret), "{path}: {wire}");
        }
        assert_eq!(answer.body, "");
    }
}
