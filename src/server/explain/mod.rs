//! Why a request is refused: every check, one by one, without an effect on the server.

mod times;
pub(crate) mod explanation;
pub(crate) mod record;
mod keys;
mod verified;
mod unread_payload;
pub(crate) mod request;
mod jwt;
#[cfg(feature = "jwks")]
pub(crate) mod lookups;
