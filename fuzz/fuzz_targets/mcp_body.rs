//! Any body and header fields of a request to an MCP server: never a panic, never a 5xx. What is admitted
//! has the bytes that were sent, and calls no tool without its scope, as another JSON parser reads it.
#![no_main]

use std::convert::Infallible;
use std::sync::LazyLock;
use std::task::{Context, Poll, Waker};

use http::{HeaderValue, Request, Response};
use http_body_util::{BodyExt as _, Full};
use libfuzzer_sys::fuzz_target;
use portcullis::mcp::{McpLayer, McpScopes};
use portcullis::test_util::MockIssuer;
use portcullis::{Algorithm, ResourceServer};
use tower::{Layer as _, Service as _};

portcullis::scopes! { Write = "write"; }

static ISSUER: LazyLock<MockIssuer> =
    LazyLock::new(|| MockIssuer::new().with_algorithms([Algorithm::EdDSA]));

static SERVER: LazyLock<ResourceServer> = LazyLock::new(|| {
    ResourceServer::builder("https://api.example.com")
        .issuer(ISSUER.trusted())
        .build()
        .expect("sound")
});

static TOKEN: LazyLock<HeaderValue> = LazyLock::new(|| ISSUER.token().scope("read").bearer());

type Fields = (u8, Option<Vec<u8>>, Option<Vec<u8>>);

fuzz_target!(|parts: (Fields, Vec<u8>)| {
    let ((revision, method, name), body) = parts;
    let sent = bytes::Bytes::from(body);
    let expected = sent.clone();
    let scopes = McpScopes::new().open_tool("open").tool::<Write>("edit");
    let inner = tower::service_fn(move |request: Request<Full<bytes::Bytes>>| {
        let expected = expected.clone();
        async move {
            let body = request.into_body().collect().await?.to_bytes();
            assert_eq!(body, expected);
            assert_calls_open_tools(&body);
            Ok::<_, Infallible>(Response::new(String::new()))
        }
    });
    let mut service = SERVER
        .authenticate()
        .layer(McpLayer::new(scopes).layer(inner));
    let mut request = Request::post("/").body(Full::from(sent)).expect("sound");
    let headers = request.headers_mut();
    headers.insert("authorization", TOKEN.clone());
    let revisions = ["2025-03-26", "2025-06-18", "2025-11-25", "2026-07-28", "2027-01-01", "x"];
    if let Some(revision) = revisions.get(usize::from(revision)) {
        headers.insert("mcp-protocol-version", HeaderValue::from_static(revision));
    }
    for (field, value) in [("mcp-method", method), ("mcp-name", name)] {
        if let Some(value) = value.and_then(|value| HeaderValue::try_from(value).ok()) {
            headers.insert(field, value);
        }
    }
    let mut future = std::pin::pin!(service.call(request));
    match future
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()))
    {
        Poll::Ready(Ok(response)) => assert!(!response.status().is_server_error()),
        _ => panic!("static keys and whole bodies never wait"),
    }
});

fn assert_calls_open_tools(body: &[u8]) {
    // It refuses numbers that it cannot hold.
    let Ok(value) = serde_json::from_slice::<serde_json::Value>(body) else {
        return;
    };
    let messages = match value {
        serde_json::Value::Array(messages) => messages,
        message => vec![message],
    };
    for message in messages {
        if message["method"] == "tools/call" {
            assert_eq!(message["params"]["name"], "open");
        }
    }
}
