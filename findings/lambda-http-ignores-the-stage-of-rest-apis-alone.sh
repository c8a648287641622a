#!/usr/bin/env bash
# lambda_http 1.3.2 with aws_lambda_events 1.2.1 (crates.io).
#
# Behaviour: `AWS_LAMBDA_HTTP_IGNORE_STAGE_IN_PATH` removes no stage from a path. It stops `lambda_http`
# from adding one, which it does for the events of REST APIs: their `path` has none. The event of an HTTP
# API (payload 2.0) with a named stage has the stage in `rawPath`, so that the variable changes nothing
# there. With the variable, one router therefore sees `/orders` behind a REST API and `/prod/orders` behind
# an HTTP API; without it, `/prod/orders` behind both.
#
# Output:
#   without the variable: REST API /prod/orders, HTTP API /prod/orders
#   with the variable: REST API /orders, HTTP API /prod/orders
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

[profile.dev]
debug = false
TOML

# The client of both APIs has called /prod/orders.
cat >"$folder/src/main.rs" <<'RUST'
const REST_API: &str = r#"{
    "resource": "/{proxy+}", "path": "/orders", "httpMethod": "GET", "isBase64Encoded": false,
    "headers": { "Host": "api.example" },
    "multiValueHeaders": { "Host": ["api.example"] },
    "requestContext": {
        "accountId": "1", "apiId": "1", "stage": "prod", "httpMethod": "GET", "path": "/prod/orders",
        "resourcePath": "/{proxy+}", "identity": { "sourceIp": "192.0.2.1" }
    }
}"#;
const HTTP_API: &str = r#"{
    "version": "2.0", "routeKey": "$default", "rawPath": "/prod/orders", "rawQueryString": "",
    "isBase64Encoded": false,
    "headers": { "host": "api.example" },
    "requestContext": {
        "accountId": "1", "apiId": "1", "domainName": "api.example", "stage": "prod",
        "time": "12/Mar/2026:19:03:58 +0000", "timeEpoch": 1773342238000,
        "http": { "method": "GET", "path": "/prod/orders", "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1" }
    }
}"#;

fn main() -> Result<(), lambda_http::Error> {
    let rest = lambda_http::request::from_str(REST_API)?;
    let http = lambda_http::request::from_str(HTTP_API)?;
    println!("REST API {}, HTTP API {}", rest.uri().path(), http.uri().path());
    Ok(())
}
RUST

cargo build --quiet --manifest-path "$folder/Cargo.toml" --target-dir "$folder/target"
name=AWS_LAMBDA_HTTP_IGNORE_STAGE_IN_PATH
{
    echo "without the variable: $(env -u "$name" "$folder/target/debug/try")"
    echo "with the variable: $(env "$name=1" "$folder/target/debug/try")"
} | tee "$folder/output"
diff <(sed -n 's/^#   \(with\(out\)\? the variable: .*\)/\1/p' "$0") "$folder/output"
