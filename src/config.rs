//! Settings with values of their own, beside [`Issuer`](crate::Issuer) and
//! [`ResourceServerBuilder`](crate::ResourceServerBuilder).

#[doc(inline)]
pub use crate::model::claim_path::ClaimPath;
#[doc(inline)]
pub use crate::model::requirement::claim_value::ClaimValue;
#[doc(inline)]
pub use crate::model::scope::ScopeHierarchy;
#[cfg(feature = "jwks")]
#[doc(inline)]
pub use crate::runtime::introspection::client_auth::ClientAuthentication;
#[cfg(feature = "jwks")]
#[doc(inline)]
pub use crate::runtime::introspection::dialect::TokenInformation;
#[cfg(feature = "serde")]
#[doc(inline)]
pub use crate::server::config::configuration::Configuration;
#[cfg(feature = "serde")]
#[doc(inline)]
pub use crate::server::config::error::ConfigurationError;
#[doc(inline)]
pub use crate::server::replace::report::{IssuerChange, Replacement};
#[doc(inline)]
pub use crate::server::settings::issuer::danger::DangerousIssuer;
#[cfg(feature = "jwks")]
#[doc(inline)]
pub use crate::server::settings::key_set_copies::KeySetCopies;
#[doc(inline)]
pub use crate::server::settings::resource::value::Resource;
#[cfg(feature = "redis")]
#[doc(inline)]
pub use crate::server::settings::shared_store::{DangerousSharedStore, SharedStore};
#[cfg(feature = "status-list")]
#[doc(inline)]
pub use crate::server::settings::status_list_check::StatusListCheck;
