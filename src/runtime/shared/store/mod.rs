//! The connection to Redis or Valkey: URL, TLS, commands, stream ids. The only home of `redis`.

pub(crate) mod tls;
pub(crate) mod address;
pub(crate) mod stream;
pub(crate) mod redis;
pub(crate) mod request_connection;
