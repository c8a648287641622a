//! Errors of the configuration and of the background tasks, and the reasons of refusals.

pub use crate::server::settings::error::{ConfigError, ConfigMistake, ConfigMistakeKind};
