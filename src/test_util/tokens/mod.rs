//! The tokens of a mock issuer: what it issues, and how a test changes or breaks it.

// In the order in which they may name each other.
mod token_builder;
mod issue;
mod own_token;
mod logout_token;
#[cfg(feature = "status-list")]
mod mock_status_list;
#[cfg(feature = "ssf")]
mod security_event_token;

#[cfg(feature = "status-list")]
pub use mock_status_list::MockStatusList;
pub use token_builder::TokenBuilder;
