//! A verified token without its text, the checks that make it, and the form in which applications hold it.

pub(crate) mod data;
pub(crate) mod draft;
pub(crate) mod check;
pub(crate) mod texts;
pub(crate) mod token;
pub(crate) mod caller_key;

pub use caller_key::CallerKey;
pub(crate) use data::{TokenHolder, VerifiedToken};
pub use token::AccessToken;
