//! The lease of a request that may need one: it is opened when it is first asked for.

use std::fmt;
use std::sync::{Arc, OnceLock};

use http::Extensions;

use crate::middleware::authenticate::context::{AuthContext, LayerPolicy};
use crate::middleware::lease::handle::Lease;
use crate::runtime::util::striped::StripedArcHandle;
use crate::server::decide::verified_request::SharedRequest;

/// The lease of one request, for its handlers and for the body of its response. Clones share it.
#[derive(Clone)]
pub(in crate::middleware) struct LeaseCell(Arc<Shared>);

struct Shared {
    verified: SharedRequest,
    policy: StripedArcHandle<LayerPolicy>,
    lease: OnceLock<Lease>,
}

impl LeaseCell {
    /// The cell of an admitted request; `None` for one that an optional layer let through without a
    /// token.
    pub(super) fn of(extensions: &Extensions) -> Option<Self> {
        let context = extensions.get::<AuthContext>()?;
        Some(Self(Arc::new(Shared {
            verified: Arc::clone(context.verified.as_ref()?),
            policy: context.policy.clone(),
            lease: OnceLock::new(),
        })))
    }

    /// Whether it is the cell of this request, and not of an outer layer's.
    pub(super) fn is_of(&self, verified: &SharedRequest) -> bool {
        Arc::ptr_eq(&self.0.verified, verified)
    }

    /// The lease, which the first call opens.
    pub(super) fn lease(&self) -> Lease {
        let shared = &self.0;
        let open = || Lease::open(&shared.verified, &shared.policy);
        shared.lease.get_or_init(open).clone()
    }
}

impl fmt::Debug for LeaseCell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LeaseCell(..)")
    }
}
