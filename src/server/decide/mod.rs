//! Parts of the decision on a request: an issuer's policy and keys, signed responses, introspection.

pub(crate) mod decision;
#[cfg(feature = "status-list")]
pub(crate) mod token_status;
pub(crate) mod verified_request;
pub(crate) mod issuer_authority;
pub(crate) mod unknown_issuer;
pub(crate) mod sender;
pub(crate) mod protected_resource;
#[cfg(any(feature = "aide", feature = "utoipa"))]
pub(crate) mod authorization_server;
#[cfg(feature = "jwks")]
pub(crate) mod signed_response;
#[cfg(feature = "jwks")]
pub(crate) mod introspected;
