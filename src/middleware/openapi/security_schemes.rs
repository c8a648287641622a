//! The security schemes of a server's issuers.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::middleware::openapi::demand::MUTUAL_TLS;
use crate::model::url;
#[cfg(feature = "jwks")]
use crate::runtime::discovery::oauth_endpoints::discover_oauth_endpoints;
use crate::server::decide::authorization_server::AuthorizationServer;
use crate::server::resource_server::ResourceServer;
use crate::server::settings::error::ConfigError;

/// The extension of a scheme with the address of the resource's metadata (RFC 9728).
pub(super) const RESOURCE_METADATA: &str = "x-resource-metadata";

/// The security schemes of a server, for its OpenAPI document: made by
/// [`ResourceServer::security_schemes`].
///
/// Each issuer whose identifier is a URL gives one scheme or two:
///
/// | scheme | when | content |
/// |---|---|---|
/// | `oauth2` | an endpoint is known, or the issuer is no OpenID provider | authorization code where both endpoints are known, client credentials where the token endpoint is; the address of the issuer's metadata (RFC 8414) |
/// | `openIdConnect` | Cognito, `oidc`, `oidc_tenants` | the address of the discovery document |
/// | `bearer` | no issuer is known by a URL | the scheme `Bearer` of HTTP |
/// | `mutualTLS` | an operation or the server demands a token that is bound to a client certificate | |
///
/// With several issuers the names end with the issuer's host and path, such as
/// `oauth2-id.example.com`. Each scheme has the address of the resource's metadata (RFC 9728) in
/// `x-resource-metadata`. The scopes are those of the resource, and those of the document's operations.
///
/// With the feature `utoipa` it is a `utoipa::Modify`; with `aide` see `SecuritySchemes::document`. Both
/// add the schemes to the document, and replace the scheme that guards name by those of the server.
///
/// ```
/// use portcullis::{Issuer, ResourceServer};
///
/// let server = ResourceServer::builder("https://api.example.com")
///     .issuer(Issuer::oidc("https://id.example.com"))
///     .build()?;
/// let schemes = server.security_schemes().endpoints(
///     "https://id.example.com",
///     "https://id.example.com/authorize",
///     "https://id.example.com/token",
/// )?;
/// # let _ = schemes;
/// # Ok::<(), portcullis::ConfigError>(())
/// ```
#[doc(alias("swagger", "openapi", "securitySchemes", "utoipa", "aide"))]
#[derive(Clone)]
#[must_use]
pub struct SecuritySchemes {
    issuers: Vec<IssuerEndpoints>,
    /// By token, with its description.
    scopes: BTreeMap<String, String>,
    resource: Arc<str>,
    resource_metadata: Option<Arc<str>>,
    pub(super) demands_dpop: bool,
    pub(super) demands_mutual_tls: bool,
}

#[derive(Clone)]
struct IssuerEndpoints {
    server: AuthorizationServer,
    authorization: Option<String>,
    token: Option<String>,
}

/// A security scheme, as a document states it.
pub(super) struct Scheme {
    pub(super) name: String,
    pub(super) description: String,
    pub(super) kind: SchemeKind,
}

pub(super) enum SchemeKind {
    OAuth2 {
        flows: Vec<Flow>,
        metadata_url: Option<String>,
    },
    OpenIdConnect(String),
    Bearer,
    MutualTls,
}

/// How a client gets a token.
pub(super) enum Flow {
    AuthorizationCode {
        authorization: String,
        token: String,
    },
    ClientCredentials {
        token: String,
    },
}

impl ResourceServer {
    /// The security schemes of the server's first resource, for its OpenAPI document.
    #[doc(alias("swagger", "openapi", "utoipa", "aide"))]
    pub fn security_schemes(&self) -> SecuritySchemes {
        SecuritySchemes::of(self, 0)
    }

    /// The security schemes of the resource with this identifier.
    ///
    /// # Errors
    ///
    /// The server has no such resource.
    pub fn security_schemes_for(&self, resource: &str) -> Result<SecuritySchemes, ConfigError> {
        Ok(SecuritySchemes::of(self, self.resource_place(resource)?))
    }
}

impl SecuritySchemes {
    fn of(server: &ResourceServer, place: usize) -> Self {
        let resource = server.resource_at(place);
        let issuers = server.authorization_servers().into_iter();
        let elsewhere = server.metadata_elsewhere(place).cloned();
        let document = resource.document.as_ref();
        let own = document.map(|document| Arc::clone(&document.address));
        let demands = server.required_bindings().and(resource.required_bindings);
        Self {
            issuers: issuers
                .map(|server| IssuerEndpoints {
                    server,
                    authorization: None,
                    token: None,
                })
                .collect(),
            scopes: resource
                .scopes
                .iter()
                .map(|scope| ((*scope).to_owned(), String::new()))
                .collect(),
            resource: Arc::clone(&resource.identifier),
            resource_metadata: elsewhere.or_else(|| own.filter(|_| server.serves_metadata())),
            demands_dpop: demands.demands_dpop(),
            demands_mutual_tls: demands.demands_mutual_tls(),
        }
    }

    /// Names the endpoints of an issuer, for the flows authorization code and client credentials.
    ///
    /// # Errors
    ///
    /// The server has no such issuer, or an address is neither `https` nor `http` on loopback.
    pub fn endpoints(
        mut self,
        issuer: &str,
        authorization: impl Into<String>,
        token: impl Into<String>,
    ) -> Result<Self, ConfigError> {
        let authorization = checked("authorization_endpoint", authorization.into())?;
        let token = checked("token_endpoint", token.into())?;
        let endpoints = self.issuer(issuer)?;
        endpoints.authorization = Some(authorization);
        endpoints.token = Some(token);
        Ok(self)
    }

    /// Names the token endpoint of an issuer that has no users, for the flow client credentials.
    ///
    /// # Errors
    ///
    /// The server has no such issuer, or the address is neither `https` nor `http` on loopback.
    pub fn token_endpoint(
        mut self,
        issuer: &str,
        token: impl Into<String>,
    ) -> Result<Self, ConfigError> {
        let token = checked("token_endpoint", token.into())?;
        self.issuer(issuer)?.token = Some(token);
        Ok(self)
    }

    /// Reads the endpoints from the metadata of all issuers whose endpoints are not set, with the
    /// issuer's own settings for HTTP. Each fetch has the bounds of a key set's. Runs on tokio.
    ///
    /// An error takes nothing away: issuers that answered have their endpoints, and the others their
    /// schemes without flows. An application that starts all the same logs the error and goes on.
    ///
    /// # Errors
    ///
    /// The issuers whose metadata could not be read, or name no endpoint.
    #[cfg(feature = "jwks")]
    pub async fn discover(&mut self) -> Result<(), DiscoveryError> {
        let mut failed = Vec::new();
        for issuer in &mut self.issuers {
            if issuer.token.is_some() {
                continue;
            }
            let server = &issuer.server;
            let found =
                discover_oauth_endpoints(&server.issuer, &server.candidates, &server.http_options);
            match found.await {
                Ok(found) => {
                    issuer.authorization = found.authorization;
                    issuer.token = found.token;
                }
                Err(error) => failed.push((Arc::clone(&server.issuer), error.to_string())),
            }
        }
        if failed.is_empty() {
            Ok(())
        } else {
            Err(DiscoveryError(failed))
        }
    }

    /// The description of a scope, which people read when they sign in. Default: none.
    pub fn describe_scope(
        mut self,
        scope: impl Into<String>,
        description: impl Into<String>,
    ) -> Self {
        self.scopes.insert(scope.into(), description.into());
        self
    }

    fn issuer(&mut self, name: &str) -> Result<&mut IssuerEndpoints, ConfigError> {
        let mut issuers = self.issuers.iter_mut();
        let found = issuers.find(|issuer| *issuer.server.issuer == *name);
        found.ok_or_else(|| {
            ConfigError::for_caller(
                "endpoints",
                format!(
                    "the server has no issuer with the url `{}`",
                    url::shown(name)
                ),
            )
        })
    }

    /// All scopes, of the resource and of the document's operations, with their descriptions.
    pub(super) fn scopes<'a>(
        &self,
        of_operations: impl Iterator<Item = &'a str>,
    ) -> BTreeMap<String, String> {
        let mut scopes = self.scopes.clone();
        for scope in of_operations {
            scopes.entry(scope.to_owned()).or_default();
        }
        scopes
    }

    /// The schemes of which an operation names one, then the one of client certificates if it is used.
    pub(super) fn schemes(&self, uses_certificates: bool) -> Vec<Scheme> {
        let mut schemes: Vec<Scheme> = Vec::new();
        for issuer in &self.issuers {
            let suffix = self.suffix(&issuer.server.issuer);
            let server = &issuer.server;
            let flows = issuer.flows();
            if !flows.is_empty() || server.open_id_configuration.is_none() {
                let kind = SchemeKind::OAuth2 {
                    flows,
                    metadata_url: server.oauth_metadata.clone(),
                };
                schemes.push(self.scheme(format!("oauth2{suffix}"), &server.issuer, kind));
            }
            if let Some(address) = &server.open_id_configuration {
                let kind = SchemeKind::OpenIdConnect(address.clone());
                schemes.push(self.scheme(format!("openIdConnect{suffix}"), &server.issuer, kind));
            }
        }
        if schemes.is_empty() {
            schemes.push(Scheme {
                name: "bearer".to_owned(),
                description: format!("An access token for `{}`.", self.resource),
                kind: SchemeKind::Bearer,
            });
        }
        if uses_certificates || self.demands_mutual_tls {
            schemes.push(Scheme {
                name: MUTUAL_TLS.to_owned(),
                description: "The client certificate that the token is bound to (RFC 8705)."
                    .to_owned(),
                kind: SchemeKind::MutualTls,
            });
        }
        schemes
    }

    fn scheme(&self, name: String, issuer: &str, kind: SchemeKind) -> Scheme {
        Scheme {
            name,
            description: format!("An access token of `{issuer}` for `{}`.", self.resource),
            kind,
        }
    }

    /// The address of the resource's metadata, where challenges name one.
    pub(super) fn resource_metadata(&self) -> Option<&str> {
        self.resource_metadata.as_deref()
    }

    /// What distinguishes the schemes of one issuer from those of others: letters that a component's
    /// name may have.
    fn suffix(&self, issuer: &str) -> String {
        if self.issuers.len() < 2 {
            return String::new();
        }
        let place = issuer.split_once("://").map_or(issuer, |(_, place)| place);
        let is_allowed = |one: char| one.is_ascii_alphanumeric() || ".-_".contains(one);
        let name = place.trim_end_matches('/').chars();
        let name: String = name
            .map(|one| if is_allowed(one) { one } else { '-' })
            .collect();
        format!("-{name}")
    }
}

/// The names of the schemes of which an operation names one.
pub(super) fn names(schemes: &[Scheme]) -> Vec<&str> {
    let schemes = schemes.iter();
    let named = schemes.filter(|scheme| !matches!(scheme.kind, SchemeKind::MutualTls));
    named.map(|scheme| scheme.name.as_str()).collect()
}

impl IssuerEndpoints {
    fn flows(&self) -> Vec<Flow> {
        let Some(token) = &self.token else {
            return Vec::new();
        };
        let authorization = self.authorization.as_ref();
        let code = authorization.map(|authorization| Flow::AuthorizationCode {
            authorization: authorization.clone(),
            token: token.clone(),
        });
        let machine = Flow::ClientCredentials {
            token: token.clone(),
        };
        code.into_iter().chain([machine]).collect()
    }
}

fn checked(setting: &'static str, address: String) -> Result<String, ConfigError> {
    match url::check(&address, false) {
        Ok(()) => Ok(address),
        Err(phrase) => Err(ConfigError::for_caller(
            setting,
            format!("`{}` {phrase}", url::shown(&address)),
        )),
    }
}

impl fmt::Debug for SecuritySchemes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let schemes = self.schemes(false);
        let names = schemes.iter().map(|scheme| scheme.name.as_str());
        f.write_str("SecuritySchemes ")?;
        f.debug_list().entries(names).finish()
    }
}

/// The issuers whose endpoints [`SecuritySchemes::discover`] did not find, at least one.
#[cfg(feature = "jwks")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiscoveryError(Vec<(Arc<str>, String)>);

#[cfg(feature = "jwks")]
impl DiscoveryError {
    /// The issuers.
    pub fn issuers(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(issuer, _)| &**issuer)
    }
}

#[cfg(feature = "jwks")]
impl fmt::Display for DiscoveryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, (issuer, problem)) in self.0.iter().enumerate() {
            let before = if place == 0 { "" } else { "; " };
            write!(
                f,
                "{before}the endpoints of `{issuer}` are not known: {problem}"
            )?;
        }
        Ok(())
    }
}

#[cfg(feature = "jwks")]
impl std::error::Error for DiscoveryError {}
