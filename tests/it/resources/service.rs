//! The service of the documents: methods, caching, CORS, paths.

use axum::Router;
use axum::body::Body;
use http::{Method, Request};
use http_body_util::BodyExt as _;
use portcullis::test_util::MockIssuer;
use portcullis::{Resource, ResourceServer};
use std::time::Duration;
use tower::ServiceExt as _;

use crate::support::{API, Requests as _, TestResponse};

const PATH: &str = "/.well-known/oauth-protected-resource";

fn server() -> ResourceServer {
    ResourceServer::builder(API)
        .resource(Resource::new("https://api.example.com/mcp").metadata_max_age(Duration::ZERO))
        .resource("https://other.example.org/a%20b/:c/*d")
        .resource("api://opaque")
        .issuer(MockIssuer::new().trusted())
        .build()
        .expect("sound")
}

fn app() -> Router {
    Router::new().merge(server().metadata())
}

async fn exchange(
    app: &Router,
    method: Method,
    path: &str,
    fields: &[(&str, &str)],
) -> TestResponse {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in fields {
        request = request.header(*name, *value);
    }
    let request = request.body(Body::empty()).expect("a request");
    app.exchange(request).await
}

#[tokio::test]
async fn document_has_type_caching_and_cors() {
    let app = app();
    let response = exchange(&app, Method::GET, PATH, &[]).await;
    assert_eq!(response.status, 200);
    for (name, value) in [
        ("content-type", "application/json"),
        ("cache-control", "public, max-age=3600"),
        ("access-control-allow-origin", "*"),
        ("content-length", &response.body.len().to_string()),
    ] {
        assert_eq!(response.header(name), Some(value), "{name}");
    }
    let mcp = exchange(&app, Method::GET, &format!("{PATH}/mcp"), &[]).await;
    assert_eq!(mcp.header("cache-control"), Some("public, max-age=0"));
    assert_ne!(mcp.header("etag"), response.header("etag"));
}

#[tokio::test]
async fn head_has_the_fields_of_get_and_no_body() {
    let app = app();
    let get = exchange(&app, Method::GET, PATH, &[]).await;
    let head = exchange(&app, Method::HEAD, PATH, &[]).await;
    assert_eq!(head.wire(), get.wire());
    assert_eq!(head.body, "");
    // The service alone, without axum.
    let request = Request::head(PATH).body(()).expect("a request");
    let response = server()
        .metadata()
        .oneshot(request)
        .await
        .expect("infallible");
    assert_eq!(
        response.headers()["content-length"],
        get.body.len().to_string()
    );
    assert_eq!(response.into_body(), "");
}

#[tokio::test]
async fn client_over_a_connection_reads_the_document_and_its_head() {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0))
        .await
        .expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let served = tokio::spawn(async move { axum::serve(listener, app()).await });
    let client = reqwest::Client::builder()
        .no_proxy()
        .build()
        .expect("a client");
    let url = format!("http://127.0.0.1:{port}{PATH}");
    let get = client.get(&url).send().await.expect("a response");
    assert_eq!(get.status(), 200);
    let tag = get.headers()["etag"].clone();
    let text = get.text().await.expect("a body");
    assert!(
        text.starts_with("{\"resource\":\"https://api.example.com\""),
        "{text}"
    );
    // On the same connection, which a wrong length would break.
    for _ in 0..2 {
        let head = client.head(&url).send().await.expect("a response");
        assert_eq!(head.headers()["content-length"], text.len().to_string());
        assert_eq!(head.text().await.expect("no body"), "");
    }
    let known = client.get(&url).header("if-none-match", tag).send().await;
    assert_eq!(known.expect("a response").status(), 304);
    served.abort();
}

#[tokio::test]
async fn client_that_has_the_document_is_told_so() {
    let app = app();
    let first = exchange(&app, Method::GET, PATH, &[]).await;
    let tag = first.header("etag").expect("a tag").to_owned();
    assert!(tag.starts_with('"') && tag.ends_with('"'), "{tag}");
    let weak = format!("W/{tag}");
    let listed = format!("\"other\", {weak}");
    for known in [&tag, &weak, &listed, "*"] {
        for method in [Method::GET, Method::HEAD] {
            let response = exchange(&app, method, PATH, &[("if-none-match", known)]).await;
            assert_eq!(response.status, 304, "{known}");
            assert_eq!(response.body, "");
            assert_eq!(response.header("etag"), Some(&*tag));
            assert_eq!(
                response.header("cache-control"),
                Some("public, max-age=3600")
            );
            assert_eq!(response.header("access-control-allow-origin"), Some("*"));
        }
    }
    let unquoted = tag.trim_matches('"').to_owned();
    for other in ["\"other\"", &unquoted, ""] {
        let response = exchange(&app, Method::GET, PATH, &[("if-none-match", other)]).await;
        assert_eq!(response.status, 200, "{other}");
        assert_eq!(response.body, first.body);
    }
}

#[tokio::test]
async fn preflight_of_a_browser_allows_fields_of_other_protocols() {
    let fields = [
        ("origin", "https://inspector.example"),
        ("access-control-request-method", "GET"),
        ("access-control-request-headers", "mcp-protocol-version"),
    ];
    let response = exchange(&app(), Method::OPTIONS, PATH, &fields).await;
    assert_eq!(response.status, 204);
    for (name, value) in [
        ("access-control-allow-origin", "*"),
        ("access-control-allow-methods", "GET, HEAD, OPTIONS"),
        ("access-control-allow-headers", "*"),
        ("access-control-max-age", "86400"),
        ("allow", "GET, HEAD, OPTIONS"),
    ] {
        assert_eq!(response.header(name), Some(value), "{name}");
    }
}

#[tokio::test]
async fn other_methods_are_405_and_other_paths_404() {
    let app = app();
    for method in [Method::POST, Method::PUT, Method::DELETE, Method::PATCH] {
        let response = exchange(&app, method.clone(), PATH, &[]).await;
        assert_eq!(response.status, 405, "{method}");
        assert_eq!(response.header("allow"), Some("GET, HEAD, OPTIONS"));
        assert_eq!(response.body, "");
    }
    for path in ["/", "/mcp", "/.well-known/oauth-authorization-server"] {
        assert_eq!(exchange(&app, Method::GET, path, &[]).await.status, 404);
    }
    for suffix in ["/", "/mcp", "/mcp/", "/a%20b/:c/*d", "?x=1"] {
        let path = format!("{PATH}{suffix}");
        let response = exchange(&app, Method::GET, &path, &[]).await;
        assert_eq!(response.status, 200, "{suffix}");
    }
    for suffix in ["/MCP", "/mcp/x", "/a b", "/a%20b", "//", "/opaque"] {
        let path = format!("{PATH}{suffix}").replace(' ', "+");
        let response = exchange(&app, Method::GET, &path, &[]).await;
        assert_eq!(response.status, 404, "{suffix}");
        // The service alone answers alike.
        let request = Request::get(&path).body(()).expect("a request");
        let response = server()
            .metadata()
            .oneshot(request)
            .await
            .expect("infallible");
        assert_eq!(response.status(), 404, "{suffix}");
    }
}

#[tokio::test]
async fn router_takes_any_state_and_fits_beside_an_applications_own_routes() {
    #[derive(Clone)]
    struct State;
    let app: Router = Router::new()
        .merge(Router::<State>::from(server().metadata()))
        .route("/.well-known/other", axum::routing::get(async || "other"))
        .with_state(State);
    assert_eq!(app.send("/.well-known/other", &[]).await.body, "other");
    assert_eq!(app.send(PATH, &[]).await.status, 200);
    let paths: Vec<String> = server().metadata().paths().map(ToOwned::to_owned).collect();
    assert_eq!(
        paths,
        [PATH, &format!("{PATH}/mcp"), &format!("{PATH}/a%20b/:c/*d")]
    );
}

#[tokio::test]
async fn server_without_a_url_serves_no_document() {
    let issuer = MockIssuer::new();
    let server = ResourceServer::builder("api://missions")
        .issuer(issuer.trusted().audience("api://missions"))
        .build()
        .expect("sound");
    assert_eq!(server.metadata().paths().count(), 0);
    let request = Request::get(PATH).body(Body::empty()).expect("a request");
    let response = server
        .metadata()
        .oneshot(request)
        .await
        .expect("infallible");
    assert_eq!(response.status(), 404);
    let body = response.into_body().collect().await.expect("a body");
    assert!(body.to_bytes().is_empty());
}
