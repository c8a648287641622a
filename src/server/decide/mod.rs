//! Parts of the decision on a request: the rules and keys of an issuer, signed and introspected tokens.

pub(crate) mod decision;
pub(crate) mod verified_request;
#[cfg(feature = "jwks")]
pub(crate) mod lookup_result;
pub(crate) mod issuer_authority;
pub(crate) mod unknown_issuer;
#[cfg(feature = "jwks")]
pub(crate) mod signed_response;
#[cfg(feature = "jwks")]
pub(crate) mod introspected;
