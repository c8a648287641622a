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
mod actor;
mod delegation;
mod guards;
mod identity;
mod refuser;
mod sender_constrained;
mod token;
#[cfg(feature = "jwks")]
mod user_info;

pub use actor::{ThroughActor, UserThroughActor, WithoutActor};
pub use guards::{Authorized, InGroup, InRole, RoleRequirement, Scoped, assert_roles};
pub use sender_constrained::SenderConstrained;
pub use token::Claims;
#[cfg(feature = "jwks")]
pub use user_info::UserInfo;
