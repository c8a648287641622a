//! Floor 1: the value types of the crate. No I/O, clock, cryptography, tower or axum.

pub(crate) mod text_conversions;
pub(crate) mod algorithm;
pub(crate) mod binding;
pub(crate) mod claim_path;
pub(crate) mod claim_value;
pub(crate) mod repeated_settings;
pub(crate) mod shared_str;
pub(crate) mod time;
pub(crate) mod url;
pub(crate) mod revocation;
#[cfg(feature = "jwks")]
pub(crate) mod lease_end;
pub(crate) mod scope;
pub(crate) mod required_actor;
pub(crate) mod requirement;
pub(crate) mod ids;
pub(crate) mod reach;
pub(crate) mod resource_set;
pub(crate) mod error;
pub(crate) mod decision_record;
pub(crate) mod observation;
pub(crate) mod event;
pub(crate) mod explained_check;
