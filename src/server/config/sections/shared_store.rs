//! Members of the shared store.

use crate::server::config::duration_text::DurationText;
use crate::server::config::place::{Secret, StoreUrl};
use crate::server::config::section::section;
use crate::server::config::setting::is_its_own_value;
use crate::server::settings::shared_store::SharedStore;

section! {
    /// Redis or Valkey, through which instances share revocations and introspection answers.
    SharedStoreTable makes SharedStore;

    /// Its URL, such as `rediss://cache.example.com:6379`; one with a password by file or variable.
    make redis: StoreUrl;
    /// The secret of all instances: 32 bytes in base64.
    one cluster_key_base64: Secret;
    /// The key that other instances may still have while it is changed: 32 bytes in base64. Default: none.
    one previous_cluster_key_base64: Secret;
    /// What the names of all keys in the store begin with. Default: `portcullis`.
    one namespace: String;
    /// Answers 503 when the store has not answered for this long: 15 s to 24 h. Default: never.
    one refuse_after: DurationText;
    /// How long a request waits for the store: 5 ms to 2 s. Default: 100 ms.
    one answer_timeout: DurationText;
    /// Settings that give up a protection.
    one danger: DangerousSharedStoreTable = |store, danger: DangerousSharedStoreTable| danger.apply(store);
}

/// Settings of the shared store that give up a protection.
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table of members")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(in crate::server::config) struct DangerousSharedStoreTable {
    /// Allows `redis://` anywhere, not only on loopback.
    #[serde(default)]
    plain_redis: bool,
}

impl DangerousSharedStoreTable {
    fn apply(self, store: SharedStore) -> SharedStore {
        if self.plain_redis {
            return store.danger().plain_redis();
        }
        store
    }
}

is_its_own_value!(DangerousSharedStoreTable);
