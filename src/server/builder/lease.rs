//! The settings of leases.

use std::time::Duration;

use crate::server::builder::server_builder::ResourceServerBuilder;

/// The longest tolerance.
pub(in crate::server) const LONGEST_OUTAGE: Duration = Duration::from_secs(24 * 3600);

impl ResourceServerBuilder {
    /// How long open [leases](crate::lease) go on while the list of revocations is incomplete: the
    /// shared store was unreachable for longer than
    /// [`refuse_after`](crate::config::SharedStore::refuse_after), say. Requests are answered 503 from the
    /// first moment on; what is open already ends after this time with
    /// [`LeaseEnd::Unavailable`](crate::lease::LeaseEnd::Unavailable). A revocation that arrives
    /// meanwhile ends its leases at once. Zero to 24 h. Default: 30 s.
    pub fn lease_outage_tolerance(mut self, tolerance: Duration) -> Self {
        self.once.set("lease_outage_tolerance", &tolerance);
        self.lease_outage_tolerance = tolerance;
        self
    }
}
