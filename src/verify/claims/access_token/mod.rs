//! The access token and the checks that make it.

pub(crate) mod audience;
pub(crate) mod authentication;
pub(crate) mod client;
pub(crate) mod confirmation;
pub(crate) mod permissions;
pub(crate) mod required_values;
pub(crate) mod revocation_ids;
pub(crate) mod validity;
pub(crate) mod seldom_claims;

pub use confirmation::Confirmation;
pub(crate) use validity::Validity;
