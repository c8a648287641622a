//! The configuration of a whole server, as data.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _};

use crate::server::builder::server_builder::ResourceServerBuilder;
use crate::server::config::environment;
use crate::server::config::error::ConfigurationError;
use crate::server::config::node::Node;
use crate::server::config::sections::server::ServerTable;
use crate::server::config::setting::Setting as _;

/// The settings of a [`ResourceServer`](crate::ResourceServer) as data: read from TOML, YAML, JSON or
/// any other format with a deserializer of serde, or from environment variables.
///
/// 1. A member has the name of the setter in Rust. A setter that is called once for each value takes a
///    list, or one value alone; a setter without an argument is `true`; a setter with several arguments
///    takes a table. Durations are words: `30s`, `5min`, `1h 30min`, `7d`.
/// 2. A member that does not exist is a mistake, and so is one that is there twice.
/// 3. Secrets are not in it. Where one belongs stands the place that holds it,
///    `{ file = "/run/secrets/client" }` or `{ env = "CLIENT_SECRET" }`, which
///    [`into_builder`](Self::into_builder) reads. One newline at the end of a file is cut.
/// 4. What is code stays code: directories, checks, hooks and the clock are set on the builder.
///
/// Every member is in [the manual](crate::manual::configuration#from-a-file) and in the JSON Schema
/// `docs/configuration.schema.json`. `Debug` shows none of it.
///
/// ```
/// use portcullis::config::Configuration;
///
/// let file = serde_json::json!({
///     "resource": "https://api.example.com",
///     "max_token_bytes": 8192,
///     "issuer": [{
///         "keycloak": { "base_url": "https://id.example.com", "realm": "main" },
///         "audience": "orders-api",
///         "leeway": "10s",
///     }],
/// });
/// let server = Configuration::deserialize_from(file)?.into_builder()?;
/// # #[cfg(feature = "jwks")]
/// server.build()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
#[doc(alias("toml", "yaml", "json", "environment", "settings_file"))]
pub struct Configuration(ServerTable);

impl Configuration {
    /// Reads a configuration of any self-describing format, such as with `toml::Deserializer` and
    /// `serde_json::Deserializer`, whose `end` says whether something follows. Secrets are read later, by
    /// [`into_builder`](Self::into_builder).
    ///
    /// # Errors
    ///
    /// A text that the format does not accept; a member that does not exist, is there twice or has a
    /// value of the wrong type, by its path. Lines of the text, which some formats quote in their
    /// errors, are left out.
    pub fn deserialize_from<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Self, ConfigurationError> {
        let node = Node::deserialize(deserializer)
            .map_err(|error| ConfigurationError::of_all(without_quotes(&error.to_string())))?;
        Self::of(node)
    }

    /// Reads a configuration from the environment variables whose names begin with this prefix and two
    /// underscores: `PORTCULLIS__ISSUER__0__LEEWAY` is the member `issuer[0].leeway` with the prefix
    /// `PORTCULLIS`. Two underscores stand before each step of the path, a number is a place in a list
    /// and begins with 0; letters have no case. A variable that is empty counts as absent; others than
    /// those of the prefix are ignored.
    ///
    /// ```no_run
    /// use portcullis::config::Configuration;
    ///
    /// // PORTCULLIS__RESOURCE=https://api.example.com
    /// // PORTCULLIS__ISSUER__0__OIDC=https://id.example.com
    /// let server = Configuration::from_environment("PORTCULLIS")?.into_builder()?;
    /// # let _ = server;
    /// # Ok::<(), portcullis::config::ConfigurationError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`deserialize_from`](Self::deserialize_from); a list with a gap; a variable that is not
    /// UTF-8.
    #[doc(alias("env"))]
    pub fn from_environment(prefix: &str) -> Result<Self, ConfigurationError> {
        let mut variables = Vec::new();
        for (name, value) in std::env::vars_os() {
            let name = name.to_str();
            let Some(name) = name.filter(|name| environment::is_member(prefix, name)) else {
                continue;
            };
            let Some(value) = value.to_str() else {
                return Err(ConfigurationError::of_all(format!(
                    "the variable `{name}` is not UTF-8"
                )));
            };
            variables.push((name.to_owned(), value.to_owned()));
        }
        Self::from_variables(prefix, variables)
    }

    /// The same, from pairs of a name and a value in place of the environment.
    ///
    /// # Errors
    ///
    /// As for [`from_environment`](Self::from_environment).
    pub fn from_variables(
        prefix: &str,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, ConfigurationError> {
        Self::of(environment::tree_of(prefix, variables)?)
    }

    /// Makes a builder with these settings, and reads the files and variables that hold secrets, keys
    /// and certificates. Settings that are code are added to the builder; one that the configuration has
    /// too, with another value, is a mistake that [`build()`](ResourceServerBuilder::build) finds.
    ///
    /// # Errors
    ///
    /// A file or a variable that is not readable, empty or no UTF-8, or longer than 4 MiB; members that
    /// exclude each other, or of which one is needed. Values outside their bounds are found by
    /// [`build()`](ResourceServerBuilder::build), which names the setting, that is the member.
    pub fn into_builder(self) -> Result<ResourceServerBuilder, ConfigurationError> {
        Ok(self.0.value()?)
    }

    fn of(mut node: Node) -> Result<Self, ConfigurationError> {
        // Editors find the schema of a JSON document by this member.
        if let Node::Members(members) = &mut node {
            members.retain(|(name, _)| name != "$schema");
        }
        Ok(Self(ServerTable::deserialize(node)?))
    }
}

/// An address could hold a password that a mistake put there.
impl fmt::Debug for Configuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Configuration").finish_non_exhaustive()
    }
}

/// Reads it as a part of an application's own configuration. The path of a wrong member, from here on,
/// stands in the error's text. Prefer [`deserialize_from`](Configuration::deserialize_from) where it is
/// alone: the error of some formats quotes the line, with whatever stands there.
impl<'de> Deserialize<'de> for Configuration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::of(Node::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

/// A format's error without the lines of the text that it quotes: they could hold a secret.
fn without_quotes(error: &str) -> String {
    let lines = error.lines().map(str::trim);
    let kept: Vec<&str> = lines
        .filter(|line| !line.is_empty() && !line.contains('|'))
        .collect();
    kept.join("; ")
}
