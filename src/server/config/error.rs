//! Mistakes in a configuration that is data.

use std::fmt;

use crate::runtime::util::excerpt::one_line;

/// Why a [`Configuration`](crate::config::Configuration) cannot be read. `Display` is one line:
/// ``` `<path>`: <problem> ```, without the path for what concerns the whole. Control characters of names and
/// values are escaped in all texts.
///
/// It holds no secret: what stands where a secret belongs is not quoted.
///
/// ```
/// use portcullis::config::Configuration;
///
/// let file = serde_json::json!({
///     "resource": "https://api.example.com",
///     "issuer": [{ "oidc": "https://id.example.com", "leway": "10s" }],
/// });
/// let error = Configuration::deserialize_from(file).unwrap_err();
/// assert_eq!(error.path(), "issuer[0].leway");
/// assert_eq!(
///     error.to_string(),
///     "`issuer[0].leway`: there is no member of this name; did you mean `leeway`?"
/// );
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigurationError {
    path: String,
    problem: String,
}

impl ConfigurationError {
    /// The member's path, such as `issuer[0].client_authentication.basic.secret`; empty for what
    /// concerns the whole, such as a text that is no TOML.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// What is wrong, and what to do, for people.
    #[must_use]
    pub fn problem(&self) -> &str {
        &self.problem
    }

    /// A mistake of the whole.
    pub(in crate::server::config) fn of_all(problem: impl Into<String>) -> Self {
        Self {
            path: String::new(),
            problem: one_line(&problem.into()),
        }
    }
}

impl fmt::Display for ConfigurationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.path.is_empty() {
            write!(f, "`{}`: ", self.path)?;
        }
        f.write_str(&self.problem)
    }
}

impl std::error::Error for ConfigurationError {}

impl From<NodeError> for ConfigurationError {
    fn from(error: NodeError) -> Self {
        let mut path = String::new();
        for step in error.path.iter().rev() {
            match step {
                MemberStep::Member(name) => {
                    if !path.is_empty() {
                        path.push('.');
                    }
                    path.push_str(&one_line(name));
                }
                MemberStep::Place(at) => path.extend(["[", &at.to_string(), "]"]),
            }
        }
        Self {
            path,
            problem: one_line(&error.problem),
        }
    }
}

/// A mistake, and the way to it.
#[derive(Debug)]
pub(in crate::server::config) struct NodeError {
    /// The innermost step first.
    path: Vec<MemberStep>,
    problem: String,
}

#[derive(Debug)]
enum MemberStep {
    Member(String),
    Place(usize),
}

impl NodeError {
    pub(in crate::server::config) fn new(problem: impl Into<String>) -> Self {
        Self {
            path: Vec::new(),
            problem: problem.into(),
        }
    }

    /// Says in which member it is.
    pub(in crate::server::config) fn within(mut self, member: &str) -> Self {
        self.path.push(MemberStep::Member(member.to_owned()));
        self
    }

    /// Says at which place of a list it is.
    pub(in crate::server::config) fn at(mut self, place: usize) -> Self {
        self.path.push(MemberStep::Place(place));
        self
    }
}

impl fmt::Display for NodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.problem)
    }
}

impl std::error::Error for NodeError {}
