//! The state of a running server: key sets, introspection, the shared store, the token cache, and
//! readiness.

#[cfg(feature = "jwks")]
#[doc(inline)]
pub use crate::middleware::services::readiness::Readiness;
#[cfg(feature = "jwks")]
#[doc(inline)]
pub use crate::runtime::jwks::key_store::{KeySetState, KeySetStatus};
#[cfg(feature = "jwks")]
#[doc(inline)]
pub use crate::runtime::lookup::status::IntrospectionStatus;
#[cfg(feature = "status-list")]
#[doc(inline)]
pub use crate::runtime::status_list::status::StatusListStatus;
#[cfg(feature = "jwks")]
#[doc(inline)]
pub use crate::server::operate::connect::IssuerKeys;
#[cfg(feature = "redis")]
#[doc(inline)]
pub use crate::server::operate::shared_status::SharedStoreStatus;
#[doc(inline)]
pub use crate::server::resource_server::{ReplayStoreStatus, TokenCacheStatus};
#[doc(inline)]
pub use crate::verify::jose::jwk_set::SkippedKey;
