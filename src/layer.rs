//! The tower layers, their services and futures, and the bodies of refusals.

#[doc(inline)]
pub use crate::middleware::authenticate::danger::DangerousLayer;
#[doc(inline)]
pub use crate::middleware::authenticate::layer::{AuthenticateLayer, KeepStreams};
#[doc(inline)]
pub use crate::middleware::authenticate::service::Authenticate;
#[doc(inline)]
pub use crate::middleware::future::ResponseFuture;
#[cfg(feature = "jwks")]
#[doc(inline)]
pub use crate::middleware::lease::service::{EndStreams, LeasedResponse, LeasedService};
/// The name of [`Require`] for a scope alone.
#[doc(inline)]
pub use crate::middleware::require::layer::Require as RequireScope;
/// The name of [`RequireLayer`] for a scope alone.
#[doc(inline)]
pub use crate::middleware::require::layer::RequireLayer as RequireScopeLayer;
#[doc(inline)]
pub use crate::middleware::require::layer::{Require, RequireLayer};
#[doc(inline)]
pub use crate::middleware::response::body::{
    EmptyBody, MakeBody, ProblemJson, RefusalBody, RefusedRequest, RenderedBody, Renderer,
};
#[doc(inline)]
pub use crate::middleware::services::protected_resource::MetadataService;
