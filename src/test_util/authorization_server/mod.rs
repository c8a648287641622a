//! A development authorization server: the OAuth 2.0 and OpenID Connect endpoints around a mock issuer.
//!
//! 1. It is a tool for development and tests: any caller can sign in as any user. It listens on loopback.
//! 2. Requests are checked as the specifications demand, so that a client that works here works elsewhere.
//! 3. Keys, tokens and their register are those of the [`MockIssuer`](super::MockIssuer).
//! 4. Everything is in memory, and its size is bounded.

// In the order in which they may name each other.
mod error;
mod accounts;
mod outgoing;
mod state;
mod client_id_metadata;
mod request;
mod issue;
mod logout_tokens;
mod grants;
mod endpoints;
mod served;
mod connections;
mod tls_peer;
mod builder;

pub use accounts::{Accounts, TestClient, TestUser};
pub use builder::{AuthorizationServer, AuthorizationServerDanger};
pub use error::AuthorizationServerError;
pub use served::ServedAuthorizationServer;
pub use tls_peer::TlsPeer;
