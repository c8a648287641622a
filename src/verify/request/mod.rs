//! The credential of a request: its sources and its syntax (RFC 6750 section 2).

pub(crate) mod request_parts;
pub(crate) mod token_sources;
pub(crate) mod credential;
