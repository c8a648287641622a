//! A protected resource: its identifier, audiences and scopes.

use std::borrow::Cow;
use std::fmt;

use crate::model::repeated_settings::RepeatedSettings;
use crate::model::requirement::binding::{Binding, RequiredBindings};
use crate::model::requirement::route_requirement::{Requirement, RouteRequirement};
use crate::model::scope::add_tokens;
#[cfg(feature = "serde")]
use crate::model::scope::interned::interned;
use crate::server::settings::resource::metadata_settings::MetadataSettings;

/// A protected resource of a server: its identifier, the audiences of its tokens, its scopes, and
/// what its metadata document says (RFC 9728).
///
/// A text becomes a resource with nothing but an identifier. A server has one resource or more:
/// the first is given to [`ResourceServer::builder`](crate::ResourceServer::builder), each further
/// one to [`resource(..)`](crate::ResourceServerBuilder::resource).
///
/// Nothing is checked before [`build()`](crate::ResourceServerBuilder::build), which finds every mistake.
/// `Debug` shows the identifier alone.
///
/// ```
/// use portcullis::config::Resource;
/// use portcullis::{Issuer, ResourceServer};
///
/// portcullis::scopes! {
///     ReadMissions = "missions:read";
///     UseTools = "mcp:tools";
/// }
///
/// let server = ResourceServer::builder(
///     Resource::new("https://api.example.com")
///         .name("Missions")
///         .documentation("https://docs.example.com")
///         .scopes::<ReadMissions>(),
/// )
/// .resource(Resource::new("https://api.example.com/mcp").scopes::<UseTools>())
/// .issuer(Issuer::oidc("https://id.example.com"))
/// .build()?;
/// let resources: Vec<_> = server.resources().collect();
/// assert_eq!(resources, ["https://api.example.com", "https://api.example.com/mcp"]);
/// # Ok::<(), portcullis::ConfigError>(())
/// ```
#[doc(alias("protected_resource", "protected_resource_metadata", "rfc9728"))]
#[doc(alias("resource_indicators", "rfc8707"))]
#[derive(Clone)]
#[must_use]
pub struct Resource {
    pub(in crate::server) identifier: String,
    pub(in crate::server) audiences: Vec<String>,
    /// Tokens without repetition.
    pub(in crate::server) scopes: Vec<&'static str>,
    pub(in crate::server) required_bindings: RequiredBindings,
    pub(in crate::server) metadata: MetadataSettings,
    /// The settings that hold one value.
    pub(in crate::server) once: RepeatedSettings,
}

impl Resource {
    /// A resource by its identifier, usually its https URL (RFC 8707 section 2, RFC 9728 section 1.2):
    /// the audience of its tokens unless [`audience`](Self::audience) names others, and the realm
    /// of its challenges.
    ///
    /// Printable ASCII without quotes and backslashes. One that begins with `https://` or `http://`
    /// is a URL without a fragment. A resource has a metadata document where the identifier is an
    /// `https` URL, or an `http` URL on loopback; another one, such as `api://missions`, has none.
    pub fn new(identifier: impl Into<String>) -> Self {
        Self {
            identifier: identifier.into(),
            audiences: Vec::new(),
            scopes: Vec::new(),
            required_bindings: RequiredBindings::NONE,
            metadata: MetadataSettings::default(),
            once: RepeatedSettings::default(),
        }
    }

    /// Accepts tokens for this audience in place of the identifier; call it once for each, the
    /// identifier included where it is an audience too. Compared byte for byte (RFC 7519 section
    /// 4.1.3). An audience belongs to one resource of a server. An issuer whose tokens name others has
    /// [`Issuer::audience`](crate::Issuer::audience). Default: the identifier.
    #[doc(alias("aud", "validate_aud", "allowed_audiences"))]
    pub fn audience(mut self, audience: impl Into<String>) -> Self {
        self.audiences.push(audience.into());
        self
    }

    /// Scopes of this resource: those of all alternatives of `R`, which
    /// [`scopes!`](crate::scopes) or [`requirements!`](crate::requirements) has declared. They are the
    /// `scopes_supported` of the metadata, which clients may request. A 403 of this
    /// resource's layers names those of them that the token has, as for
    /// [`known_scope`](crate::AuthenticateLayer::known_scope). Several settings add up.
    /// `offline_access` is a mistake: it is a client's business with the authorization server.
    /// Default: none.
    #[doc(alias("scopes_supported"))]
    pub fn scopes<R: Requirement>(mut self) -> Self {
        for scope in RouteRequirement::of::<R>().scopes() {
            add_tokens(&mut self.scopes, scope);
        }
        self
    }

    /// The scopes of all of these requirements, such as those that
    /// [`McpScopes`](crate::manual::mcp) declares; otherwise as [`scopes`](Self::scopes).
    #[doc(alias("scopes_supported"))]
    pub fn scopes_of<'r>(
        mut self,
        requirements: impl IntoIterator<Item = &'r RouteRequirement>,
    ) -> Self {
        for requirement in requirements {
            for scope in requirement.scopes() {
                add_tokens(&mut self.scopes, scope);
            }
        }
        self
    }

    /// The scopes of a configuration that is data; otherwise as [`scopes`](Self::scopes).
    #[cfg(feature = "serde")]
    pub(in crate::server) fn configured_scope(mut self, scope: &str) -> Self {
        for token in scope.split(' ') {
            add_tokens(&mut self.scopes, interned(token));
        }
        self
    }

    /// Demands that tokens for this resource are bound to their sender, beside what server, issuer
    /// and layer demand; the metadata says so. Others are refused with 401 `invalid_token`. Several
    /// demands add up. Default: what those demand.
    #[doc(alias("sender_constrained", "require_dpop", "require_mtls"))]
    #[doc(alias("dpop_bound_access_tokens_required"))]
    pub fn require_binding(mut self, binding: Binding) -> Self {
        self.required_bindings = self.required_bindings.with(binding);
        self
    }
}

impl From<String> for Resource {
    fn from(identifier: String) -> Self {
        Self::new(identifier)
    }
}

impl From<&str> for Resource {
    fn from(identifier: &str) -> Self {
        Self::new(identifier)
    }
}

impl From<&String> for Resource {
    fn from(identifier: &String) -> Self {
        Self::new(identifier)
    }
}

impl From<Box<str>> for Resource {
    fn from(identifier: Box<str>) -> Self {
        Self::new(identifier)
    }
}

impl From<Cow<'_, str>> for Resource {
    fn from(identifier: Cow<'_, str>) -> Self {
        Self::new(identifier)
    }
}

/// Shows the identifier; a signing key is a secret.
impl fmt::Debug for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Resource").field(&self.identifier).finish()
    }
}
