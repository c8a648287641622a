//! Extractors for axum: what the layer found, as arguments of handlers.
//!
//! 1. An extractor reads the layer's entry and never takes or adds anything, so any number of
//!    them stand on one handler, in any order, in nested routers.
//! 2. Without a layer every one of them answers 500, `Option<T>` included.
//! 3. `Option<T>` is `None` only under an optional layer, when nothing was sent in any of its
//!    sources. A refusal stays a refusal.

mod admission;
mod guard;
mod place;
mod account;
mod caller;
mod delegation;
mod refuser;
mod roles;
mod scoped;
mod token;
#[cfg(feature = "jwks")]
mod user_info;
mod workspace;

pub use roles::{InGroup, InRole, RoleRequirement, assert_roles};
pub use scoped::Scoped;
pub use token::Claims;
#[cfg(feature = "jwks")]
pub use user_info::UserInfo;
