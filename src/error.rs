//! Errors of the configuration and of operations, and the reasons of refusals.
//!
//! | where | type |
//! |---|---|
//! | [`build()`](crate::ResourceServerBuilder::build) | [`ConfigError`], with every [`ConfigMistake`] |
//! | a request | [`Rejection`]: its [`RejectionKind`], a fault inside the kind, a [`RejectionDetail`]; extractors return it as [`Refusal`], which is a response |
//! | a check of the application's own | [`Objection`] |
//! | `connect()`, `refresh_now()`, `synchronize()` | `ConnectError`, `RefreshError`, `SharedStoreError` |
//! | [`replace()`](crate::ResourceServer::replace) | [`ReplaceError`] |
//! | [`Revocations`](crate::revocation::Revocations) | [`RevocationError`] |

#[doc(inline)]
pub use crate::middleware::response::refusal::Refusal;
#[doc(inline)]
pub use crate::model::algorithm::InvalidAlgorithm;
#[doc(inline)]
pub use crate::model::error::rejection::{
    DpopFault, Objection, Outage, Rejection, RejectionKind, RequestFault, TokenFault, WiringFault,
};
#[doc(inline)]
pub use crate::model::error::rejection_detail::{Problem, RejectionDetail};
#[doc(inline)]
pub use crate::model::ids::InvalidId;
#[doc(inline)]
pub use crate::model::scope::InvalidScope;
#[doc(inline)]
pub use crate::runtime::directory::LookupError;
#[cfg(feature = "jwks")]
#[doc(inline)]
pub use crate::server::operate::connect::{
    ConnectError, KeySetRefreshError, RefreshError, RefreshErrorKind,
};
#[doc(inline)]
pub use crate::server::operate::revocations::RevocationError;
#[cfg(feature = "redis")]
#[doc(inline)]
pub use crate::server::operate::shared_status::{SharedStoreError, SharedStoreErrorKind};
#[doc(inline)]
pub use crate::server::replace::error::ReplaceError;
#[doc(inline)]
pub use crate::server::settings::error::{ConfigError, ConfigMistake, ConfigMistakeKind};
