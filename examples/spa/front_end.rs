//! The page's files, and the addresses that its scripts need.

use axum::middleware::map_response;
use axum::response::Response;
use axum::routing::get;
use axum::{Json, Router};
use http::HeaderValue;
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, InvalidHeaderValue};
use serde_json::json;

use super::CLIENT_ID;

/// What the page asks for at first; the rest comes with what the user does.
pub(crate) const FIRST_SCOPE: &str = "openid orders:read";

pub(crate) fn routes(
    issuer: &str,
    api: &str,
    own: &str,
    dpop: bool,
) -> Result<Router, InvalidHeaderValue> {
    let config = json!({
        "issuer": issuer,
        "client_id": CLIENT_ID,
        "redirect_uri": format!("{own}/"),
        "api": api,
        "scope": FIRST_SCOPE,
        "dpop": dpop,
    });
    // Only our scripts run, and they reach these two servers: what is injected into the page
    // cannot send tokens elsewhere by a request.
    let policy = format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; \
         connect-src 'self' {issuer} {api}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    );
    let policy = HeaderValue::from_str(&policy)?;
    let file =
        |kind: &'static str, text: &'static str| get(async move || ([(CONTENT_TYPE, kind)], text));
    let script = "text/javascript; charset=utf-8";
    Ok(Router::new()
        .route(
            "/",
            file("text/html; charset=utf-8", include_str!("index.html")),
        )
        .route(
            "/app.css",
            file("text/css; charset=utf-8", include_str!("app.css")),
        )
        .route("/app.js", file(script, include_str!("app.js")))
        .route("/oauth.js", file(script, include_str!("oauth.js")))
        .route("/dpop.js", file(script, include_str!("dpop.js")))
        .route("/config.json", get(async move || Json(config)))
        .layer(map_response(move |mut response: Response| {
            let headers = response.headers_mut();
            headers.insert(CONTENT_SECURITY_POLICY, policy.clone());
            headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
            async { response }
        })))
}
