//! Several resources in one server, and their metadata (RFC 9728).

mod caller_key;
mod challenges;
mod documents;
mod service;
mod settings;
mod signed;
mod tokens;
