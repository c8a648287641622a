//! The checks of DPoP proofs at the server (RFC 9449).
//!
//! 1. Proofs go through the checks that a resource server of this library makes. At the token endpoint there is
//!    no access token, so `ath` counts nothing there.
//! 2. A proof is good once.
//! 3. Where nonces are on, a proof needs one of the server's.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::Algorithm;
use crate::error::{DpopFault, RejectionKind};
use crate::model::algorithm::AlgorithmSet;
use crate::test_util::expiring_map::ExpiringMap;
use crate::time::UnixTime;
use crate::verify::dpop::nonce::{DpopNonces, NonceCheck};
use crate::verify::dpop::proof::{DPOP, ProofPolicy, ProvenRequest, VerifiedProof};
use crate::verify::dpop::target_uri::{PublicOrigin, PublicPath, TargetUri};
use crate::verify::jose::scratch::Scratch;

const DPOP_NONCE: HeaderName = HeaderName::from_static("dpop-nonce");
const NONCE_LIFETIME: Duration = Duration::from_secs(300);
const MAX_PROOF_BYTES: usize = 8 * 1024;
const MAX_USED_PROOFS: usize = 100_000;

/// How the server checks proofs.
pub(in crate::test_util) struct ProofRules {
    policy: ProofPolicy,
    /// Absent for an address that proofs cannot name.
    origin: Option<PublicOrigin>,
    /// Absent where nonces are off.
    nonces: Option<DpopNonces>,
    used: Mutex<ExpiringMap<Vec<u8>, ()>>,
}

/// What is wrong with a proof.
pub(in crate::test_util) enum ProofFault {
    /// The client needs a nonce; a sentence.
    Nonce(&'static str),
    /// Anything else.
    Wrong(Option<DpopFault>),
}

impl ProofRules {
    pub(in crate::test_util) fn new(url: &str, demands_nonces: bool) -> Self {
        let nonces = || DpopNonces::with_random_key(NONCE_LIFETIME);
        Self {
            policy: ProofPolicy {
                algorithms: AlgorithmSet::of(Algorithm::all()),
                max_age: Duration::from_secs(60),
                max_future: Duration::from_secs(5),
                max_bytes: MAX_PROOF_BYTES,
            },
            origin: PublicOrigin::of(url),
            nonces: demands_nonces.then(nonces).flatten(),
            used: Mutex::new(ExpiringMap::new(MAX_USED_PROOFS)),
        }
    }

    /// The thumbprint of the key that a request proves; absent where it has no proof. `token` is the access
    /// token that comes with it.
    pub(in crate::test_util) fn proved(
        &self,
        head: &Parts,
        token: Option<&str>,
        now: UnixTime,
    ) -> Result<Option<Box<str>>, ProofFault> {
        if !head.headers.contains_key(DPOP) {
            return Ok(None);
        }
        let origin = self.origin.as_ref();
        let origin = origin.ok_or(ProofFault::Wrong(Some(DpopFault::Uri)))?;
        let request = ProvenRequest {
            method: &head.method,
            target: TargetUri {
                origin,
                mapping: &PublicPath::default(),
                path: head.uri.path(),
                opens_websocket: false,
            },
            token: token.map(str::as_bytes),
        };
        let scratch = &mut Scratch::default();
        let proof = VerifiedProof::check(&head.headers, &request, &self.policy, now, None, scratch);
        let proof = proof.map_err(|rejection| match rejection.kind() {
            RejectionKind::InvalidDpopProof(fault) => ProofFault::Wrong(Some(fault)),
            _ => ProofFault::Wrong(None),
        })?;
        self.check_nonce(proof.nonce.as_deref(), now)?;
        // RFC 9449 s11.1. The thumbprint has one length, so the key is unambiguous.
        let key = [&proof.thumbprint[..], proof.id.as_bytes()].concat();
        // No code that could panic runs under this lock.
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        if used.get(&key, now).is_some() {
            return Err(ProofFault::Wrong(Some(DpopFault::Replayed)));
        }
        let life = self.policy.longest_life() + Duration::from_secs(1);
        used.insert(key, (), now.saturating_add(life), now);
        Ok(Some(URL_SAFE_NO_PAD.encode(proof.thumbprint).into()))
    }

    /// RFC 9449 s8.
    fn check_nonce(&self, sent: Option<&str>, now: UnixTime) -> Result<(), ProofFault> {
        let Some(nonces) = &self.nonces else {
            return Ok(());
        };
        match sent.map(|nonce| nonces.check(nonce, now)) {
            Some(NonceCheck::Good | NonceCheck::Old) => Ok(()),
            Some(NonceCheck::Bad) => Err(ProofFault::Nonce(
                "the nonce of the proof is not of this server, or has expired",
            )),
            None => Err(ProofFault::Nonce("the proof needs a nonce of this server")),
        }
    }

    /// Gives the client a nonce for its next proof, where nonces are on (RFC 9449 section 8.2).
    pub(in crate::test_util) fn add_nonce(&self, headers: &mut HeaderMap, now: UnixTime) {
        let nonce = self.nonces.as_ref().map(|nonces| nonces.issue(now));
        if let Some(nonce) = nonce.and_then(|nonce| HeaderValue::try_from(&*nonce).ok()) {
            headers.insert(DPOP_NONCE, nonce);
        }
    }
}
