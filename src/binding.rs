//! Tokens that are bound to their sender: DPoP (RFC 9449) and mutual TLS (RFC 8705).
//!
//! A stolen bearer token is good in anybody's hands. A bound token is good only with a proof by its
//! client's key, or over a connection with its client's certificate. The chapter
//! [bound tokens](crate::manual::bound_tokens) says when to use which.

#[doc(inline)]
pub use crate::model::binding::Binding;
#[doc(inline)]
pub use crate::model::error::rejection::DpopFault;
#[cfg(feature = "redis")]
#[doc(inline)]
pub use crate::server::settings::dpop::ReplayStoreOutage;
#[doc(inline)]
pub use crate::server::settings::dpop::{DangerousDpop, Dpop};
#[doc(inline)]
pub use crate::verify::claims::access_token::Confirmation;
