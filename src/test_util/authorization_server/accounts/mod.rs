//! The users and clients of a development authorization server.
//!
//! 1. They come from code, or from a file: JSON by [`Accounts::from_json`], any format of serde by
//!    `Deserialize`.
//! 2. A member that is not known is a mistake, and so is a subject or client id that stands there twice. Other formats
//!    than JSON state the first kind when they are read, and the second when the server starts.
//! 3. A mistake in a JSON text is named with its path, line and column.

// In the order in which they may name each other.
mod json_place;
pub(super) mod redirect_uri;
pub(super) mod scope_token;
pub(super) mod user;
pub(super) mod client;
pub(super) mod client_metadata;
mod value;
mod prepared;

pub use client::TestClient;
pub use user::TestUser;
pub use value::Accounts;
