//! The tower layers, their services and futures, and the bodies of refusals.

#[doc(inline)]
pub use crate::middleware::authenticate::danger::DangerousLayer;
#[doc(inline)]
pub use crate::middleware::authenticate::layer::AuthenticateLayer;
#[doc(inline)]
pub use crate::middleware::authenticate::service::Authenticate;
#[doc(inline)]
pub use crate::middleware::future::ResponseFuture;
#[doc(inline)]
pub use crate::middleware::require_scope::{RequireScope, RequireScopeLayer};
#[doc(inline)]
pub use crate::middleware::response::body::{
    EmptyBody, MakeBody, ProblemJson, RefusalBody, RefusedRequest, RenderedBody, Renderer,
};
#[doc(inline)]
pub use crate::middleware::services::protected_resource::MetadataService;
