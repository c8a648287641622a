//! The requests of the check.

#![allow(clippy::expect_used)] // Test tooling: a panic is the report.

use std::fmt;

use axum::body::Body;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderName};
use http::{HeaderMap, HeaderValue, Request};
use serde_json::Value;

use crate::test_util::openapi_check::document::Operation;
use crate::test_util::openapi_check::sample::plain;
use crate::test_util::openapi_check::settings::OpenApiCheck;
use crate::test_util::percent_encoding::encoded;

/// Which of the three calls.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Call {
    WithoutToken,
    WithoutScope,
    Good,
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::WithoutToken => "without a token",
            Self::WithoutScope => "with a token without scope",
            Self::Good => "with a good token",
        })
    }
}

impl OpenApiCheck {
    fn token(&self, operation: &Operation<'_>, call: Call) -> Option<&String> {
        let name = (operation.method.clone(), operation.path.to_owned());
        let missing = "set `good_token(..)` and `token_without_scope(..)`";
        let (own, for_all) = match call {
            Call::WithoutToken => return None,
            Call::WithoutScope => (&self.without_scope_of, &self.without_scope),
            Call::Good => (&self.good_of, &self.good),
        };
        let own = own.get(&name);
        Some(own.or(for_all.as_ref()).expect(missing))
    }

    pub(super) fn request(&self, operation: &Operation<'_>, call: Call) -> Request<Body> {
        let mut path = operation.path.to_owned();
        let mut query = Vec::new();
        let mut headers = HeaderMap::new();
        for parameter in self.document.parameters(operation) {
            let sample = || plain(&self.document.sample(parameter.value));
            match parameter.place {
                "path" => {
                    let given = self.path_parameters.get(parameter.name).cloned();
                    let value = encoded(&given.unwrap_or_else(sample));
                    for place in ["{*", "{"] {
                        let place = format!("{place}{}}}", parameter.name);
                        path = path.replace(&place, &value);
                    }
                }
                "query" if parameter.is_required => {
                    query.push(format!(
                        "{}={}",
                        encoded(parameter.name),
                        encoded(&sample())
                    ));
                }
                "header" if parameter.is_required => {
                    let name = HeaderName::try_from(parameter.name).expect("the name of a header");
                    // `prepare` makes proofs; credentials are the calls' own.
                    if name != AUTHORIZATION && name != "dpop" {
                        let value = HeaderValue::try_from(sample());
                        headers.insert(name, value.expect("the value of a header"));
                    }
                }
                _ => {}
            }
        }
        for (name, value) in &self.path_parameters {
            path = path.replace(&format!("{{{name}}}"), &encoded(value));
        }
        assert!(
            !path.contains('{'),
            "{} {}: a path parameter is not documented; give its value with `path_parameter(..)`",
            operation.method,
            operation.path
        );
        if !query.is_empty() {
            path = format!("{path}?{}", query.join("&"));
        }
        if let Some(token) = self.token(operation, call) {
            let has_scheme = token.contains(' ');
            let scheme = if has_scheme { "" } else { "Bearer " };
            let value = HeaderValue::try_from(format!("{scheme}{token}"));
            headers.insert(AUTHORIZATION, value.expect("a token is ascii"));
        }
        let body = self.body_of(operation, &mut headers);
        let request = Request::builder()
            .method(operation.method.as_str())
            .uri(path)
            .body(());
        let (mut parts, ()) = request.expect("a request of the document").into_parts();
        parts.headers = headers;
        if let Some(change) = &self.prepare {
            change(&mut parts);
        }
        Request::from_parts(parts, body.into())
    }

    fn body_of(&self, operation: &Operation<'_>, headers: &mut HeaderMap) -> Vec<u8> {
        let name = (operation.method.clone(), operation.path.to_owned());
        let given = self.bodies.get(&name);
        let documented = self.document.body(operation);
        let media_type = documented.map_or("application/json", |(name, _)| name);
        let sample = documented.map(|(_, described)| self.document.sample(described));
        let Some(value) = given.cloned().or(sample) else {
            return Vec::new();
        };
        let value_of_type = HeaderValue::try_from(media_type).expect("a media type");
        headers.insert(CONTENT_TYPE, value_of_type);
        match &value {
            Value::Object(members) if media_type.contains("x-www-form-urlencoded") => {
                let pairs = members.iter();
                let pairs = pairs
                    .map(|(name, value)| format!("{}={}", encoded(name), encoded(&plain(value))));
                pairs.collect::<Vec<_>>().join("&").into_bytes()
            }
            _ if media_type.contains("json") => value.to_string().into_bytes(),
            _ => plain(&value).into_bytes(),
        }
    }
}
