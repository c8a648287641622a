//! From the settings of DPoP to the check of proofs.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::model::algorithm::{Algorithm, AlgorithmSet};
use crate::model::requirement::binding::RequiredBindings;
use crate::model::url;
use crate::runtime::replay::proof_store::ProofStore;
use crate::server::decide::sender::{DpopRules, StoreRules};
use crate::server::settings::bound_tokens::dpop::{Dpop, DpopMode, GivenNonceKey};
use crate::server::settings::bound_tokens::server::BindingSettings;
use crate::server::settings::error::{ConfigError, Mistakes, check_once};
use crate::server::settings::resource::value::Resource;
use crate::verify::dpop::nonce::DpopNonces;
use crate::verify::dpop::proof::ProofPolicy;
use crate::verify::dpop::target_uri::{PublicOrigin, PublicPath};

const SETTING: &str = "dpop";

/// The bytes of a proof without and with the long keys of ML-DSA.
const SHORT_PROOF: usize = 4 * 1024;
const LONG_PROOF: usize = 12 * 1024;

impl BindingSettings {
    /// The rules for proofs; `None` where the scheme is off. `demanded` is what the server and its issuers
    /// demand.
    pub(in crate::server) fn compile(
        &self,
        resources: &[Resource],
        demanded: RequiredBindings,
    ) -> Result<Option<DpopRules>, ConfigError> {
        let dpop = &self.dpop;
        let mut mistakes = Mistakes::default();
        mistakes.collect(check_once(&dpop.once));
        mistakes.collect(check_bounds(dpop));
        let first = resources.first().map_or("", |one| one.identifier.as_str());
        let origin = mistakes.collect(self.origin(first, demanded));
        let (internal, public) = &self.public_path;
        let mapping = PublicPath::new(internal, public);
        if mapping.is_none() {
            mistakes.add(ConfigError::new(
                "public_path",
                "each prefix must be empty, or begin with a slash and not end with one, such as `/api`",
            ));
        }
        let nonces = mistakes.collect(nonces(dpop));
        if dpop.mode == DpopMode::Off && demanded.demands_dpop() {
            mistakes.add(ConfigError::conflict(
                "require_binding",
                "it demands DPoP, and `dpop(Dpop::off())` refuses it; keep one of them",
            ));
        }
        mistakes.into_result()?;
        let (Some(Some(origin)), Some(mapping), Some(nonces)) = (origin, mapping, nonces) else {
            return Ok(None);
        };
        if dpop.mode == DpopMode::Off {
            return Ok(None);
        }
        let algorithms = dpop.algorithms.as_deref().unwrap_or(Algorithm::DEFAULTS);
        let is_long = algorithms.iter().any(|one| one.has_long_signatures());
        let default_bytes = if is_long { LONG_PROOF } else { SHORT_PROOF };
        Ok(Some(DpopRules {
            proofs: ProofPolicy {
                algorithms: AlgorithmSet::of(algorithms.iter().copied()),
                max_age: dpop.max_age,
                max_future: dpop.max_future,
                max_bytes: dpop.max_proof_bytes.unwrap_or(default_bytes),
            },
            origins: self.origins(&origin, resources),
            mapping,
            store: dpop.checks_replay.then(|| StoreRules {
                local: ProofStore::new(dpop.replay_capacity),
                #[cfg(feature = "redis")]
                outage: dpop.store_outage,
            }),
            nonces,
            is_advertised: dpop.mode == DpopMode::Accepted,
        }))
    }

    /// The origin of each resource: a setting counts for all; without one each has its own, and the
    /// first one's where its identifier is no URL.
    fn origins(&self, first: &PublicOrigin, resources: &[Resource]) -> Vec<PublicOrigin> {
        let own = |resource: &Resource| {
            let own = PublicOrigin::of(&resource.identifier);
            own.filter(|_| self.public_origin.is_none())
        };
        let resources = resources.iter();
        resources
            .map(|resource| own(resource).unwrap_or_else(|| first.clone()))
            .collect()
    }

    /// The origin of the first resource that clients use. None where DPoP is not asked for and the resource is not a URL.
    fn origin(
        &self,
        resource: &str,
        demanded: RequiredBindings,
    ) -> Result<Option<PublicOrigin>, ConfigError> {
        if let Some(given) = &self.public_origin {
            let is_sound = url::check(given, true).is_ok();
            let (_, path) = url::split_origin(given);
            let has_origin_alone = matches!(path, "" | "/") && !given.contains('?');
            let origin = PublicOrigin::of(given).filter(|_| is_sound && has_origin_alone);
            return origin.map(Some).ok_or_else(|| {
                ConfigError::new(
                    "public_origin",
                    "it must be scheme, host and port, such as `https://api.example.com`",
                )
            });
        }
        let origin = PublicOrigin::of(resource);
        let is_demanded = demanded.demands_dpop() || self.dpop.mode == DpopMode::Accepted;
        if origin.is_none() && is_demanded {
            return Err(ConfigError::missing(
                "public_origin",
                "proofs name the URL of the request, and the resource is not a URL; give the origin that clients use",
            ));
        }
        Ok(origin)
    }
}

fn check_bounds(dpop: &Dpop) -> Result<(), ConfigError> {
    let mut mistakes = Mistakes::default();
    let seconds = Duration::from_secs;
    for (holds, problem) in [
        (
            (seconds(5)..=seconds(600)).contains(&dpop.max_age),
            "`max_age` must be 5 s to 10 min",
        ),
        (
            dpop.max_future <= seconds(300),
            "`max_future` must be at most 5 min",
        ),
        (
            dpop.max_proof_bytes
                .is_none_or(|bytes| (512..=16 * 1024).contains(&bytes)),
            "`max_proof_bytes` must be 512 to 16384",
        ),
        (
            (1_000..=100_000_000).contains(&dpop.replay_capacity),
            "`replay_capacity` must be 1000 to 100000000",
        ),
        (
            (seconds(10)..=seconds(3600)).contains(&dpop.nonce_lifetime),
            "`nonce_lifetime` must be 10 s to 1 h",
        ),
    ] {
        if !holds {
            mistakes.add(ConfigError::out_of_bounds(SETTING, problem));
        }
    }
    if dpop.algorithms.as_ref().is_some_and(Vec::is_empty) {
        mistakes.add(ConfigError::missing(
            SETTING,
            "`algorithms` is empty; name at least one, or leave it out",
        ));
    }
    let has_nonce_settings = dpop.nonce_key.is_some()
        || dpop.previous_nonce_key.is_some()
        || dpop.once.has("nonce_lifetime");
    if has_nonce_settings && !dpop.demands_nonces {
        mistakes.add(ConfigError::conflict(
            SETTING,
            "settings of nonces are given, and no nonce is demanded; add `require_nonces()`",
        ));
    }
    if dpop.previous_nonce_key.is_some() && dpop.nonce_key.is_none() {
        mistakes.add(ConfigError::missing(
            SETTING,
            "`previous_nonce_key_base64` without `nonce_key`",
        ));
    }
    mistakes.into_result()
}

/// The nonces, where they are demanded.
fn nonces(dpop: &Dpop) -> Result<Option<DpopNonces>, ConfigError> {
    if !dpop.demands_nonces {
        return Ok(None);
    }
    let given = [&dpop.nonce_key, &dpop.previous_nonce_key];
    let keys: Vec<[u8; 32]> = given
        .into_iter()
        .flatten()
        .map(GivenNonceKey::bytes)
        .collect::<Result<_, _>>()?;
    let nonces = match keys.split_first() {
        None => DpopNonces::with_random_key(dpop.nonce_lifetime),
        Some((signing, previous)) => DpopNonces::under(signing, previous, dpop.nonce_lifetime),
    };
    match nonces {
        Some(nonces) => Ok(Some(nonces)),
        None => Err(ConfigError::unavailable(
            SETTING,
            "the system has no randomness for a key of nonces",
        )),
    }
}

impl GivenNonceKey {
    fn bytes(&self) -> Result<[u8; 32], ConfigError> {
        const PROBLEM: &str = "a key of nonces is not 32 random bytes in base64; make one with `openssl rand -base64 32`";
        let key = match self {
            Self::Bytes(bytes) => Some(*bytes),
            Self::Text(text) => {
                let bytes = STANDARD.decode(text).ok();
                bytes.and_then(|bytes| <[u8; 32]>::try_from(bytes).ok())
            }
        };
        // One byte repeated is a forgotten placeholder.
        let key = key.filter(|[first, rest @ ..]| rest.iter().any(|byte| byte != first));
        key.ok_or_else(|| ConfigError::new(SETTING, PROBLEM))
    }
}
