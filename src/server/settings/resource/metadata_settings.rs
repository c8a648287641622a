//! The settings of a resource's metadata document, as they were given.

use std::time::Duration;

use serde_json::Value;

/// What the document says beside the resource, its issuers and its scopes.
#[derive(Clone, Default)]
pub(in crate::server) struct MetadataSettings {
    /// With a language each; `None` for the name in no particular language.
    pub(in crate::server) names: Vec<(Option<String>, String)>,
    pub(in crate::server) documentation: Option<String>,
    pub(in crate::server) policy: Option<String>,
    pub(in crate::server) terms_of_service: Option<String>,
    pub(in crate::server) jwks_uri: Option<String>,
    /// In the place of those of the issuers, where there are some.
    pub(in crate::server) authorization_servers: Vec<String>,
    pub(in crate::server) accepts_certificate_bound_tokens: bool,
    /// Further members; an error is that of the serializer.
    pub(in crate::server) members: Vec<(String, Result<Value, String>)>,
    /// PEM.
    pub(in crate::server) signing_key: Option<String>,
    pub(in crate::server) signing_key_id: Option<String>,
    pub(in crate::server) max_age: Option<Duration>,
}
