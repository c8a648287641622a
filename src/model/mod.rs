//! Floor 1: words. Plain values without I/O, clock, cryptography, tower or axum.

pub(crate) mod algorithm;
pub(crate) mod claim_value;
pub(crate) mod once;
pub(crate) mod path;
pub(crate) mod rejection_detail;

pub(crate) mod rejection;

pub(crate) mod token_error;

pub(crate) mod template;
pub(crate) mod text;
pub(crate) mod time;
pub(crate) mod url;

pub(crate) mod revocation;

pub(crate) mod scope;
pub(crate) mod tenant;

pub(crate) mod reach;
