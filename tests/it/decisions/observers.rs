//! What observers are told: one decision for each request, from the layer and every guard together.

use std::future::pending;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::response::IntoResponse as _;
use axum::routing::get;
use http::{Request, StatusCode};
use portcullis::error::{Objection, Refusal};
use portcullis::extract::Refuser;
use portcullis::layer::RequireScopeLayer;
use portcullis::observe::{Observer, RequestDecision};
use portcullis::test_util::MockIssuer;
use portcullis::{
    AccessToken, Identity, InRole, Issuer, ResourceServer, Scoped, TenantClaims, WorkspaceAccess,
};
use tower::{Service, ServiceExt as _};

use super::Decisions;
use crate::support::{API, Requests as _, TestApp, builder};

portcullis::scopes! { Write = "missions/write"; Read = "missions/read"; }
portcullis::roles! { Admin = "admin"; }

const ADMITTED: &str = "admitted layer";

fn watched(issuer: &MockIssuer) -> (ResourceServer, Decisions) {
    let decisions = Decisions::default();
    let server = builder(issuer).observer(decisions.clone()).build();
    (server.expect("sound settings"), decisions)
}

#[tokio::test]
async fn decision_of_the_layer_is_told_once_for_each_request() {
    let issuer = MockIssuer::new();
    let (server, decisions) = watched(&issuer);
    let app = TestApp::new(&server);
    let token = issuer.token();
    for (sent, verdict, told) in [
        (token.sign(), "200", ADMITTED),
        // Seen before.
        (token.sign(), "200", ADMITTED),
        (
            token.clone().expired().sign(),
            "401 invalid_token expired",
            "refused layer expired",
        ),
        (
            token.tampered_signature(),
            "401 invalid_token signature",
            "refused layer signature",
        ),
        (
            token.clone().audience("https://other.example").sign(),
            "401 invalid_token audience",
            "refused layer audience",
        ),
        (
            "a.b".to_owned(),
            "401 invalid_token malformed",
            "refused layer malformed",
        ),
    ] {
        assert_eq!(app.verdict(&sent).await, verdict);
        assert_eq!(decisions.take(), [told], "{verdict}");
    }
    let nothing = app.send("/", &[]).await;
    assert_eq!(nothing.verdict(), "401 missing_token");
    assert_eq!(decisions.take(), ["refused layer missing_token"]);
}

#[tokio::test]
async fn decision_of_a_guard_replaces_the_layers_and_is_told_once() {
    let issuer = MockIssuer::new();
    let decisions = Decisions::default();
    let rules = TenantClaims::by_workspace("workspace").without_accounts();
    let server = ResourceServer::builder(API)
        .issuer(issuer.trusted().tenant_claims(rules))
        .observer(decisions.clone())
        .build()
        .expect("sound settings");
    let app = TestApp::behind(server.authenticate())
        .route("/scoped", get(async |_: Scoped<Write>| {}))
        .route(
            "/layered",
            get(async || {}).route_layer(RequireScopeLayer::of::<Write>()),
        )
        .route("/role", get(async |_: InRole<Admin>| {}))
        .route(
            "/workspaces/{workspace_id}",
            get(async |_: WorkspaceAccess| {}),
        );
    let reader = issuer.token().scope("missions/read");
    let writer = issuer.token().scope("missions/write");
    for path in ["/scoped", "/layered"] {
        let refused = app.get(path, &reader.sign()).await;
        assert_eq!(refused.verdict(), "403 insufficient_scope");
        assert_eq!(decisions.take(), ["refused guard insufficient_scope"]);
        assert_eq!(app.get(path, &writer.sign()).await.verdict(), "200");
        assert_eq!(decisions.take(), [ADMITTED]);
    }
    let refused = app.get("/role", &reader.sign()).await;
    assert_eq!(refused.verdict(), "403 wrong_caller");
    assert_eq!(decisions.take(), ["refused guard role"]);
    let refused = app.get("/workspaces/acme-prod", &reader.sign()).await;
    assert_eq!(refused.verdict(), "403 no_tenant");
    assert_eq!(decisions.take(), ["refused guard no_tenant"]);
}

#[tokio::test]
async fn decision_of_the_application_is_told_with_its_reason() {
    async fn handler(token: AccessToken, refuser: Refuser) -> Result<(), Refusal> {
        match token.id() {
            Some("theirs") => Err(refuser.forbidden("not_the_author")),
            _ => Ok(()),
        }
    }
    let issuer = MockIssuer::new();
    let decisions = Decisions::default();
    let server = builder(&issuer)
        .observer(decisions.clone())
        .check(|token| match token.id() {
            Some("barred") => Err(Objection::Caller),
            _ => Ok(()),
        })
        .build()
        .expect("sound settings");
    let app = TestApp::behind(server.authenticate()).route("/", get(handler));
    for (id, verdict, told) in [
        ("own", "200", ADMITTED),
        (
            "theirs",
            "403 forbidden",
            "refused application not_the_author",
        ),
        ("barred", "403 wrong_caller", "refused layer objection"),
    ] {
        let token = issuer.token().claim("jti", id).sign();
        assert_eq!(app.verdict(&token).await, verdict);
        assert_eq!(decisions.take(), [told]);
    }
}

#[tokio::test]
async fn decision_is_what_the_handler_answers_with() {
    let issuer = MockIssuer::new();
    let (server, decisions) = watched(&issuer);
    let app = TestApp::behind(server.authenticate().optional())
        // The handler can do without the scope.
        .route(
            "/lenient",
            get(
                async |writer: Result<Scoped<Write>, axum::response::Response>| {
                    if writer.is_ok() { "all" } else { "some" }
                },
            ),
        )
        // An answer of its own, without the kind in its extensions.
        .route(
            "/own",
            get(async |caller: Result<Identity, Refusal>| match caller {
                Ok(_) => StatusCode::OK,
                Err(_) => StatusCode::FORBIDDEN,
            }),
        )
        .route("/fails", get(async || StatusCode::INTERNAL_SERVER_ERROR));
    let token = issuer.token().scope("missions/read").sign();
    let lenient = app.get("/lenient", &token).await;
    assert_eq!(lenient.body, "some");
    assert_eq!(decisions.take(), [ADMITTED]);
    assert_eq!(app.get("/own", &token).await.status, StatusCode::OK);
    assert_eq!(decisions.take(), [ADMITTED]);
    assert_eq!(app.send("/own", &[]).await.status, StatusCode::FORBIDDEN);
    assert_eq!(decisions.take(), ["refused guard missing_token"]);
    // Nothing refused: a fault of the handler is no decision about the caller.
    assert_eq!(app.get("/fails", &token).await.status, 500);
    assert_eq!(decisions.take(), [ADMITTED]);
    assert_eq!(app.send("/fails", &[]).await.status, 500);
    assert_eq!(decisions.take(), ["anonymous layer"]);
}

#[tokio::test]
async fn decision_of_the_innermost_layer_counts_alone() {
    let issuer = MockIssuer::new();
    let (server, decisions) = watched(&issuer);
    let inner = Router::new()
        .route("/", get(async |_: Scoped<Write>| {}))
        .route_layer(server.authenticate());
    let app = inner.layer(server.authenticate().optional());
    let token = issuer.token();
    let writer = token.clone().scope("missions/write").sign();
    assert_eq!(app.verdict(&writer).await, "200");
    assert_eq!(decisions.take(), [ADMITTED]);
    let refused = app.verdict(&token.sign()).await;
    assert_eq!(refused, "403 insufficient_scope");
    assert_eq!(decisions.take(), ["refused guard insufficient_scope"]);
    assert_eq!(app.send("/", &[]).await.verdict(), "401 missing_token");
    assert_eq!(decisions.take(), ["refused layer missing_token"]);
    // The outer layer decides alone where it refuses.
    let expired = token.expired().sign();
    assert_eq!(app.verdict(&expired).await, "401 invalid_token expired");
    assert_eq!(decisions.take(), ["refused layer expired"]);
}

#[tokio::test]
async fn decision_of_layers_around_that_of_another_server_is_told_once() {
    let issuer = MockIssuer::new();
    let (server, decisions) = watched(&issuer);
    let (other, others) = watched(&issuer);
    let unheard = builder(&issuer).build().expect("sound settings");
    for (between, told_between) in [(&other, 1), (&unheard, 0)] {
        let app = Router::new()
            .route("/", get(async |_: Scoped<Write>| {}))
            .route_layer(server.authenticate())
            .layer(between.authenticate().optional())
            .layer(server.authenticate().optional());
        let writer = issuer.token().scope("missions/write").sign();
        assert_eq!(app.verdict(&writer).await, "200");
        assert_eq!(decisions.take(), [ADMITTED]);
        let refused = app.verdict(&issuer.token().sign()).await;
        assert_eq!(refused, "403 insufficient_scope");
        assert_eq!(decisions.take(), ["refused guard insufficient_scope"]);
        assert_eq!(app.send("/", &[]).await.verdict(), "401 missing_token");
        assert_eq!(decisions.take(), ["refused layer missing_token"]);
        assert_eq!(others.take().len(), 3 * told_between);
    }
}

/// A service between two layers that sends each request again, so often in all.
#[derive(Clone)]
struct Repeating<S>(S, usize);

impl<S> Service<Request<Body>> for Repeating<S>
where
    S: Service<Request<Body>> + Clone + Send + 'static,
    S::Future: Send,
    S::Response: Send,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = std::pin::Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn poll_ready(
        &mut self,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Result<(), S::Error>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let Self(inner, times) = self.clone();
        Box::pin(async move {
            let (parts, _) = request.into_parts();
            let again = || Request::from_parts(parts.clone(), Body::empty());
            for _ in 1..times {
                let _ = inner.clone().oneshot(again()).await;
            }
            inner.oneshot(again()).await
        })
    }
}

#[tokio::test]
async fn decision_of_a_request_that_is_repeated_between_two_layers_is_told_once() {
    let issuer = MockIssuer::new();
    let (server, decisions) = watched(&issuer);
    let calls = Arc::new(Mutex::new(0));
    let handler = get({
        let calls = Arc::clone(&calls);
        async move |token: AccessToken| {
            *calls.lock().expect("no panic") += 1;
            // The first answer is a refusal, the last one is not.
            let is_first = *calls.lock().expect("no panic") == 1;
            let is_missing = is_first && token.id() == Some("fails-first");
            (!is_missing)
                .then_some(())
                .ok_or(StatusCode::SERVICE_UNAVAILABLE)
        }
    });
    let writers = get(async |_: Scoped<Write>| {});
    let inner = Router::new()
        .route("/", handler)
        .route("/guarded", writers)
        .route_layer(server.authenticate());
    for times in [1, 2, 3] {
        let between = tower::layer::layer_fn(move |inner| Repeating(inner, times));
        let app = inner.clone().layer(between);
        let app = app.layer(server.authenticate().optional());
        let token = issuer.token();
        for id in ["fails-first", "good"] {
            *calls.lock().expect("no panic") = 0;
            let token = token.clone().claim("jti", id).sign();
            app.verdict(&token).await;
            assert_eq!(decisions.take(), [ADMITTED], "{times} {id}");
        }
        let refused = app.get("/guarded", &token.sign()).await.verdict();
        assert_eq!(refused, "403 insufficient_scope");
        let told = decisions.take();
        assert_eq!(told, ["refused guard insufficient_scope"], "{times}");
        assert_eq!(app.send("/", &[]).await.verdict(), "401 missing_token");
        assert_eq!(decisions.take(), ["refused layer missing_token"], "{times}");
    }
}

#[tokio::test]
async fn decision_of_a_request_that_is_dropped_is_told_once() {
    let issuer = MockIssuer::new();
    let (server, decisions) = watched(&issuer);
    let app =
        TestApp::behind(server.authenticate()).route("/", get(async || pending::<()>().await));
    let request = Request::get("/")
        .header("authorization", issuer.token().bearer())
        .body(Body::empty())
        .expect("a request");
    let mut response = Box::pin((*app).clone().oneshot(request));
    let polled = futures_poll(&mut response);
    assert!(polled, "it waits in the handler");
    assert_eq!(decisions.take(), [""; 0]);
    drop(response);
    assert_eq!(decisions.take(), [ADMITTED]);
}

/// Polls once. Whether it is pending.
fn futures_poll<F: Future + Unpin>(future: &mut F) -> bool {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    std::pin::Pin::new(future).poll(&mut context).is_pending()
}

/// Whether each decision had a time of its check.
#[derive(Clone, Default)]
struct Times(Arc<Mutex<Vec<bool>>>);

impl Observer for Times {
    fn decided(&self, decision: &RequestDecision<'_>) {
        assert!(decision.check_time() < Some(Duration::from_secs(60)));
        let mut times = self.0.lock().expect("no panic");
        times.push(decision.check_time().is_some());
    }
}

#[tokio::test]
async fn decision_has_the_time_of_a_check_where_the_token_was_not_in_the_cache() {
    let issuer = MockIssuer::new();
    let issuer_site = issuer.serve().await;
    let times = Times::default();
    let server = ResourceServer::builder(API)
        .issuer(Issuer::oidc(issuer_site.url()).key_set_url(issuer_site.key_set_url()))
        .observer(times.clone())
        .build()
        .expect("sound settings");
    let server = server.connect().await.expect("a runtime");
    let app = TestApp::new(&server);
    let token = issuer.token().audience(API);
    let seen = token.sign();
    assert_eq!(app.verdict(&seen).await, "200");
    assert_eq!(app.verdict(&seen).await, "200");
    let expired = token.clone().expired().sign();
    assert_eq!(app.verdict(&expired).await, "401 invalid_token expired");
    assert_eq!(app.send("/", &[]).await.verdict(), "401 missing_token");
    // It waits for the new key.
    issuer.rotate();
    assert_eq!(
        app.verdict(&issuer.token().audience(API).sign()).await,
        "200"
    );
    let times = times.0.lock().expect("no panic").clone();
    assert_eq!(times, [true, false, true, false, true]);
}

struct Panics;

impl Observer for Panics {
    fn decided(&self, _: &RequestDecision<'_>) {
        panic!("an observer panics");
    }
}

#[tokio::test]
async fn decision_is_told_to_all_observers_though_one_panics() {
    let issuer = MockIssuer::new();
    let decisions = Decisions::default();
    let server = builder(&issuer)
        .observer(Panics)
        .observer(decisions.clone())
        .build()
        .expect("sound settings");
    let app = TestApp::new(&server);
    assert_eq!(app.verdict(&issuer.token().sign()).await, "200");
    assert_eq!(decisions.take(), [ADMITTED]);
    let expired = issuer.token().expired().sign();
    assert_eq!(app.verdict(&expired).await, "401 invalid_token expired");
    assert_eq!(decisions.take(), ["refused layer expired"]);
}

#[tokio::test]
async fn decision_of_a_grpc_refusal_is_told_though_the_status_is_200() {
    let issuer = MockIssuer::new();
    let (server, decisions) = watched(&issuer);
    let app = TestApp::behind(server.authenticate().grpc())
        .route("/", get(async |_: Scoped<Read>| ().into_response()));
    let call = async |token: &str| {
        let bearer = format!("Bearer {token}");
        let fields = [
            ("authorization", &*bearer),
            ("content-type", "application/grpc"),
        ];
        app.send("/", &fields).await.status
    };
    assert_eq!(call(&issuer.token().sign()).await, StatusCode::OK);
    assert_eq!(decisions.take(), ["refused guard insufficient_scope"]);
    let reader = issuer.token().scope("missions/read").sign();
    assert_eq!(call(&reader).await, StatusCode::OK);
    assert_eq!(decisions.take(), [ADMITTED]);
}

#[tokio::test]
async fn decision_of_the_mcp_layer_is_a_guards() {
    portcullis::scopes! { Edit = "missions:write"; }
    let issuer = MockIssuer::new();
    let (server, decisions) = watched(&issuer);
    let scopes = portcullis::mcp::McpScopes::new().tool::<Edit>("edit");
    let app = Router::new()
        .route("/", axum::routing::post(async || "done"))
        .layer(portcullis::mcp::McpLayer::new(scopes))
        .layer(server.authenticate());
    let call = async |token: String| {
        let message = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"edit"}}"#;
        let request = Request::post("/")
            .header("authorization", format!("Bearer {token}"))
            .header("content-type", "application/json")
            .body(Body::from(message))
            .expect("a request");
        app.exchange(request).await.status
    };
    assert_eq!(call(issuer.token().sign()).await, StatusCode::FORBIDDEN);
    assert_eq!(decisions.take(), ["refused guard insufficient_scope"]);
    let writer = issuer.token().scope("missions:write").sign();
    assert_eq!(call(writer).await, StatusCode::OK);
    assert_eq!(decisions.take(), [ADMITTED]);
}

/// Calls back into its server at each decision.
#[derive(Clone, Default)]
struct CallsBack(Arc<OnceLock<(ResourceServer, MockIssuer)>>, Decisions);

impl Observer for CallsBack {
    fn decided(&self, decision: &RequestDecision<'_>) {
        self.1.decided(decision);
        let Some((server, issuer)) = self.0.get() else {
            return;
        };
        let _ = server.observe_only_status();
        let changed = issuer
            .trusted()
            .leeway(Duration::from_secs(server.revision()));
        let replacement = ResourceServer::builder(API).issuer(changed);
        server.replace(replacement).expect("a sound replacement");
        let request = Request::get("/").body(()).expect("a request");
        let _ = server.explain(&request.into_parts().0);
    }
}

#[tokio::test]
async fn decision_is_told_to_an_observer_that_replaces_the_configuration() {
    let issuer = MockIssuer::new();
    let observer = CallsBack::default();
    let server = builder(&issuer).observer(observer.clone()).build();
    let server = server.expect("sound settings");
    let _ = observer.0.set((server.clone(), issuer.clone()));
    let app = TestApp::new(&server);
    let token = issuer.token().sign();
    for _ in 0..3 {
        assert_eq!(app.verdict(&token).await, "200");
        let bad = issuer.token().tampered_signature();
        assert_eq!(app.verdict(&bad).await, "401 invalid_token signature");
    }
    assert_eq!(observer.1.take().len(), 6);
    assert_eq!(server.revision(), 7);
}

#[tokio::test]
async fn decision_of_a_handler_that_panics_is_told_once() {
    let issuer = MockIssuer::new();
    let (server, decisions) = watched(&issuer);
    let app = TestApp::behind(server.authenticate())
        .route(
            "/",
            get(async |_: AccessToken| panic!("the handler panics") as ()),
        )
        .route("/good", get(async |_: AccessToken| {}));
    let token = issuer.token().sign();
    assert_eq!(app.get("/good", &token).await.verdict(), "200");
    let panicked = tokio::spawn(async move { app.verdict(&token).await }).await;
    assert!(panicked.is_err_and(|error| error.is_panic()));
    assert_eq!(decisions.take(), ["admitted layer", "admitted layer"]);
}
