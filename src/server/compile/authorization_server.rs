//! From an issuer's settings to what documents name of it.

use std::sync::Arc;

use crate::server::compile::issuer_ids::{
    authorization_servers as identifiers_of_servers, discovery_urls,
};
#[cfg(feature = "jwks")]
use crate::server::compile::key_source::reach;
use crate::server::decide::authorization_server::AuthorizationServer;
use crate::server::settings::issuer::value::{Issuer, IssuerKind};

/// The authorization servers of an issuer whose identifiers are URLs. Its settings have been checked.
pub(in crate::server) fn authorization_servers(issuer: &Issuer) -> Vec<AuthorizationServer> {
    let identifiers = identifiers_of_servers(issuer);
    let servers = identifiers.into_iter();
    servers
        .filter_map(|identifier| authorization_server(issuer, identifier))
        .collect()
}

fn authorization_server(issuer: &Issuer, identifier: Arc<str>) -> Option<AuthorizationServer> {
    let mut candidates = discovery_urls(&identifier);
    if let Some(url) = &issuer.discovery_url {
        candidates.insert(0, url.clone());
    }
    let has_open_id = matches!(
        issuer.kind,
        IssuerKind::Cognito { .. } | IssuerKind::Oidc { .. } | IssuerKind::OidcTenants(_)
    );
    let ends_with = |name: &str| {
        let mut urls = candidates.iter();
        urls.find(|url| url.contains(name)).cloned()
    };
    let open_id_configuration = ends_with("/.well-known/openid-configuration");
    let oauth_metadata = ends_with("/.well-known/oauth-authorization-server");
    Some(AuthorizationServer {
        issuer: identifier,
        open_id_configuration: open_id_configuration.filter(|_| has_open_id),
        oauth_metadata: oauth_metadata.filter(|_| !has_open_id),
        #[cfg(feature = "jwks")]
        http_options: reach(issuer).ok()?,
        #[cfg(feature = "jwks")]
        candidates,
    })
}
