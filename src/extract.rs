//! Extractors for axum handlers, and what guards demand.
//!
//! Extractors are also [`AccessToken`](crate::AccessToken), [`Scope`](crate::Scope), the identities
//! and the access proofs of [`tenant`](crate::tenant).

#[doc(inline)]
pub use crate::middleware::authenticate::refuser::Refuser;
#[cfg(all(feature = "axum", feature = "jwks"))]
#[doc(inline)]
pub use crate::middleware::extract::UserInfo;
#[cfg(feature = "axum")]
#[doc(inline)]
pub use crate::middleware::extract::{
    Authorized, Claims, InGroup, InRole, RoleRequirement, Scoped, SenderConstrained, ThroughActor,
    UserThroughActor, WithoutActor,
};
#[doc(inline)]
pub use crate::model::requirement::required_actor::{ActorRequirement, RequiredActor};
#[doc(inline)]
pub use crate::model::requirement::route_requirement::{Requirement, RouteRequirement};
#[doc(inline)]
pub use crate::model::scope::{ScopeRequirement, ScopeToken, ScopeTokens};
#[doc(inline)]
pub use crate::verify::claims::actor::Actor;
#[doc(inline)]
pub use crate::verify::claims::verified_token::CallerKey;
#[doc(inline)]
pub use crate::verify::identity::on_behalf_of::{Acting, OnBehalfOf};
