//! Parameters of a request: a query or a form.
//!
//! 1. A parameter stands there once (RFC 6749 section 3.1), except those that may repeat (RFC 8707 section 2,
//!    RFC 8693 section 2.1).
//! 2. A parameter without a value counts as absent (RFC 6749 section 3.1).

use axum::body::{Body, to_bytes};
use http::HeaderMap;
use http::header::CONTENT_TYPE;

use super::oauth_error::OAuthError;

/// The parameters in their order.
pub(in crate::test_util) struct Form(Vec<(String, String)>);

/// Parameters that may repeat.
const REPEATED: [&str; 2] = ["resource", "audience"];

const MAX_BODY_BYTES: usize = 64 * 1024;

const MAX_PARAMETERS: usize = 256;

impl Form {
    /// The parameters of a query.
    pub(in crate::test_util) fn of_query(query: &str) -> Result<Self, OAuthError> {
        Self::read(query.as_bytes())
    }

    /// The parameters of a body, which must say that it is a form.
    pub(in crate::test_util) async fn of_body(
        headers: &HeaderMap,
        body: Body,
    ) -> Result<Self, OAuthError> {
        let media_type = headers
            .get(CONTENT_TYPE)
            .and_then(|value| value.to_str().ok());
        let media_type = media_type
            .unwrap_or_default()
            .split(';')
            .next()
            .unwrap_or_default();
        if !media_type
            .trim()
            .eq_ignore_ascii_case("application/x-www-form-urlencoded")
        {
            return Err(OAuthError::invalid_request(
                "the body must be of type `application/x-www-form-urlencoded`",
            ));
        }
        let bytes = to_bytes(body, MAX_BODY_BYTES).await;
        Self::read(&bytes.map_err(|_| OAuthError::invalid_request("the body is too long"))?)
    }

    fn read(bytes: &[u8]) -> Result<Self, OAuthError> {
        let mut all: Vec<(String, String)> = Vec::new();
        for (name, value) in form_urlencoded::parse(bytes) {
            if value.is_empty() {
                continue;
            }
            let is_there = all.iter().any(|(there, _)| *there == name);
            if is_there && !REPEATED.contains(&&*name) {
                return Err(OAuthError::invalid_request(format!(
                    "the parameter `{name}` stands there twice"
                )));
            }
            if all.len() >= MAX_PARAMETERS {
                return Err(OAuthError::invalid_request(format!(
                    "the request has more than {MAX_PARAMETERS} parameters"
                )));
            }
            all.push((name.into_owned(), value.into_owned()));
        }
        Ok(Self(all))
    }

    pub(in crate::test_util) fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(found, _)| found == name);
        found.map(|(_, value)| &**value)
    }

    pub(in crate::test_util) fn required(&self, name: &str) -> Result<&str, OAuthError> {
        self.get(name).ok_or_else(|| OAuthError::missing(name))
    }

    pub(in crate::test_util) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let found = self.0.iter().filter(move |(found, _)| found == name);
        found.map(|(_, value)| &**value)
    }

    /// The parameters as a query.
    pub(in crate::test_util) fn to_query(&self) -> String {
        form_urlencoded::Serializer::new(String::new())
            .extend_pairs(&self.0)
            .finish()
    }
}
