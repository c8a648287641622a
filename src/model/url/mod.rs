//! URLs: validation, origin, and issuer identifiers with a placeholder.

pub(crate) mod difference;
pub(crate) mod issuer_template;
pub(crate) mod check;

#[cfg(any(feature = "redis", feature = "test-util"))]
pub(crate) use check::is_loopback;
#[cfg(feature = "jwks")]
pub(crate) use check::{at_origin, origin};
pub(crate) use check::{check, shown, split_origin};
