//! Settings of the store that several instances share.

use std::fmt;
use std::time::Duration;

use crate::model::repeated_settings::RepeatedSettings;
use crate::model::url;

/// Redis or Valkey, through which the instances of an API share revocations and what issuers said
/// of opaque tokens; for [`ResourceServerBuilder::shared_store`](crate::ResourceServerBuilder::shared_store).
///
/// The store is not trusted with any of it: whatever is written there is encrypted and cannot be
/// altered without the cluster key. See [the manual](crate::manual::clustering).
///
/// ```
/// use portcullis::config::SharedStore;
/// use portcullis::{Issuer, ResourceServer};
///
/// let store = SharedStore::redis("rediss://cache.example.com:6379")
///     // Of a secret manager: `openssl rand -base64 32`
///     .cluster_key_base64("rPUvQsdR1QmdZ+EAVhtK7aKIOhvYW2jNvK2dFEJTe2I=");
/// let server = ResourceServer::builder("https://api.example.com")
///     .issuer(Issuer::oidc("https://id.example.com"))
///     .shared_store(store)
///     .build()?;
/// assert!(!server.ready(), "what the others have revoked is not known yet");
///
/// let mistake = ResourceServer::builder("https://api.example.com")
///     .issuer(Issuer::oidc("https://id.example.com"))
///     .shared_store(SharedStore::redis("rediss://cache.example.com:6379"))
///     .build()
///     .unwrap_err();
/// assert!(mistake.to_string().contains("cluster key"));
/// # Ok::<(), portcullis::ConfigError>(())
/// ```
#[derive(Clone)]
#[must_use]
pub struct SharedStore {
    pub(in crate::server) url: String,
    pub(in crate::server) cluster_key: Option<GivenKey>,
    pub(in crate::server) previous_cluster_key: Option<GivenKey>,
    pub(in crate::server) namespace: String,
    pub(in crate::server) refuse_after: Option<Duration>,
    pub(in crate::server) answer_timeout: Duration,
    pub(in crate::server) is_plain_allowed: bool,
    /// The settings that hold one value.
    pub(in crate::server) once: RepeatedSettings,
}

/// The cluster key, in the form in which it was given.
#[derive(Clone)]
pub(in crate::server) enum GivenKey {
    Bytes([u8; 32]),
    Text(String),
}

/// Neither user nor password, and never the key.
impl fmt::Debug for SharedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedStore")
            .field("url", &url::shown(&self.url))
            .field("namespace", &self.namespace)
            .field("refuse_after", &self.refuse_after)
            .finish_non_exhaustive()
    }
}

impl SharedStore {
    /// The store at this URL, `rediss://user:password@host:port/database`, with `rediss` or
    /// `valkeys` for TLS, and `redis` or `valkey` on loopback. One primary, or what stands for it:
    /// not a cluster of shards, and no replica.
    pub fn redis(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            cluster_key: None,
            previous_cluster_key: None,
            namespace: "portcullis".to_owned(),
            refuse_after: None,
            answer_timeout: Duration::from_millis(100),
            is_plain_allowed: false,
            once: RepeatedSettings::default(),
        }
    }

    /// The secret that all instances have and the store does not have: 32 random bytes. A holder of
    /// it can revoke and withdraw, and vouch for opaque tokens. Instances with another key share
    /// nothing with these, except through [`previous_cluster_key`](Self::previous_cluster_key). Default: none,
    /// which is a mistake.
    pub fn cluster_key(mut self, key: [u8; 32]) -> Self {
        // One key in two spellings is not compared.
        self.once.set("cluster_key", &key);
        self.cluster_key = Some(GivenKey::Bytes(key));
        self
    }

    /// The same in base64, as `openssl rand -base64 32` writes it.
    pub fn cluster_key_base64(mut self, key: impl Into<String>) -> Self {
        let key = key.into();
        self.once.set("cluster_key", &key);
        self.cluster_key = Some(GivenKey::Text(key));
        self
    }

    /// A second key, for as long as other instances have it and not the current one. With it a change of the
    /// cluster key has no moment in which a revocation is unknown to an instance: first all instances get the
    /// new key and the former one here, and when the last has both, they are started again
    /// without this one. See [the manual](crate::manual::clustering#changing-the-cluster-key).
    ///
    /// Revocations of both keys count, and whatever is revoked or read under one is written under
    /// the other too; a used DPoP proof is recorded under both. Introspection responses of the former key are not
    /// used. A holder of either key can revoke and withdraw. Default: none.
    pub fn previous_cluster_key(mut self, key: [u8; 32]) -> Self {
        // One key in two spellings is not compared.
        self.once.set("previous_cluster_key", &key);
        self.previous_cluster_key = Some(GivenKey::Bytes(key));
        self
    }

    /// The same in base64, as `openssl rand -base64 32` writes it.
    pub fn previous_cluster_key_base64(mut self, key: impl Into<String>) -> Self {
        let key = key.into();
        self.once.set("previous_cluster_key", &key);
        self.previous_cluster_key = Some(GivenKey::Text(key));
        self
    }

    /// What the names of all keys in the store begin with: 1 to 64 letters, digits, `-`, `.`, `_`
    /// and `:`. Default: `portcullis`. APIs share revocations when namespace and cluster key are
    /// the same.
    pub fn namespace(mut self, namespace: impl Into<String>) -> Self {
        self.namespace = namespace.into();
        self.once.set("namespace", &self.namespace);
        self
    }

    /// Answers 503 to every token, except for those that are revoked, when the store has not
    /// answered for this long, by the server's clock: 15 s to 24 h. Default: never; an instance
    /// goes on with what it knows, since a store that is down must not take every API with it.
    pub fn refuse_after(mut self, silence: Duration) -> Self {
        self.once.set("refuse_after", &silence);
        self.refuse_after = Some(silence);
        self
    }

    /// How long a request with an opaque token that was not seen here waits for the store before
    /// the issuer is asked, by real time: 5 ms to 2 s. Default: 100 ms.
    pub fn answer_timeout(mut self, timeout: Duration) -> Self {
        self.once.set("answer_timeout", &timeout);
        self.answer_timeout = timeout;
        self
    }

    /// Settings that give up a protection.
    pub fn danger(self) -> DangerousSharedStore {
        DangerousSharedStore(self)
    }
}

/// Settings of a [`SharedStore`] that give up a protection. Each leads back to the store.
#[derive(Clone, Debug)]
#[must_use]
pub struct DangerousSharedStore(SharedStore);

impl DangerousSharedStore {
    /// Allows `redis://` anywhere, not only on loopback: an attacker on the network path learns the password,
    /// and can keep revocations from this instance. What is stored stays sealed.
    pub fn plain_redis(mut self) -> SharedStore {
        self.0.is_plain_allowed = true;
        self.0
    }
}
