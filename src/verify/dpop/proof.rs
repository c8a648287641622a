//! The proof of possession in the field `DPoP` of a request: the checks of RFC 9449 section 4.3, except
//! for the nonce, the binding to the token and the replay, which need the server's state.
//!
//! 1. The length is checked before a byte is decoded, by a limit of its own.
//! 2. Proofs are JWTs by the same strict rules as tokens; see [`jws`](crate::verify::jose::jws).
//! 3. Only the `typ`, `alg` and `jwk` of the header are used. Parameters that refer to a key elsewhere are
//!    never read, and nothing is fetched.
//! 4. Cheap checks come before the signature.

use std::borrow::Cow;
use std::fmt;
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
use crate::verify::jose::jws::{Compact, Unverified};
use crate::verify::jose::scratch::Scratch;
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
    /// The access token that comes with it. `None` at a token endpoint, where there is none and `ath` says
    /// nothing (RFC 9449 section 5).
    pub(crate) token: Option<&'r [u8]>,
}

/// The key of a token's client, prepared, so that the next proof with the same token costs its
/// signature and little else. It is kept only after a proof by this key was good for this token.
pub(crate) struct ClientKey {
    /// The `jwk` of the proof, byte for byte.
    jwk: Box<str>,
    algorithm: Algorithm,
    prepared: PublicKey,
    thumbprint: [u8; 32],
    /// The `ath` of the token.
    token_hash: Box<str>,
}

impl ClientKey {
    /// An upper bound of the memory that it takes, for tokens that are kept: the key in the
    /// cryptographic library included.
    pub(crate) const MOST_BYTES: usize = 2048;

    /// Longer keys are not kept: those of RSA and ML-DSA, whose verification costs much more than their
    /// preparation.
    const MOST_JWK_BYTES: usize = 320;
}

impl fmt::Debug for ClientKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientKey").finish_non_exhaustive()
    }
}

/// A proof that passed every check that needs no state.
#[derive(Debug)]
pub(crate) struct VerifiedProof {
    /// Of its key (RFC 7638).
    pub(crate) thumbprint: [u8; 32],
    /// The `jti`.
    pub(crate) id: Box<str>,
    pub(crate) nonce: Option<Box<str>>,
    /// Its key, to be kept with the token; `None` where that key is known.
    pub(crate) new_key: Option<Box<ClientKey>>,
}

impl VerifiedProof {
    /// Checks the one proof in these header fields. `known` is the key that was kept with the token.
    pub(crate) fn check(
        headers: &HeaderMap,
        request: &ProvenRequest<'_>,
        policy: &ProofPolicy,
        now: UnixTime,
        known: Option<&ClientKey>,
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
        Self::check_parsed(&unverified, request, policy, now, known)
    }

    fn check_parsed(
        proof: &Unverified<'_>,
        request: &ProvenRequest<'_>,
        policy: &ProofPolicy,
        now: UnixTime,
        known: Option<&ClientKey>,
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
        let token_hash = request.token.map(|_| required("ath")).transpose()?;
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
        let own_hash = request.token.map(|token| match known {
            Some(known) => Cow::Borrowed(&*known.token_hash),
            None => Cow::Owned(URL_SAFE_NO_PAD.encode_to_string(sha256(token))),
        });
        if own_hash != token_hash {
            return Err(about(DpopFault::AccessToken, "ath", Problem::Differs));
        }
        let jwk = header.get("jwk").ok_or(DpopFault::Key)?;
        let (id, nonce) = (id.into(), nonce.map(Into::into));
        let is_known = |known: &&ClientKey| {
            known.algorithm == proof.algorithm() && jwk == Value::Object(&known.jwk)
        };
        if let Some(known) = known.filter(is_known) {
            check_signature(proof, &known.prepared)?;
            return Ok(Self {
                thumbprint: known.thumbprint,
                id,
                nonce,
                new_key: None,
            });
        }
        let key = ProofKey::read(jwk).ok_or(DpopFault::Key)?;
        let prepared = PublicKey::prepare(&key.material, proof.algorithm());
        let prepared = prepared.ok_or(DpopFault::Key)?;
        check_signature(proof, &prepared)?;
        let kept = match (jwk, own_hash) {
            (Value::Object(text), Some(hash)) if text.len() <= ClientKey::MOST_JWK_BYTES => {
                Some((text, hash))
            }
            _ => None,
        };
        Ok(Self {
            thumbprint: key.thumbprint,
            id,
            nonce,
            new_key: kept.map(|(jwk, token_hash)| {
                Box::new(ClientKey {
                    jwk: jwk.into(),
                    algorithm: proof.algorithm(),
                    prepared,
                    thumbprint: key.thumbprint,
                    token_hash: token_hash.into(),
                })
            }),
        })
    }
}

/// RFC 9449 s4.3 number 6.
fn check_signature(proof: &Unverified<'_>, key: &PublicKey) -> Result<(), DpopFault> {
    let verifies = proof
        .signature()
        .decoded(|signature| key.verifies(proof.signing_input(), signature));
    if verifies == Ok(true) {
        Ok(())
    } else {
        Err(DpopFault::Signature)
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

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;
    use crate::model::error::rejection::RejectionKind;
    use crate::verify::dpop::target_uri::{PublicOrigin, PublicPath};

    /// RFC 9449 section 7.1, figure 12: the access token and the proof of a request.
    const TOKEN: &str = "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU";
    const PROOF: &str = "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19.eyJqdGkiOiJlMWozVl9iS2ljOC1MQUVCIiwiaHRtIjoiR0VUIiwiaHR1IjoiaHR0cHM6Ly9yZXNvdXJjZS5leGFtcGxlLm9yZy9wcm90ZWN0ZWRyZXNvdXJjZSIsImlhdCI6MTU2MjI2MjYxOCwiYXRoIjoiZlVIeU8ycjJaM0RaNTNFc05yV0JiMHhXWG9hTnk1OUlpS0NBcWtzbVFFbyJ9.2oW9RP35yRqzhrtNP86L-Ey71EOptxRimPPToA1plemAgR6pxHF8y6-yqyVnmcw6Fy1dqd-jfxSYoMxhAJpLjA";
    /// RFC 9449 section 4.1, figure 2: the proof for the token endpoint, by the same key.
    const TOKEN_REQUEST_PROOF: &str = "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19.eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2VuIiwiaWF0IjoxNTYyMjYyNjE2fQ.2-GxA6T8lP4vfrg8v-FdWP0A0zdrj8igiMLvqRMUvwnQg4PtFLbdLXiOSsX0x7NVY-FNyJK70nfbV37xRZT3Lg";

    /// The thumbprint of the key, by section 6.1, figure 8.
    const THUMBPRINT: &str = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I";

    fn check(proof: &str, token: &str, method: &Method, path: &str) -> Result<String, DpopFault> {
        let origin = "https://resource.example.org";
        check_at(origin, proof, Some(token.as_bytes()), method, path)
    }

    fn check_at(
        origin: &str,
        proof: &str,
        token: Option<&[u8]>,
        method: &Method,
        path: &str,
    ) -> Result<String, DpopFault> {
        let mut headers = HeaderMap::new();
        headers.insert(DPOP, HeaderValue::from_str(proof).expect("ascii"));
        let request = ProvenRequest {
            method,
            target: TargetUri {
                origin: &PublicOrigin::of(origin).expect("an origin"),
                mapping: &PublicPath::default(),
                path,
                opens_websocket: false,
            },
            token,
        };
        let policy = ProofPolicy {
            algorithms: AlgorithmSet::of([Algorithm::ES256]),
            max_age: Duration::from_secs(60),
            max_future: Duration::ZERO,
            max_bytes: 4096,
        };
        // Its `iat`.
        let now = UnixTime::from_secs(1_562_262_618);
        let scratch = &mut Scratch::default();
        match VerifiedProof::check(&headers, &request, &policy, now, None, scratch) {
            Ok(proof) => Ok(URL_SAFE_NO_PAD.encode_to_string(proof.thumbprint)),
            Err(rejection) => match rejection.kind() {
                RejectionKind::InvalidDpopProof(fault) => Err(fault),
                other => panic!("{other:?}"),
            },
        }
    }

    #[test]
    fn the_examples_of_the_specification_are_judged_as_it_says() {
        let path = "/protectedresource";
        let signed = PROOF.rsplit_once('.').expect("three parts").0;
        let other = TOKEN_REQUEST_PROOF.rsplit_once('.').expect("three parts").1;
        let forged = format!("{signed}.{other}");
        assert_eq!(
            check(PROOF, TOKEN, &Method::GET, path),
            Ok(THUMBPRINT.to_owned())
        );
        for (proof, token, method, path, fault) in [
            (PROOF, TOKEN, Method::POST, path, DpopFault::Method),
            (PROOF, TOKEN, Method::GET, "/", DpopFault::Uri),
            (
                PROOF,
                &TOKEN[1..],
                Method::GET,
                path,
                DpopFault::AccessToken,
            ),
            (&forged, TOKEN, Method::GET, path, DpopFault::Signature),
            // It has no `ath`.
            (
                TOKEN_REQUEST_PROOF,
                TOKEN,
                Method::POST,
                "/token",
                DpopFault::Claims,
            ),
        ] {
            assert_eq!(check(proof, token, &method, path), Err(fault));
        }
    }

    #[test]
    fn ath_is_demanded_beside_an_access_token_alone() {
        let at = |token| {
            let (origin, post) = ("https://server.example.com", &Method::POST);
            check_at(origin, TOKEN_REQUEST_PROOF, token, post, "/token")
        };
        assert_eq!(at(None), Ok(THUMBPRINT.to_owned()));
        assert_eq!(at(Some(TOKEN.as_bytes())), Err(DpopFault::Claims));
    }
}
