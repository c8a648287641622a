//! Floor 2: verification. Pure and synchronous; the time is an argument.

pub(crate) mod crypto;
pub(crate) mod json;
pub(crate) mod request;
pub(crate) mod jose;
pub(crate) mod dpop;
pub(crate) mod policy;
pub(crate) mod claims;
#[cfg(feature = "status-list")]
pub(crate) mod status_list;
pub(crate) mod identity;
#[cfg(feature = "mcp")]
pub(crate) mod mcp;
#[cfg(test)]
mod vectors;
