//! The mock issuer: its kinds, its keys and users, and what it has issued.

// In the order in which they may name each other.
pub(super) mod register;
#[cfg(feature = "status-list")]
pub(super) mod status_list_state;
pub(super) mod profile;
mod mock_issuer;
mod kinds;

pub use mock_issuer::MockIssuer;
#[cfg(feature = "status-list")]
pub use status_list_state::StatusListFault;
