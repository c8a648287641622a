//! A page to look at: sign in, send requests as each kind of caller, and see how each is decided.
//!
//! 1. One file, `page.html`, with its style and its script. Nothing comes from elsewhere: the policy of the
//!    page (CSP) names both by their digests, and allows connections to this server and to the authorization
//!    server alone.
//! 2. What operators see and do is below `/admin`: the checks that a token passed, records of decisions,
//!    tokens of every caller, revocation, the keys. A product has that on another listener, behind a sign-in
//!    of its own. Here it is open to this machine, and to this page alone: other names of the host and
//!    requests of other sites are refused.

mod call;
mod callers;
mod issuer;
mod records;
mod routes;

use std::fmt::Display;
use std::net::SocketAddr;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, StatusCode};
use portcullis::ResourceServer;
use portcullis::test_util::{
    AuthorizationServer, Endpoint, MockIssuer, ServedAuthorizationServer, ServedIssuer, TestClient,
    TestUser,
};
use serde_json::{Value, json};

use crate::Fault;
use crate::client;

use callers::KeyHolder;
pub(crate) use records::Records;

const PAGE: &str = include_str!("page.html");

/// The names of the applications that one signs in to.
const APP: &str = "the app";
const PORTAL: &str = "the portal";

/// Where the page signs in: the prepared users, one of the dashboard, and two applications.
pub(crate) fn authorization_server(pool: MockIssuer) -> AuthorizationServer {
    let manager = TestUser::new("user-3")
        .name("Joan, of the dashboard of acme-prod")
        .kind("user of the dashboard")
        .claim("accountId", "acme")
        .claim("workspaceId", "acme-prod")
        .claim("userId", "user-3")
        .claim("principalId", "principal-3")
        .claim("context", "dashboard")
        .claim("platform", "web")
        .claim("role", "viewer");
    let application = |id, name| {
        let client = TestClient::public(id).name(name);
        client
            .redirect_uri("http://127.0.0.1/")
            .redirect_uri("http://localhost/")
    };
    AuthorizationServer::new(pool)
        .user(manager)
        .client(application(MockIssuer::CLIENT_ID, APP))
        .client(application(MockIssuer::PORTAL_CLIENT_ID, PORTAL))
}

/// What the page shows.
pub(crate) struct Demo {
    pub(crate) server: ResourceServer,
    /// The server that demands nonces.
    pub(crate) ledger: ResourceServer,
    pub(crate) pool: Arc<ServedAuthorizationServer>,
    pub(crate) gateway: Arc<ServedIssuer>,
    pub(crate) address: SocketAddr,
    pub(crate) records: Records,
}

/// The same, and what the page itself remembers.
struct Stage {
    demo: Demo,
    policy: String,
    key_holder: KeyHolder,
    is_stopped: AtomicBool,
    /// Held while a request is sent.
    turn: tokio::sync::Mutex<()>,
}

impl Deref for Stage {
    type Target = Demo;

    fn deref(&self) -> &Demo {
        &self.demo
    }
}

type Shared = Arc<Stage>;

/// What `/admin` answers.
type Answered = Result<Json<Value>, (StatusCode, String)>;

fn failure(error: impl Display) -> (StatusCode, String) {
    (StatusCode::INTERNAL_SERVER_ERROR, error.to_string())
}

/// The page and what it asks.
pub(crate) fn routes(demo: Demo) -> Result<Router, Fault> {
    let stage = Arc::new(Stage {
        policy: policy(&demo)?,
        demo,
        key_holder: KeyHolder::new(),
        is_stopped: AtomicBool::new(false),
        turn: tokio::sync::Mutex::default(),
    });
    let admin = Router::new()
        .route("/call", post(call::call))
        .route("/explain", post(call::explain))
        .route("/token", post(call::token))
        .route("/issuer", post(issuer::operate))
        .route("/revoke", post(issuer::revoke))
        .route("/status", get(issuer::status))
        .layer(from_fn_with_state(Arc::clone(&stage), from_this_page_alone));
    let page = Router::new().route("/", get(page)).nest("/admin", admin);
    Ok(page.with_state(stage))
}

/// What the page may do (CSP Level 3).
fn policy(demo: &Demo) -> Result<String, Fault> {
    let style = between(PAGE, "<style>", "</style>")?;
    let script = between(PAGE, "<script type=\"module\">", "</script>")?;
    let (style, script) = (digest(style), digest(script));
    Ok(format!(
        "default-src 'none'; style-src '{style}'; script-src '{script}'; img-src data:; \
         connect-src 'self' {}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        demo.pool.url(),
    ))
}

async fn page(State(stage): State<Shared>) -> impl IntoResponse {
    let fields = [
        ("content-type", "text/html; charset=utf-8".to_owned()),
        ("content-security-policy", stage.policy.clone()),
        ("cache-control", "no-store".to_owned()),
        // The address has the authorization code for a moment.
        ("referrer-policy", "no-referrer".to_owned()),
        ("x-content-type-options", "nosniff".to_owned()),
    ];
    // In the page from the start, so that nothing moves when it arrives. `<` could end the element.
    let data = description(&stage).to_string().replace('<', "\\u003c");
    (fields, PAGE.replace("{\"demo\":\"data\"}", &data))
}

fn between<'t>(text: &'t str, start: &str, end: &str) -> Result<&'t str, Fault> {
    let found = text
        .split_once(start)
        .and_then(|(_, rest)| rest.split_once(end));
    let (found, _) = found.ok_or("page.html lacks its style or its script")?;
    Ok(found)
}

/// The source of an inline element as the policy names it (CSP Level 3 s2.3.1).
fn digest(text: &str) -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text.as_bytes());
    format!("sha256-{}", STANDARD.encode(digest))
}

/// What the page is told once.
fn description(demo: &Stage) -> Value {
    let groups = callers::GROUPS.iter().map(|group| {
        let callers = group
            .callers
            .iter()
            .map(|caller| json!({ "id": caller.id, "name": caller.name, "about": caller.about }));
        json!({ "name": group.name, "callers": callers.collect::<Vec<_>>() })
    });
    let routes = routes::ROUTES.iter().map(|route| {
        let (method, path) = client::split(route.request);
        json!({ "id": route.id, "method": method, "path": path, "demands": route.demands })
    });
    json!({
        "groups": groups.collect::<Vec<_>>(),
        "routes": routes.collect::<Vec<_>>(),
        "stream": "/app/workspaces/acme-prod/events",
        "signIn": {
            "issuer": demo.pool.issuer(),
            "authorize": demo.pool.url_of(Endpoint::Authorization),
            "token": demo.pool.url_of(Endpoint::Token),
            "revoke": demo.pool.url_of(Endpoint::Revocation),
            "clients": [
                { "id": MockIssuer::CLIENT_ID, "name": APP },
                { "id": MockIssuer::PORTAL_CLIENT_ID, "name": PORTAL },
            ],
        },
        "state": issuer::state(demo),
    })
}

/// Lets requests through that this page has sent. A page of another site cannot send them: its browser says
/// where they come from, and a name that was pointed at this address is not the name of this server.
async fn from_this_page_alone(
    State(demo): State<Shared>,
    request: Request,
    next: Next,
) -> Response {
    let headers = request.headers();
    let is_ours = is_own_host(headers, demo.address.port()) && is_own_site(headers);
    if is_ours {
        return next.run(request).await;
    }
    let answer = (StatusCode::FORBIDDEN, "for the page of the demo alone\n");
    answer.into_response()
}

fn is_own_host(headers: &HeaderMap, port: u16) -> bool {
    let host = headers.get("host").and_then(|host| host.to_str().ok());
    let name = host.and_then(|host| host.strip_suffix(&format!(":{port}")));
    matches!(name, Some("127.0.0.1" | "localhost"))
}

/// `curl` says nothing.
fn is_own_site(headers: &HeaderMap) -> bool {
    let site = headers.get("sec-fetch-site");
    site.is_none_or(|site| site == "same-origin")
}
