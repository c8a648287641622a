//! Scopes: what a token allows, and what a route demands.

pub(crate) mod value;
pub(crate) mod requirement;
pub(crate) mod literals;

pub(crate) use requirement::{ScopeMatch, add_tokens, challenge_of, meets, tokens_of};
pub use requirement::{ScopeRequirement, assert_requirement};
pub use value::{InvalidScope, Scope, ScopeToken, ScopeTokens};
