//! The integration tests: one binary, through the public API, as an application would.

// Tests fail loudly, and their tables are long.
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
#![allow(
    clippy::large_stack_arrays,
    clippy::similar_names,
    clippy::too_many_lines
)]

mod agents;
mod attacks;
mod authorization_server;
mod binding;
mod cache;
mod claims;
mod decisions;
mod explain;
mod interop;
mod introspection;
mod jwks;
mod lease;
mod mcp;
mod middleware;
mod openapi;
mod project;
mod providers;
mod replace;
mod requirements;
mod resources;
mod revocation;
mod settings;
mod shared_store;
mod status_list;
mod ssf;
mod support;
mod tenancy;
mod test_util;
