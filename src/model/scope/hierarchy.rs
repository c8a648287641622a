//! The declaration of which scopes imply others.

/// Which scopes imply others: a token with the wider scope meets a demand for the narrower one.
///
/// It is transitive: where `a` implies `b` and `b` implies `c`, `a` implies `c`. Declared for a server
/// ([`ResourceServerBuilder::scope_hierarchy`](crate::ResourceServerBuilder::scope_hierarchy)), for an
/// issuer ([`Issuer::scope_hierarchy`](crate::Issuer::scope_hierarchy)), or both: an issuer's tokens
/// follow the two together. `build()` refuses a hierarchy in which a scope implies itself, by however
/// many steps, a name that is no scope token, and more than 2,048 scopes.
///
/// Every guard follows it, and so does [`AccessToken::has_scope`](crate::AccessToken::has_scope). What a
/// scope implies is computed once by `build()`, and what a token implies once when it is verified.
///
/// ```
/// use portcullis::config::ScopeHierarchy;
/// use portcullis::{Issuer, ResourceServer};
///
/// let server = ResourceServer::builder("https://api.example.com")
///     .issuer(Issuer::oidc("https://id.example.com"))
///     .scope_hierarchy(
///         ScopeHierarchy::new()
///             .implies("orders:admin", "orders:write orders:delete")
///             .implies("orders:write", "orders:read"),
///     )
///     .build()?;
/// # let _ = server;
///
/// let circle = ScopeHierarchy::new().implies("a", "b").implies("b", "a");
/// let mistake = ResourceServer::builder("https://api.example.com")
///     .issuer(Issuer::oidc("https://id.example.com"))
///     .scope_hierarchy(circle)
///     .build()
///     .unwrap_err();
/// assert_eq!(mistake.setting(), "scope_hierarchy");
/// # Ok::<(), portcullis::ConfigError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use]
#[doc(alias("role_hierarchy", "scope_inheritance", "implied_scopes"))]
pub struct ScopeHierarchy {
    /// Wider scope token, and the tokens that it implies with spaces between them.
    pub(crate) rules: Vec<(String, String)>,
}

impl ScopeHierarchy {
    /// A hierarchy in which no scope implies another.
    pub const fn new() -> Self {
        Self { rules: Vec::new() }
    }

    /// The scope token `wider` implies each of the tokens of `narrower`, which has one or more with
    /// single spaces between. Several calls add up.
    pub fn implies(mut self, wider: impl Into<String>, narrower: impl Into<String>) -> Self {
        self.rules.push((wider.into(), narrower.into()));
        self
    }

    /// The rules of both.
    pub(crate) fn and(&self, other: &Self) -> Self {
        let rules = self.rules.iter().chain(&other.rules);
        Self {
            rules: rules.cloned().collect(),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }
}
