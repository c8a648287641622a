//! Authorization servers and clients that are none of ours, and what this library says to their
//! tokens and proofs.
//!
//! 1. The servers are real and run on loopback; see `tests/interop/README.md`.
//! 2. The library is configured as a user of that server would, by what its manual says.
//! 3. Each file records what its server's tokens look like, so that a new version of the server
//!    that changes them shows here.

mod bound;
mod cognito;
mod cognito_local;
mod dpop_clients;
mod house;
mod http_clients;
mod mcp;
mod moto;
mod oidc_provider;
mod opaque;
mod page;
mod sign_in;
mod together;
