//! The proof of possession in the field `DPoP` of a request: the checks of RFC 9449 section 4.3, except
//! for the nonce, the binding to the token and the replay, which need the server's state.
//!
//! 1. The length is checked before a byte is decoded, by a limit of its own.
//! 2. Proofs are JWTs by the same strict rules as tokens; see [`jws`](crate::verify::jose::jws).
//! 3. Only the `typ`, `alg` and `jwk` of the header are used. Parameters that refer to a key elsewhere are
//!    never read, and nothing is fetched.
//! 4. Cheap checks come before the signature.

use std::time::Duration;

use base64_simd::URL_SAFE_NO_PAD;
use http::{HeaderMap, HeaderName, Method};

use crate::model::algorithm::{Algorithm, AlgorithmSet};
use crate::model::error::rejection::{DpopFault, Rejection, TokenFault};
use crate::model::error::rejection_detail::{Problem, RejectionDetail};
use crate::model::time::UnixTime;
use crate::verify::crypto::public_key::PublicKey;
use crate::verify::crypto::sha256::sha256;
use crate::verify::dpop::proof_key::ProofKey;
use crate::verify::dpop::target_uri::TargetUri;
use crate::verify::jose::jws::{Compact, Scratch, Unverified};
use crate::verify::json::claims_reader::{Rounding, date};
use crate::verify::json::object::Value;

/// RFC 9449 s4.1.
pub(crate) const DPOP: HeaderName = HeaderName::from_static("dpop");

/// RFC 9449 s11.1: a limit, so that the store of used proofs is bounded. Clients send 10 to 43 bytes.
const MAX_ID_BYTES: usize = 512;

/// What proofs must look like. The builder has validated it.
#[derive(Clone, Debug)]
pub(crate) struct ProofPolicy {
    pub(crate) algorithms: AlgorithmSet,
    /// How long before now `iat` may be.
    pub(crate) max_age: Duration,
    /// How long after now `iat` may be.
    pub(crate) max_future: Duration,
    pub(crate) max_bytes: usize,
}

impl ProofPolicy {
    /// How long a proof that is good now can stay good at most.
    pub(crate) const fn longest_life(&self) -> Duration {
        self.max_age.saturating_add(self.max_future)
    }
}

/// The request that a proof must be for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ProvenRequest<'r> {
    pub(crate) method: &'r Method,
    pub(crate) target: TargetUri<'r>,
    /// The access token that comes with it.
    pub(crate) token: &'r [u8],
}

/// A proof that passed every check that needs no state.
#[derive(Clone, Debug)]
pub(crate) struct VerifiedProof {
    /// Of its key (RFC 7638).
    pub(crate) thumbprint: [u8; 32],
    /// The `jti`.
    pub(crate) id: Box<str>,
    pub(crate) nonce: Option<Box<str>>,
}

impl VerifiedProof {
    /// Checks the one proof in these header fields.
    pub(crate) fn check(
        headers: &HeaderMap,
        request: &ProvenRequest<'_>,
        policy: &ProofPolicy,
        now: UnixTime,
        scratch: &mut Scratch,
    ) -> Result<Self, Rejection> {
        let mut fields = headers.get_all(DPOP).iter();
        let proof = match (fields.next(), fields.next()) {
            (None, _) => return Err(DpopFault::Missing.into()),
            (Some(proof), None) => proof.as_bytes(),
            (Some(_), Some(_)) => return Err(DpopFault::Several.into()),
        };
        if proof.len() > policy.max_bytes {
            return Err(DpopFault::TooLarge.into());
        }
        let Scratch { parts, members } = scratch;
        let compact = Compact::decode_parts(proof, parts).map_err(|_| DpopFault::Malformed)?;
        let unverified =
            Unverified::read(&compact, members).map_err(|error| match TokenFault::from(error) {
                TokenFault::Algorithm => DpopFault::Algorithm,
                _ => DpopFault::Malformed,
            })?;
        Self::check_parsed(&unverified, request, policy, now)
    }

    fn check_parsed(
        proof: &Unverified<'_>,
        request: &ProvenRequest<'_>,
        policy: &ProofPolicy,
        now: UnixTime,
    ) -> Result<Self, Rejection> {
        let header = proof.header();
        // RFC 9449 s4.2: the value is `dpop+jwt`. RFC 7515 s4.1.9: media types have no case.
        let kind = header.get("typ").and_then(Value::as_text);
        if !kind.is_some_and(|kind| kind.eq_ignore_ascii_case("dpop+jwt")) {
            return Err(DpopFault::Type.into());
        }
        if !policy.algorithms.contains(proof.algorithm()) {
            return Err(not_allowed(proof.algorithm(), policy));
        }
        let claims = proof.payload();
        let text = |name: &'static str| {
            let value = claims.get(name).and_then(Value::as_text);
            value.filter(|text| !text.is_empty())
        };
        let required = |name: &'static str| text(name).ok_or_else(|| claim_fault(name));
        let id = required("jti")?;
        if id.len() > MAX_ID_BYTES {
            return Err(about(DpopFault::Claims, "jti", Problem::TooLong));
        }
        let method = required("htm")?;
        let uri = required("htu")?;
        let token_hash = required("ath")?;
        // An empty one is a wrong nonce, for which the client gets another.
        let nonce = match claims.get("nonce") {
            None => None,
            Some(value) => Some(value.as_text().ok_or_else(|| claim_fault("nonce"))?),
        };
        // RFC 9110 s9.1: methods have case.
        if *method != *request.method.as_str() {
            return Err(about(DpopFault::Method, "htm", Problem::Differs));
        }
        if !request.target.is(&uri) {
            let detail = detail("htu", Problem::Differs).with_setting("public_origin");
            return Err(Rejection::from(DpopFault::Uri).with_detail(detail));
        }
        check_time(proof, policy, now)?;
        if URL_SAFE_NO_PAD.encode_to_string(sha256(request.token)) != *token_hash {
            return Err(about(DpopFault::AccessToken, "ath", Problem::Differs));
        }
        let key = header.get("jwk").and_then(ProofKey::read);
        let key = key.ok_or(DpopFault::Key)?;
        let prepared = PublicKey::prepare(&key.material, proof.algorithm());
        let prepared = prepared.ok_or(DpopFault::Key)?;
        let verifies = proof
            .signature()
            .decoded(|signature| prepared.verifies(proof.signing_input(), signature));
        if verifies != Ok(true) {
            return Err(DpopFault::Signature.into());
        }
        Ok(Self {
            thumbprint: key.thumbprint,
            id: id.into(),
            nonce: nonce.map(Into::into),
        })
    }
}

/// RFC 9449 s4.3 number 11.
fn check_time(
    proof: &Unverified<'_>,
    policy: &ProofPolicy,
    now: UnixTime,
) -> Result<(), Rejection> {
    let issued = date(proof.payload(), "iat", Rounding::Down).map_err(|_| claim_fault("iat"))?;
    let issued = issued.ok_or_else(|| claim_fault("iat"))?;
    let setting = if issued > now.saturating_add(policy.max_future) {
        "max_future"
    } else if now > issued.saturating_add(policy.max_age) {
        "max_age"
    } else {
        return Ok(());
    };
    let detail = detail("iat", Problem::Differs).with_setting(setting);
    Err(Rejection::from(DpopFault::IssuedAt).with_detail(detail))
}

#[cold]
fn detail(claim: &'static str, problem: Problem) -> RejectionDetail {
    RejectionDetail::new()
        .with_claim(claim)
        .with_problem(problem)
}

#[cold]
fn about(fault: DpopFault, claim: &'static str, problem: Problem) -> Rejection {
    Rejection::from(fault).with_detail(detail(claim, problem))
}

/// A claim that is missing or of the wrong type.
#[cold]
fn claim_fault(claim: &'static str) -> Rejection {
    about(DpopFault::Claims, claim, Problem::Missing)
}

/// An algorithm that proofs may not use. Its name is one of ours.
#[cold]
fn not_allowed(found: Algorithm, policy: &ProofPolicy) -> Rejection {
    let detail = detail("alg", Problem::Differs)
        .with_setting("Dpop::algorithms")
        .with_expected(policy.algorithms.names(" | "))
        .with_found(found.as_str());
    Rejection::from(DpopFault::Algorithm).with_detail(detail)
}
