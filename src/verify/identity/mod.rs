//! Identities: the caller that the claims prove, and the tenants that it may enter.

pub(crate) mod kinds;
pub(crate) mod evidence;
pub(crate) mod member;
pub(crate) mod resolve;
pub(crate) mod memory_footprint;
pub(crate) mod missing_evidence;
pub(crate) mod access;
pub(crate) mod delegation;
