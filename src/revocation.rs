//! Ending tokens before their time: what is revoked, the list of it, how it is loaded, and
//! back-channel logout.

#[cfg(feature = "axum")]
#[doc(inline)]
pub use crate::middleware::services::backchannel_logout::BackchannelLogout;
#[doc(inline)]
pub use crate::model::revocation::{Revocation, RevocationKind};
#[doc(inline)]
pub use crate::runtime::revocation::entry::RevocationEntry;
#[cfg(feature = "jwks")]
#[doc(inline)]
pub use crate::server::operate::revocation_loader::{
    RevocationLoader, RevocationLoaderFn, revocation_loader_fn,
};
#[doc(inline)]
pub use crate::server::operate::revocations::{RevocationError, Revocations};
