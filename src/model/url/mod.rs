//! URLs: validation, origin, and issuer identifiers with a placeholder.

pub(crate) mod issuer_template;
pub(crate) mod check;

pub(crate) use check::{check, is_loopback, shown, split_origin};
