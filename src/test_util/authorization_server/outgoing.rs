//! Requests that the server itself makes: for documents of clients, and with logout tokens.
//!
//! 1. They go to `https`, or to `http` on loopback, and follow no redirect.
//! 2. Time and size are bounded.

use std::sync::OnceLock;
use std::time::Duration;

use http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE};
use http::{Request, StatusCode};

use super::accounts::redirect_uri::{is_loopback_origin, origin};
use crate::runtime::http::transport::http_client::HttpClient;

const TIMEOUT: Duration = Duration::from_secs(5);

/// Whether a request may go to this URL.
pub(super) fn is_allowed(url: &str) -> bool {
    let is_url = url.bytes().all(|byte| byte.is_ascii_graphic()) && url.len() <= 2048;
    let names_host = |origin: &str| origin.len() > "https://".len() && !origin.contains('@');
    is_url
        && origin(url).is_some_and(|origin| {
            (origin.starts_with("https://") && names_host(origin))
                || (origin.starts_with("http://") && is_loopback_origin(origin))
        })
}

/// The body of a JSON document of at most so many bytes.
///
/// # Errors
///
/// A sentence.
pub(super) async fn fetch_json(url: &str, max_bytes: usize) -> Result<Vec<u8>, String> {
    if !is_allowed(url) {
        return Err(format!("`{url}` is neither https nor on loopback"));
    }
    let exchange = async {
        let request = Request::get(url).header(ACCEPT, "application/json");
        let request = request.body(String::new());
        let request = request.map_err(|_| format!("`{url}` is no URL"))?;
        read_json(url, request, max_bytes).await
    };
    let ended = tokio::time::timeout(TIMEOUT, exchange).await;
    ended.unwrap_or_else(|_| Err(format!("`{url}` does not answer in time")))
}

async fn read_json(
    url: &str,
    request: Request<String>,
    max_bytes: usize,
) -> Result<Vec<u8>, String> {
    let sent = client()?.send(request).await;
    let mut response = sent.map_err(|error| format!("`{url}` does not answer: {error}"))?;
    if response.status() != StatusCode::OK {
        return Err(format!("`{url}` answers {}", response.status().as_u16()));
    }
    let media_type = response.headers().get(CONTENT_TYPE);
    let media_type = media_type
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let media_type = media_type.split(';').next().unwrap_or_default().trim();
    if media_type != "application/json" && !media_type.ends_with("+json") {
        return Err(format!(
            "`{url}` answers with `{media_type}`, which is no JSON"
        ));
    }
    let mut body = Vec::new();
    loop {
        let chunk = response.chunk().await;
        let Some(chunk) = chunk.map_err(|error| format!("`{url}` breaks off: {error}"))? else {
            return Ok(body);
        };
        if body.len() + chunk.len() > max_bytes {
            return Err(format!("`{url}` has more than {max_bytes} bytes"));
        }
        body.extend_from_slice(&chunk);
    }
}

/// Posts a form. The answer counts as it stands in OpenID Connect Back-Channel Logout 1.0 section 2.8.
///
/// # Errors
///
/// A sentence.
pub(super) async fn post_form(url: &str, form: String) -> Result<(), String> {
    if !is_allowed(url) {
        return Err(format!("`{url}` is neither https nor on loopback"));
    }
    let request = Request::post(url)
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
        .header(CACHE_CONTROL, "no-store")
        .body(form)
        .map_err(|_| format!("`{url}` is no URL"))?;
    let client = client()?;
    let sent = tokio::time::timeout(TIMEOUT, client.send(request)).await;
    let sent = sent.map_err(|_| format!("`{url}` does not answer in time"))?;
    let response = sent.map_err(|error| format!("`{url}` does not answer: {error}"))?;
    match response.status() {
        StatusCode::OK | StatusCode::NO_CONTENT => Ok(()),
        other => Err(format!("`{url}` answers {}", other.as_u16())),
    }
}

fn client() -> Result<HttpClient, String> {
    static CLIENT: OnceLock<Result<HttpClient, String>> = OnceLock::new();
    // A pool would outlive the runtime of a test.
    let make = || HttpClient::new(Vec::new(), false, false);
    let client = CLIENT.get_or_init(make).clone();
    client.map_err(|error| format!("there is no HTTP client: {error}"))
}
