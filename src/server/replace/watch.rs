//! What a server does when something of its issuers changes: the hooks of keys and lists.

use std::sync::Arc;

use crate::server::resource_server::ResourceServer;

impl ResourceServer {
    /// From now on leases hear of keys and status lists that are replaced, and instances share the answers
    /// of an introspected issuer. What is watched already stays so.
    pub(in crate::server) fn watch_issuers(&self) {
        let registry = self.0.registry.load_full();
        for keys in registry.remotes().filter(|keys| !keys.is_watched()) {
            let leases = Arc::downgrade(&self.0.leases);
            keys.on_removed(Box::new(move || {
                if let Some(leases) = leases.upgrade() {
                    leases.end_without_key();
                }
            }));
        }
        #[cfg(feature = "status-list")]
        self.end_leases_by_status();
        #[cfg(feature = "redis")]
        if let (Some(shared), Some(introspected)) = (&self.0.shared, &registry.introspected) {
            introspected.share(&shared.answers, self.resource());
        }
    }
}
