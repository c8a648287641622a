//! The served issuer: its endpoints over HTTP on loopback, and their ways to fail.

// In the order in which they may name each other.
mod fault;
mod wire;
#[cfg(feature = "ssf")]
mod event_queue;
mod endpoints;
mod serve;
#[cfg(feature = "ssf")]
mod transmitter;

pub(super) use fault::Faults;
pub use fault::{Endpoint, Fault};
pub use serve::ServedIssuer;
