//! The integration tests: one binary, through the public API, as an application would.

mod challenges;
mod configuration;
mod floors;
mod guards;
mod identities;
mod issuers;
mod key_sets;
mod support;
mod tokens;
