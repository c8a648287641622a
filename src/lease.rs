//! Leases: what was begun with a token and lasts longer than its request ends with the token.
//!
//! A token is judged when its request begins. Server-Sent Events, gRPC streams, answers of an MCP server
//! and WebSockets outlive it. A [`Lease`] is the authority of an admitted request as a value that can be
//! awaited: it ends when the token expires, when the token, its session, subject, client or issuer is
//! [revoked](crate::revocation), and when the key that verified it is removed. It says
//! [why](LeaseEnd).
//!
//! [`AuthenticateLayer::end_streams`](crate::AuthenticateLayer::end_streams) ends the bodies of
//! responses without a word in the handlers. See [the manual](crate::manual::streaming).

#[doc(inline)]
pub use crate::middleware::lease::body::LeasedBody;
#[doc(inline)]
pub use crate::middleware::lease::handle::{Lease, RenewalError};
#[doc(inline)]
pub use crate::middleware::lease::io::LeasedIo;
#[cfg(feature = "ws")]
#[doc(inline)]
pub use crate::middleware::lease::web_socket::LeasedWebSocket;
#[doc(inline)]
pub use crate::model::decision::lease_end::LeaseEnd;
#[doc(inline)]
pub use crate::server::leases::LeaseStatus;
