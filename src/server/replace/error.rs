//! Why a configuration was not replaced.

use std::fmt;

use crate::server::settings::error::ConfigError;

/// Why [`ResourceServer::replace`](crate::ResourceServer::replace) has changed nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReplaceError {
    /// The replacement has a mistake, as [`build()`](crate::ResourceServerBuilder::build) would find it.
    Invalid(ConfigError),
    /// Settings differ that stay as they are while a server runs. State their values as the running server
    /// has them, or build another server.
    #[non_exhaustive]
    NotReplaceable {
        /// The names of the settings, at least one.
        settings: Vec<&'static str>,
    },
    /// The replacement has a clock, a directory, a check, a loader, an observer or a sink of its own. Those
    /// of the running server stay; leave them out.
    #[non_exhaustive]
    CodeGiven {
        /// The names of the settings, at least one.
        settings: Vec<&'static str>,
    },
    /// Keys are to be fetched, and no tokio runtime is running: neither here, nor where
    /// `connect()` was called.
    NoRuntime,
}

impl fmt::Display for ReplaceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = |settings: &[&str]| format!("`{}`", settings.join("`, `"));
        match self {
            Self::Invalid(error) => error.fmt(f),
            Self::NotReplaceable { settings } => write!(
                f,
                "{} cannot change while the server runs; give the value that it was built with, or build another server",
                names(settings)
            ),
            Self::CodeGiven { settings } => {
                let names = names(settings);
                let object = if settings.len() == 1 { "it" } else { "them" };
                write!(
                    f,
                    "{names}: the running server keeps its own; leave {object} out of the replacement"
                )
            }
            Self::NoRuntime => f.write_str(
                "no tokio runtime is running that could fetch keys; call `replace(..)` inside one",
            ),
        }
    }
}

impl std::error::Error for ReplaceError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Invalid(error) => Some(error),
            Self::NotReplaceable { .. } | Self::CodeGiven { .. } | Self::NoRuntime => None,
        }
    }
}

impl From<ConfigError> for ReplaceError {
    fn from(error: ConfigError) -> Self {
        Self::Invalid(error)
    }
}
