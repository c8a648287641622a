//! The integration tests: one binary, through the public API, as an application would.

mod challenges;
mod configuration;
mod corpus;
mod floors;
mod guards;
mod identities;
mod issuers;
mod key_sets;
mod logs;
mod spans;
mod support;
mod tokens;
