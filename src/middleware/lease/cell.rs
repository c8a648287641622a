//! The lease of a request that may need one: it is opened when it is first asked for.

use std::fmt;
use std::sync::{Arc, OnceLock};

use http::Extensions;

use crate::middleware::authenticate::context::AuthContext;
use crate::middleware::authenticate::layer_policy::LayerPolicy;
use crate::runtime::lease::table::LeaseRecord;
use crate::runtime::util::striped::StripedArcHandle;
use crate::server::decide::verified_request::SharedRequest;

/// The lease of one request, for its handlers and for the body of its response. Clones share it.
#[derive(Clone)]
pub(in crate::middleware) struct LeaseCell(Arc<Shared>);

struct Shared {
    verified: SharedRequest,
    policy: StripedArcHandle<LayerPolicy>,
    record: OnceLock<Arc<LeaseRecord>>,
}

impl LeaseCell {
    /// The cell of an admitted request; `None` for one that an optional layer let through without a
    /// token.
    pub(super) fn of(extensions: &Extensions) -> Option<Self> {
        let context = extensions.get::<AuthContext>()?;
        Some(Self(Arc::new(Shared {
            verified: Arc::clone(context.verified.as_ref()?.shared()),
            policy: context.policy.clone(),
            record: OnceLock::new(),
        })))
    }

    /// Whether it is the cell of this request, and not of an outer layer's.
    pub(super) fn is_of(&self, verified: &SharedRequest) -> bool {
        Arc::ptr_eq(&self.0.verified, verified)
    }

    /// The lease, which the first call opens.
    pub(super) fn record(&self) -> Arc<LeaseRecord> {
        let Shared {
            verified,
            policy,
            record,
        } = &*self.0;
        let open = || policy.server.open_lease(verified);
        Arc::clone(record.get_or_init(open))
    }

    /// Whether something has asked for the lease.
    pub(super) fn is_open(&self) -> bool {
        self.0.record.get().is_some()
    }

    /// Logs that the connection was upgraded and is not bound to its lease.
    #[cold]
    pub(super) fn report_unleased(&self) {
        self.0.policy.server.report_unleased_upgrade();
    }

    pub(super) fn policy(&self) -> StripedArcHandle<LayerPolicy> {
        self.0.policy.clone()
    }
}

impl fmt::Debug for LeaseCell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LeaseCell(..)")
    }
}
