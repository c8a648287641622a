//! The keys in the store, and the cluster key that they belong to.

use crate::verify::crypto::sealed::SealedBox;

/// A cluster key: its seals for revocations, and its keys in the store.
pub(crate) struct KeyAccess {
    pub(crate) seals: SealedBox,
    pub(crate) keys: StoreKeys,
}

/// The keys of one namespace and one cluster key.
pub(crate) struct StoreKeys {
    pub(super) epoch: String,
    base: String,
}

/// The prefix of the epoch of a stream that replaces a broken one. Such an epoch is part of the
/// stream's key.
const RENEWED: &str = "renewed-";

impl StoreKeys {
    /// The keys below this one: the namespace, and the fingerprint of the cluster key.
    pub(crate) fn new(base: String) -> Self {
        Self {
            epoch: format!("{base}:epoch"),
            base,
        }
    }

    /// The key of an epoch's stream.
    pub(super) fn stream(&self, epoch: &[u8]) -> String {
        let renewed = std::str::from_utf8(epoch).ok().filter(|epoch| {
            let random = epoch.strip_prefix(RENEWED).unwrap_or_default();
            random.len() == 32 && random.bytes().all(|byte| byte.is_ascii_hexdigit())
        });
        match renewed {
            Some(epoch) => format!("{}:{epoch}:revocations", self.base),
            None => format!("{}:revocations", self.base),
        }
    }

    /// An epoch with a new stream.
    pub(super) fn renewed(random: u128) -> String {
        format!("{RENEWED}{random:032x}")
    }
}
