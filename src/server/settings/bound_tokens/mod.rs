//! Settings about tokens that are bound to their sender: of DPoP, of the server and of an issuer.

pub(crate) mod dpop;
pub(crate) mod server;
pub(crate) mod issuer;
