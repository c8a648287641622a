//! Leases on admitted requests, and what they end: bodies of responses, upgraded connections,
//! WebSockets.

mod cell;
pub(crate) mod handle;
mod last_frame;
pub(crate) mod body;
pub(crate) mod io;
#[cfg(feature = "ws")]
pub(crate) mod web_socket;
pub(crate) mod service;
