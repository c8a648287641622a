#![cfg_attr(docsrs, feature(doc_cfg))]
// Of several definitions of a link the first counts: here the chapters, in the README files.
#![doc = "[architecture]: crate::manual::architecture"]
#![doc = "[threats]: crate::manual::threats"]
#![doc = "[defaults]: crate::manual::defaults"]
#![doc = "[tenancy]: crate::manual::tenancy"]
#![doc = "[opaque]: crate::manual::opaque"]
#![doc = "[doors]: crate::manual::doors"]
#![doc = "[revocation]: crate::manual::revocation"]
#![doc = "[providers]: crate::manual::providers"]
#![doc = "[sharing]: crate::manual::sharing"]
#![doc = "[testing]: crate::manual::testing"]
#![doc = "[performance]: crate::manual::performance"]
#![doc = ""]
#![doc = include_str!("../README.md")]

mod middleware;
mod model;
mod server;
mod source;
mod verify;

pub mod manual;
#[cfg(feature = "test-util")]
pub mod test_util;

pub use middleware::authenticate::AuthenticateLayer;
pub use middleware::danger::DangerousLayer;
#[cfg(all(feature = "axum", feature = "jwks"))]
pub use middleware::extract::UserInfo;
#[cfg(feature = "axum")]
pub use middleware::extract::{Claims, InGroup, InRole, RoleRequirement, Scoped};
pub use middleware::future::ResponseFuture;
pub use middleware::gate::Authenticate;
#[cfg(feature = "axum")]
pub use middleware::logout::BackchannelLogout;
#[cfg(feature = "jwks")]
pub use middleware::readiness::Readiness;
pub use middleware::refusal::Refusal;
pub use middleware::render::{
    EmptyBody, MakeBody, ProblemJson, RefusalBody, RenderedBody, Renderer,
};
pub use middleware::require_scope::{RequireScope, RequireScopeLayer};
pub use model::algorithm::Algorithm;
pub use model::claim_value::ClaimValue;
pub use model::path::ClaimPath;
pub use model::reach::Reach;
pub use model::rejection::{
    Objection, Outage, Rejection, RejectionKind, RequestFault, TokenFault, WiringFault,
};
pub use model::rejection_detail::{Problem, RejectionDetail};
pub use model::revocation::{Revocation, RevocationKind};
pub use model::scope::{InvalidScope, Scope, ScopeRequirement, ScopeToken};
pub use model::tenant::{
    AccountId, ClientId, InvalidId, PrincipalId, SubjectId, UserId, WorkspaceId,
};
pub use model::time::UnixTime;
pub use server::builder::Builder;
pub use server::issuer::{DangerousIssuer, Issuer};
#[cfg(feature = "jwks")]
pub use server::load::RevocationLoader;
pub use server::mistake::ConfigError;
#[cfg(feature = "jwks")]
pub use server::operate::{ConnectError, IssuerKeys, RefreshError};
pub use server::revocations::{RevocationError, Revocations};
#[cfg(feature = "redis")]
pub use server::share::{SharedStoreError, SharedStoreStatus};
#[cfg(feature = "redis")]
pub use server::shared_store::{DangerousSharedStore, SharedStore};
pub use server::state::{ResourceServer, TokenCacheStatus};
#[cfg(feature = "jwks")]
pub use source::client_authentication::ClientAuthentication;
pub use source::clock::{Clock, Sleep, SystemClock};
pub use source::directory::{LookupError, UserDirectory, WorkspaceDirectory};
#[cfg(feature = "jwks")]
pub use source::jwks::{KeySetState, KeySetStatus};
#[cfg(feature = "jwks")]
pub use source::record::IntrospectionStatus;
pub use source::revoked::RevocationEntry;
#[cfg(feature = "jwks")]
pub use source::token_information::TokenInformation;
pub use verify::access::{AccountAccess, WorkspaceAccess};
pub use verify::claims::AccessToken;
pub use verify::client_tenant::ClientTenant;
pub use verify::delegation::{Delegation, UncheckedDelegation};
pub use verify::identity::{Client, Identity, Principal, Subject, WorkspaceUser};
pub use verify::keyset::SkippedKey;
pub use verify::tenancy::TenantClaims;

/// For the macros of this crate; not part of its public interface.
#[doc(hidden)]
pub mod __private {
    #[cfg(feature = "axum")]
    pub use crate::middleware::extract::assert_roles;
    pub use crate::model::scope::assert_requirement;
}
