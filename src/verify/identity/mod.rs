//! Identities: the caller, derived from the claims, and the tenants that it may enter.

pub(crate) mod kinds;
pub(crate) mod evidence;
pub(crate) mod member;
pub(crate) mod resolve;
pub(crate) mod reading;
pub(crate) mod memory_footprint;
pub(crate) mod evidence_detail;
pub(crate) mod missing_evidence;
pub(crate) mod access;
pub(crate) mod delegation;
pub(crate) mod on_behalf_of;
