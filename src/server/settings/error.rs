//! Mistakes in a configuration.

use std::fmt;
use std::sync::Arc;

use crate::model::repeated_settings::RepeatedSettings;
use crate::model::url;

/// Every mistake that [`build()`](crate::ResourceServerBuilder::build) found in the
/// configuration: at least one.
///
/// [`setting()`](Self::setting), [`issuer()`](Self::issuer) and [`kind()`](Self::kind) are those
/// of the first, in this order: settings of the server, then each issuer's in the order of the
/// `issuer(..)` calls, then what concerns several issuers. [`mistakes()`](Self::mistakes) has all
/// of them, and `Display` writes all: one line for one mistake, else a line with their number and
/// a line for each.
///
/// Mistakes that depend on each other are not all found at once: what is made of a value that is
/// wrong itself is not checked.
///
/// ```
/// use portcullis::error::ConfigMistakeKind;
/// use portcullis::{Issuer, ResourceServer};
/// use std::time::Duration;
///
/// let error = ResourceServer::builder("https://api.example.com")
///     .issuer(Issuer::cognito("eu-west-1", "eu-west-1_AbCdEf").leeway(Duration::from_secs(3600)))
///     .max_token_bytes(10)
///     .build()
///     .unwrap_err();
/// let found: Vec<_> = error.mistakes().map(|mistake| (mistake.setting(), mistake.kind())).collect();
/// assert_eq!(
///     found,
///     [
///         ("max_token_bytes", ConfigMistakeKind::OutOfBounds),
///         ("client_id", ConfigMistakeKind::Missing),
///         ("leeway", ConfigMistakeKind::OutOfBounds),
///     ]
/// );
/// assert_eq!(error.setting(), "max_token_bytes");
/// assert_eq!(error.to_string().lines().count(), 4);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    first: ConfigMistake,
    others: Vec<ConfigMistake>,
}

/// One mistake in the configuration: which setting of which issuer, what is wrong, and the way
/// out. `Display` writes ``issuer `<issuer>`: `<setting>`: <problem>``, without the issuer for
/// settings of the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigMistake {
    issuer: Option<Arc<str>>,
    setting: &'static str,
    kind: ConfigMistakeKind,
    problem: String,
}

/// What is wrong with a setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ConfigMistakeKind {
    /// A required setting was not made, or another setting requires it.
    Missing,
    /// A number, a size or a duration is outside its bounds.
    OutOfBounds,
    /// The value has the wrong form: an address that cannot be used, a key that is too weak, an
    /// empty text.
    Invalid,
    /// Two settings exclude each other, or the setting is none of this kind of issuer.
    Conflict,
    /// A setting or a name that stands once was given twice.
    Repeated,
    /// The machine or the set of features does not provide what the setting needs.
    Unavailable,
}

impl ConfigMistakeKind {
    /// A stable name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::OutOfBounds => "out_of_bounds",
            Self::Invalid => "invalid",
            Self::Conflict => "conflict",
            Self::Repeated => "repeated",
            Self::Unavailable => "unavailable",
        }
    }
}

impl fmt::Display for ConfigMistakeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl ConfigMistake {
    /// The name of the setting: that of its method.
    #[must_use]
    pub const fn setting(&self) -> &'static str {
        self.setting
    }

    /// The issuer whose setting it is, by its first identifier; absent for settings of the server.
    #[must_use]
    pub fn issuer(&self) -> Option<&str> {
        self.issuer.as_deref()
    }

    /// What is wrong, for programs.
    #[must_use]
    pub const fn kind(&self) -> ConfigMistakeKind {
        self.kind
    }

    /// What is wrong, and the way out, for people.
    #[must_use]
    pub fn problem(&self) -> &str {
        &self.problem
    }
}

impl fmt::Display for ConfigMistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(issuer) = &self.issuer {
            write!(f, "issuer `{issuer}`: ")?;
        }
        write!(f, "`{}`: {}", self.setting, self.problem)
    }
}

impl ConfigError {
    /// The name of the first mistake's setting.
    #[must_use]
    pub const fn setting(&self) -> &'static str {
        self.first.setting
    }

    /// The issuer of the first mistake; absent for settings of the server.
    #[must_use]
    pub fn issuer(&self) -> Option<&str> {
        self.first.issuer()
    }

    /// The kind of the first mistake.
    #[must_use]
    pub const fn kind(&self) -> ConfigMistakeKind {
        self.first.kind
    }

    /// Every mistake, the first one first. At least one.
    pub fn mistakes(&self) -> impl Iterator<Item = &ConfigMistake> {
        std::iter::once(&self.first).chain(&self.others)
    }

    /// A value of the wrong form.
    pub(in crate::server) fn new(setting: &'static str, problem: impl Into<String>) -> Self {
        Self::of_kind(ConfigMistakeKind::Invalid, setting, problem)
    }

    /// A mistake in what a caller gives a server that is built.
    #[cfg(any(feature = "aide", feature = "utoipa"))]
    pub(crate) fn for_caller(setting: &'static str, problem: String) -> Self {
        Self::new(setting, problem)
    }

    /// The service for security events of a server that has no transmitter.
    #[cfg(feature = "ssf")]
    pub(crate) fn without_transmitter() -> Self {
        Self::missing(
            "ssf_transmitter",
            "no transmitter of security events is configured; name it with `ssf_transmitter(..)`",
        )
    }

    pub(in crate::server) fn missing(setting: &'static str, problem: impl Into<String>) -> Self {
        Self::of_kind(ConfigMistakeKind::Missing, setting, problem)
    }

    pub(in crate::server) fn out_of_bounds(
        setting: &'static str,
        problem: impl Into<String>,
    ) -> Self {
        Self::of_kind(ConfigMistakeKind::OutOfBounds, setting, problem)
    }

    pub(in crate::server) fn conflict(setting: &'static str, problem: impl Into<String>) -> Self {
        Self::of_kind(ConfigMistakeKind::Conflict, setting, problem)
    }

    pub(in crate::server) fn repeated(setting: &'static str, problem: impl Into<String>) -> Self {
        Self::of_kind(ConfigMistakeKind::Repeated, setting, problem)
    }

    #[cfg_attr(not(feature = "jwks"), allow(dead_code))]
    pub(in crate::server) fn unavailable(
        setting: &'static str,
        problem: impl Into<String>,
    ) -> Self {
        Self::of_kind(ConfigMistakeKind::Unavailable, setting, problem)
    }

    fn of_kind(kind: ConfigMistakeKind, setting: &'static str, problem: impl Into<String>) -> Self {
        Self {
            first: ConfigMistake {
                issuer: None,
                setting,
                kind,
                problem: problem.into(),
            },
            others: Vec::new(),
        }
    }

    /// Adds a way out to the first mistake.
    #[cfg(feature = "jwks")]
    pub(in crate::server) fn and(mut self, way_out: &str) -> Self {
        self.first.problem.push_str("; ");
        self.first.problem.push_str(way_out);
        self
    }

    /// Names the resource of every mistake.
    pub(in crate::server) fn of_resource(mut self, identifier: &str) -> Self {
        for mistake in std::iter::once(&mut self.first).chain(&mut self.others) {
            mistake.problem = format!("of the resource `{identifier}`: {}", mistake.problem);
        }
        self
    }

    /// Names the issuer of every mistake.
    pub(in crate::server) fn of(mut self, issuer: &Arc<str>) -> Self {
        for mistake in std::iter::once(&mut self.first).chain(&mut self.others) {
            mistake.issuer = Some(Arc::clone(issuer));
        }
        self
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.others.is_empty() {
            return self.first.fmt(f);
        }
        write!(
            f,
            "{} mistakes in the configuration:",
            1 + self.others.len()
        )?;
        self.mistakes()
            .try_for_each(|mistake| write!(f, "\n{mistake}"))
    }
}

impl std::error::Error for ConfigError {}

/// Collects mistakes, in the order in which they are found and each once.
#[derive(Debug, Default)]
pub(in crate::server) struct Mistakes(Vec<ConfigMistake>);

impl Mistakes {
    pub(in crate::server) fn add(&mut self, error: ConfigError) {
        for mistake in std::iter::once(error.first).chain(error.others) {
            if !self.0.contains(&mistake) {
                self.0.push(mistake);
            }
        }
    }

    /// The value, or `None` with its mistakes added.
    pub(in crate::server) fn collect<T>(&mut self, result: Result<T, ConfigError>) -> Option<T> {
        result.map_err(|error| self.add(error)).ok()
    }

    /// # Errors
    ///
    /// All mistakes that were added.
    pub(in crate::server) fn into_result(self) -> Result<(), ConfigError> {
        let mut all = self.0.into_iter();
        match all.next() {
            None => Ok(()),
            Some(first) => Err(ConfigError {
                first,
                others: all.collect(),
            }),
        }
    }
}

/// A setting that holds one value and was given two would keep the later one in silence.
pub(in crate::server) fn check_once(once: &RepeatedSettings) -> Result<(), ConfigError> {
    match once.twice() {
        None => Ok(()),
        Some(setting) => Err(ConfigError::repeated(
            setting,
            "it is set twice to different values; it holds one, so keep one of them",
        )),
    }
}

/// Checks the form of an address: see [`url::check`]. The problem names it without what may be
/// secret in it.
pub(in crate::server) fn check_url(
    setting: &'static str,
    address: &str,
    plain_http: bool,
) -> Result<(), ConfigError> {
    url::check(address, plain_http).map_err(|problem| {
        ConfigError::new(setting, format!("`{}` {problem}", url::shown(address)))
    })
}

/// Whether a quoted-string can hold the text as it stands (RFC 9110 section 5.6.4).
pub(crate) fn is_quotable(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\')
}
