//! The wire: every kind of refusal, byte for byte, as `refusals.golden.txt` has it.

use std::fmt::Write as _;

use axum::Router;
use axum::routing::get;
use portcullis::layer::RequireScopeLayer;
use portcullis::test_util::MockIssuer;
use portcullis::{
    AccessToken, Claims, Issuer, ResourceServer, Scoped, TenantClaims, WorkspaceAccess,
    WorkspaceUser,
};

use crate::support::golden::assert_golden;
use crate::support::{API, Requests as _, TestApp, TestResponse, server, trusting};

portcullis::scopes! {
    Write = "app/write app/read";
    Audit = "dashboard/read" | "audit";
}

#[derive(serde::Deserialize)]
struct Strict {
    #[serde(rename = "mustBeThere")]
    _must_be_there: u8,
}

async fn app() -> Vec<(&'static str, TestResponse)> {
    let issuer = MockIssuer::new();
    let trusted = issuer
        .trusted()
        .tenant_claims(TenantClaims::aworld().portal_client("portal-client"));
    let plain = trusting([trusted.clone()]);
    let with_metadata = ResourceServer::builder(API)
        .issuer(trusted)
        .resource_metadata("https://api.example.com/.well-known/oauth-protected-resource")
        .build()
        .expect("sound");
    let never_connected =
        trusting([Issuer::oidc(issuer.issuer()).key_set_url("http://127.0.0.1:9/jwks.json")]);

    let routes = Router::new()
        .route("/", get(|_: AccessToken| async { "ok" }))
        .route("/write", get(|_: Scoped<Write>| async { "ok" }))
        .route(
            "/audit",
            get(|_: AccessToken| async { "ok" }).layer(RequireScopeLayer::of::<Audit>()),
        )
        .route("/claims", get(|_: Claims<Strict>| async { "ok" }))
        .route("/users", get(|_: WorkspaceUser| async { "ok" }))
        .route("/no-parameter", get(|_: WorkspaceAccess| async { "ok" }))
        .route(
            "/workspaces/{workspace_id}",
            get(|_: WorkspaceAccess| async { "ok" }),
        );
    let bare = routes.clone();
    let loud = routes.clone().route_layer(
        with_metadata
            .authenticate()
            .context("app")
            .realm("missions")
            .challenge_scope::<Write>()
            .error_descriptions(),
    );
    let no_context = routes.clone().route_layer(plain.authenticate());
    let odd_context = routes
        .clone()
        .route_layer(plain.authenticate().context("ap"));
    let down = routes.clone().route_layer(never_connected.authenticate());
    let app = routes.route_layer(plain.authenticate().context("app"));

    let user = issuer.aworld_user().sign();
    let client = issuer.aworld_client().sign();
    let subject = issuer.token().sign();
    let expired = issuer.aworld_user().expired().sign();
    let bearer = |token: &str| format!("Bearer {token}");
    let mut answers = Vec::new();
    let mut add = |name, answer| answers.push((name, answer));

    add("nothing sent", app.send("/", &[]).await);
    add("nothing sent, every setting on", loud.send("/", &[]).await);
    add(
        "another scheme",
        app.send("/", &[("authorization", "Basic dTpw")]).await,
    );
    add(
        "an empty field",
        app.send("/", &[("authorization", "")]).await,
    );
    add(
        "two fields",
        app.send(
            "/",
            &[
                ("authorization", &bearer(&user)),
                ("authorization", &bearer(&user)),
            ],
        )
        .await,
    );
    add(
        "no b64token",
        app.send("/", &[("authorization", "Bearer a,b")]).await,
    );
    add(
        "no b64token, every setting on",
        loud.send("/", &[("authorization", "Bearer a,b")]).await,
    );
    add(
        "garbage",
        app.send("/", &[("authorization", "Bearer garbage")]).await,
    );
    add(
        "expired",
        app.send("/", &[("authorization", &bearer(&expired))]).await,
    );
    add(
        "expired, every setting on",
        loud.send("/", &[("authorization", &bearer(&expired))])
            .await,
    );
    add(
        "claims that do not fit",
        app.send("/claims", &[("authorization", &bearer(&user))])
            .await,
    );
    add(
        "a scope of two tokens lacking",
        app.send("/write", &[("authorization", &bearer(&subject))])
            .await,
    );
    add(
        "the same, every setting on",
        loud.send("/write", &[("authorization", &bearer(&subject))])
            .await,
    );
    add(
        "of several alternatives the first",
        app.send("/audit", &[("authorization", &bearer(&subject))])
            .await,
    );
    add(
        "the wrong kind of caller",
        app.send("/users", &[("authorization", &bearer(&client))])
            .await,
    );
    add(
        "another workspace",
        app.send(
            "/workspaces/elsewhere",
            &[("authorization", &bearer(&user))],
        )
        .await,
    );
    add(
        "no tenant",
        app.send(
            "/workspaces/elsewhere",
            &[("authorization", &bearer(&subject))],
        )
        .await,
    );
    add(
        "never connected",
        down.send("/", &[("authorization", &bearer(&subject))])
            .await,
    );
    add(
        "no layer",
        bare.send("/", &[("authorization", &bearer(&user))]).await,
    );
    add(
        "no context named",
        no_context
            .send("/workspaces/ws-1", &[("authorization", &bearer(&user))])
            .await,
    );
    add(
        "an unknown context named",
        odd_context
            .send("/users", &[("authorization", &bearer(&subject))])
            .await,
    );
    add(
        "no parameter in the route",
        app.send("/no-parameter", &[("authorization", &bearer(&user))])
            .await,
    );
    answers
}

#[tokio::test]
async fn every_refusal_is_the_golden_one() {
    let mut found = String::new();
    for (name, answer) in app().await {
        assert_eq!(answer.body, "", "{name}: refusals have no body");
        let kind = answer.verdict();
        let _ = writeln!(found, "# {name}: {kind}\n{}\n", answer.wire());
    }
    assert_golden("middleware/refusals.golden.txt", &found);
}

#[tokio::test]
async fn no_refusal_shows_what_the_request_said() {
    let issuer = MockIssuer::new();
    let app = TestApp::behind(server(&issuer).authenticate().error_descriptions())
        .route("/", get(|_: AccessToken| async { "ok" }));
    let evil = "evil\"\\<script>";
    for token in [
        issuer.token().header("kid", evil).sign(),
        issuer.token().header("alg", evil).sign(),
        issuer.token().header("typ", evil).sign(),
        issuer.token().claim("iss", evil).sign(),
        issuer.token().claim("aud", evil).sign(),
    ] {
        let answer = app
            .send("/", &[("authorization", &format!("Bearer {token}"))])
            .await;
        assert_eq!(answer.status, 401);
        assert!(!answer.wire().contains("evil"), "{}", answer.wire());
    }
}

#[tokio::test]
async fn every_method_needs_a_token_and_no_body_is_read() {
    let issuer = MockIssuer::new();
    let app = TestApp::behind(server(&issuer).authenticate())
        .route("/", axum::routing::any(|_: AccessToken| async { "ok" }));
    for method in ["GET", "HEAD", "OPTIONS", "TRACE", "PROPFIND", "get", "POST"] {
        let body = axum::body::Body::from_stream(Unread);
        let request = http::Request::builder()
            .method(method)
            .uri("/")
            .body(body)
            .expect("a request");
        assert_eq!(app.exchange(request).await.status, 401, "{method}");
        let request = http::Request::builder()
            .method(method)
            .uri("/")
            .header("authorization", format!("Bearer {}", issuer.token().sign()))
            .body(axum::body::Body::empty())
            .expect("a request");
        assert_eq!(app.exchange(request).await.status, 200, "{method}");
    }
}

/// A body that must not be read.
struct Unread;

impl futures_core::Stream for Unread {
    type Item = Result<bytes::Bytes, std::io::Error>;

    fn poll_next(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        panic!("the body of a refused request was read");
    }
}
