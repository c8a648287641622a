//! Parts of a server that an issuer is compiled with.

#[cfg(feature = "jwks")]
use std::sync::Arc;

use crate::runtime::cache::validity::Liveness;
#[cfg(feature = "jwks")]
use crate::runtime::http::shared_clients::HttpClients;
#[cfg(feature = "jwks")]
use crate::runtime::jwks::key_store::RemoteKeys;

/// What an issuer uses of its server, or of the same issuer before a replacement. It is no setting.
#[derive(Clone, Default)]
pub(in crate::server) struct LentParts {
    /// The clients that issuers with equal options share.
    #[cfg(feature = "jwks")]
    pub(in crate::server) clients: HttpClients,
    /// Key sets that are fetched already: they are kept where they are fetched in the same way.
    #[cfg(feature = "jwks")]
    pub(in crate::server) fetched: Vec<Arc<RemoteKeys>>,
    /// The liveness of static keys that are the same.
    pub(in crate::server) static_keys: Option<Liveness>,
}
