//! Settings of DPoP: proofs, replay and nonces (RFC 9449).

use std::fmt;
use std::time::Duration;

use crate::model::algorithm::Algorithm;
use crate::model::repeated_settings::RepeatedSettings;

/// How DPoP proofs are accepted (RFC 9449), for
/// [`ResourceServerBuilder::dpop`](crate::ResourceServerBuilder::dpop).
///
/// A token with `cnf.jkt` is bound to a key: the request sends it under the scheme `DPoP`, with a proof
/// in the field `DPoP` that the key has signed for this method, this URI and this token. Without any
/// setting such tokens are accepted with a good proof, and bearer tokens without one; challenges do not
/// name the scheme. What makes proofs necessary is
/// [`require_binding`](crate::ResourceServerBuilder::require_binding). See
/// [the manual](crate::manual::bound_tokens).
///
/// ```
/// use portcullis::binding::{Binding, Dpop};
/// use portcullis::{Algorithm, Issuer, ResourceServer};
/// use std::time::Duration;
///
/// let dpop = Dpop::accepted()
///     .algorithms([Algorithm::ES256, Algorithm::EdDSA])
///     .max_age(Duration::from_secs(60))
///     .require_nonces();
/// let server = ResourceServer::builder("https://api.example.com")
///     .issuer(Issuer::oidc("https://id.example.com"))
///     .dpop(dpop)
///     .require_binding(Binding::Dpop)
///     .build()?;
/// # drop(server);
/// # Ok::<(), portcullis::ConfigError>(())
/// ```
#[derive(Clone)]
#[doc(alias("rfc9449", "proof_of_possession", "sender_constrained"))]
#[must_use]
pub struct Dpop {
    pub(in crate::server) mode: DpopMode,
    pub(in crate::server) algorithms: Option<Vec<Algorithm>>,
    pub(in crate::server) max_age: Duration,
    pub(in crate::server) max_future: Duration,
    pub(in crate::server) max_proof_bytes: Option<usize>,
    pub(in crate::server) replay_capacity: usize,
    pub(in crate::server) checks_replay: bool,
    pub(in crate::server) demands_nonces: bool,
    pub(in crate::server) nonce_lifetime: Duration,
    pub(in crate::server) nonce_key: Option<GivenNonceKey>,
    pub(in crate::server) previous_nonce_key: Option<GivenNonceKey>,
    #[cfg(feature = "redis")]
    pub(in crate::server) store_outage: ReplayStoreOutage,
    /// The settings that hold one value.
    pub(in crate::server) once: RepeatedSettings,
}

/// Whether proofs are accepted, and whether challenges say so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::server) enum DpopMode {
    /// Without a setting: accepted where the public origin is known, and not advertised.
    Default,
    Accepted,
    Off,
}

/// A key for nonces, in the form in which it was given.
#[derive(Clone)]
pub(in crate::server) enum GivenNonceKey {
    Bytes([u8; 32]),
    Text(String),
}

/// What holds while the shared store of used proofs does not answer.
#[cfg(feature = "redis")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ReplayStoreOutage {
    /// Requests with a proof are answered 503
    /// [`ReplayStoreDown`](crate::error::Outage::ReplayStoreDown): no proof is accepted twice.
    #[default]
    Refuse,
    /// The store of this instance decides alone: a proof can be used once at each instance.
    UseLocalStore,
}

impl Default for Dpop {
    fn default() -> Self {
        Self {
            mode: DpopMode::Default,
            algorithms: None,
            max_age: Duration::from_secs(300),
            max_future: Duration::from_secs(60),
            max_proof_bytes: None,
            replay_capacity: 1_000_000,
            checks_replay: true,
            demands_nonces: false,
            nonce_lifetime: Duration::from_secs(300),
            nonce_key: None,
            previous_nonce_key: None,
            #[cfg(feature = "redis")]
            store_outage: ReplayStoreOutage::default(),
            once: RepeatedSettings::default(),
        }
    }
}

impl Dpop {
    /// Accepts bound tokens with a proof beside bearer tokens, and names the scheme `DPoP` and its
    /// `algs` in challenges, behind `Bearer`. The server needs a public origin: see
    /// [`ResourceServerBuilder::public_origin`](crate::ResourceServerBuilder::public_origin).
    pub fn accepted() -> Self {
        Self {
            mode: DpopMode::Accepted,
            ..Self::default()
        }
    }

    /// Refuses the scheme `DPoP` and every token that is bound to a DPoP key.
    pub fn off() -> Self {
        Self {
            mode: DpopMode::Off,
            ..Self::default()
        }
    }

    /// The algorithms of proofs (RFC 9449 section 7.1, `algs`). Default: [`Algorithm::DEFAULTS`].
    #[doc(alias("algs", "dpop_signing_alg_values_supported"))]
    pub fn algorithms(mut self, algorithms: impl IntoIterator<Item = Algorithm>) -> Self {
        let algorithms: Vec<Algorithm> = algorithms.into_iter().collect();
        self.once.set("algorithms", &algorithms);
        self.algorithms = Some(algorithms);
        self
    }

    /// How old a proof may be by its `iat`: 5 s to 10 min (RFC 9449 section 11.1). Default: 5 min, since
    /// the clocks of phones and browsers are off by minutes and a proof is accepted once in any case.
    #[doc(alias("iat", "clock_skew"))]
    pub fn max_age(mut self, age: Duration) -> Self {
        self.once.set("max_age", &age);
        self.max_age = age;
        self
    }

    /// How far in the future the `iat` of a proof may be: at most 5 min. Default: 60 s, for clients whose
    /// clock is fast.
    #[doc(alias("iat", "clock_skew"))]
    pub fn max_future(mut self, skew: Duration) -> Self {
        self.once.set("max_future", &skew);
        self.max_future = skew;
        self
    }

    /// The length of a proof that is read: 512 bytes to 16 KiB. Default: 4 KiB, or 12 KiB where
    /// [`algorithms`](Self::algorithms) names an algorithm of ML-DSA, whose keys and signatures are long.
    pub fn max_proof_bytes(mut self, bytes: usize) -> Self {
        self.once.set("max_proof_bytes", &bytes);
        self.max_proof_bytes = Some(bytes);
        self
    }

    /// How many used proofs this instance remembers: 1,000 to 100,000,000. Default: 1,000,000. An entry
    /// takes at most 64 bytes, and lives for `max_age` and `max_future`. Memory is taken as it is needed.
    ///
    /// A caller holds at most as many entries as places are free. A request that finds no place is
    /// answered 503 [`ReplayStoreFull`](crate::error::Outage::ReplayStoreFull): no entry is evicted
    /// before its time, so no proof is accepted twice.
    pub fn replay_capacity(mut self, proofs: usize) -> Self {
        self.once.set("replay_capacity", &proofs);
        self.replay_capacity = proofs;
        self
    }

    /// Demands the server's nonce in every proof (RFC 9449 section 9). A request without a good one is
    /// answered 401 `use_dpop_nonce` with a fresh one in `DPoP-Nonce`. Answers to requests whose nonce is
    /// past half of its life carry a fresh one (section 8.2). Default: no nonces.
    ///
    /// Nonces are stateless: a time and its HMAC under [`nonce_key`](Self::nonce_key).
    #[doc(alias("use_dpop_nonce", "DPoP-Nonce"))]
    pub fn require_nonces(mut self) -> Self {
        self.demands_nonces = true;
        self
    }

    /// How long a nonce is good: 10 s to 1 h. Default: 5 min.
    pub fn nonce_lifetime(mut self, lifetime: Duration) -> Self {
        self.once.set("nonce_lifetime", &lifetime);
        self.nonce_lifetime = lifetime;
        self
    }

    /// The secret under which nonces are made: 32 random bytes, the same at all instances. Default: a
    /// random key, so that a client gets a new nonce from each instance and after each restart.
    pub fn nonce_key(mut self, key: [u8; 32]) -> Self {
        self.once.set("nonce_key", &key);
        self.nonce_key = Some(GivenNonceKey::Bytes(key));
        self
    }

    /// The same in base64, as `openssl rand -base64 32` writes it.
    pub fn nonce_key_base64(mut self, key: impl Into<String>) -> Self {
        let key = key.into();
        self.once.set("nonce_key", &key);
        self.nonce_key = Some(GivenNonceKey::Text(key));
        self
    }

    /// The key before the present one, in base64: nonces under it stay good, and no new ones are made.
    /// For a change of [`nonce_key_base64`](Self::nonce_key_base64) without an interruption. Default: none.
    pub fn previous_nonce_key_base64(mut self, key: impl Into<String>) -> Self {
        let key = key.into();
        self.once.set("previous_nonce_key", &key);
        self.previous_nonce_key = Some(GivenNonceKey::Text(key));
        self
    }

    /// What holds while the [shared store](crate::config::SharedStore) does not answer, where there is
    /// one: it also shares used proofs. Default: [`ReplayStoreOutage::Refuse`].
    #[cfg(feature = "redis")]
    pub fn when_store_is_down(mut self, outage: ReplayStoreOutage) -> Self {
        self.once.set("when_store_is_down", &outage);
        self.store_outage = outage;
        self
    }

    /// Settings that give up a protection.
    pub fn danger(self) -> DangerousDpop {
        DangerousDpop(self)
    }
}

/// Settings of [`Dpop`] that give up a protection. Each leads back to it.
#[derive(Clone, Debug)]
#[must_use]
pub struct DangerousDpop(Dpop);

impl DangerousDpop {
    /// Does not remember used proofs.
    ///
    /// What is given up: an attacker who reads a request can send it again, with its token and proof, until
    /// the proof is too old. What stays: only this request, at this URI, with this method.
    pub fn without_replay_check(mut self) -> Dpop {
        self.0.checks_replay = false;
        self.0
    }
}

/// Never a key.
impl fmt::Debug for Dpop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dpop")
            .field("mode", &self.mode)
            .field("algorithms", &self.algorithms)
            .field("max_age", &self.max_age)
            .field("max_future", &self.max_future)
            .field("checks_replay", &self.checks_replay)
            .field("demands_nonces", &self.demands_nonces)
            .finish_non_exhaustive()
    }
}
