//! The decision on a request, in order.

mod check_sender;
#[cfg(feature = "jwks")]
mod introspect;
mod missing_connection;
#[cfg(feature = "jwks")]
mod restart;
mod trust_domain;
mod unknown_key;

use std::cell::Cell;
use std::sync::{Arc, OnceLock};

use crate::model::error::rejection::{Rejection, TokenFault};
use crate::model::time::UnixTime;
use crate::runtime::cache::token_cache::{Cached, TokenDigest};
use crate::runtime::cache::validity::CacheValidity;
use crate::runtime::clock::Now;
use crate::runtime::replay::proof_store::ProofFingerprint;
use crate::runtime::revocation::list::RevocationCheck;
use crate::server::decide::decision::Decision;
use crate::server::decide::issuer_authority::IssuerAuthority;
use crate::server::decide::sender::{self, AuthenticatedRequest, Sender};
use crate::server::decide::unknown_issuer::unknown_issuer;
use crate::server::decide::verified_request::{SentRequest, SharedRequest, VerifiedRequest};
use crate::server::observe::check_time;
use crate::server::registry::Registry;
use crate::server::resource_server::ResourceServer;
use crate::verify::identity::reading::ReadToken;
use crate::verify::jose::jws::{Compact, Unverified};
use crate::verify::jose::scratch::Scratch;
use crate::verify::jose::signature::Signed;
use crate::verify::request::credential::Credential;
use crate::verify::request::request_parts::RequestParts;
use crate::verify::request::token_sources::TokenSources;

impl ResourceServer {
    /// Authenticates a request. Synchronous and without I/O; without a lock, except where a key is
    /// unknown. `None` when none of the layer's sources holds anything.
    ///
    /// In this order: the single credential; whether it is in the cache, or must be introspected;
    /// its size and syntax; whether an issuer may have its key; the issuer, which chooses policy and keys;
    /// whether the token itself says that it has expired; the signature; the claims; the caller's identity;
    /// the status of the token, where its issuer's is checked; at last the sender, where the token is bound.
    /// A token with an unknown key that follows another one is refused before the cache is searched.
    ///
    /// `verify` decides what may be cached between requests, `admit` and the checks after it what may not.
    /// `used_proof` is the one that an outer layer has used up.
    pub(crate) fn authenticate_request(
        &self,
        sources: &TokenSources,
        request: RequestParts<'_>,
        used_proof: Option<ProofFingerprint>,
    ) -> Result<Decision<Option<AuthenticatedRequest>>, Rejection> {
        let Some(credential) = Credential::find(sources, request)? else {
            return Ok(Decision::Done(None));
        };
        if credential.is_dpop() && self.0.dpop.is_none() {
            return Err(TokenFault::Scheme.into());
        }
        match self.authenticate_credential(credential)? {
            Decision::Done(verified) if !sender::is_needed(&verified, credential) => {
                Ok(Decision::Done(Some(AuthenticatedRequest::without_proof(
                    verified,
                    credential.to_sent(),
                ))))
            }
            Decision::Done(verified) => {
                let known = verified.client_key.get().map(|key| &**key);
                let sender = if verified.token.is_bound() {
                    self.sender(request, credential, used_proof, known)
                } else {
                    Sender::without_proof(request, credential)
                };
                self.check_further(verified, sender, credential)?
                    .then(|v| Ok(Some(v)))
            }
            #[cfg(feature = "jwks")]
            Decision::Pending(pending) => {
                // The decision outlives the request.
                let sender = self.sender(request, credential, used_proof, None);
                let (server, token) = (self.clone(), credential.into_owned());
                let pending = pending.and_then(move |verified| {
                    server
                        .check_further(verified, sender, token.borrow())?
                        .then(|v| Ok(Some(v)))
                });
                Ok(Decision::Pending(pending))
            }
        }
    }

    /// Both phases. A cached token skips the first, and never the second.
    #[inline]
    pub(in crate::server) fn authenticate_credential(
        &self,
        credential: Credential<'_>,
    ) -> Result<Decision<SharedRequest>, Rejection> {
        let decision = self.decide_credential(credential)?;
        #[cfg(feature = "jwks")]
        if let Decision::Pending(pending) = decision {
            let pending = self.restart_if_replaced(pending, credential);
            return Ok(Decision::Pending(pending));
        }
        Ok(decision)
    }

    fn decide_credential(
        &self,
        credential: Credential<'_>,
    ) -> Result<Decision<SharedRequest>, Rejection> {
        let token = credential.as_bytes();
        // Each kind of token is looked for in its own cache first, and a dot decides which.
        let has_dots = memchr::memchr(b'.', token).is_some();
        if !has_dots {
            #[cfg(feature = "jwks")]
            if self.0.registry.introspects() {
                let registry = self.0.registry.load();
                let issuer = registry.introspected.as_ref();
                if let Some(issuer) = issuer.filter(|issuer| issuer.takes_undivided()) {
                    return self.introspect(issuer, credential);
                }
            }
            return Err(Compact::undivided(credential, self.0.max_token_bytes));
        }
        self.refuse_another_unknown_key(credential)?;
        let digest = match &self.0.verified {
            // Before its bytes are looked at: a longer one is refused whatever it holds.
            Some(cache) if token.len() <= self.0.max_token_bytes => cache.digest(token),
            _ => None,
        };
        let now = Now::of(&*self.0.clock);
        let cache = self.0.verified.as_ref().zip(digest);
        if let Some(verified) = cache.and_then(|(cache, digest)| cache.find(digest, now)) {
            self.admit(&verified, credential, now.wall)?;
            return Ok(Decision::Done(verified));
        }
        let registry = self.0.registry.load();
        #[cfg(feature = "jwks")]
        if let Some(issuer) = &registry.introspected {
            // This cache holds introspected tokens alone, so that no token is parsed to look in it.
            if let Some(verified) = issuer.known_jwt(token, now) {
                self.admit(&verified, credential, now.wall)?;
                return Ok(Decision::Done(verified));
            }
            if issuer.takes(token) {
                return self.introspect(issuer, credential);
            }
        }
        if self.0.listeners.is_on() {
            check_time::begin();
        }
        let decision = self.verify(&registry, credential, now.wall)?;
        self.accept(decision, credential, digest, now)
    }

    /// Phase two, now or after the look-up. With a digest, the cache keeps the token.
    fn accept(
        &self,
        decision: Decision<SharedRequest>,
        credential: Credential<'_>,
        digest: Option<TokenDigest>,
        now: Now,
    ) -> Result<Decision<SharedRequest>, Rejection> {
        match decision {
            Decision::Done(verified) => {
                let verified = self.admit_and_keep(verified, credential, digest, now)?;
                Ok(Decision::Done(verified))
            }
            #[cfg(feature = "jwks")]
            pending @ Decision::Pending(_) => {
                let (server, token) = (self.clone(), credential.into_owned());
                pending.then(move |verified| {
                    let now = Now::of(&*server.0.clock);
                    server.admit_and_keep(verified, token.borrow(), digest, now)
                })
            }
        }
    }

    fn admit_and_keep(
        &self,
        mut verified: SharedRequest,
        credential: Credential<'_>,
        digest: Option<TokenDigest>,
        now: Now,
    ) -> Result<SharedRequest, Rejection> {
        let cache = self.0.verified.as_ref().zip(digest);
        // A check of the application may hold the token from then on.
        if let (Some((cache, digest)), false) = (cache, self.0.checks.is_empty()) {
            let bytes = verified.bytes();
            cache.label(digest, &mut verified, bytes, now);
        }
        // Only a token that passes every check is cached.
        self.admit(&verified, credential, now.wall)?;
        if let Some((cache, digest)) = cache {
            cache.keep(digest, &mut verified, VerifiedRequest::bytes, now);
        }
        Ok(verified)
    }

    /// Phase one: everything about a token that stays true while its key and the policy do.
    fn verify(
        &self,
        registry: &Registry,
        credential: Credential<'_>,
        now: UnixTime,
    ) -> Result<Decision<SharedRequest>, Rejection> {
        with_scratch(|scratch| self.verify_in(registry, scratch, credential, now))
    }

    /// The header comes first: where no issuer has the key that it names, the payload is not parsed.
    fn verify_in(
        &self,
        registry: &Registry,
        scratch: &mut Scratch,
        credential: Credential<'_>,
        now: UnixTime,
    ) -> Result<Decision<SharedRequest>, Rejection> {
        let Scratch { parts, members } = scratch;
        let compact = Compact::decode(credential, self.0.max_token_bytes, parts)?;
        self.refuse_unknown_key(registry, &compact, members, now)?;
        let mut unverified = Unverified::read(&compact, members)?;
        if unverified.claimed_issuer().is_none() {
            let domain = self.trust_domain_of(registry, &unverified)?;
            unverified = unverified.or_issued_by(domain.as_deref());
        }
        // RFC 8725 s3.8: the issuer chooses policy and keys, by exact comparison. An unknown
        // one causes no request.
        let issuer = unverified
            .claimed_issuer()
            .ok_or_else(|| unverified.no_issuer())?;
        let authority = registry
            .authorities
            .get(issuer)
            .ok_or_else(|| unknown_issuer(issuer, self.0.shows_unknown_issuers))?;
        let policy = &*authority.rules;
        // Nothing makes an expired token good, so its signature is not checked.
        if unverified.is_over(now, policy.leeway) {
            return Err(authority.rejection(TokenFault::Expired));
        }
        let decision = authority.verify(unverified, verified_request);
        self.check_connection(authority, decision)
    }

    /// Phase two: what is decided anew on every request.
    fn admit(
        &self,
        verified: &SharedRequest,
        credential: Credential<'_>,
        now: UnixTime,
    ) -> Result<(), Rejection> {
        let policy = &verified.rules;
        let by = |rejection: Rejection| rejection.by(&policy.realm);
        // By a clock that is not set, every token that was ever signed would be good. So this
        // check comes before the token's own times.
        self.0.check_clock(now).map_err(by)?;
        verified
            .validity
            .check(now)
            .map_err(|fault| by(fault.into()))?;
        self.0
            .revocations
            .check(&verified.revocation_check, &verified.token, policy, now)
            .map_err(|error| by(self.refusal(error)))?;
        // Last: the application's checks see only tokens that pass everything else.
        if !self.0.checks.is_empty() {
            let token = SentRequest::of(verified, credential).access_token();
            for check in &self.0.checks {
                check(&token).map_err(|objection| by(objection.into()))?;
            }
        }
        Ok(())
    }
}

/// Checks the claims of a signed token, and resolves the caller's identity.
pub(in crate::server) fn verified_request(
    authority: &IssuerAuthority,
    signed: &Signed<'_>,
    validity: CacheValidity,
) -> Result<SharedRequest, Rejection> {
    let policy = &authority.rules;
    let ReadToken { token, bearer } = ReadToken::signed(signed, policy)?;
    #[cfg(feature = "status-list")]
    let status = match &authority.status {
        Some(check) => check.reference(signed.claims(), token.issued_at())?,
        None => None,
    };
    #[cfg(feature = "status-list")]
    let has_status = status.is_some();
    #[cfg(not(feature = "status-list"))]
    let has_status = false;
    let verified = VerifiedRequest {
        validity: token.validity(policy.leeway),
        resources: token.resources(),
        needs_further_checks: token.is_bound() || has_status || !policy.required_bindings.is_none(),
        #[cfg(feature = "status-list")]
        status,
        token,
        identified: bearer,
        rules: Arc::clone(policy),
        revocation_check: RevocationCheck::default(),
        client_key: OnceLock::new(),
    };
    Ok(Arc::new(Cached::unkept(verified, validity)))
}

/// Lends the thread's buffers for parsing a token.
pub(in crate::server) fn with_scratch<T>(work: impl FnOnce(&mut Scratch) -> T) -> T {
    thread_local! {
        static SCRATCH: Cell<Scratch> = Cell::default();
    }
    let mut scratch = SCRATCH.try_with(Cell::take).unwrap_or_default();
    let outcome = work(&mut scratch);
    if scratch.is_modest() {
        // It fails on a thread that is ending, which needs no buffers any more.
        let _ = SCRATCH.try_with(|place| place.set(scratch));
    }
    outcome
}

#[cfg(all(test, feature = "test-util"))]
mod tests {
    use std::sync::Mutex;

    use http::Request;

    use super::*;
    use crate::server::settings::issuer::value::Issuer;
    use crate::test_util::{DpopKey, MockIssuer};
    use crate::verify::jose::jws::parsed;

    const API: &str = "https://api.example.com";

    #[test]
    fn a_token_that_an_application_check_holds_is_cached_all_the_same() {
        let issuer = MockIssuer::new();
        let held = Arc::new(Mutex::new(Vec::new()));
        let server = ResourceServer::builder(API)
            .issuer(issuer.trusted())
            .check({
                let held = Arc::clone(&held);
                move |token| {
                    held.lock().expect("no panic").push(token.clone());
                    Ok(())
                }
            });
        let server = server.build().expect("sound settings");
        let token = issuer.token().audience(API).sign();
        for _ in 0..3 {
            let credential = Credential::bare(token.as_bytes()).expect("it is not empty");
            server
                .authenticate_credential(credential)
                .expect("a good token");
        }
        let cache = server.token_cache_status().expect("a cache");
        assert_eq!((cache.hits(), cache.misses(), cache.entries()), (2, 1, 1));
        assert_eq!(held.lock().expect("no panic").len(), 3);
    }

    #[tokio::test]
    async fn a_token_that_waits_for_its_key_is_parsed_and_digested_once() {
        let url = "https://api.example.com/";
        // A bound token has a proof, which is parsed too.
        for is_bound in [false, true] {
            let issuer = MockIssuer::new();
            let issuer_site = issuer.serve().await;
            let server = ResourceServer::builder(API)
                .issuer(Issuer::oidc(issuer_site.url()).key_set_url(issuer_site.key_set_url()))
                .build()
                .expect("sound settings");
            let server = server.connect().await.expect("a runtime");
            issuer.rotate();
            let token = issuer.token().audience(API);
            let mut request = Request::get(url).body(()).expect("a request");
            if is_bound {
                let key = DpopKey::generate();
                let token = token.bound_to_key(&key).sign();
                request = key.proof("GET", url).authorize(request, &token);
            } else {
                let headers = request.headers_mut();
                headers.insert("authorization", token.bearer());
            }
            let before = parsed::count();
            let sources = TokenSources::default();
            let parts = RequestParts::of(&request);
            let decision = server.authenticate_request(&sources, parts, None);
            let Ok(decision @ Decision::Pending(_)) = decision else {
                panic!("the key is known or the token is refused");
            };
            // The decision owns the token and what the proof states.
            drop(request);
            let verified = decision.finish().await.expect("a good token");
            let verified = verified.expect("a token was sent").verified;
            assert_eq!(verified.token.issuer(), issuer_site.url());
            assert_eq!(verified.token.is_bound(), is_bound);
            assert_eq!(parsed::count() - before, 1 + usize::from(is_bound));
            // A digest is looked up once for each time that it is computed.
            let cache = server.token_cache_status().expect("a cache");
            assert_eq!((cache.hits(), cache.misses(), cache.entries()), (0, 1, 1));
        }
    }
}
