//! The builder of a server: its settings by their subject, and how they become a server.

mod settings_check;
pub(crate) mod server_builder;
pub(crate) mod binding;
#[cfg(feature = "ssf")]
pub(crate) mod ssf;
#[cfg(feature = "jwks")]
mod lease;
#[cfg(feature = "jwks")]
mod key_set_copies;
pub(in crate::server) mod issuers;
pub(in crate::server) mod fixed_settings;
mod build;
