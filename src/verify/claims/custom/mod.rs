//! The payload as the application's own type.

pub(crate) mod deserialize_error;
pub(crate) mod payload_reader;
pub(crate) mod payload_cache;
