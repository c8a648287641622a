//! A call of an MCP tool with a token that was seen before: decided by header fields over a guard for a
//! scope, and by a body of 16 KB over reading that body.

use std::convert::Infallible;
use std::future::{Ready, ready};

use axum::body::Bytes;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use portcullis::layer::RequireScopeLayer;
use portcullis::mcp::{McpLayer, McpScopes};
use portcullis::test_util::MockIssuer;
use tower::{Layer as _, Service};

use super::tokens::{Mint, Size, server, values};
use super::{Goal, Row, Scene, built, now};

portcullis::scopes! { ReadMissions = "missions:read"; }

type Body = Full<Bytes>;

pub(crate) fn scene() -> Scene {
    let issuer = MockIssuer::new();
    let server = built(server(&issuer));
    let token = Mint::new(&issuer, Size::Kb1)
        .token(0)
        .scope("missions:read missions:write");
    let value = values(&[token.sign()]).first().expect("a token").clone();
    let scopes = || {
        let many = (0..50).map(|number| format!("tool_{number}"));
        let scopes = many.fold(McpScopes::new(), McpScopes::tool::<ReadMissions>);
        scopes.tool::<ReadMissions>("list_missions")
    };
    let trusting = McpLayer::new(scopes()).service_compares_headers();
    let comparing = McpLayer::new(scopes());
    let guard = RequireScopeLayer::of::<ReadMissions>();
    let layer = server.authenticate();
    let small = body(&"x".repeat(20));
    let long = body(&"The quick brown fox jumps over the lazy dog. ".repeat(16 * 1024 / 45));
    let members = (0..16 * 1024 / 24).map(|n| format!(r#","member_{n:06}":[{n}]"#));
    let many = members.collect::<Vec<_>>().concat();
    let many = Bytes::from(format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"list_missions","arguments":{{"a":1{many}}}}}}}"#
    ));
    let new = |body: &Bytes| request(&value, Some("2026-07-28"), body);
    let old = |body: &Bytes| request(&value, Some("2025-11-25"), body);
    Scene {
        name: "MCP".to_owned(),
        rows: vec![
            row(
                "guard",
                layer.layer(guard.layer(tower::service_fn(answer))),
                new(&small),
            ),
            row(
                "by headers",
                layer.layer(trusting.layer(tower::service_fn(answer))),
                new(&small),
            )
            .over("guard", Goal::Above(60.0)),
            row(
                "headers and body",
                layer.layer(comparing.layer(tower::service_fn(answer))),
                new(&small),
            )
            .over("guard", Goal::None),
            row(
                "guard, 16 KB read",
                layer.layer(guard.layer(tower::service_fn(read))),
                old(&long),
            ),
            row(
                "by 16 KB",
                layer.layer(comparing.layer(tower::service_fn(read))),
                old(&long),
            )
            .over("guard, 16 KB read", Goal::Above(2000.0)),
            row(
                "by 16 KB of members",
                layer.layer(comparing.layer(tower::service_fn(read))),
                old(&many),
            )
            .over("guard, 16 KB read", Goal::None),
        ],
    }
}

fn body(text: &str) -> Bytes {
    Bytes::from(format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"list_missions","arguments":{{"text":"{text}"}}}}}}"#
    ))
}

fn request(
    token: &HeaderValue,
    revision: Option<&'static str>,
    body: &Bytes,
) -> impl Fn() -> Request<Body> + use<> {
    let mut headers = HeaderMap::new();
    headers.insert(AUTHORIZATION, token.clone());
    if let Some(revision) = revision {
        headers.insert("mcp-protocol-version", HeaderValue::from_static(revision));
    }
    headers.insert("mcp-method", HeaderValue::from_static("tools/call"));
    headers.insert("mcp-name", HeaderValue::from_static("list_missions"));
    let body = body.clone();
    move || {
        let mut request = Request::new(Full::new(body.clone()));
        *request.method_mut() = http::Method::POST;
        request.headers_mut().clone_from(&headers);
        request
    }
}

fn answer(_: Request<Body>) -> Ready<Result<Response<String>, Infallible>> {
    ready(Ok(Response::new(String::new())))
}

async fn read(request: Request<Body>) -> Result<Response<String>, Infallible> {
    let body = request.into_body().collect().await?.to_bytes();
    // Every byte is fetched, as by a service that reads it.
    let sum = body.iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte));
    std::hint::black_box(sum);
    Ok(Response::new(String::new()))
}

fn row<S, B>(
    name: &'static str,
    mut service: S,
    request: impl Fn() -> Request<Body> + 'static,
) -> Row
where
    S: Service<Request<Body>, Response = Response<B>, Error = Infallible> + 'static,
{
    Row::new(name, move || match now(service.call(request())) {
        Ok(response) => assert_eq!(response.status(), StatusCode::OK),
        Err(never) => match never {},
    })
}
