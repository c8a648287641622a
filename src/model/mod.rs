//! Floor 1: the value types of the crate. No I/O, clock, cryptography, tower or axum.

pub(crate) mod text_conversions;
pub(crate) mod algorithm;
pub(crate) mod claim_path;
pub(crate) mod repeated_settings;
pub(crate) mod shared_str;
pub(crate) mod time;
pub(crate) mod url;
pub(crate) mod revocation;
pub(crate) mod scope;
pub(crate) mod requirement;
pub(crate) mod ids;
pub(crate) mod reach;
pub(crate) mod error;
pub(crate) mod decision;
