//! The state of the status lists of a running server.

use std::sync::Arc;

use crate::runtime::status_list::lists::StatusLists;
use crate::runtime::status_list::status::StatusListStatus;
use crate::server::resource_server::ResourceServer;

impl ResourceServer {
    /// The state of every status list that is held or fetched: in the order of the issuers, and of the
    /// lists' addresses. Empty where no token has named one yet.
    #[must_use]
    pub fn status_list_status(&self) -> Vec<StatusListStatus> {
        let lists = self.status_lists().into_iter();
        lists.flat_map(|lists| lists.status()).collect()
    }

    /// From now on a status list that is replaced ends the leases whose status is not accepted any more.
    pub(in crate::server) fn end_leases_by_status(&self) {
        for lists in self.status_lists() {
            let leases = Arc::downgrade(&self.0.leases);
            lists.set_hook(Box::new(move || {
                if let Some(leases) = leases.upgrade() {
                    leases.end_by_status();
                }
            }));
        }
    }

    fn status_lists(&self) -> Vec<Arc<StatusLists>> {
        let registry = self.0.registry.load();
        let checks = registry
            .members()
            .filter_map(|member| member.status.as_ref());
        checks.map(|check| Arc::clone(&check.lists)).collect()
    }
}
