//! The parts of a request that decide about it, as one value.

use http::{Extensions, HeaderMap, Method, Request, Uri, Version};

/// What authentication reads of a request: everything except the body.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RequestParts<'r> {
    pub(crate) method: &'r Method,
    pub(crate) uri: &'r Uri,
    pub(crate) version: Version,
    pub(crate) headers: &'r HeaderMap,
    #[allow(dead_code)] // for rules that read what the server knows of the connection
    pub(crate) extensions: &'r Extensions,
}

impl<'r> RequestParts<'r> {
    pub(crate) fn of<B>(request: &'r Request<B>) -> Self {
        Self {
            method: request.method(),
            uri: request.uri(),
            version: request.version(),
            headers: request.headers(),
            extensions: request.extensions(),
        }
    }
}

#[cfg(feature = "axum")]
impl<'r> From<&'r http::request::Parts> for RequestParts<'r> {
    fn from(parts: &'r http::request::Parts) -> Self {
        Self {
            method: &parts.method,
            uri: &parts.uri,
            version: parts.version,
            headers: &parts.headers,
            extensions: &parts.extensions,
        }
    }
}
