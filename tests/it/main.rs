//! The integration tests: one binary, through the public API, as an application would.

// Tests fail loudly, and their tables are long.
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
#![allow(clippy::similar_names, clippy::too_many_lines)]

mod browsers;
mod challenges;
mod configuration;
mod corpus;
mod floors;
mod grpc;
mod guards;
mod identities;
mod issuers;
mod key_sets;
mod logs;
mod rendering;
mod sources;
mod spans;
mod support;
mod tokens;
