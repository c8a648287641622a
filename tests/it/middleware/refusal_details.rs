//! What the program and the operator read about a guard's refusal, and how much a stranger can
//! make them read.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use http::StatusCode;
use portcullis::error::{Rejection, RejectionDetail};
use portcullis::layer::{RefusalBody, RenderedBody, RequireScopeLayer};
use portcullis::tenant::{AccountAccess, Client, Principal, Subject};
use portcullis::test_util::{ManualClock, MockIssuer};
use portcullis::{
    AccessToken, AuthenticateLayer, InGroup, InRole, ResourceServer, Scoped, TenantClaims,
    WorkspaceAccess, WorkspaceUser,
};

use crate::support::logs::Logs;
use crate::support::{API, Requests as _, TestApp, builder, server, trusting};

portcullis::scopes! {
    Read = "read";
    Wide = "write all" | "admin" | role "Writer";
}
portcullis::roles! { Admin = "admin" | "owner"; }

/// Keeps the detail of the last refusal.
#[derive(Clone, Default)]
struct Last(Arc<Mutex<Option<Rejection>>>);

impl Last {
    fn on(&self, layer: AuthenticateLayer) -> AuthenticateLayer<RenderedBody> {
        let last = Arc::clone(&self.0);
        layer.renderer(move |rejection: &Rejection, _: StatusCode| {
            *last.lock().expect("no panic") = Some(rejection.clone());
            RefusalBody::new(http::HeaderValue::from_static("text/plain"), "")
        })
    }

    fn detail(&self) -> String {
        let last = self.0.lock().expect("no panic").take();
        let last = last.expect("a refusal");
        let detail: &RejectionDetail = last.detail().expect("a detail");
        detail.to_string()
    }
}

#[tokio::test]
async fn scope_that_is_lacking_is_named_beside_the_one_that_is_there() {
    let issuer = MockIssuer::new();
    let last = Last::default();
    let app = TestApp::behind(last.on(server(&issuer).authenticate()))
        .route("/handler", get(|_: Scoped<Wide>| async {}))
        .route(
            "/layer",
            get(|_: AccessToken| async {}).layer(RequireScopeLayer::of::<Wide>().rendered()),
        );
    let demanded = "setting=scope_claim expected=write all | admin | role Writer";
    for path in ["/handler", "/layer"] {
        for (scope, expected) in [
            (
                "read write",
                format!("problem=differs {demanded} found=read write"),
            ),
            ("", format!("problem=missing {demanded}")),
        ] {
            let token = issuer.token().audience(API).scope(scope).sign();
            assert_eq!(app.get(path, &token).await.status, 403);
            let expected = format!("claim=scope {expected}");
            assert_eq!(last.detail(), expected);
        }
        let long = "s".repeat(5_000);
        let token = issuer.token().audience(API).scope(&long).sign();
        app.get(path, &token).await;
        assert!(last.detail().len() < 500, "bounded");
    }
}

#[tokio::test]
async fn token_that_is_no_jwt_is_told_apart_from_one_that_is_broken() {
    let issuer = MockIssuer::new();
    let last = Last::default();
    let app = TestApp::behind(last.on(server(&issuer).authenticate()))
        .route("/", get(|_: AccessToken| async {}));
    assert_eq!(
        app.get("/", "2YotnFZFEjr1zCsicMWpAA").await.verdict(),
        "401 invalid_token malformed"
    );
    assert_eq!(
        last.detail(),
        "problem=malformed expected=a JWT; opaque tokens need Issuer::introspected \
         found=a token without a dot"
    );
    let token = issuer.token().audience(API).sign();
    assert_eq!(app.get("/", &token).await.status, 200);
}

#[tokio::test]
async fn role_and_group_that_are_lacking_are_named_with_the_shape_of_the_claim() {
    let issuer = MockIssuer::new();
    let last = Last::default();
    let app = TestApp::behind(last.on(server(&issuer).authenticate()))
        .route("/role", get(|_: InRole<Admin>| async {}))
        .route("/group", get(|_: InGroup<Admin>| async {}));
    let json = |text: &str| serde_json::from_str::<serde_json::Value>(text).expect("JSON");
    for (path, claim) in [("/role", "roles"), ("/group", "groups")] {
        for (value, expected) in [
            (Some(r#"{"admin": {"org": "x"}}"#), "wrong_type object"),
            (Some(r#""admin""#), "wrong_type string"),
            (Some("7"), "wrong_type number"),
            (Some("true"), "wrong_type boolean"),
            (Some("[1, 2]"), "wrong_type array with number"),
            (Some("[]"), "empty array"),
            (Some("null"), "missing "),
            (None, "missing "),
            (
                Some(r#"["guest"]"#),
                if path == "/role" {
                    "differs guest"
                } else {
                    "differs "
                },
            ),
        ] {
            let mut token = issuer.token().audience(API).without(claim);
            if let Some(value) = value {
                token = token.claim(claim, json(value));
            }
            assert_eq!(app.get(path, &token.sign()).await.status, 403);
            let (problem, found) = expected.split_once(' ').expect("two");
            let found = if found.is_empty() {
                String::new()
            } else {
                format!(" found={found}")
            };
            assert_eq!(
                last.detail(),
                format!(
                    "claim={claim} problem={problem} setting={claim}_claim expected=admin | owner{found}"
                )
            );
        }
        let good = issuer
            .token()
            .audience(API)
            .claim(claim, json(r#"["owner"]"#));
        assert_eq!(app.get(path, &good.sign()).await.status, 200);
    }
    let odd = issuer
        .token()
        .audience(API)
        .roles(["a\nb\u{1b}[31m"])
        .sign();
    app.get("/role", &odd).await;
    assert!(last.detail().ends_with(r"found=a\nb\u{1b}[31m"), "escaped");
    // However long the names are, and however long their escapes.
    for name in ["\u{10ffff}", "\u{1b}", "x", "\u{e9}"] {
        for roles in [vec![name.repeat(1_000)], vec![name.to_owned(); 1_000]] {
            let token = issuer.token().audience(API).roles(roles).sign();
            app.get("/role", &token).await;
            let detail = last.detail();
            let found = detail.split("found=").nth(1).expect("roles");
            assert!(found.ends_with("...") && found.len() < 280, "{found}");
        }
    }
    let mut empty = vec!["x"];
    empty.resize(1_000, "");
    let token = issuer.token().audience(API).roles(empty).sign();
    app.get("/role", &token).await;
    assert!(last.detail().len() < 400, "{}", last.detail());
}

#[tokio::test]
async fn caller_and_place_that_differ_are_named_without_any_id() {
    let issuer = MockIssuer::cognito("eu-west-1", "eu-west-1_AbCdEf");
    let rules = TenantClaims::aworld()
        .portal_client(MockIssuer::PORTAL_CLIENT_ID)
        .principals_reach(["acme"])
        .delegation();
    let server = trusting([issuer.trusted().tenant_claims(rules)]);
    let last = Last::default();
    let app = TestApp::behind(last.on(server.authenticate().context("app")))
        .route("/user", get(|_: WorkspaceUser| async {}))
        .route("/principal", get(|_: Principal| async {}))
        .route("/client", get(|_: Client| async {}))
        .route("/subject", get(|_: Subject| async {}))
        .route("/a/{account_id}", get(|_: AccountAccess| async {}))
        .route("/w/{workspace_id}", get(|_: WorkspaceAccess| async {}))
        .route(
            "/a/{account_id}/w/{workspace_id}",
            get(|_: WorkspaceAccess| async {}),
        );
    let user = issuer.aworld_user();
    let client = issuer.aworld_client();
    let subject = issuer.token();
    let own = "the caller's own in the path's";
    for (path, token, expected) in [
        (
            "/principal",
            &user,
            "problem=differs expected=principal found=user".to_owned(),
        ),
        (
            "/client",
            &user,
            "problem=differs expected=client found=user".to_owned(),
        ),
        (
            "/subject",
            &user,
            "problem=differs expected=subject found=user".to_owned(),
        ),
        (
            "/user",
            &client,
            "problem=differs expected=user found=client".to_owned(),
        ),
        (
            "/user",
            &subject,
            "claim=userId problem=missing setting=user_claim".to_owned(),
        ),
        (
            "/a/acme",
            &user,
            "problem=differs expected=principal found=user".to_owned(),
        ),
        (
            "/w/other",
            &user,
            format!("problem=differs expected={own} `{{workspace_id}}` found=user"),
        ),
        (
            "/w/other",
            &client,
            format!("problem=differs expected={own} `{{workspace_id}}` found=client"),
        ),
        (
            "/a/other/w/acme-prod",
            &user,
            format!("problem=differs expected={own} `{{account_id}}` found=user"),
        ),
        (
            "/w/acme-prod",
            &user.clone().context("dashboard"),
            "problem=differs setting=context expected=app".to_owned(),
        ),
    ] {
        let answer = app.get(path, &token.sign()).await;
        assert_eq!(answer.status, 403, "{path}");
        assert_eq!(last.detail(), expected, "{path}");
    }
    assert_eq!(app.get("/w/acme-prod", &user.sign()).await.status, 200);
}

/// The summaries among the lines, and the events of single refusals.
fn lines(logs: &Logs) -> (Vec<String>, usize) {
    let text = logs.text();
    let of = |message: &str| {
        let message = format!("message={message}");
        text.lines()
            .filter(|line| line.contains(&message))
            .map(ToOwned::to_owned)
            .collect::<Vec<_>>()
    };
    (of("requests refused;"), of("request refused").len())
}

#[tokio::test]
async fn refusal_summaries_come_at_once_and_then_once_a_minute() {
    let clock = ManualClock::new();
    let issuer = MockIssuer::new().with_clock(clock.clone());
    let server = builder(&issuer)
        .clock(clock.clone())
        .build()
        .expect("sound");
    let app = TestApp::behind(server.authenticate()).route("/", get(|_: Scoped<Read>| async {}));
    let lacking = issuer.token().audience(API).scope("other").sign();
    let logs = Logs::default();
    let listening = logs.listen();
    for _ in 0..100 {
        assert_eq!(app.send("/", &[]).await.status, 401);
        assert_eq!(app.get("/", "garbage.x.y").await.status, 401);
        assert_eq!(app.get("/", &lacking).await.status, 403);
    }
    let (summaries, events) = lines(&logs);
    assert_eq!(events, 300);
    assert_eq!(summaries.len(), 3, "{summaries:#?}");
    clock.advance(Duration::from_secs(60));
    assert_eq!(app.send("/", &[]).await.status, 401);
    drop(listening);
    let (summaries, _) = lines(&logs);
    assert_eq!(summaries.len(), 6, "{summaries:#?}");
    let of = |kind: &str| {
        let last = summaries[3..]
            .iter()
            .find(|line| line.contains(&format!("kind={kind} ")));
        last.expect("a summary").clone()
    };
    assert!(of("missing_token").contains("count=100 "));
    assert!(of("invalid_token").contains("count=99 faults=malformed=99 "));
    let scope = of("insufficient_scope");
    assert!(scope.contains("count=99 "), "{scope}");
    assert!(
        scope.contains(&format!("issuer={}", issuer.issuer())),
        "{scope}"
    );
    assert!(scope.contains("expected=read found=other"), "{scope}");
}

#[tokio::test]
async fn wiring_faults_that_a_caller_provokes_are_summarised_too() {
    let clock = ManualClock::new();
    let issuer = MockIssuer::new().with_clock(clock.clone());
    let rules = TenantClaims::aworld().portal_client(MockIssuer::PORTAL_CLIENT_ID);
    let server = ResourceServer::builder(API)
        .issuer(issuer.trusted().tenant_claims(rules))
        .clock(clock.clone())
        .build()
        .expect("sound");
    let nested = Router::new().route("/{workspace_id}", get(|_: WorkspaceAccess| async {}));
    let app = Router::new()
        .nest("/w/{workspace_id}", nested)
        .route_layer(server.authenticate().context("app"));
    let user = issuer.aworld_user().sign();
    let logs = Logs::default();
    let listening = logs.listen();
    for _ in 0..50 {
        let answer = app.get("/w/acme-prod/other", &user).await;
        assert_eq!(answer.verdict(), "500 misconfigured repeated_parameter");
    }
    drop(listening);
    let (summaries, events) = lines(&logs);
    assert_eq!((summaries.len(), events), (1, 50), "{summaries:#?}");
    assert_eq!(app.get("/w/acme-prod/acme-prod", &user).await.status, 200);
}
