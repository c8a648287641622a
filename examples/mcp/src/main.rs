//! An MCP server with a scope for each tool, on `rmcp`'s `StreamableHttpService`.
//!
//! ```sh
//! # Against any authorization server; http is allowed on loopback:
//! ISSUER=https://id.example.com cargo run --manifest-path examples/mcp/Cargo.toml
//! # With tokens of its own, which it prints:
//! cargo run --manifest-path examples/mcp/Cargo.toml
//! # A few requests to itself, and the end:
//! cargo run --manifest-path examples/mcp/Cargo.toml -- --once
//! ```
//!
//! | variable | meaning | default |
//! |---|---|---|
//! | `LISTEN` | the address to serve on | `127.0.0.1:3001` |
//! | `RESOURCE` | the URL of the MCP endpoint, which tokens name as their audience | `http://` and the address, `/mcp` |
//! | `ISSUER` | the `iss` of the tokens | tokens are issued here |
//! | `PROFILE` | `oidc` or `rfc9068` | `oidc` |
//! | `KEY_SET_URL` | where the issuer's keys are | discovery |
//! | `CHALLENGE` | `read`: a 401 names the scope `missions:read` alone, and clients request more when a tool demands it | a 401 names none, and clients request all that the metadata lists |
//! | `HIDE` | `1`: tools that a caller may not call are left out of `tools/list` | they are listed |
//!
//! | tool | scope |
//! |---|---|
//! | `list_missions`, `who_am_i` | `missions:read` |
//! | `rename_mission` | `missions:read missions:write` |

mod missions;

use std::error::Error;

use axum::Router;
use axum::body::Body;
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use portcullis::mcp::{McpLayer, McpScopes};
use portcullis::test_util::MockIssuer;
use portcullis::{Issuer, Resource, ResourceServer};
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use tokio::net::TcpListener;
use tower::ServiceExt as _;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::missions::Missions;

type Fault = Box<dyn Error + Send + Sync>;

portcullis::scopes! {
    /// Look at missions.
    ReadMissions = "missions:read";
    /// Change missions: both.
    EditMissions = "missions:read missions:write";
}

#[tokio::main]
async fn main() -> Result<(), Fault> {
    let events = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    tracing_subscriber::registry()
        .with(Targets::new().with_target("portcullis", LevelFilter::DEBUG))
        .with(events)
        .init();
    let address = variable("LISTEN").unwrap_or_else(|| "127.0.0.1:3001".to_owned());
    let is_once = std::env::args().any(|argument| argument == "--once");
    let address = if is_once {
        "127.0.0.1:0".to_owned()
    } else {
        address
    };
    let listener = TcpListener::bind(address).await?;
    let address = listener.local_addr()?;
    let resource = variable("RESOURCE").unwrap_or_else(|| format!("http://{address}/mcp"));

    let own = MockIssuer::new();
    let issuer = match variable("ISSUER").filter(|_| !is_once) {
        Some(issuer) => foreign(issuer)?,
        None => own.trusted(),
    };
    let server = ResourceServer::builder(
        Resource::new(&*resource)
            .name("Missions")
            .scopes_of(scopes().requirements()),
    )
    .issuer(issuer)
    .build()?
    .connect()
    .await?;

    let app = app(&server, &resource)?;
    if is_once {
        return once(&app, &own, &resource).await;
    }
    println!("listening on http://{address}");
    println!("MCP endpoint {resource}");
    if variable("ISSUER").is_none() {
        let token = |scope: &str| own.token().audience(&resource).scope(scope).sign();
        println!("token to read: {}", token("missions:read"));
        println!("token to edit: {}", token("missions:read missions:write"));
    }
    axum::serve(listener, app).await?;
    Ok(())
}

/// What each tool demands.
fn scopes() -> McpScopes {
    McpScopes::new()
        .tool::<ReadMissions>("list_missions")
        .tool::<ReadMissions>("who_am_i")
        .tool::<EditMissions>("rename_mission")
}

/// The MCP server behind its layers, and the metadata of the resource.
fn app(server: &ResourceServer, resource: &str) -> Result<Router, Fault> {
    let mut layer = McpLayer::new(scopes()).service_compares_headers();
    if variable("HIDE").as_deref() == Some("1") {
        layer = layer.hide_unavailable();
    }
    let missions = Missions::default();
    let service = StreamableHttpService::new(
        move || Ok(missions.clone()),
        LocalSessionManager::default().into(),
        StreamableHttpServerConfig::default(),
    );
    let mut authenticate = server.authenticate_for(resource)?;
    if variable("CHALLENGE").as_deref() == Some("read") {
        // What a client requests first; a tool that needs more says so in its 403.
        authenticate = authenticate.challenge_scope::<ReadMissions>();
    }
    let path = resource.parse::<http::Uri>()?.path().to_owned();
    Ok(Router::new()
        .route_service(&path, service)
        .layer(layer)
        .layer(authenticate)
        .merge(server.metadata()))
}

fn foreign(issuer: String) -> Result<Issuer, Fault> {
    let issuer = match variable("PROFILE").as_deref() {
        None | Some("oidc") => Issuer::oidc(issuer),
        Some("rfc9068") => Issuer::rfc9068(issuer),
        Some(_) => return Err("PROFILE is `oidc` or `rfc9068`".into()),
    };
    Ok(match variable("KEY_SET_URL") {
        Some(url) => issuer.key_set_url(url),
        None => issuer,
    })
}

/// A variable that is set and not empty.
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// What a client meets: no token, a token without the scope of a tool, and one with it.
async fn once(app: &Router, issuer: &MockIssuer, resource: &str) -> Result<(), Fault> {
    let authority = resource.parse::<http::Uri>()?;
    let authority = authority.authority().ok_or("RESOURCE has no host")?.clone();
    let token = |scope: &str| issuer.token().audience(resource).scope(scope).bearer();
    let call = async |authorization: Option<HeaderValue>, header: &str, tool: &str| {
        let body = format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"{tool}","arguments":{{"id":"apollo","name":"Apollo 11"}},"_meta":{{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{{"name":"once","version":"1"}},"io.modelcontextprotocol/clientCapabilities":{{}}}}}}}}"#
        );
        let mut request = Request::post("/mcp")
            .header("host", authority.as_str())
            .header("accept", "application/json, text/event-stream")
            .header("content-type", "application/json")
            .header("mcp-protocol-version", "2026-07-28")
            .header("mcp-method", "tools/call")
            .header("mcp-name", header);
        if let Some(value) = authorization {
            request = request.header("authorization", value);
        }
        let response: Response<Body> = app.clone().oneshot(request.body(Body::from(body))?).await?;
        let (head, body) = response.into_parts();
        let body = body.collect().await?.to_bytes();
        let challenge = head.headers.get("www-authenticate");
        println!("{} {tool} {challenge:?}", head.status);
        println!("{}", String::from_utf8_lossy(&body).trim());
        Ok::<_, Fault>(head.status)
    };
    let read = token("missions:read");
    let edit = token("missions:read missions:write");
    let rename = "rename_mission";
    for (authorization, header, tool, expected) in [
        (None, rename, rename, StatusCode::UNAUTHORIZED),
        (Some(&read), rename, rename, StatusCode::FORBIDDEN),
        (Some(&edit), rename, rename, StatusCode::OK),
        (Some(&read), "who_am_i", "who_am_i", StatusCode::OK),
        // `rmcp` compares header fields and body.
        (Some(&read), "who_am_i", rename, StatusCode::BAD_REQUEST),
    ] {
        let status = call(authorization.cloned(), header, tool).await?;
        if status != expected {
            return Err(format!("{tool}: {status} in place of {expected}").into());
        }
    }
    Ok(())
}
