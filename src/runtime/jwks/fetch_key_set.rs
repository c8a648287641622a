//! One fetch of a key set: from the address to the parsed set.
//!
//! 1. A discovery document counts only if it is about the issuer; see
//!    [`metadata`](crate::runtime::discovery::metadata). Tenants that share a set share the document:
//!    it names one of them, or leaves their place open.
//! 2. A discovered address is dropped at the first failure.
//! 3. A set without a usable key is a failure. Validators are sent only to the address that gave them.

use std::sync::Arc;
use std::time::Duration;

use crate::model::algorithm::AlgorithmSet;
use crate::model::url;
use crate::model::url::issuer_template::IssuerTemplate;
use crate::runtime::clock::Now;
use crate::runtime::discovery::metadata::{Discovered, MetadataQuery, RefreshError};
use crate::runtime::http::client::{Fetched, Fetcher, Validators};
use crate::runtime::http::tls::HttpOptions;
use crate::runtime::jwks::schedule::RefreshLimits;
use crate::verify::jose::jwk_set::KeySet;

/// Time for a whole fetch: three discovery documents and the set. Real time.
const FETCH_TIME: Duration = Duration::from_secs(10);

/// Which keys, and how to get them.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct RemoteConfig {
    /// The exact `iss`, or where several tenants share the keys, their template.
    pub(crate) issuer: Arc<str>,
    /// The exact `iss` of each tenant; empty where there is one issuer.
    pub(crate) tenants: Vec<Arc<str>>,
    pub(crate) location: Location,
    pub(crate) algorithms: AlgorithmSet,
    /// The most entries that are read of a set.
    pub(crate) most_keys: usize,
    /// The most bytes of a set.
    pub(crate) most_bytes: usize,
    /// Fetched on demand, by the first token, and not counted in readiness before.
    pub(crate) lazy: bool,
    pub(crate) http_options: HttpOptions,
    pub(crate) limits: RefreshLimits,
}

impl RemoteConfig {
    /// Whether both fetch the same keys in the same way. The tenants of a key set that is not
    /// discovered count for nothing.
    pub(crate) fn is_alike(&self, other: &Self) -> bool {
        let is_fixed = matches!(self.location, Location::KeySet(_));
        let own = |config: &Self| Self {
            tenants: Vec::new(),
            ..config.clone()
        };
        if is_fixed && self.tenants.is_empty() == other.tenants.is_empty() {
            own(self) == own(other)
        } else {
            self == other
        }
    }
}

/// Where the keys are.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Location {
    /// The address of the key set.
    KeySet(String),
    /// Addresses of the discovery document, tried in order.
    Discovery(Vec<String>),
}

/// Where the keys come from.
pub(crate) struct KeySetSource {
    pub(crate) config: RemoteConfig,
    pub(crate) fetcher: Fetcher,
}

/// A set, and the response that it was parsed from.
pub(crate) struct KnownKeySet {
    pub(crate) keys: Arc<KeySet>,
    pub(crate) metadata: Arc<FetchMetadata>,
}

/// The result of a fetch.
pub(crate) struct FetchedKeySet {
    pub(crate) known: KnownKeySet,
    pub(crate) max_age: Option<Duration>,
    /// Whether the keys differ from those before.
    #[cfg_attr(not(feature = "tracing"), allow(dead_code))]
    pub(crate) changed: bool,
}

/// The response that a set was parsed from. Held with the set, so that dropping the set drops the
/// validators, and no `304` can confirm keys that are gone.
pub(crate) struct FetchMetadata {
    url: String,
    validators: Validators,
    body: Vec<u8>,
}

#[cfg(portcullis_loom)]
#[cfg(test)]
impl FetchMetadata {
    pub(super) fn none() -> Self {
        Self {
            url: String::new(),
            validators: Validators::default(),
            body: Vec::new(),
        }
    }
}

impl RemoteConfig {
    /// The configured address without its query; `None` where it is discovered.
    pub(crate) fn address(&self) -> Option<String> {
        match &self.location {
            Location::KeySet(url) => Some(url::shown(url)),
            Location::Discovery(_) => None,
        }
    }

    /// Whether a document with this `issuer` is about the configured one.
    pub(crate) fn is_named(&self, found: &str) -> bool {
        if self.tenants.is_empty() {
            return *found == *self.issuer;
        }
        // A document for all tenants may name the open place differently.
        let open = IssuerTemplate::parse(found);
        self.tenants.iter().any(|tenant| **tenant == *found)
            || (open.is_some() && open == IssuerTemplate::parse(&self.issuer))
    }
}

impl KeySetSource {
    /// Fetches. `known` is the set in use, if any.
    pub(crate) async fn load(
        &self,
        known: Option<KnownKeySet>,
        discovered: &mut Option<Discovered>,
        now: Now,
    ) -> Result<FetchedKeySet, RefreshError> {
        let whole = async {
            let url = match &self.config.location {
                Location::KeySet(url) => url.clone(),
                Location::Discovery(candidates) => {
                    self.key_set_url(candidates, discovered, now).await?
                }
            };
            self.key_set(url, known).await
        };
        tokio::time::timeout(FETCH_TIME, whole)
            .await
            .unwrap_or_else(|_| Err(RefreshError::Failed("no answer within 10 s".to_owned())))
    }

    async fn key_set(
        &self,
        url: String,
        known: Option<KnownKeySet>,
    ) -> Result<FetchedKeySet, RefreshError> {
        // A validator belongs to the address that gave it.
        let known = known.filter(|known| known.metadata.url == url);
        let none = Validators::default();
        let validators = known
            .as_ref()
            .map_or(&none, |known| &known.metadata.validators);
        let fetched = self.fetcher.get(&url, validators).await;
        let fetched = fetched.map_err(|error| {
            let hint = if error.is_too_large() {
                "; raise `key_set_bytes`"
            } else {
                ""
            };
            RefreshError::Failed(format!("{error}{hint}"))
        });
        match (fetched?, known) {
            (Fetched::Unchanged { max_age }, Some(known)) => Ok(FetchedKeySet {
                known,
                max_age,
                changed: false,
            }),
            (Fetched::Unchanged { .. }, None) => Err(RefreshError::Failed(
                "the answer is 304 to a question that was not conditional".to_owned(),
            )),
            (
                Fetched::Body {
                    bytes,
                    max_age,
                    validators,
                },
                known,
            ) => {
                // The same bytes are the same keys: cached tokens stay valid.
                let same = known.filter(|known| known.metadata.body == bytes);
                let changed = same.is_none();
                let keys = if let Some(known) = same {
                    known.keys
                } else {
                    let config = &self.config;
                    let set = KeySet::parse(&bytes, config.algorithms, config.most_keys);
                    Arc::new(set.map_err(failed)?)
                };
                let metadata = Arc::new(FetchMetadata {
                    url,
                    validators,
                    body: bytes,
                });
                Ok(FetchedKeySet {
                    known: KnownKeySet { keys, metadata },
                    max_age,
                    changed,
                })
            }
        }
    }

    async fn key_set_url(
        &self,
        candidates: &[String],
        discovered: &mut Option<Discovered>,
        now: Now,
    ) -> Result<String, RefreshError> {
        if let Some(known) = discovered {
            if let Some(url) = known.url(now) {
                return Ok(url.to_owned());
            }
        }
        let wanted = MetadataQuery {
            member: "jwks_uri",
            is_named: &|found| self.config.is_named(found),
            plain_http: self.config.http_options.plain_http,
        };
        let url = wanted.find(&self.fetcher, candidates).await?;
        *discovered = Some(Discovered::new(url.clone(), now));
        Ok(url)
    }
}

fn failed(fault: impl std::error::Error) -> RefreshError {
    RefreshError::Failed(fault.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::algorithm::Algorithm;

    fn config(location: Location, tenants: &[&str]) -> RemoteConfig {
        RemoteConfig {
            issuer: "https://id.example".into(),
            tenants: tenants.iter().map(|tenant| (*tenant).into()).collect(),
            location,
            algorithms: AlgorithmSet::of([Algorithm::ES256]),
            most_keys: 100,
            most_bytes: 1 << 18,
            lazy: false,
            http_options: HttpOptions::default(),
            limits: RefreshLimits::default(),
        }
    }

    #[test]
    fn configurations_are_alike_where_the_same_keys_are_fetched_in_the_same_way() {
        let fixed = || Location::KeySet("https://id.example/keys".to_owned());
        let discovered = || Location::Discovery(vec!["https://id.example/d".to_owned()]);
        let one = || config(fixed(), &[]);
        assert!(one().is_alike(&one()));
        let others = [
            config(discovered(), &[]),
            config(fixed(), &["a"]),
            RemoteConfig {
                most_keys: 99,
                ..one()
            },
            RemoteConfig {
                algorithms: AlgorithmSet::of([Algorithm::RS256]),
                ..one()
            },
            RemoteConfig {
                http_options: HttpOptions {
                    proxied: true,
                    ..HttpOptions::default()
                },
                ..one()
            },
        ];
        for other in others {
            assert!(!one().is_alike(&other), "{other:?}");
        }
        // A document names a tenant; a key set at an address is that of all tenants.
        assert!(config(fixed(), &["a"]).is_alike(&config(fixed(), &["a", "b"])));
        let listed = config(discovered(), &["a"]);
        assert!(listed.is_alike(&listed.clone()));
        assert!(!listed.is_alike(&config(discovered(), &["a", "b"])));
    }
}
