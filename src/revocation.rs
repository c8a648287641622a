//! Ending tokens before their time: the list, its entries, and how it is loaded.

#[cfg(feature = "jwks")]
#[doc(inline)]
pub use crate::server::operate::revocation_loader::{
    RevocationLoader, RevocationLoaderFn, revocation_loader_fn,
};
#[doc(inline)]
pub use crate::server::operate::revocations::{RevocationError, Revocations};
