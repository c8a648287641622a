//! The place of a claim in a token's payload.

use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::de::{Deserialize, Deserializer, Error as _};
use serde::ser::{Serialize, Serializer};

/// The path of a claim: a list of member names, outermost first.
///
/// Names are compared byte for byte and never split, so `urn:anyid:role` and
/// `https://example.com/roles` are one member each, and a nested claim is written as a list.
/// An empty list or an empty name is a configuration error that
/// [`build()`](crate::ResourceServerBuilder::build) reports.
///
/// `FromStr` makes a path of one name. Serde writes and reads a string for one name and a list of
/// strings for several; it refuses an empty list and an empty name.
///
/// ```
/// use portcullis::config::ClaimPath;
///
/// let flat = ClaimPath::from("urn:anyid:role");
/// let nested = ClaimPath::from(["realm_access", "roles"]);
/// assert_eq!(flat.to_string(), "urn:anyid:role");
/// assert_eq!(nested.to_string(), "[\"realm_access\", \"roles\"]");
/// assert_eq!(serde_json::to_string(&nested)?, "[\"realm_access\",\"roles\"]");
/// assert_eq!(serde_json::from_str::<ClaimPath>("\"urn:anyid:role\"")?, flat);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[doc(alias("json_path", "claim"))]
// Shared, so that copies are equal at a glance: a thousand issuers have the same default paths.
pub struct ClaimPath(Arc<[Box<str>]>);

impl ClaimPath {
    pub(crate) fn members(&self) -> &[Box<str>] {
        &self.0
    }

    /// Whether the path is exactly this one name.
    pub(crate) fn is(&self, name: &str) -> bool {
        matches!(&*self.0, [only] if &**only == name)
    }

    /// Whether it has no name, or an empty one.
    pub(crate) fn is_blank(&self) -> bool {
        self.0.is_empty() || self.0.iter().any(|name| name.is_empty())
    }
}

impl From<&str> for ClaimPath {
    fn from(name: &str) -> Self {
        Self(Arc::new([name.into()]))
    }
}

impl From<String> for ClaimPath {
    fn from(name: String) -> Self {
        Self(Arc::new([name.into()]))
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

impl FromStr for ClaimPath {
    type Err = Infallible;

    fn from_str(name: &str) -> Result<Self, Infallible> {
        Ok(Self::from(name))
    }
}

impl Serialize for ClaimPath {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &*self.0 {
            [only] => serializer.serialize_str(only),
            names => names.serialize(serializer),
        }
    }
}

/// One name, or a list of names.
#[derive(serde::Deserialize)]
#[serde(untagged, expecting = "a claim's name or a list of names")]
enum Written {
    Name(Box<str>),
    Names(Box<[Box<str>]>),
}

impl<'de> Deserialize<'de> for ClaimPath {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let path = Self(match Written::deserialize(deserializer)? {
            Written::Name(name) => Arc::new([name]),
            Written::Names(names) => names.into(),
        });
        if path.is_blank() {
            return Err(D::Error::custom(
                "a claim's path has an empty name, or none",
            ));
        }
        Ok(path)
    }
}
