//! Mistakes in a configuration.

use std::fmt;
use std::sync::Arc;

use crate::model::repeated_settings::RepeatedSettings;

/// A mistake in the configuration: which setting, and the way out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    issuer: Option<Arc<str>>,
    setting: &'static str,
    problem: String,
}

impl ConfigError {
    /// The name of the setting.
    #[must_use]
    pub const fn setting(&self) -> &'static str {
        self.setting
    }

    /// The issuer whose setting it is; absent for settings of the server.
    #[must_use]
    pub fn issuer(&self) -> Option<&str> {
        self.issuer.as_deref()
    }

    /// Adds a way out.
    #[cfg(feature = "jwks")]
    pub(in crate::server) fn and(mut self, way_out: &str) -> Self {
        self.problem.push_str("; ");
        self.problem.push_str(way_out);
        self
    }

    pub(in crate::server) fn of(mut self, issuer: &Arc<str>) -> Self {
        self.issuer = Some(Arc::clone(issuer));
        self
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(issuer) = &self.issuer {
            write!(f, "issuer `{issuer}`: ")?;
        }
        write!(f, "`{}`: {}", self.setting, self.problem)
    }
}

impl std::error::Error for ConfigError {}

pub(in crate::server) fn mistake(setting: &'static str, problem: impl Into<String>) -> ConfigError {
    ConfigError {
        issuer: None,
        setting,
        problem: problem.into(),
    }
}

/// One that was given two values would hold the later one, and forget the other in silence.
pub(in crate::server) fn check_once(once: &RepeatedSettings) -> Result<(), ConfigError> {
    match once.twice() {
        None => Ok(()),
        Some(setting) => Err(mistake(
            setting,
            "it is set twice to different values; it holds one, so keep one of them",
        )),
    }
}

/// RFC 9110 s5.6.4: fit for a quoted-string as it stands.
pub(crate) fn is_quotable(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\')
}
