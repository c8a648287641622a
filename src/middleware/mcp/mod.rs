//! Scopes for the tools, prompts, resources and methods of an MCP server.

pub(crate) mod check;
pub(crate) mod uri;
pub(crate) mod scopes;
pub(crate) mod access;
pub(crate) mod body;
pub(crate) mod request;
pub(crate) mod service;
pub(crate) mod layer;
