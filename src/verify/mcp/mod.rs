//! The Model Context Protocol: what a request asks for, read from its header fields and its body.

pub(crate) mod method;
pub(crate) mod name_header;
pub(crate) mod message;
pub(crate) mod revision;
pub(crate) mod list_answer;
