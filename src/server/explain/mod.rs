//! Why a request is refused: every check, one by one, without an effect on the server.

pub(crate) mod explanation;
pub(crate) mod record;
mod times;
mod keys;
mod verified;
pub(crate) mod request;
#[cfg(feature = "jwks")]
pub(crate) mod lookups;
