//! How an issuer's documents are reached, beside certificates and proxies.

use std::path::PathBuf;

#[cfg(feature = "jwks")]
use crate::server::settings::key_set_copies::CheckedCopies;

/// How an issuer's documents are reached.
#[derive(Clone, Debug, Default, PartialEq)]
#[cfg_attr(not(feature = "jwks"), allow(dead_code))]
pub(in crate::server) struct KeyAccess {
    pub(in crate::server) bearer_token_file: Option<PathBuf>,
    pub(in crate::server) root_files: Vec<PathBuf>,
    pub(in crate::server) key_set_origin: Option<String>,
    /// The discovery document of a preset, for an issuer that names no other source of keys.
    pub(in crate::server) preset_discovery_url: Option<&'static str>,
    /// Where copies of its key sets are kept, from `build()` on.
    #[cfg(feature = "jwks")]
    pub(in crate::server) copies: Option<CheckedCopies>,
}
