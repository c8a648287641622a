#!/usr/bin/env bash
# lambda_http 1.3.2 with aws_lambda_events 1.2.1 (crates.io).
#
# Behaviour: a header field with several values keeps one of them, in two places.
# 1. A REST API sends each field of the request twice: in `headers` with its last value, in
#    `multiValueHeaders` with all. The handler sees the last value alone.
# 2. The answer to an HTTP API (payload 2.0) has one value for each name. The first one is written. The
#    comment in `src/response.rs` says that several are combined with commas. Of two `Link` fields, or of
#    two `WWW-Authenticate` fields (RFC 9110 section 11.6.1), the client gets one.
# `Set-Cookie` is kept, and so is everything in the answer to a REST API.
#
# Output:
#   REST API, Accept-Language of the request: fr
#   REST API, Link of the answer: ["</2>; rel=next","</9>; rel=last"]
#   HTTP API, Accept-Language of the request: de,fr
#   HTTP API, Link of the answer: "</2>; rel=next"
#
# Fails where the output differs. Needs a Rust toolchain and crates.io; leaves nothing behind.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
mkdir "$folder/src"
cat >"$folder/Cargo.toml" <<'TOML'
[package]
name = "try"
version = "0.0.0"
edition = "2024"

[dependencies]
aws_lambda_events = { version = "=1.2.1", default-features = false }
lambda_http = { version = "=1.3.2", default-features = false, features = ["apigw_http", "apigw_rest"] }
serde_json = "1"
tokio = { version = "1", features = ["macros", "rt"] }

[profile.dev]
debug = false
TOML

cat >"$folder/src/main.rs" <<'RUST'
use lambda_http::request::LambdaRequest;
use lambda_http::tower::Service as _;
use lambda_http::{Adapter, Body, Context, Error, LambdaEvent, Request, Response, service_fn};

/// The client has sent `Accept-Language: de` and `Accept-Language: fr`.
const REST_API: &str = r#"{
    "resource": "/{proxy+}", "path": "/orders", "httpMethod": "GET", "isBase64Encoded": false,
    "headers": { "Host": "api.example", "Accept-Language": "fr" },
    "multiValueHeaders": { "Host": ["api.example"], "Accept-Language": ["de", "fr"] },
    "requestContext": {
        "accountId": "1", "apiId": "1", "stage": "prod", "httpMethod": "GET", "path": "/prod/orders",
        "resourcePath": "/{proxy+}", "identity": { "sourceIp": "192.0.2.1" }
    }
}"#;
/// The same: API Gateway joins the values itself.
const HTTP_API: &str = r#"{
    "version": "2.0", "routeKey": "$default", "rawPath": "/orders", "rawQueryString": "",
    "isBase64Encoded": false,
    "headers": { "host": "api.example", "accept-language": "de,fr" },
    "requestContext": {
        "accountId": "1", "apiId": "1", "domainName": "api.example", "stage": "$default",
        "time": "12/Mar/2026:19:03:58 +0000", "timeEpoch": 1773342238000,
        "http": { "method": "GET", "path": "/orders", "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1" }
    }
}"#;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    for (name, event) in [("REST API", REST_API), ("HTTP API", HTTP_API)] {
        let event: LambdaRequest = serde_json::from_str(event)?;
        let mut function = Adapter::from(service_fn(async |request: Request| {
            let values = request.headers().get_all("accept-language").iter();
            let values: Result<Vec<_>, _> = values.map(|value| value.to_str()).collect();
            println!("{name}, Accept-Language of the request: {}", values?.join(" and "));
            let answer = Response::builder()
                .header("link", "</2>; rel=next")
                .header("link", "</9>; rel=last");
            Ok::<_, Error>(answer.body(Body::Empty)?)
        }));
        let answer = function.call(LambdaEvent::new(event, Context::default())).await?;
        let answer = serde_json::to_value(&answer)?;
        let links = match (&answer["multiValueHeaders"]["link"], &answer["headers"]["link"]) {
            (serde_json::Value::Null, single) => single,
            (all, _) => all,
        };
        println!("{name}, Link of the answer: {links}");
    }
    Ok(())
}
RUST

env -u AWS_LAMBDA_HTTP_IGNORE_STAGE_IN_PATH \
    cargo run --quiet --manifest-path "$folder/Cargo.toml" --target-dir "$folder/target" | tee "$folder/output"
diff <(sed -n 's/^#   \(\(REST\|HTTP\) API, .*: .*\)/\1/p' "$0") "$folder/output"
