//! The values that the check sends: examples of the document, or what fits the schema.

#![allow(clippy::needless_pass_by_value)] // `json!` makes values.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use http::{HeaderMap, Method, Uri};
use portcullis::test_util::{MockIssuer, OpenApiCheck};
use serde_json::{Value, json};

/// What the application got without a token: URI, `x-header`, media type and body.
async fn sent(path: &str, described: Value) -> [String; 4] {
    let mut operation = json!({ "security": [], "responses": { "200": {} } });
    let described = described.as_object().expect("an object").clone();
    operation
        .as_object_mut()
        .expect("an object")
        .extend(described);
    let document = json!({
        "paths": { path: { "post": operation } },
        "components": {
            "parameters": { "Id": { "name": "id", "in": "path", "required": true, "example": "by reference" } },
            "schemas": {
                "Node": { "type": "object", "required": ["next"], "properties": { "next": { "$ref": "#/components/schemas/Node" } } },
                "Kind": { "enum": ["first", "second"] },
            },
        },
    });
    let seen: Arc<Mutex<Option<[String; 4]>>> = Arc::default();
    let recorder = Arc::clone(&seen);
    let app = Router::new().fallback(
        async move |_: Method, uri: Uri, headers: HeaderMap, body: Bytes| {
            let header = |name: &str| {
                let value = headers.get(name).and_then(|value| value.to_str().ok());
                value.unwrap_or_default().to_owned()
            };
            let body = String::from_utf8_lossy(&body).into_owned();
            let got = [
                uri.to_string(),
                header("x-header"),
                header("content-type"),
                body,
            ];
            recorder.lock().expect("no panic").get_or_insert(got);
        },
    );
    let issuer = MockIssuer::new();
    OpenApiCheck::new(&document)
        .good_token(issuer.token().sign())
        .token_without_scope(issuer.token().sign())
        .path_parameter("given", "a/b")
        .run(app)
        .await
        .expect("every answer is 200");
    let seen = seen.lock().expect("no panic").take();
    seen.expect("a request")
}

fn parameter(place: &str, name: &str, more: Value) -> Value {
    let mut parameter = json!({ "name": name, "in": place, "required": true });
    let more = more.as_object().expect("an object").clone();
    parameter.as_object_mut().expect("an object").extend(more);
    parameter
}

#[tokio::test]
async fn path_parameters_are_examples_or_fit_their_schema() {
    for (described, expected) in [
        (json!({ "example": 42 }), "/42"),
        (
            json!({ "examples": { "one": { "value": "a b" } } }),
            "/a%20b",
        ),
        (json!({ "schema": { "type": "integer" } }), "/1"),
        (
            json!({ "schema": { "type": "integer", "minimum": 7 } }),
            "/7",
        ),
        (json!({ "schema": { "type": "boolean" } }), "/true"),
        (json!({ "schema": { "type": ["null", "integer"] } }), "/1"),
        (
            json!({ "schema": { "type": "string", "format": "uuid" } }),
            "/00000000-0000-4000-8000-000000000000",
        ),
        (
            json!({ "schema": { "type": "string", "examples": ["x"] } }),
            "/x",
        ),
        (
            json!({ "schema": { "type": "string", "minLength": 9 } }),
            "/examplexx",
        ),
        (
            json!({ "schema": { "$ref": "#/components/schemas/Kind" } }),
            "/first",
        ),
        (
            json!({ "schema": { "oneOf": [{ "type": "null" }, { "const": "c" }] } }),
            "/c",
        ),
        (json!({ "schema": { "default": "d" } }), "/d"),
        (json!({}), "/example"),
    ] {
        let described = json!({ "parameters": [parameter("path", "id", described.clone())] });
        assert_eq!(
            sent("/{id}", described.clone()).await[0],
            expected,
            "{described}"
        );
    }
}

#[tokio::test]
async fn path_parameters_come_by_reference_and_from_the_caller() {
    let by_reference = json!({ "parameters": [{ "$ref": "#/components/parameters/Id" }] });
    assert_eq!(sent("/{id}", by_reference).await[0], "/by%20reference");
    let described =
        json!({ "parameters": [parameter("path", "given", json!({ "example": "x" }))] });
    assert_eq!(
        sent("/{given}/{*given}", described).await[0],
        "/a%2Fb/a%2Fb"
    );
    assert_eq!(sent("/{given}", json!({})).await[0], "/a%2Fb");
}

#[tokio::test]
async fn queries_and_headers_that_must_be_there_are_sent() {
    let mut left_out = parameter("query", "left_out", json!({}));
    left_out["required"] = json!(false);
    let described = json!({ "parameters": [
        parameter("query", "page", json!({ "schema": { "type": "integer" } })),
        parameter("query", "q", json!({ "example": "a&b" })),
        parameter("header", "X-Header", json!({ "example": "h" })),
        left_out,
    ] });
    let [uri, header, ..] = sent("/", described).await;
    assert_eq!((uri.as_str(), header.as_str()), ("/?page=1&q=a%26b", "h"));
}

#[tokio::test]
async fn bodies_are_examples_or_fit_their_schema() {
    let of = |media_type: &str, described: Value| json!({ "requestBody": { "content": { media_type: described } } });
    let [_, _, media_type, body] = sent(
        "/",
        of("application/json", json!({ "example": { "a": 1 } })),
    )
    .await;
    assert_eq!(
        (media_type.as_str(), body.as_str()),
        ("application/json", r#"{"a":1}"#)
    );
    let schema = json!({ "schema": { "allOf": [
        { "type": "object", "required": ["one"], "properties": { "one": { "type": "string" }, "free": {} } },
        { "type": "object", "required": ["two"], "properties": { "two": { "type": "array", "minItems": 1, "items": { "type": "number" } } } },
    ] } });
    let [.., body] = sent("/", of("application/json", schema)).await;
    let body: Value = serde_json::from_str(&body).expect("JSON");
    assert_eq!(body, json!({ "one": "example", "two": [1] }));
    let form = json!({ "example": { "grant": "a b", "n": 1 } });
    let [_, _, media_type, body] = sent("/", of("application/x-www-form-urlencoded", form)).await;
    assert_eq!(media_type, "application/x-www-form-urlencoded");
    assert_eq!(body, "grant=a%20b&n=1");
    let [_, _, media_type, body] = sent("/", of("text/plain", json!({ "example": "words" }))).await;
    assert_eq!(
        (media_type.as_str(), body.as_str()),
        ("text/plain", "words")
    );
    assert_eq!(sent("/", json!({})).await[2..], ["", ""]);
}

#[tokio::test]
async fn a_schema_that_contains_itself_ends() {
    let schema = json!({ "schema": { "$ref": "#/components/schemas/Node" } });
    let described = json!({ "requestBody": { "content": { "application/json": schema } } });
    let [.., body] = sent("/", described).await;
    assert!(body.ends_with(&"}".repeat(8)) && body.len() < 200, "{body}");
}
