#![cfg_attr(docsrs, feature(doc_cfg))]
// Of several definitions of a link the first counts: in rustdoc these, in the repository those at
// the end of the README. The script `docs/links` writes both.
#![doc = include_str!("manual/links.md")]
#![doc = include_str!("../docs/pictures/request.md")]
#![doc = include_str!("../docs/pictures/demo_light.md")]
// A transparent pixel: one picture of the page is enough here.
#![doc = include_str!("../docs/pictures/demo_dark.md")]
#![doc = include_str!("../README.md")]

mod logging;
mod middleware;
mod model;
mod runtime;
mod server;
mod verify;

pub mod binding;
pub mod config;
pub mod error;
pub mod explain;
pub mod extract;
pub mod layer;
#[cfg(feature = "jwks")]
pub mod lease;
#[allow(clippy::doc_markdown)] // Headings are names of kinds and products.
pub mod manual;
#[cfg(feature = "mcp")]
pub mod mcp;
#[cfg(any(feature = "aide", feature = "utoipa"))]
pub mod openapi;
pub mod observe;
pub mod presets;
pub mod revocation;
#[cfg(feature = "ssf")]
pub mod ssf;
pub mod status;
pub mod tenant;
#[cfg(feature = "test-util")]
pub mod test_util;
pub mod time;

// The names of the first steps; each of the others stands in its module.
pub use middleware::authenticate::layer::AuthenticateLayer;
#[cfg(feature = "axum")]
pub use middleware::extract::{Claims, InGroup, InRole, Scoped};
pub use model::algorithm::Algorithm;
pub use model::error::rejection::RejectionKind;
pub use model::scope::Scope;
pub use server::builder::server_builder::ResourceServerBuilder;
pub use server::resource_server::ResourceServer;
pub use server::settings::error::ConfigError;
pub use server::settings::issuer::value::Issuer;
pub use server::settings::resource::value::Resource;
pub use verify::claims::verified_token::AccessToken;
pub use verify::identity::access::WorkspaceAccess;
pub use verify::identity::kinds::{Identity, WorkspaceUser};
pub use verify::policy::tenant_claims::TenantClaims;

/// For the macros of this crate; not part of its public interface.
#[doc(hidden)]
pub mod __private {
    #[cfg(feature = "axum")]
    pub use crate::middleware::extract::assert_roles;
    pub use crate::model::scope::assert_requirement;
    pub use crate::model::scope::literals::{Role, Scope, scope_fault};
}
