//! An axum API on AWS Lambda behind a Cognito user pool.
//!
//! Everything that is said here about events and settings is in `README.md`. `tests/events` starts this
//! program with a Lambda runtime API on loopback:
//!
//! ```sh
//! cargo test --manifest-path examples/lambda/Cargo.toml
//! ```
//!
//! The configuration comes from the function's environment variables:
//!
//! ```sh
//! PORTCULLIS__RESOURCE=https://api.example.com
//! PORTCULLIS__ISSUER__0__COGNITO__REGION=eu-west-1
//! PORTCULLIS__ISSUER__0__COGNITO__POOL_ID=eu-west-1_AbCdEf
//! PORTCULLIS__ISSUER__0__CLIENT_ID=1example23456789
//! PORTCULLIS__ISSUER__0__MAX_STALENESS=1h
//! AWS_LAMBDA_HTTP_IGNORE_STAGE_IN_PATH=1
//! ```

mod api;
mod gateway;

use lambda_http::{Adapter, Error};
use portcullis::config::Configuration;
use tower::ServiceExt as _;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    // The init phase: once for each execution environment, so that its keys and its cache of verified
    // tokens outlive the invocation. It ends after at most 5 s, and Lambda gives it 10 s.
    let server = Configuration::from_environment("PORTCULLIS")?
        .into_builder()?
        .build()?
        .connect()
        .await?;
    let app = gateway::one_challenge_field(api::routes(&server));
    // `lambda_http::run(app)` does the same without `keep_repeated_fields`.
    let service = Adapter::from(app).map_request(gateway::keep_repeated_fields);
    lambda_http::lambda_runtime::run(service).await
}
