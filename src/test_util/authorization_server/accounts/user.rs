//! A prepared user.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::test_util::keys::json_of;

/// A user of an [`AuthorizationServer`](crate::test_util::AuthorizationServer), to be picked on the login page.
///
/// Claims that OpenID Connect Core section 5.4 puts under a scope (`profile`, `email`, `address`, `phone`) go
/// into ID tokens and userinfo where that scope was granted. Every other claim goes into access tokens, ID
/// tokens and userinfo.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[must_use]
pub struct TestUser {
    pub(in crate::test_util) subject: String,
    #[serde(default)]
    pub(in crate::test_util) name: Option<String>,
    #[serde(default)]
    pub(in crate::test_util) kind: Option<String>,
    #[serde(default)]
    pub(in crate::test_util) claims: Map<String, Value>,
}

impl TestUser {
    /// A user with this `sub`, and no other claims.
    pub fn new(subject: impl Into<String>) -> Self {
        Self {
            subject: subject.into(),
            name: None,
            kind: None,
            claims: Map::new(),
        }
    }

    /// The name on the login page. It is no claim. Default: the subject.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// What kind of user this is, for the login page: any short text. Default: none.
    pub fn kind(mut self, kind: impl Into<String>) -> Self {
        self.kind = Some(kind.into());
        self
    }

    /// Sets a claim of the user to anything that serde can write.
    ///
    /// # Panics
    ///
    /// When `value` cannot be written as JSON.
    pub fn claim(mut self, name: impl Into<String>, value: impl Serialize) -> Self {
        self.claims.insert(name.into(), json_of(value));
        self
    }

    /// The subject and the claims of a JSON object; `sub` is the subject.
    pub(in crate::test_util) fn from_claims(
        mut claims: Map<String, Value>,
    ) -> Result<Self, String> {
        let subject = match claims.remove("sub") {
            Some(Value::String(subject)) => subject,
            Some(_) => return Err("`sub` must be a string".into()),
            None => return Err("`sub` is missing: it names the user".into()),
        };
        let mut user = Self::new(subject);
        user.claims = claims;
        user.check().map_err(|(_, problem)| problem)?;
        Ok(user)
    }

    /// What is wrong with it: the member, and the problem.
    pub(in crate::test_util) fn check(&self) -> Result<(), (&'static str, String)> {
        // OpenID Connect Core s2: `sub` has at most 255 ASCII characters.
        if self.subject.is_empty() || self.subject.len() > 255 {
            return Err(("subject", "the subject must have 1 to 255 bytes".into()));
        }
        check_claims(&self.claims, &[])
    }
}

/// No claim about the token itself, but those that may stand there.
pub(super) fn check_claims(
    claims: &Map<String, Value>,
    allowed: &[&str],
) -> Result<(), (&'static str, String)> {
    let reserved = claims.keys().find(|name| {
        let name = &***name;
        RESERVED.contains(&name) && !allowed.contains(&name)
    });
    match reserved {
        Some(name) => {
            let problem = format!("the claim `{name}` is the server's own; leave it out");
            Err(("claims", problem))
        }
        None => Ok(()),
    }
}

impl fmt::Debug for TestUser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestUser")
            .field("name", &self.name)
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}

/// Claims about the token itself.
pub(in crate::test_util) const RESERVED: &[&str] = &[
    "iss",
    "sub",
    "aud",
    "exp",
    "iat",
    "nbf",
    "jti",
    "client_id",
    "nonce",
    "at_hash",
    "auth_time",
    "cnf",
    "act",
    "scope",
    "sid",
    // They tell introspection responses (RFC 7662 s2.2) and the kinds of tokens apart.
    "active",
    "token_type",
    "token_introspection",
    "events",
];
