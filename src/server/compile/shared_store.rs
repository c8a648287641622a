//! From the settings of the shared store to what uses it: the sync of revocations and the cache of
//! introspection responses.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::model::url;
use crate::runtime::clock::Clock;
use crate::runtime::revocation::list::RevocationList;
use crate::runtime::shared::introspection_cache::SharedIntrospectionCache;
use crate::runtime::shared::replay::{ProofRecords, SharedProofStore};
use crate::runtime::shared::store::address::Address;
use crate::runtime::shared::sync::state::{RevocationSync, StoreLocation};
use crate::runtime::shared::sync::store_keys::{KeyAccess, StoreKeys};
use crate::server::decide::issuer_authority::IssuerAuthority;
use crate::server::settings::error::ConfigError;
use crate::server::settings::shared_store::{GivenKey, SharedStore};
use crate::verify::crypto::sealed::{ClusterKey, Purpose};

const SETTING: &str = "shared_store";

/// What uses the store.
pub(in crate::server) struct Shared {
    pub(in crate::server) sharing: Arc<RevocationSync>,
    pub(in crate::server) answers: Arc<SharedIntrospectionCache>,
    pub(in crate::server) proofs: Arc<SharedProofStore>,
}

/// A store with its settings checked.
pub(in crate::server) struct CheckedSharedStore {
    store: SharedStore,
    address: Address,
    current: ClusterKey,
    previous: Option<ClusterKey>,
}

/// The key of bytes or of their base64; what is wrong, after the name of the key.
fn decoded(key: &GivenKey) -> Result<[u8; 32], &'static str> {
    const PROBLEM: &str = "is not 32 bytes in base64; make one with `openssl rand -base64 32`";
    let key = match key {
        GivenKey::Bytes(bytes) => *bytes,
        GivenKey::Text(text) => {
            let bytes = STANDARD.decode(text).ok();
            let key = bytes.and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
            key.ok_or(PROBLEM)?
        }
    };
    if ClusterKey::new(key).is_placeholder() {
        return Err("is one byte repeated; make one with `openssl rand -base64 32`");
    }
    Ok(key)
}

impl SharedStore {
    /// The cluster key, and the previous one.
    fn cluster_keys(&self) -> Result<(ClusterKey, Option<ClusterKey>), ConfigError> {
        let wrong = |problem: &str| ConfigError::new(SETTING, problem);
        let key = self.cluster_key.as_ref();
        let key =
            key.ok_or_else(|| wrong("the cluster key is missing; set `cluster_key_base64(..)`"))?;
        let current =
            decoded(key).map_err(|problem| wrong(&format!("the cluster key {problem}")))?;
        let previous = self.previous_cluster_key.as_ref().map(decoded).transpose();
        let previous =
            previous.map_err(|problem| wrong(&format!("the previous cluster key {problem}")))?;
        if previous == Some(current) {
            return Err(ConfigError::conflict(
                SETTING,
                "the previous cluster key is the cluster key; leave `previous_cluster_key` out, or set the new key",
            ));
        }
        Ok((ClusterKey::new(current), previous.map(ClusterKey::new)))
    }

    pub(in crate::server) fn check(self) -> Result<CheckedSharedStore, ConfigError> {
        let address = Address::parse(&self.url, self.is_plain_allowed).map_err(|problem| {
            let url = url::shown(&self.url);
            let way_out = match problem {
                "is not encrypted; use `rediss://`" => ", or `danger().plain_redis()`",
                _ => "",
            };
            ConfigError::new(SETTING, format!("`{url}` {problem}{way_out}"))
        })?;
        let (current, previous) = self.cluster_keys()?;
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:".contains(&byte);
        if !(1..=64).contains(&self.namespace.len()) || !self.namespace.bytes().all(is_plain) {
            return Err(ConfigError::new(
                SETTING,
                "the namespace must be 1 to 64 letters, digits, `-`, `.`, `_` and `:`",
            ));
        }
        let bounds = Duration::from_secs(15)..=Duration::from_secs(24 * 3600);
        if self
            .refuse_after
            .is_some_and(|silence| !bounds.contains(&silence))
        {
            return Err(ConfigError::out_of_bounds(
                SETTING,
                "`refuse_after` must be 15 s to 24 h",
            ));
        }
        let bounds = Duration::from_millis(5)..=Duration::from_secs(2);
        if !bounds.contains(&self.answer_timeout) {
            return Err(ConfigError::out_of_bounds(
                SETTING,
                "`answer_timeout` must be 5 ms to 2 s",
            ));
        }
        Ok(CheckedSharedStore {
            store: self,
            address,
            current,
            previous,
        })
    }
}

impl CheckedSharedStore {
    /// Makes what uses the store. Until it was read once, no token is found unrevoked.
    pub(in crate::server) fn share<'r>(
        self,
        members: impl Iterator<Item = &'r Arc<IssuerAuthority>>,
        list: &Arc<RevocationList>,
        clock: &Arc<dyn Clock>,
    ) -> Result<Shared, ConfigError> {
        let Self {
            store,
            address,
            current,
            previous,
        } = self;
        let broken =
            || ConfigError::unavailable(SETTING, "the cryptographic library gives no keys");
        let prefix = |key: &ClusterKey| {
            let fingerprint = key.fingerprint()?;
            Some(format!("{}:{fingerprint}", store.namespace))
        };
        let access = |key: &ClusterKey| {
            Some(KeyAccess {
                seals: key.seals(Purpose::Revocation)?,
                keys: StoreKeys::new(prefix(key)?),
            })
        };
        let records = |key: &ClusterKey| {
            let sealed_box = key.seals(Purpose::Proof)?;
            Some(ProofRecords::new(sealed_box, prefix(key)?))
        };
        let previous = previous.as_ref();
        let realms = members.map(|member| {
            let rules = &member.rules;
            (Arc::clone(&rules.realm), rules.longest_revocation())
        });
        let place = StoreLocation {
            address: address.clone(),
            current: access(&current).ok_or_else(broken)?,
            previous: previous
                .map(|key| access(key).ok_or_else(broken))
                .transpose()?,
            token_lifetimes: realms.collect(),
            refuse_after: store.refuse_after,
        };
        let proofs = SharedProofStore::new(
            address.clone(),
            records(&current).ok_or_else(broken)?,
            previous
                .map(|key| records(key).ok_or_else(broken))
                .transpose()?,
            Arc::clone(clock),
            store.answer_timeout,
        );
        // Of the current key alone: a response that is not found costs one call of the issuer.
        let answers = SharedIntrospectionCache::new(
            address,
            current.seals(Purpose::Answer).ok_or_else(broken)?,
            prefix(&current).ok_or_else(broken)?,
            Arc::clone(clock),
            store.answer_timeout,
        );
        Ok(Shared {
            sharing: Arc::new(RevocationSync::new(
                place,
                Arc::clone(list),
                Arc::clone(clock),
            )),
            answers: Arc::new(answers),
            proofs: Arc::new(proofs),
        })
    }
}
