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

    /// Calls this after each status list that was replaced, for what waits on the status of tokens. Only
    /// the first call counts.
    #[allow(dead_code)] // for leases
    pub(in crate::server) fn on_status_list_replaced(&self, hook: &Arc<dyn Fn() + Send + Sync>) {
        for lists in self.status_lists() {
            let hook = Arc::clone(hook);
            lists.set_hook(Box::new(move || hook()));
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
