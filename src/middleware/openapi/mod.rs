//! What OpenAPI documents state of guards and of the server.
//!
//! 1. One source: the type of the guard. What it demands stands in the operation's `x-requirements`,
//!    and security requirement and answers are made of that list, each time from all of it.
//! 2. A guard does not know the server. Its security requirement names the scheme `oauth2`, in whose
//!    place `SecuritySchemes` puts those of the server.

mod demand;
mod answers;
pub(crate) mod security_schemes;
#[cfg(feature = "utoipa")]
mod utoipa_document;
#[cfg(feature = "utoipa")]
pub(crate) mod guard_routes;
#[cfg(feature = "aide")]
mod aide_document;
#[cfg(feature = "aide")]
pub(crate) mod operation_transforms;
#[cfg(feature = "aide")]
mod operation_input;
