//! The credential of a request: where a token may stand, and its syntax (RFC 6750 section 2).

pub(crate) mod request_parts;
pub(crate) mod token_sources;
pub(crate) mod credential;
