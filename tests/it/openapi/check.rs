//! The check of an application against its document: what it finds, and the twin that it accepts.

#![allow(clippy::needless_pass_by_value)] // `json!` makes values.

use axum::routing::{get, post};
use axum::{Json, Router};
use http::StatusCode;
use portcullis::extract::Authorized;
use portcullis::test_util::{MockIssuer, OpenApiCheck, OpenApiFaults};
use portcullis::{AccessToken, Scoped};
use serde_json::{Value, json};

use crate::support::server;

portcullis::scopes! {
    Read = "orders:read";
    Write = "orders:write";
}

portcullis::requirements! { StepUp { scope: "orders:read", acr: "phr" } }

/// An operation with the answers of guards, and whatever else is stated of it.
fn operation(security: Value, more: Value) -> Value {
    let answers = json!({ "200": {}, "400": {}, "401": {}, "403": {}, "503": {} });
    let mut operation = json!({ "responses": answers, "security": security });
    if operation["security"].is_null() {
        operation
            .as_object_mut()
            .expect("an object")
            .remove("security");
    }
    let more = more.as_object().expect("an object").clone();
    operation.as_object_mut().expect("an object").extend(more);
    operation
}

fn document(path: &str, method: &str, operation: Value) -> Value {
    json!({ "openapi": "3.1.0", "paths": { path: { method: operation } } })
}

fn reading() -> Value {
    json!([{ "oauth2": ["orders:read"] }])
}

/// The check with both tokens set.
fn check(issuer: &MockIssuer, document: &Value) -> OpenApiCheck {
    OpenApiCheck::new(document)
        .good_token(issuer.token().scope("orders:read").sign())
        .token_without_scope(issuer.token().sign())
}

/// Checks one route, `GET /orders`, under the layer of a server.
async fn run(handler: axum::routing::MethodRouter, stated: Value) -> Result<usize, OpenApiFaults> {
    let issuer = MockIssuer::new();
    let layer = server(&issuer).authenticate().optional();
    let app = Router::new().route("/orders", handler).layer(layer);
    check(&issuer, &document("/orders", "get", stated))
        .run(app)
        .await
}

/// The only fault, as `open` or `fault` and its text.
fn only_fault(result: Result<usize, OpenApiFaults>) -> String {
    let faults = result.expect_err("a fault");
    let faults: Vec<String> = faults
        .iter()
        .map(|fault| {
            format!(
                "{}: {fault}",
                if fault.is_open() { "open" } else { "fault" }
            )
        })
        .collect();
    assert_eq!(faults.len(), 1, "{faults:#?}");
    faults[0].clone()
}

#[tokio::test]
async fn a_guarded_route_that_is_documented_passes() {
    let stated = operation(reading(), json!({}));
    assert_eq!(run(get(async |_: Scoped<Read>| ""), stated).await, Ok(1));
}

#[tokio::test]
async fn an_open_route_is_found() {
    let undeclared = operation(Value::Null, json!({}));
    assert_eq!(
        only_fault(run(get(async || ""), undeclared).await),
        "open: GET /orders: it is open (without a token the answer is 200) and not declared public; guard it, or declare `security: []`"
    );
    let public = operation(json!([]), json!({}));
    assert_eq!(run(get(async || ""), public).await, Ok(1));
    let optional = operation(json!([{ "oauth2": [] }, {}]), json!({}));
    assert_eq!(run(get(async || ""), optional).await, Ok(1));
}

#[tokio::test]
async fn a_route_that_is_documented_as_guarded_and_is_open_is_found() {
    let stated = operation(reading(), json!({}));
    let faults = run(get(async || ""), stated).await.expect_err("open");
    assert!(
        faults
            .iter()
            .all(portcullis::test_util::OpenApiFault::is_open)
    );
    assert_eq!(
        faults.to_string(),
        "the application and its OpenAPI document differ:\n  \
         GET /orders: without a token the answer is 200, and must be 401\n  \
         GET /orders: with a token without scope the answer is 200, and must be 403: the document demands the scope `orders:read`"
    );
}

#[tokio::test]
async fn a_route_that_states_nothing_and_is_guarded_is_found() {
    let stated = operation(Value::Null, json!({}));
    assert_eq!(
        only_fault(run(get(async |_: AccessToken| ""), stated).await),
        "fault: GET /orders: without a token the answer is 401, and the document declares no `security`"
    );
    let issuer = MockIssuer::new();
    let mut whole = document("/orders", "get", operation(Value::Null, json!({})));
    whole["security"] = json!([{ "oauth2": [] }]);
    let app = Router::new()
        .route("/orders", get(async |_: AccessToken| ""))
        .layer(server(&issuer).authenticate());
    assert_eq!(check(&issuer, &whole).run(app).await, Ok(1));
}

#[tokio::test]
async fn a_public_route_that_demands_a_token_is_found() {
    let stated = operation(json!([]), json!({}));
    assert_eq!(
        only_fault(run(get(async |_: AccessToken| ""), stated).await),
        "fault: GET /orders: it is declared public, and without a token the answer is 401"
    );
}

#[tokio::test]
async fn a_route_that_lacks_its_scope_guard_is_found() {
    let stated = operation(reading(), json!({}));
    assert_eq!(
        only_fault(run(get(async |_: AccessToken| ""), stated).await),
        "open: GET /orders: with a token without scope the answer is 200, and must be 403: the document demands the scope `orders:read`"
    );
}

#[tokio::test]
async fn a_guard_of_another_scope_is_found() {
    let stated = operation(reading(), json!({}));
    let faults = run(get(async |_: Scoped<Write>| ""), stated).await;
    let faults = faults.expect_err("another scope").to_string();
    assert!(
        faults.contains(
            "the challenge names the scope `orders:write`, and the document demands `orders:read`"
        ),
        "{faults}"
    );
    let either = json!([{ "oauth2": ["orders:admin"] }, { "oauth2": ["orders:read"] }]);
    let stated = operation(either, json!({}));
    assert_eq!(run(get(async |_: Scoped<Read>| ""), stated).await, Ok(1));
}

#[tokio::test]
async fn a_scope_guard_that_is_not_documented_is_found() {
    let stated = operation(json!([{ "oauth2": [] }]), json!({}));
    let handler = get(async |_: Scoped<Write>| "");
    let fault = only_fault(run(handler, stated).await);
    assert!(
        fault.starts_with("fault: GET /orders: with a good token the answer is 403"),
        "{fault}"
    );
    let stated = operation(json!([{ "oauth2": [] }]), json!({}));
    assert_eq!(run(get(async |_: AccessToken| ""), stated).await, Ok(1));
}

#[tokio::test]
async fn a_demand_that_is_not_documented_is_found() {
    let stated = operation(reading(), json!({}));
    let fault = only_fault(run(get(async |_: Authorized<StepUp>| ""), stated).await);
    assert!(
        fault.contains("with a good token the answer is 401"),
        "{fault}"
    );
}

#[tokio::test]
async fn a_status_that_is_not_documented_is_found() {
    let stated = || operation(reading(), json!({}));
    let teapot = get(async |_: Scoped<Read>| StatusCode::IM_A_TEAPOT);
    assert_eq!(
        only_fault(run(teapot.clone(), stated()).await),
        "fault: GET /orders: with a good token the answer is 418, which is not documented"
    );
    for name in ["418", "4XX", "default"] {
        let mut stated = stated();
        stated["responses"][name] = json!({});
        assert_eq!(run(teapot.clone(), stated).await, Ok(1), "{name}");
    }
    let mut without_401 = stated();
    without_401["responses"]
        .as_object_mut()
        .expect("responses")
        .remove("401");
    assert_eq!(
        only_fault(run(get(async |_: Scoped<Read>| ""), without_401).await),
        "fault: GET /orders: without a token the answer is 401, which is not documented"
    );
}

#[tokio::test]
async fn an_error_of_the_application_is_a_fault_even_where_it_is_documented() {
    let mut stated = operation(reading(), json!({}));
    stated["responses"]["500"] = json!({});
    let broken = get(async |_: Scoped<Read>| StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(
        only_fault(run(broken, stated).await),
        "fault: GET /orders: with a good token the answer is 500"
    );
}

#[tokio::test]
async fn a_401_without_a_challenge_is_found() {
    let stated = operation(json!([{ "oauth2": [] }]), json!({}));
    let silent = get(async |token: Option<AccessToken>| match token {
        Some(_) => StatusCode::OK,
        None => StatusCode::UNAUTHORIZED,
    });
    assert_eq!(
        only_fault(run(silent, stated).await),
        "fault: GET /orders: without a token the answer is 401 without `WWW-Authenticate`"
    );
}

#[tokio::test]
async fn settings_name_operations_that_are_public_or_are_not_called() {
    let issuer = MockIssuer::new();
    let stated = document("/orders", "get", operation(Value::Null, json!({})));
    let open = Router::new().route("/orders", get(async || ""));
    let public = check(&issuer, &stated).public("get", "/orders");
    assert_eq!(public.run(open.clone()).await, Ok(1));
    let skipped = check(&issuer, &stated).skip("GET", "/orders");
    assert_eq!(skipped.run(open).await, Ok(0));

    let stated = document("/orders", "get", operation(reading(), json!({})));
    let gone = Router::new()
        .route("/orders", get(async |_: Scoped<Read>| StatusCode::GONE))
        .layer(server(&issuer).authenticate());
    let refused = check(&issuer, &stated).refusals_only("GET", "/orders");
    assert_eq!(refused.run(gone).await, Ok(1));
}

#[tokio::test]
async fn an_operation_has_tokens_of_its_own() {
    let issuer = MockIssuer::new();
    let stated = document("/orders", "post", operation(reading(), json!({})));
    let app = Router::new()
        .route("/orders", post(async |_: Authorized<StepUp>| ""))
        .layer(server(&issuer).authenticate());
    let strong = issuer.token().scope("orders:read").claim("acr", "phr");
    let check = check(&issuer, &stated)
        .good_token_of("POST", "/orders", format!("Bearer {}", strong.sign()))
        .token_without_scope_of("POST", "/orders", issuer.token().claim("acr", "phr").sign());
    assert_eq!(check.run(app).await, Ok(1));
}

#[tokio::test]
async fn every_request_can_be_changed() {
    let issuer = MockIssuer::new();
    let stated = document("/orders", "get", operation(json!([]), json!({})));
    let app = Router::new().route(
        "/orders",
        get(
            async |headers: http::HeaderMap| match headers.get("x-tenant") {
                Some(_) => StatusCode::OK,
                None => StatusCode::GONE,
            },
        ),
    );
    let plain = check(&issuer, &stated).run(app.clone()).await;
    assert!(plain.is_err());
    let changed = check(&issuer, &stated).prepare(|request| {
        request
            .headers
            .insert("x-tenant", http::HeaderValue::from_static("a"));
    });
    assert_eq!(changed.run(app).await, Ok(1));
}

#[tokio::test]
async fn bodies_are_those_of_the_document_or_of_the_caller() {
    let issuer = MockIssuer::new();
    let body = json!({ "requestBody": { "content": { "application/json": {
        "schema": { "type": "object", "required": ["pieces"], "properties": { "pieces": { "type": "integer", "minimum": 1 } } }
    } } } });
    let stated = document("/orders", "post", operation(json!([]), body));
    let app = Router::new().route(
        "/orders",
        post(
            async |Json(order): Json<Value>| match order["pieces"].as_u64() {
                Some(1) => StatusCode::OK,
                Some(12) => StatusCode::CREATED,
                _ => StatusCode::UNPROCESSABLE_ENTITY,
            },
        ),
    );
    assert_eq!(check(&issuer, &stated).run(app.clone()).await, Ok(1));
    let given = check(&issuer, &stated).body("POST", "/orders", &json!({ "pieces": 12 }));
    let faults = given.run(app).await.expect_err("201").to_string();
    assert!(
        faults.contains("the answer is 201, which is not documented"),
        "{faults}"
    );
}

#[test]
#[should_panic(expected = "the OpenAPI document has no operation GET /order")]
fn a_setting_of_an_operation_that_there_is_not_panics() {
    let stated = document("/orders", "get", operation(json!([]), json!({})));
    let _ = check(&MockIssuer::new(), &stated).public("GET", "/order");
}

#[test]
#[should_panic(expected = "nothing would be checked")]
fn a_document_without_operations_panics() {
    let _ = OpenApiCheck::new(&json!({ "paths": {} }));
}

#[tokio::test]
#[should_panic(expected = "GET /orders/{id}: a path parameter is not documented")]
async fn a_path_parameter_without_a_value_panics() {
    let stated = document("/orders/{id}", "get", operation(json!([]), json!({})));
    let app = Router::new().route("/orders/{id}", get(async || ""));
    let _ = check(&MockIssuer::new(), &stated).run(app).await;
}
