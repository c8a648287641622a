//! MCP: what a request to a server of the Model Context Protocol demands, by header fields and by body.

mod headers;
mod bodies;
mod declarations;
mod lists;
mod requirements;
mod stacks;
pub(crate) mod support;
