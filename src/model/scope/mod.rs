//! Scopes: what a token allows, and what a route demands.

pub(crate) mod value;
pub(crate) mod requirement;
pub(crate) mod literals;
pub(crate) mod hierarchy;
#[cfg(feature = "serde")]
pub(crate) mod interned;

pub use hierarchy::ScopeHierarchy;
pub use requirement::{ScopeRequirement, assert_requirement};
pub(crate) use requirement::{add_tokens, challenge_of, tokens_of};
pub use value::{InvalidScope, Scope, ScopeToken, ScopeTokens};
