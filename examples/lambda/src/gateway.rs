//! What events and answers of Lambda lose, and what keeps it.
//!
//! 1. API Gateway's REST APIs, and load balancers with multi-value headers, send each header field twice:
//!    in `headers` with its last value, and in `multiValueHeaders` with all. `lambda_http` 1.3.2 lets the
//!    former replace the latter, so that of two credentials one is gone before this library sees them.
//! 2. The answer to an HTTP API has one value for each name. `lambda_http` 1.3.2 writes the first, so
//!    that of two challenges one is gone.

use axum::Router;
use axum::middleware::map_response;
use axum::response::Response;
use http::header::WWW_AUTHENTICATE;
use http::{HeaderMap, HeaderValue};
use lambda_http::LambdaEvent;
use lambda_http::request::LambdaRequest;

/// Leaves a field with several values to `multiValueHeaders` alone.
pub(crate) fn keep_repeated_fields(
    mut event: LambdaEvent<LambdaRequest>,
) -> LambdaEvent<LambdaRequest> {
    match &mut event.payload {
        LambdaRequest::ApiGatewayV1(request) => {
            remove_repeated(&mut request.headers, &request.multi_value_headers);
        }
        LambdaRequest::Alb(request) => {
            remove_repeated(&mut request.headers, &request.multi_value_headers);
        }
        // An HTTP API joins the values of a field by commas.
        _ => {}
    }
    event
}

fn remove_repeated(single: &mut HeaderMap, all: &HeaderMap) {
    for name in all.keys() {
        if all.get_all(name).iter().count() > 1 {
            single.remove(name);
        }
    }
}

/// Writes several challenges as one field (RFC 9110 section 11.6.1).
pub(crate) fn one_challenge_field(app: Router) -> Router {
    app.layer(map_response(async |mut response: Response| {
        let headers = response.headers_mut();
        let challenges = headers.get_all(WWW_AUTHENTICATE).iter();
        let challenges: Vec<&[u8]> = challenges.map(HeaderValue::as_bytes).collect();
        if challenges.len() > 1
            && let Ok(joined) = HeaderValue::from_bytes(&challenges.join(&b", "[..]))
        {
            headers.insert(WWW_AUTHENTICATE, joined);
        }
        response
    }))
}
