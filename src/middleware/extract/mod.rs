//! Extractors for axum handlers.
//!
//! 1. An extractor reads the [`AuthContext`](crate::middleware::authenticate::context::AuthContext)
//!    that the layer left in the request's extensions, and changes nothing. Any number of
//!    extractors stand on one handler, in any order, in nested routers.
//! 2. Without a layer every extractor answers 500, `Option<T>` included.
//! 3. `Option<T>` is `None` only under an optional layer, for a request with nothing in any token
//!    source. A refused token stays refused.

mod macros;
mod tenant_path;
mod access;
mod delegation;
mod guards;
mod identity;
#[cfg(feature = "jwks")]
mod lease;
mod refuser;
mod token_guards;
mod token;
#[cfg(feature = "jwks")]
mod user_info;

pub use guards::{Authorized, InGroup, InRole, RoleRequirement, Scoped, assert_roles};
pub use token::Claims;
pub use token_guards::{SenderConstrained, ThroughActor, UserThroughActor, WithoutActor};
#[cfg(feature = "jwks")]
pub use user_info::UserInfo;
