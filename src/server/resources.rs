//! The resources of a server, for layers and for the service of their metadata.

use std::sync::Arc;

use crate::model::requirement::resource_set::ResourceSet;
#[cfg(any(feature = "aide", feature = "utoipa"))]
use crate::server::compile::authorization_server::authorization_servers;
use crate::server::compile::resource::audiences::listed;
#[cfg(any(feature = "aide", feature = "utoipa"))]
use crate::server::decide::authorization_server::AuthorizationServer;
use crate::server::decide::protected_resource::{MetadataDocument, ProtectedResource};
use crate::server::resource_server::ResourceServer;
use crate::server::settings::error::ConfigError;

impl ResourceServer {
    /// The place of the resource with this identifier, for a layer.
    ///
    /// # Errors
    ///
    /// The server has no such resource.
    pub(crate) fn resource_place(&self, identifier: &str) -> Result<usize, ConfigError> {
        let resources = &self.0.resources;
        resources.place_of(identifier).ok_or_else(|| {
            ConfigError::new(
                "authenticate_for",
                format!(
                    "the server has no resource `{}`; its resources are {}: add one with `resource(..)` on the builder",
                    identifier.escape_debug(),
                    listed(self.resources())
                ),
            )
        })
    }

    pub(crate) fn resource_at(&self, place: usize) -> &ProtectedResource {
        self.0.resources.at(place)
    }

    /// The identifiers of these resources, for an operator.
    #[cold]
    pub(crate) fn names_of(&self, resources: ResourceSet) -> String {
        let names: Vec<&str> = resources
            .places()
            .map(|place| &*self.resource_at(place).identifier)
            .collect();
        names.join(" | ")
    }

    /// The address of a resource's metadata that challenges name in any case.
    pub(crate) fn metadata_elsewhere(&self, place: usize) -> Option<&Arc<str>> {
        self.resource_at(place).metadata_elsewhere.as_ref()
    }

    /// Whether the application serves the metadata documents.
    pub(crate) fn serves_metadata(&self) -> bool {
        self.0.resources.serves_metadata()
    }

    /// From now on challenges name the addresses of the documents.
    pub(crate) fn begin_to_serve_metadata(&self) {
        self.0.resources.begin_to_serve();
    }

    /// The authorization servers that clients can use, in the order of configuration.
    #[cfg(any(feature = "aide", feature = "utoipa"))]
    pub(crate) fn authorization_servers(&self) -> Vec<AuthorizationServer> {
        let registry = self.0.registry.load();
        let issuers = registry.issuers.iter();
        issuers
            .flat_map(|issuer| authorization_servers(&issuer.settings))
            .collect()
    }

    /// The metadata documents of all resources that have one.
    pub(crate) fn metadata_documents(&self) -> impl Iterator<Item = &MetadataDocument> {
        let resources = self.0.resources.iter();
        resources.filter_map(|resource| resource.document.as_ref())
    }
}
