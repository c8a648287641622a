//! Refusals: kinds and faults, the detail for operators, the error of a token.

pub(crate) mod faults;
pub(crate) mod rejection_detail;
pub(crate) mod rejection;
pub(crate) mod token_error;
