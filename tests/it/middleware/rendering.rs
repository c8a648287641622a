//! The bodies of refusals: the renderer's where there is one, and never more than a body.

use std::convert::Infallible;

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use portcullis::error::{Objection, Outage, Refusal, Rejection};
use portcullis::extract::Refuser;
use portcullis::layer::{ProblemJson, RefusalBody, RefusedRequest, Renderer, RequireScopeLayer};
use portcullis::test_util::MockIssuer;
use portcullis::{
    AccessToken, InRole, Issuer, RejectionKind, Scope, Scoped, TenantClaims, WorkspaceAccess,
    WorkspaceUser,
};
use tower::{Layer as _, ServiceExt as _};

use crate::support::logs::Logs;
use crate::support::{Requests as _, TestApp, TestResponse, server, trusting};

portcullis::scopes! { Write = "app/write"; }
portcullis::roles! { Admin = "admin"; }

fn routes() -> Router {
    Router::new()
        .route("/", get(|_: AccessToken| async { "ok" }))
        .route("/write", get(|_: Scoped<Write>| async { "ok" }))
        .route("/admin", get(|_: InRole<Admin>| async { "ok" }))
        .route("/user", get(|_: Option<WorkspaceUser>| async { "ok" }))
        .route(
            "/workspaces/{workspace_id}",
            get(|_: WorkspaceAccess| async { "ok" }),
        )
        .route(
            "/rendered",
            get(|| async { "ok" }).layer(RequireScopeLayer::of::<Write>().rendered()),
        )
        .route(
            "/empty",
            get(|| async { "ok" }).layer(RequireScopeLayer::of::<Write>()),
        )
}

/// Headers that a renderer must leave as they are without it.
fn without_type(answer: &TestResponse) -> String {
    let lines = answer.wire();
    let lines = lines.lines();
    lines
        .filter(|line| !line.starts_with("content-"))
        .collect::<Vec<_>>()
        .join("\n")
}

#[tokio::test]
async fn layer_and_guards_answer_with_the_same_renderer_and_change_only_the_body() {
    let issuer = MockIssuer::new();
    let server = trusting([issuer.trusted().tenant_claims(TenantClaims::aworld())]);
    let layer = || server.authenticate().context("app").error_descriptions();
    let plain = routes().route_layer(layer());
    let rendering = routes().route_layer(layer().renderer(ProblemJson));
    let good = issuer.aworld_user().scope("app/write").sign();
    let weak = issuer.aworld_user().scope("other").sign();
    let subject = issuer.token().sign();
    let late = issuer.aworld_user().expired().sign();
    for (path, token, expected) in [
        ("/", "", "401 missing_token"),
        ("/", "a,b", "400 invalid_request not_a_token"),
        ("/", &late, "401 invalid_token expired"),
        ("/write", &weak, "403 insufficient_scope"),
        ("/admin", &weak, "403 wrong_caller"),
        ("/user", &subject, "403 no_tenant"),
        ("/workspaces/elsewhere", &weak, "403 wrong_tenant"),
        ("/rendered", &weak, "403 insufficient_scope"),
    ] {
        let fields = [("authorization", &*format!("Bearer {token}"))];
        let fields = if token.is_empty() { &[] } else { &fields[..] };
        let bare = plain.send(path, fields).await;
        let answer = rendering.send(path, fields).await;
        assert_eq!(answer.verdict(), expected, "{path}");
        assert_eq!(without_type(&answer), without_type(&bare), "{path}");
        assert_eq!(
            (bare.body.as_str(), bare.header("content-type")),
            ("", None)
        );
        assert_eq!(
            answer.header("content-type"),
            Some("application/problem+json")
        );
        let kind = answer.kind.expect("a refusal");
        let problem: serde_json::Value = serde_json::from_str(&answer.body).expect("JSON");
        assert_eq!(
            problem,
            serde_json::json!({
                "type": "about:blank",
                "title": answer.status.canonical_reason(),
                "status": answer.status.as_u16(),
                "kind": kind.as_str(),
            }),
            "{path}"
        );
    }
    // A layer that does not say `rendered` stays silent, and good tokens see no renderer.
    let silent = rendering.get("/empty", &weak).await;
    assert_eq!(silent.verdict(), "403 insufficient_scope");
    assert_eq!(
        (silent.body.as_str(), silent.header("content-type")),
        ("", None)
    );
    for path in ["/", "/write", "/user", "/rendered", "/empty"] {
        let answer = rendering.get(path, &good).await;
        assert_eq!((answer.status.as_u16(), answer.body.as_str()), (200, "ok"));
    }
}

#[tokio::test]
async fn without_a_layer_or_a_renderer_bodies_are_empty() {
    let issuer = MockIssuer::new();
    let bare = routes();
    let plain = routes().route_layer(server(&issuer).authenticate());
    for path in ["/", "/write", "/rendered", "/empty"] {
        for (app, status) in [(&bare, 500), (&plain, 401)] {
            let answer = app.send(path, &[]).await;
            assert_eq!((answer.status.as_u16(), answer.body.as_str()), (status, ""));
            assert_eq!(answer.header("content-type"), None);
        }
    }
}

#[tokio::test]
async fn an_outage_is_rendered_and_keeps_its_retry_after() {
    let down =
        trusting([Issuer::oidc("https://id.test").key_set_url("http://127.0.0.1:9/jwks.json")]);
    let app = routes().route_layer(down.authenticate().renderer(ProblemJson));
    let token = MockIssuer::named("https://id.test").token().sign();
    let answer = app.get("/", &token).await;
    assert_eq!(answer.status, 503);
    assert!(answer.header("retry-after").is_some());
    assert!(answer.body.contains("\"unavailable\""), "{}", answer.body);
    assert!(!answer.body.contains("keys"), "{}", answer.body);
}

/// A body type that has no default.
struct Chunk(Bytes);

impl From<Bytes> for Chunk {
    fn from(bytes: Bytes) -> Self {
        Self(bytes)
    }
}

#[tokio::test]
async fn any_body_that_is_made_of_bytes_can_be_rendered_and_needs_no_default() {
    let issuer = MockIssuer::new();
    let layer =
        server(&issuer)
            .authenticate()
            .renderer(|rejection: &Rejection, status: StatusCode| {
                let text = format!("{} {}", status.as_u16(), rejection.kind().as_str());
                RefusalBody::new(HeaderValue::from_static("text/plain"), text)
            });
    let service = layer.layer(RequireScopeLayer::of::<Write>().rendered().layer(
        tower::service_fn(|_: Request<()>| async {
            Ok::<_, Infallible>(Response::new(Chunk(Bytes::from_static(b"ok"))))
        }),
    ));
    let call = async |token: &str| {
        let request = Request::get("/").header("authorization", format!("Bearer {token}"));
        let request = request.body(()).expect("a request");
        let answer = service.clone().oneshot(request).await.expect("never fails");
        (answer.status().as_u16(), answer.into_body().0)
    };
    let good = issuer.token().scope("app/write").sign();
    assert_eq!(call(&good).await, (200, Bytes::from("ok")));
    let weak = issuer.token().sign();
    assert_eq!(
        call(&weak).await,
        (403, Bytes::from("403 insufficient_scope"))
    );
    assert_eq!(
        call("garbage").await,
        (401, Bytes::from("401 invalid_token"))
    );
}

#[tokio::test]
async fn a_service_without_axum_chooses_between_the_empty_and_the_rendered_response() {
    let issuer = MockIssuer::new();
    let layer = server(&issuer)
        .authenticate()
        .optional()
        .renderer(ProblemJson);
    let service = layer.layer(tower::service_fn(|request: Request<()>| async move {
        let refusal = AccessToken::of(request.extensions()).expect_err("nothing was sent");
        let empty: Response<String> = refusal.to_response();
        assert_eq!((empty.status().as_u16(), empty.body().as_str()), (401, ""));
        assert!(!empty.headers().contains_key("content-type"));
        Ok::<Response<Full<Bytes>>, Infallible>(refusal.to_rendered_response())
    }));
    let answer = service.oneshot(Request::new(())).await.expect("an answer");
    assert_eq!(answer.headers()["content-type"], "application/problem+json");
    assert_eq!(answer.headers()["cache-control"], "no-store");
    let body = answer.into_body().collect().await.expect("a body");
    assert!(!body.to_bytes().is_empty());
}

#[tokio::test]
async fn a_future_that_has_answered_has_nothing_more_to_say() {
    use std::future::Future as _;
    use std::task::{Context, Poll, Waker};
    use tower::Service as _;

    let issuer = MockIssuer::new();
    let mut service =
        server(&issuer)
            .authenticate()
            .layer(tower::service_fn(|_: Request<Body>| async {
                Ok::<_, Infallible>(Response::new(Body::empty()))
            }));
    let mut future = std::pin::pin!(service.call(Request::new(Body::empty())));
    let mut context = Context::from_waker(Waker::noop());
    assert!(future.as_mut().poll(&mut context).is_ready());
    assert!(matches!(future.poll(&mut context), Poll::Pending));
}

/// Shows what a renderer sees of the request.
struct Echo;

impl Renderer for Echo {
    fn render(&self, rejection: &Rejection, _: StatusCode) -> RefusalBody {
        text(format!("{} of no request", rejection.kind().as_str()))
    }

    fn render_for(
        &self,
        request: &RefusedRequest<'_>,
        rejection: &Rejection,
        _: StatusCode,
    ) -> RefusalBody {
        let field = request.headers().get("x-id");
        let field = field.map(|value| String::from_utf8_lossy(value.as_bytes()));
        text(format!(
            "{} {} {} {}",
            rejection.kind().as_str(),
            request.method(),
            request.uri(),
            field.unwrap_or_default()
        ))
    }
}

fn text(text: String) -> RefusalBody {
    RefusalBody::new(HeaderValue::from_static("text/plain"), text)
}

#[tokio::test]
async fn renderer_sees_the_request_wherever_it_is_refused() {
    let issuer = MockIssuer::new();
    let server = server(&issuer);
    let app = routes()
        .route(
            "/own",
            get(|refuser: Refuser| async move { refuser.forbidden("reason") }),
        )
        .route_layer(server.authenticate().renderer(Echo));
    let good = format!("Bearer {}", issuer.token().sign());
    for (path, token, kind) in [
        ("/?q=1", "Bearer bad", "invalid_token"),
        ("/write?q=1", &good, "insufficient_scope"),
        ("/admin?q=1", &good, "wrong_caller"),
        ("/workspaces/a?q=1", &good, "no_tenant"),
        ("/rendered?q=1", &good, "insufficient_scope"),
        ("/own?q=1", &good, "forbidden"),
    ] {
        let fields = [("authorization", token), ("x-id", "7")];
        let answer = app.send(path, &fields).await;
        assert_eq!(answer.body, format!("{kind} GET {path} 7"), "{path}");
    }
    let fields = [("authorization", good.as_str()), ("x-id", "7")];
    assert_eq!(app.send("/", &fields).await.body, "ok");
    // A service that has only the extensions shows no request.
    let layer = server.authenticate().optional().renderer(Echo);
    let service = layer.layer(tower::service_fn(|request: Request<()>| async move {
        let refusal = AccessToken::of(request.extensions()).expect_err("nothing was sent");
        Ok::<_, Infallible>(refusal.to_rendered_response::<Full<Bytes>>())
    }));
    let answer = service.oneshot(Request::new(())).await.expect("infallible");
    let body = answer.into_body().collect().await.expect("a body");
    assert_eq!(body.to_bytes(), "missing_token of no request");
}

#[tokio::test]
async fn application_refuses_with_the_layers_challenge_renderer_event_and_kind() {
    let logs = Logs::default();
    let _listening = logs.listen();
    let issuer = MockIssuer::new();
    let server = server(&issuer);
    let refused = |rejection: fn(&Refuser) -> Refusal| {
        get(move |refuser: Refuser| async move { Err::<(), _>(rejection(&refuser)) })
    };
    let app = TestApp::behind(
        server
            .authenticate()
            .realm("r")
            .optional()
            .renderer(ProblemJson),
    )
    .route("/forbidden", refused(|it| it.forbidden("not_the_author")))
    .route(
        "/scope",
        refused(|it| it.insufficient_scope(&"app/write".parse().expect("a scope"))),
    )
    .route(
        "/no-scope",
        refused(|it| it.insufficient_scope(&Scope::default())),
    )
    .route("/token", refused(|it| it.refuse(Objection::Token)))
    .route(
        "/login",
        refused(|it| it.refuse(RejectionKind::MissingToken)),
    )
    .route("/outage", refused(|it| it.refuse(Outage::DirectoryFailed)))
    .route("/good", get(|_: Refuser| async { "ok" }));
    let token = issuer.token().sign();
    let realm = "Bearer realm=\"r\"";
    let challenge = |parameters: &str| Some(format!("{realm}{parameters}"));
    for (path, verdict, expected) in [
        ("/forbidden", "403 forbidden", None),
        (
            "/scope",
            "403 insufficient_scope",
            challenge(", error=\"insufficient_scope\", scope=\"app/write\""),
        ),
        (
            "/no-scope",
            "403 insufficient_scope",
            challenge(", error=\"insufficient_scope\""),
        ),
        (
            "/token",
            "401 invalid_token objection",
            challenge(", error=\"invalid_token\""),
        ),
        ("/login", "401 missing_token", challenge("")),
        ("/outage", "503 unavailable directory_failed", None),
    ] {
        let answer = app.get(path, &token).await;
        let kind = verdict.split(' ').nth(1).expect("a kind");
        assert_eq!(answer.verdict(), verdict, "{path}");
        assert_eq!(
            answer.header("www-authenticate"),
            expected.as_deref(),
            "{path}"
        );
        assert_eq!(
            answer.header("content-type"),
            Some("application/problem+json"),
            "{path}"
        );
        assert!(
            answer.body.contains(&format!("\"kind\":\"{kind}\"")),
            "{path}"
        );
        assert!(!answer.body.contains("not_the_author"), "{path}");
    }
    assert_eq!(app.get("/good", &token).await.body, "ok");
    assert_eq!(app.send("/good", &[]).await.body, "ok");
    let text = logs.text();
    let events = text.lines().filter(|line| line.contains("request refused"));
    assert_eq!(events.count(), 6, "{text}");
    assert!(text.contains("not_the_author"), "{text}");
    // Where no layer is, the application cannot refuse by one.
    let bare = Router::new().route("/", get(|_: Refuser| async {}));
    assert_eq!(
        bare.get("/", &token).await.verdict(),
        "500 not_authenticated"
    );
}
