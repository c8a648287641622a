//! A lean HTTP/1.1 client: one bounded exchange on a connection of its own or of a small pool.
//!
//! 1. No redirect is followed, nothing is decompressed, and no request that may have reached the server is
//!    sent a second time.
//! 2. It knows no limit of total time and of bodies: its callers do.
//!
//! The only home of `hyper`'s client, of `hyper_util` and of `rustls` for HTTP.

pub(crate) mod transport_error;
mod server_origin;
mod dial;
mod tunnel;
mod connector;
pub(super) mod tls_config;
mod pool;
pub(crate) mod http_response;
pub(crate) mod http_client;
