//! A store that several instances share: its settings.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::model::repeated_settings::RepeatedSettings;
use crate::model::url;
use crate::runtime::clock::Clock;
use crate::runtime::revocation::list::RevocationList;
use crate::runtime::shared::introspection_cache::SharedIntrospectionCache;
use crate::runtime::shared::redis::Address;
use crate::runtime::shared::sync::{RevocationSync, StoreKeys, StoreLocation};
use crate::server::decide::issuer_authority::IssuerAuthority;
use crate::server::settings::error::{ConfigError, mistake};
use crate::verify::crypto::sealed::{ClusterKey, Purpose};

const SETTING: &str = "shared_store";

/// Redis or Valkey, through which the instances of an API share revocations and what issuers said
/// of opaque tokens; for [`ResourceServerBuilder::shared_store`](crate::ResourceServerBuilder::shared_store).
///
/// The store is not trusted with any of it: whatever is written there is encrypted and cannot be
/// altered without the cluster key. See [the manual](crate::manual::clustering).
///
/// ```
/// use portcullis::{Issuer, ResourceServer, SharedStore};
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
    url: String,
    cluster_key: Option<GivenKey>,
    namespace: String,
    refuse_after: Option<Duration>,
    answer_timeout: Duration,
    is_plain_allowed: bool,
    /// The settings that hold one value.
    pub(in crate::server) once: RepeatedSettings,
}

#[derive(Clone)]
enum GivenKey {
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
            namespace: "portcullis".to_owned(),
            refuse_after: None,
            answer_timeout: Duration::from_millis(100),
            is_plain_allowed: false,
            once: RepeatedSettings::default(),
        }
    }

    /// The secret that all instances have and the store has not: 32 random bytes. Whoever has it
    /// can revoke and withdraw, and vouch for opaque tokens. Instances with another key share
    /// nothing with these. Default: none, which is a mistake.
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

    /// What the names of all keys in the store begin with: 1 to 64 letters, digits, `-`, `.`, `_`
    /// and `:`. Default: `portcullis`. APIs share revocations when namespace and cluster key are
    /// the same.
    pub fn namespace(mut self, namespace: impl Into<String>) -> Self {
        self.namespace = namespace.into();
        self.once.set("namespace", &self.namespace);
        self
    }

    /// Answers 503 to every token, but for those that are revoked, when the store has not been
    /// heard of for this long, by the server's clock: 15 s to 24 h. Default: never; an instance
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
    /// Allows `redis://` anywhere, not only on loopback: whoever is on the way learns the password,
    /// and can keep revocations from this instance. What is stored stays sealed.
    pub fn plain_redis(mut self) -> SharedStore {
        self.0.is_plain_allowed = true;
        self.0
    }
}

/// What a server shares.
pub(in crate::server) struct Shared {
    pub(in crate::server) sharing: Arc<RevocationSync>,
    pub(in crate::server) answers: Arc<SharedIntrospectionCache>,
}

/// A store with its settings checked.
pub(in crate::server) struct Checked {
    store: SharedStore,
    address: Address,
    key: ClusterKey,
}

impl SharedStore {
    pub(in crate::server) fn check(self) -> Result<Checked, ConfigError> {
        let address = Address::parse(&self.url, self.is_plain_allowed).map_err(|problem| {
            let url = url::shown(&self.url);
            let way_out = match problem {
                "is not encrypted; use `rediss://`" => ", or `danger().plain_redis()`",
                _ => "",
            };
            mistake(SETTING, format!("`{url}` {problem}{way_out}"))
        })?;
        let key = match &self.cluster_key {
            None => Err("the cluster key is missing; set `cluster_key_base64(..)`"),
            Some(GivenKey::Bytes(bytes)) => Ok(*bytes),
            Some(GivenKey::Text(text)) => {
                let bytes = STANDARD.decode(text).ok();
                let key = bytes.and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
                key.ok_or("the cluster key is not 32 bytes in base64; make one with `openssl rand -base64 32`")
            }
        };
        let key = key.map(ClusterKey::new).and_then(|key| {
            if key.is_placeholder() {
                return Err(
                    "the cluster key is one byte repeated; make one with `openssl rand -base64 32`",
                );
            }
            Ok(key)
        });
        let key = key.map_err(|problem| mistake(SETTING, problem))?;
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:".contains(&byte);
        if !(1..=64).contains(&self.namespace.len()) || !self.namespace.bytes().all(is_plain) {
            return Err(mistake(
                SETTING,
                "the namespace must be 1 to 64 letters, digits, `-`, `.`, `_` and `:`",
            ));
        }
        let bounds = Duration::from_secs(15)..=Duration::from_secs(24 * 3600);
        if self
            .refuse_after
            .is_some_and(|silence| !bounds.contains(&silence))
        {
            return Err(mistake(SETTING, "`refuse_after` must be 15 s to 24 h"));
        }
        let bounds = Duration::from_millis(5)..=Duration::from_secs(2);
        if !bounds.contains(&self.answer_timeout) {
            return Err(mistake(SETTING, "`answer_timeout` must be 5 ms to 2 s"));
        }
        Ok(Checked {
            store: self,
            address,
            key,
        })
    }
}

impl Checked {
    /// Begins to share. Until the store was read once, nobody is found clean.
    pub(in crate::server) fn share<'r>(
        self,
        members: impl Iterator<Item = &'r Arc<IssuerAuthority>>,
        list: &Arc<RevocationList>,
        clock: &Arc<dyn Clock>,
    ) -> Result<Shared, ConfigError> {
        let Self {
            store,
            address,
            key,
        } = self;
        let broken = || mistake(SETTING, "the cryptographic library gives no keys");
        let fingerprint = key.fingerprint().ok_or_else(broken)?;
        let realms = members.map(|member| {
            let rules = &member.rules;
            (Arc::clone(&rules.realm), rules.longest_revocation())
        });
        let place = StoreLocation {
            address: address.clone(),
            seals: key.seals(Purpose::Revocation).ok_or_else(broken)?,
            keys: StoreKeys::new(&store.namespace, &fingerprint),
            realms: realms.collect(),
            refuse_after: store.refuse_after,
        };
        let answers = SharedIntrospectionCache::new(
            address,
            key.seals(Purpose::Answer).ok_or_else(broken)?,
            format!("{}:{fingerprint}", store.namespace),
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
        })
    }
}
