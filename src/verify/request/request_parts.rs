//! The parts of a request that decide about it, as one value.

use http::{Extensions, HeaderMap, Method, Request, Uri, Version};

/// What authentication reads of a request: everything except the body.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RequestParts<'r> {
    pub(crate) method: &'r Method,
    pub(crate) uri: &'r Uri,
    pub(crate) version: Version,
    pub(crate) headers: &'r HeaderMap,
    pub(crate) extensions: &'r Extensions,
    original_uri: OriginalUri,
    /// The place of the resource that the request is for.
    pub(crate) resource: usize,
}

/// How the URI that the client has sent is found, where a router has changed the request's own.
pub(crate) type OriginalUri = fn(&Extensions) -> Option<&Uri>;

impl<'r> RequestParts<'r> {
    pub(crate) fn of<B>(request: &'r Request<B>) -> Self {
        Self {
            method: request.method(),
            uri: request.uri(),
            version: request.version(),
            headers: request.headers(),
            extensions: request.extensions(),
            original_uri: |_| None,
            resource: 0,
        }
    }

    /// With a router's record of the URI, which is read only where it is needed.
    #[cfg_attr(not(feature = "axum"), allow(dead_code))]
    pub(crate) fn with_original_uri(self, original_uri: OriginalUri) -> Self {
        Self {
            original_uri,
            ..self
        }
    }

    /// For another resource of the server than the first.
    pub(crate) fn at_resource(self, resource: usize) -> Self {
        Self { resource, ..self }
    }

    /// The path that the client has sent.
    pub(crate) fn original_path(&self) -> &'r str {
        let original = (self.original_uri)(self.extensions);
        original.unwrap_or(self.uri).path()
    }
}

impl<'r> From<&'r http::request::Parts> for RequestParts<'r> {
    fn from(parts: &'r http::request::Parts) -> Self {
        Self {
            method: &parts.method,
            uri: &parts.uri,
            version: parts.version,
            headers: &parts.headers,
            extensions: &parts.extensions,
            original_uri: |_| None,
            resource: 0,
        }
    }
}
