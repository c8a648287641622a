//! Where in a token's payload a claim is found.

use std::fmt;

/// The way to a claim: a list of member names, outermost first.
///
/// Names are compared byte for byte and never split, so `urn:anyid:role` and
/// `https://example.com/roles` are one member each, and a nested claim is written as a list.
///
/// ```
/// use portcullis::config::ClaimPath;
///
/// let flat = ClaimPath::from("urn:anyid:role");
/// let nested = ClaimPath::from(["realm_access", "roles"]);
/// assert_eq!(flat.to_string(), "urn:anyid:role");
/// assert_eq!(nested.to_string(), "[\"realm_access\", \"roles\"]");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ClaimPath(Box<[Box<str>]>);

impl ClaimPath {
    pub(crate) fn members(&self) -> &[Box<str>] {
        &self.0
    }

    /// Whether the path is this one name.
    pub(crate) fn is(&self, name: &str) -> bool {
        matches!(&*self.0, [only] if &**only == name)
    }

    /// A path must name something: no empty list and no empty name.
    pub(crate) fn is_blank(&self) -> bool {
        self.0.is_empty() || self.0.iter().any(|name| name.is_empty())
    }
}

impl From<&str> for ClaimPath {
    fn from(name: &str) -> Self {
        Self(Box::new([name.into()]))
    }
}

impl From<String> for ClaimPath {
    fn from(name: String) -> Self {
        Self(Box::new([name.into()]))
    }
}

impl<S: Into<Box<str>>, const N: usize> From<[S; N]> for ClaimPath {
    fn from(names: [S; N]) -> Self {
        Self(names.into_iter().map(Into::into).collect())
    }
}

impl<S: Into<Box<str>>> From<Vec<S>> for ClaimPath {
    fn from(names: Vec<S>) -> Self {
        Self(names.into_iter().map(Into::into).collect())
    }
}

impl fmt::Display for ClaimPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.0 {
            [only] => f.write_str(only),
            members => f.debug_list().entries(members).finish(),
        }
    }
}
