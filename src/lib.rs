#![cfg_attr(docsrs, feature(doc_cfg))]
// Of several definitions of a link the first counts: in rustdoc these, in the repository those at
// the end of the README. The script `docs/links` writes both.
#![doc = include_str!("manual/links.md")]
#![doc = include_str!("../docs/pictures/request.md")]
#![doc = include_str!("../README.md")]

mod middleware;
mod model;
mod server;
mod runtime;
mod verify;

pub mod manual;
#[cfg(feature = "test-util")]
pub mod test_util;

pub use middleware::authenticate::danger::DangerousLayer;
pub use middleware::authenticate::layer::AuthenticateLayer;
pub use middleware::authenticate::service::Authenticate;
#[cfg(all(feature = "axum", feature = "jwks"))]
pub use middleware::extract::UserInfo;
#[cfg(feature = "axum")]
pub use middleware::extract::{Claims, InGroup, InRole, RoleRequirement, Scoped};
pub use middleware::future::ResponseFuture;
pub use middleware::require_scope::{RequireScope, RequireScopeLayer};
pub use middleware::response::body::{
    EmptyBody, MakeBody, ProblemJson, RefusalBody, RenderedBody, Renderer,
};
pub use middleware::response::refusal::Refusal;
#[cfg(feature = "axum")]
pub use middleware::services::backchannel_logout::BackchannelLogout;
#[cfg(feature = "jwks")]
pub use middleware::services::readiness::Readiness;
pub use model::algorithm::Algorithm;
pub use model::claim_path::ClaimPath;
pub use model::claim_value::ClaimValue;
pub use model::error::rejection::{
    Objection, Outage, Rejection, RejectionKind, RequestFault, TokenFault, WiringFault,
};
pub use model::error::rejection_detail::{Problem, RejectionDetail};
pub use model::ids::{AccountId, ClientId, InvalidId, PrincipalId, SubjectId, UserId, WorkspaceId};
pub use model::reach::Reach;
pub use model::revocation::{Revocation, RevocationKind};
pub use model::scope::{InvalidScope, Scope, ScopeRequirement, ScopeToken};
pub use model::time::UnixTime;
pub use runtime::clock::{Clock, Sleep, SystemClock};
pub use runtime::directory::{LookupError, UserDirectory, WorkspaceDirectory};
#[cfg(feature = "jwks")]
pub use runtime::introspection::client_auth::ClientAuthentication;
#[cfg(feature = "jwks")]
pub use runtime::introspection::dialect::TokenInformation;
#[cfg(feature = "jwks")]
pub use runtime::jwks::key_store::{KeySetState, KeySetStatus};
#[cfg(feature = "jwks")]
pub use runtime::lookup::status::IntrospectionStatus;
pub use runtime::revocation::entry::RevocationEntry;
pub use server::builder::ResourceServerBuilder;
#[cfg(feature = "redis")]
pub use server::compile::shared_store::{DangerousSharedStore, SharedStore};
#[cfg(feature = "jwks")]
pub use server::operate::connect::{ConnectError, IssuerKeys, RefreshError};
#[cfg(feature = "jwks")]
pub use server::operate::revocation_loader::RevocationLoader;
pub use server::operate::revocations::{RevocationError, Revocations};
#[cfg(feature = "redis")]
pub use server::operate::shared_status::{SharedStoreError, SharedStoreStatus};
pub use server::resource_server::{ResourceServer, TokenCacheStatus};
pub use server::settings::error::ConfigError;
pub use server::settings::issuer::{DangerousIssuer, Issuer};
pub use verify::claims::access_token::AccessToken;
pub use verify::identity::access::{AccountAccess, WorkspaceAccess};
pub use verify::identity::delegation::{Delegation, UncheckedDelegation};
pub use verify::identity::kinds::{Client, Identity, Principal, Subject, WorkspaceUser};
pub use verify::jose::jwk_set::SkippedKey;
pub use verify::policy::client_tenant::ClientTenant;
pub use verify::policy::tenant_claims::TenantClaims;

/// For the macros of this crate; not part of its public interface.
#[doc(hidden)]
pub mod __private {
    #[cfg(feature = "axum")]
    pub use crate::middleware::extract::assert_roles;
    pub use crate::model::scope::assert_requirement;
}
