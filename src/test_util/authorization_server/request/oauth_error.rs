//! Errors of OAuth endpoints (RFC 6749 section 5.2).

use std::borrow::Cow;

use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, WWW_AUTHENTICATE};
use http::{HeaderName, HeaderValue, StatusCode};
use serde_json::json;

/// An error as the client gets it: a code, and a sentence for its developer.
#[derive(Debug)]
pub(in crate::test_util) struct OAuthError {
    pub(in crate::test_util) status: StatusCode,
    pub(in crate::test_util) code: &'static str,
    pub(in crate::test_util) description: Cow<'static, str>,
    fields: Vec<(HeaderName, HeaderValue)>,
}

impl OAuthError {
    /// 400 with this code.
    pub(in crate::test_util) fn new(
        code: &'static str,
        description: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            code,
            description: description.into(),
            fields: Vec::new(),
        }
    }

    pub(in crate::test_util) fn invalid_request(description: impl Into<Cow<'static, str>>) -> Self {
        Self::new("invalid_request", description)
    }

    pub(in crate::test_util) fn missing(parameter: &str) -> Self {
        Self::invalid_request(format!("the parameter `{parameter}` is missing"))
    }

    pub(in crate::test_util) fn invalid_grant(description: impl Into<Cow<'static, str>>) -> Self {
        Self::new("invalid_grant", description)
    }

    pub(in crate::test_util) fn invalid_scope(description: impl Into<Cow<'static, str>>) -> Self {
        Self::new("invalid_scope", description)
    }

    /// RFC 8707 s2.
    pub(in crate::test_util) fn invalid_target(description: impl Into<Cow<'static, str>>) -> Self {
        Self::new("invalid_target", description)
    }

    /// RFC 6749 s5.2: 401, with a challenge for the method that clients may use in `Authorization`.
    pub(in crate::test_util) fn invalid_client(description: impl Into<Cow<'static, str>>) -> Self {
        Self::new("invalid_client", description)
            .status(StatusCode::UNAUTHORIZED)
            .field(
                WWW_AUTHENTICATE,
                HeaderValue::from_static("Basic realm=\"authorization server\""),
            )
    }

    pub(in crate::test_util) fn status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }

    pub(in crate::test_util) fn field(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.fields.push((name, value));
        self
    }
}

impl IntoResponse for OAuthError {
    fn into_response(self) -> Response {
        let body = json!({"error": self.code, "error_description": self.description});
        let mut response = json_response(self.status, &body);
        for (name, value) in self.fields {
            response.headers_mut().append(name, value);
        }
        response
    }
}

/// JSON that no cache may keep (RFC 6749 section 5.1).
pub(in crate::test_util) fn json_response(
    status: StatusCode,
    body: &serde_json::Value,
) -> Response {
    let fields = [
        (CONTENT_TYPE, "application/json"),
        (CACHE_CONTROL, "no-store"),
    ];
    (status, fields, body.to_string()).into_response()
}
