//! The check of a request's sender: whether it proves the possession of the keys that its token is
//! bound to (RFC 9449 section 7, RFC 8705 section 3).
//!
//! 1. It runs on every request with a bound token, a proof or a demand for a binding, and after the
//!    token's own checks. A cached token never skips it.
//! 2. Everything that `cnf` states and that is known must be proven.
//! 3. The proof is used up last, so that a request that is refused for another reason can be sent again.
//! 4. A request passes several layers of one server with one proof: the layer that uses it up leaves its
//!    fingerprint with the request, and the layers inside check all but the replay.

use std::time::Duration;

use crate::model::error::rejection::{DpopFault, Outage, Rejection, TokenFault};
use crate::model::error::rejection_detail::{Problem, RejectionDetail};
use crate::model::time::UnixTime;
use crate::runtime::clock::Now;
use crate::runtime::replay::Replay;
use crate::runtime::replay::proof_store::{ProofFingerprint, ProofStore};
#[cfg(feature = "redis")]
use crate::runtime::shared::replay::SharedReplay;
#[cfg(feature = "redis")]
use crate::server::decide::decision::Decision;
use crate::server::decide::verified_request::{SentRequest, SharedRequest, VerifiedRequest};
#[cfg(feature = "redis")]
use crate::server::settings::bound_tokens::dpop::ReplayStoreOutage;
use crate::verify::dpop::nonce::{DpopNonces, NonceCheck};
use crate::verify::dpop::proof::{ClientKey, ProofPolicy, ProvenRequest, VerifiedProof};
use crate::verify::dpop::target_uri::{PublicOrigin, PublicPath, TargetUri};
use crate::verify::jose::scratch::Scratch;
use crate::verify::request::client_certificate::ClientCertificate;
use crate::verify::request::credential::Credential;
use crate::verify::request::request_parts::RequestParts;
use crate::verify::request::sent_token::SentToken;
use crate::verify::request::token_sources::opens_websocket;

/// The rules for DPoP proofs of a server.
pub(in crate::server) struct DpopRules {
    pub(in crate::server) proofs: ProofPolicy,
    /// One for each resource, by its place.
    pub(in crate::server) origins: Vec<PublicOrigin>,
    pub(in crate::server) mapping: PublicPath,
    /// `None`: replay is not checked.
    pub(in crate::server) store: Option<StoreRules>,
    /// `None`: nonces are not demanded.
    pub(in crate::server) nonces: Option<DpopNonces>,
    /// Whether challenges name the scheme in any case.
    pub(in crate::server) is_advertised: bool,
}

/// Where used proofs are remembered.
pub(in crate::server) struct StoreRules {
    pub(in crate::server) local: ProofStore,
    /// What holds while the shared store does not answer.
    #[cfg(feature = "redis")]
    pub(in crate::server) outage: ReplayStoreOutage,
}

/// A request whose token and sender are verified.
#[derive(Clone, Debug)]
pub(crate) struct AuthenticatedRequest {
    pub(crate) verified: SentRequest,
    /// In a box, so that the value stays small where no proof was sent.
    pub(crate) dpop: Option<Box<DpopOutcome>>,
}

/// What a good proof leaves.
#[derive(Clone, Debug)]
pub(crate) struct DpopOutcome {
    /// A nonce for the response, since the one of the proof is past half of its life.
    pub(crate) fresh_nonce: Option<Box<str>>,
    /// The proof that this request has used up, for the layers inside.
    pub(crate) used_proof: Option<ProofFingerprint>,
}

impl AuthenticatedRequest {
    /// A request without a proof.
    pub(in crate::server) fn without_proof(verified: SharedRequest, sent: SentToken) -> Self {
        Self {
            verified: SentRequest { verified, sent },
            dpop: None,
        }
    }
}

/// What a request shows of its sender. It outlives the request while the token is looked up.
pub(in crate::server) struct Sender {
    /// The token.
    sent: SentToken,
    is_dpop: bool,
    /// For a token under the scheme `DPoP`.
    proof: Option<Result<VerifiedProof, Rejection>>,
    certificate: Option<ClientCertificate>,
    /// The proof that an outer layer has used up for this request.
    used_proof: Option<ProofFingerprint>,
    /// Whether the check of the sender uses the proof up and keeps its key.
    records: bool,
}

impl Sender {
    /// What is wrong with the proof beside the token, its binding aside.
    pub(in crate::server) fn proof_fault(&self) -> Option<&Rejection> {
        self.proof.as_ref()?.as_ref().err()
    }

    /// The same, whose check changes nothing.
    pub(in crate::server) fn only_foreseen(mut self) -> Self {
        self.records = false;
        self
    }

    /// Reads the proof and the certificate of a request. `used_proof` is the one that an outer layer
    /// has used up for this request.
    pub(in crate::server) fn of(
        request: RequestParts<'_>,
        credential: Credential<'_>,
        used_proof: Option<ProofFingerprint>,
        rules: Option<&DpopRules>,
        known: Option<&ClientKey>,
        now: UnixTime,
        scratch: &mut Scratch,
    ) -> Self {
        let rules = rules.filter(|_| credential.is_dpop());
        Self {
            sent: credential.to_sent(),
            is_dpop: credential.is_dpop(),
            proof: rules.map(|rules| rules.check_proof(request, credential, known, now, scratch)),
            certificate: request.extensions.get::<ClientCertificate>().cloned(),
            used_proof,
            records: true,
        }
    }

    /// For a token that is not bound: a proof beside it is not read.
    pub(in crate::server) fn without_proof(
        request: RequestParts<'_>,
        credential: Credential<'_>,
    ) -> Self {
        Self {
            sent: credential.to_sent(),
            is_dpop: credential.is_dpop(),
            proof: None,
            certificate: request.extensions.get::<ClientCertificate>().cloned(),
            used_proof: None,
            records: true,
        }
    }
}

impl DpopRules {
    #[allow(clippy::result_large_err)] // only refusals are large
    fn check_proof(
        &self,
        request: RequestParts<'_>,
        credential: Credential<'_>,
        known: Option<&ClientKey>,
        now: UnixTime,
        scratch: &mut Scratch,
    ) -> Result<VerifiedProof, Rejection> {
        // INVARIANT: each resource has an origin.
        let origin = self.origins.get(request.resource);
        let origin = origin.ok_or(DpopFault::Uri)?;
        let proven = ProvenRequest {
            method: request.method,
            target: TargetUri {
                origin,
                mapping: &self.mapping,
                path: request.original_path(),
                opens_websocket: opens_websocket(request.method, request.version, request.headers),
            },
            token: Some(credential.as_bytes()),
        };
        VerifiedProof::check(request.headers, &proven, &self.proofs, now, known, scratch)
    }

    /// A nonce for a response; `None` where none are demanded.
    pub(in crate::server) fn fresh_nonce(&self, now: UnixTime) -> Option<Box<str>> {
        self.nonces.as_ref().map(|nonces| nonces.issue(now))
    }

    /// Whether the nonce of a proof is good, and a fresh one where it soon is not.
    fn check_nonce(
        &self,
        proof: &VerifiedProof,
        now: UnixTime,
    ) -> Result<Option<Box<str>>, DpopFault> {
        let Some(nonces) = &self.nonces else {
            return Ok(None);
        };
        let nonce = proof.nonce.as_deref().ok_or(DpopFault::NonceMissing)?;
        match nonces.check(nonce, now) {
            NonceCheck::Good => Ok(None),
            NonceCheck::Old => Ok(self.fresh_nonce(now)),
            NonceCheck::Bad => Err(DpopFault::Nonce),
        }
    }

    /// Uses the proof up in the store of this process, unless an outer layer has. Where the sender is
    /// only looked at, nothing is recorded.
    fn use_once(
        &self,
        verified: &VerifiedRequest,
        proof: &VerifiedProof,
        (used, records): (Option<ProofFingerprint>, bool),
        now: Duration,
    ) -> Result<ProofUse, Rejection> {
        let Some(store) = &self.store else {
            return Ok(ProofUse::Unchecked);
        };
        let fingerprint = store
            .local
            .fingerprint(&proof.thumbprint, proof.id.as_bytes());
        if used == Some(fingerprint) {
            return Ok(ProofUse::OfThisRequest(fingerprint));
        }
        let token = &verified.token;
        let subject = token.subject().map_or("", |id| id.as_str());
        let client = token.client_id().map_or("", |id| id.as_str());
        let owner = [token.issuer(), subject, client].map(str::as_bytes);
        let life = self.proofs.longest_life();
        let replay = if records {
            store.local.use_once(&owner, fingerprint, life, now)
        } else {
            store.local.foresee(&owner, fingerprint, now)
        };
        match replay {
            Replay::Fresh => Ok(ProofUse::First(fingerprint)),
            Replay::Replayed => Err(DpopFault::Replayed.into()),
            Replay::Full { retry_after } => {
                Err(Rejection::unavailable(Outage::ReplayStoreFull, retry_after))
            }
        }
    }
}

/// The use of a proof that is not replayed.
enum ProofUse {
    /// Replay is not checked.
    Unchecked,
    /// The first use at this process.
    First(ProofFingerprint),
    /// An outer layer of the same server has used it up for the same request.
    OfThisRequest(ProofFingerprint),
}

/// Whether this request needs a check of its sender, or of the token's status: false for a bearer token
/// where nothing is demanded.
#[inline]
pub(in crate::server) fn is_needed(verified: &VerifiedRequest, credential: Credential<'_>) -> bool {
    credential.is_dpop() || verified.needs_further_checks
}

/// A request whose sender is verified here, and its proof where the shared store has not recorded it.
pub(in crate::server) struct CheckedSender {
    pub(in crate::server) request: AuthenticatedRequest,
    #[cfg_attr(not(feature = "redis"), allow(dead_code))]
    pub(in crate::server) proof: Option<VerifiedProof>,
}

/// Checks the sender of a request with a verified token.
pub(in crate::server) fn check(
    verified: SharedRequest,
    sender: Sender,
    rules: Option<&DpopRules>,
    now: Now,
) -> Result<CheckedSender, Rejection> {
    let sent = sender.sent.clone();
    let proven = match check_bindings(&verified, sender, rules, now) {
        Ok(proven) => proven,
        Err(rejection) => return Err(rejection.by(verified.realm())),
    };
    let mut request = AuthenticatedRequest::without_proof(verified, sent);
    let mut proof = None;
    if let Some(proven) = proven {
        let used_proof = match proven.proof_use {
            ProofUse::Unchecked => None,
            ProofUse::OfThisRequest(used) => Some(used),
            ProofUse::First(used) => {
                proof = Some(proven.proof);
                Some(used)
            }
        };
        request.dpop = Some(Box::new(DpopOutcome {
            fresh_nonce: proven.fresh_nonce,
            used_proof,
        }));
    }
    Ok(CheckedSender { request, proof })
}

/// The look-up of a proof in the store that instances share, after it is fresh at this instance.
#[cfg(feature = "redis")]
pub(in crate::server) async fn check_shared(
    lookup: impl Future<Output = SharedReplay>,
    outage: ReplayStoreOutage,
    request: AuthenticatedRequest,
) -> Result<Decision<AuthenticatedRequest>, Rejection> {
    let rejection: Rejection = match (lookup.await, outage) {
        (SharedReplay::Fresh, _) | (SharedReplay::Down, ReplayStoreOutage::UseLocalStore) => {
            return Ok(Decision::Done(request));
        }
        (SharedReplay::Replayed, _) => DpopFault::Replayed.into(),
        (SharedReplay::Down, _) => Outage::ReplayStoreDown.into(),
    };
    Err(rejection.by(request.verified.realm()))
}

/// What a good proof gives.
struct Proven {
    #[cfg_attr(not(feature = "redis"), allow(dead_code))]
    proof: VerifiedProof,
    proof_use: ProofUse,
    /// A nonce for the response where one is due.
    fresh_nonce: Option<Box<str>>,
}

/// What [`check`] would say.
pub(in crate::server) fn foresee(
    verified: &VerifiedRequest,
    sender: Sender,
    rules: Option<&DpopRules>,
    now: Now,
) -> Result<(), Rejection> {
    let proven = check_bindings(verified, sender.only_foreseen(), rules, now);
    proven
        .map(drop)
        .map_err(|rejection| rejection.by(verified.realm()))
}

/// Checks every binding. `None` where the token is not bound to a key.
fn check_bindings(
    verified: &VerifiedRequest,
    sender: Sender,
    rules: Option<&DpopRules>,
    now: Now,
) -> Result<Option<Proven>, Rejection> {
    let confirmation = verified.token.confirmation();
    let key = confirmation.and_then(|keys| keys.jwk_thumbprint());
    let certificate = confirmation.and_then(|keys| keys.certificate_thumbprint());
    let required = verified.rules.required_bindings;
    verified.token.check_bindings(required)?;
    if let Some(expected) = certificate {
        let is_shown = sender
            .certificate
            .is_some_and(|shown| shown.thumbprint() == expected);
        if !is_shown {
            return Err(unproven(
                "cnf.x5t#S256",
                "the client certificate of the connection",
            ));
        }
    }
    let (expected, rules, proof) = match (key, rules, sender.proof) {
        (None, _, _) if sender.is_dpop => return Err(TokenFault::Scheme.into()),
        (None, _, _) => return Ok(None),
        (Some(expected), Some(rules), Some(proof)) => (expected, rules, proof),
        // RFC 9449 s7.2: a bound token under the scheme `Bearer` is refused.
        (Some(_), _, _) => return Err(unproven("cnf.jkt", "the scheme `DPoP` and a proof")),
    };
    let mut proof = proof?;
    if proof.thumbprint != *expected {
        return Err(unproven("cnf.jkt", "a proof by the token's key"));
    }
    if let Some(key) = proof.new_key.take().filter(|_| sender.records) {
        // Another request may have kept the same key meanwhile.
        let _ = verified.client_key.set(key);
    }
    let fresh_nonce = rules.check_nonce(&proof, now.wall)?;
    let proof_use = rules.use_once(
        verified,
        &proof,
        (sender.used_proof, sender.records),
        now.monotonic,
    )?;
    Ok(Some(Proven {
        proof,
        proof_use,
        fresh_nonce,
    }))
}

#[cold]
fn unproven(claim: &'static str, expected: &'static str) -> Rejection {
    let detail = RejectionDetail::new()
        .with_claim(claim)
        .with_problem(Problem::Differs)
        .with_expected(expected);
    Rejection::from(TokenFault::Binding).with_detail(detail)
}
