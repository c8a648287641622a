//! A token that names a key which no issuer has. It can only be refused, and its payload is not parsed.
//!
//! 1. It is refused as after a full parse: first by its issuer, then by its end, then by its key. A fault
//!    of the payload's form may stay unnoticed behind these.
//! 2. Nothing is fetched and nothing waits here. Where a key set is not loaded, is due, or has a key that
//!    may be the token's, the token is parsed and decided as any other.

use std::cell::Cell;

#[cfg(feature = "jwks")]
use crate::logging;
use crate::model::algorithm::Algorithm;
#[cfg(feature = "jwks")]
use crate::model::decision::event::Event;
use crate::model::error::rejection::{Rejection, TokenFault};
use crate::model::time::UnixTime;
use crate::server::authenticate::with_scratch;
use crate::server::decide::issuer_authority::KeySource;
use crate::server::decide::unknown_issuer::unknown_issuer;
use crate::server::observe::check_time;
use crate::server::registry::Registry;
use crate::server::resource_server::ResourceServer;
use crate::verify::jose::jws::Compact;
use crate::verify::jose::scratch::{Scratch, ScratchMembers};
use crate::verify::request::credential::Credential;

/// With more issuers than this the search in all of their keys would cost more than it saves.
const MOST_ISSUERS: usize = 8;

thread_local! {
    /// Whether the last token that was not found in the cache was refused since no issuer has its key.
    static LAST_IS_UNKNOWN: Cell<bool> = const { Cell::new(false) };
}

/// The refusal of a token whose key no issuer has.
pub(in crate::server) struct UnknownKeyRefusal<'m> {
    pub(in crate::server) rejection: Rejection,
    /// The id that the fetched keys of the token's issuer lack, where that is the fault.
    #[cfg_attr(not(feature = "jwks"), allow(dead_code))]
    lacking: Option<&'m str>,
}

impl ResourceServer {
    /// Refuses a token whose key is unknown to every issuer, where that is certain.
    ///
    /// # Errors
    ///
    /// The header is not acceptable, or the refusal.
    pub(super) fn refuse_unknown_key(
        &self,
        registry: &Registry,
        compact: &Compact<'_>,
        members: &mut ScratchMembers,
        now: UnixTime,
    ) -> Result<(), Rejection> {
        match self.foresee_unknown_key(registry, compact, members, now)? {
            Some(refusal) => Err(refusal.tell()),
            None => Ok(()),
        }
    }

    /// What [`refuse_unknown_key`](Self::refuse_unknown_key) would say of a token. Nothing is told or
    /// remembered.
    ///
    /// # Errors
    ///
    /// The header is not acceptable.
    pub(in crate::server) fn foresee_unknown_key<'m>(
        &self,
        registry: &Registry,
        compact: &Compact<'_>,
        members: &'m mut ScratchMembers,
        now: UnixTime,
    ) -> Result<Option<UnknownKeyRefusal<'m>>, Rejection> {
        let (algorithm, id) = compact.read_header(members)?;
        let id = id.and_then(|id| registry.unknown_key_id(id));
        Ok(id.and_then(|id| self.foresee_refusal(registry, compact, algorithm, id, now)))
    }

    /// The refusal of a token that names such an id; `None` where a full parse has to find it.
    fn foresee_refusal<'m>(
        &self,
        registry: &Registry,
        compact: &Compact<'_>,
        algorithm: Algorithm,
        id: UnknownKeyId<'m>,
        now: UnixTime,
    ) -> Option<UnknownKeyRefusal<'m>> {
        let claimed = compact.claimed_origin()?;
        let refused = |rejection, lacking| Some(UnknownKeyRefusal { rejection, lacking });
        let Some(authority) = registry.authorities.get(claimed.issuer) else {
            let rejection = unknown_issuer(claimed.issuer, self.0.shows_unknown_issuers);
            return refused(rejection.into(), None);
        };
        let rules = &authority.rules;
        let is_over = |end: UnixTime| now >= end.saturating_add(rules.leeway);
        if claimed.end.is_some_and(is_over) {
            let rejection = authority.rejection(TokenFault::Expired);
            return refused(rejection, None);
        }
        if rules.algorithms.contains(algorithm) && authority.keys.is_in_force() {
            let lacking = authority.keys.is_remote().then_some(id.0);
            let rejection = authority.rejection(TokenFault::UnknownKey);
            return refused(rejection, lacking);
        }
        None
    }
}

impl UnknownKeyRefusal<'_> {
    /// Emits the event of the refusal, and remembers it for the next token of this thread.
    fn tell(self) -> Rejection {
        let Self { rejection, lacking } = self;
        LAST_IS_UNKNOWN.set(true);
        #[cfg(feature = "jwks")]
        if let (Some(id), Some(issuer)) = (lacking, rejection.issuer()) {
            // Escaped, since the id is a stranger's text.
            let key = &id.escape_debug();
            logging::emit(Event::KeyNotFound { issuer, key });
        }
        #[cfg(not(feature = "jwks"))]
        let _ = lacking;
        rejection
    }
}

impl ResourceServer {
    /// The same before the token is looked for in the cache, where the last such token of this thread was
    /// refused so: what comes from one client, or in one attack, is mostly of one kind. A token whose key
    /// no issuer has is in no cache.
    ///
    /// # Errors
    ///
    /// The token is malformed, or the refusal.
    #[inline]
    pub(super) fn refuse_another_unknown_key(
        &self,
        credential: Credential<'_>,
    ) -> Result<(), Rejection> {
        if LAST_IS_UNKNOWN.get() {
            self.refuse_another(credential)
        } else {
            Ok(())
        }
    }

    #[cold]
    fn refuse_another(&self, credential: Credential<'_>) -> Result<(), Rejection> {
        let token = credential.as_bytes();
        let registry = self.0.registry.load();
        LAST_IS_UNKNOWN.set(false);
        #[cfg(feature = "jwks")]
        if registry.introspected.is_some() {
            return Ok(());
        }
        if token.len() > self.0.max_token_bytes {
            return Ok(());
        }
        with_scratch(|Scratch { parts, members }| {
            let named = Compact::algorithm_and_key_id(token, parts, members);
            let unknown = named.and_then(|(algorithm, id)| {
                let id = registry.unknown_key_id(id)?;
                Some((algorithm, id))
            });
            let Some((algorithm, id)) = unknown else {
                return Ok(());
            };
            if self.0.listeners.is_on() {
                check_time::begin();
            }
            let compact = Compact::decode(credential, self.0.max_token_bytes, parts)?;
            let now = self.0.clock.now();
            match self.foresee_refusal(&registry, &compact, algorithm, id, now) {
                Some(refusal) => Err(refusal.tell()),
                None => Ok(()),
            }
        })
    }
}

/// The id of a key that no issuer of the registry has, and that no fetch would bring.
#[derive(Clone, Copy)]
struct UnknownKeyId<'m>(&'m str);

impl Registry {
    /// The id, where it is settled that a token that names it finds no key of any issuer, neither now nor
    /// after a fetch. Each key set is asked once, since that takes its lock.
    fn unknown_key_id<'m>(&self, id: &'m str) -> Option<UnknownKeyId<'m>> {
        if self.authorities.len() > MOST_ISSUERS {
            return None;
        }
        let all = || self.authorities.values().map(|authority| &authority.keys);
        // Without a lock first: most tokens name a key that is there.
        let may_be_there =
            all().any(|keys| keys.may_have(id)) || all().any(|keys| keys.may_get(id));
        (!may_be_there).then_some(UnknownKeyId(id))
    }
}

impl KeySource {
    /// Whether a token that names this id may find a key.
    fn may_have(&self, id: &str) -> bool {
        match self {
            Self::Static(fixed) => fixed.keys.may_have(id),
            #[cfg(feature = "jwks")]
            Self::Remote(sets) => sets.iter().any(|keys| keys.may_have(id)),
        }
    }

    /// Whether a fetch may bring a key with this id, which is not there now.
    fn may_get(&self, id: &str) -> bool {
        match self {
            Self::Static(_) => {
                let _ = id; // Static keys are all that there are.
                false
            }
            #[cfg(feature = "jwks")]
            Self::Remote(sets) => sets.iter().any(|keys| !keys.is_known_to_lack(id)),
        }
    }

    /// Whether the keys still count, where it is settled that they lack one: a fetched set that is too old
    /// settles nothing.
    fn is_in_force(&self) -> bool {
        match self {
            Self::Static(fixed) => fixed.liveness().is_live(),
            #[cfg(feature = "jwks")]
            Self::Remote(_) => true,
        }
    }
}

#[cfg(feature = "test-util")]
#[cfg(test)]
mod tests {
    #![allow(clippy::expect_used)] // in functions that tests share

    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::{Arc, LazyLock};
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::runtime::clock::{Clock, Sleep};
    use crate::server::decide::decision::Decision;
    use crate::server::settings::issuer::value::Issuer;
    use crate::test_util::{ManualClock, MockIssuer, TokenBuilder};
    use crate::verify::jose::jws::parsed;

    const API: &str = "https://api.example.com";
    const OTHER: &str = "https://other.test";

    fn server(issuer: &MockIssuer, others: usize) -> ResourceServer {
        let others = (0..others).map(|place| MockIssuer::named(format!("{OTHER}/{place}")));
        let algorithms = [Algorithm::ES256, Algorithm::RS256];
        let server = ResourceServer::builder(API).issuer(issuer.trusted().algorithms(algorithms));
        let server = others.fold(server, |server, other| server.issuer(other.trusted()));
        server
            .show_unknown_issuers()
            .build()
            .expect("sound settings")
    }

    /// The refusal, `None` for a good token; and how often the payload was parsed.
    fn decide(server: &ResourceServer, token: &str) -> (Option<Rejection>, usize) {
        let before = parsed::count();
        let credential = Credential::bare(token.as_bytes()).expect("it is not empty");
        let rejection = server.authenticate_credential(credential).err();
        (rejection, parsed::count() - before)
    }

    fn issuer() -> MockIssuer {
        MockIssuer::new().with_algorithms([Algorithm::ES256, Algorithm::RS256])
    }

    fn token(issuer: &MockIssuer) -> TokenBuilder {
        issuer.token().audience(API).algorithm(Algorithm::ES256)
    }

    /// The same token, whose payload has an escape and so is parsed in any case.
    fn escaped(token: TokenBuilder) -> TokenBuilder {
        token.claim("note", "a\nb")
    }

    #[test]
    fn unknown_key_is_told_without_a_parse_and_a_known_one_is_parsed() {
        let issuer = issuer();
        let server = server(&issuer, 0);
        let good = token(&issuer);
        assert_eq!(decide(&server, &good.sign()), (None, 1));
        let unknown = good.clone().key_id("stranger").sign();
        let (rejection, parsed) = decide(&server, &unknown);
        let rejection = rejection.expect("a refusal");
        assert_eq!(rejection.kind(), TokenFault::UnknownKey.into());
        assert_eq!(rejection.issuer(), Some(issuer.issuer().as_str()));
        assert_eq!(parsed, 0);
        // Without a `kid` every key that fits is tried.
        assert_eq!(
            decide(&server, &good.clone().without_header("kid").sign()),
            (None, 1)
        );
    }

    #[test]
    fn unknown_key_is_told_after_issuer_and_end_and_names_what_was_found() {
        let issuer = issuer();
        let server = server(&issuer, 3);
        let unknown = token(&issuer).key_id("stranger");
        for (name, token, fault) in [
            ("key", unknown.clone(), TokenFault::UnknownKey),
            ("end", unknown.clone().expired(), TokenFault::Expired),
            (
                "issuer",
                unknown.clone().issuer("https://a.test").expired(),
                TokenFault::UnknownIssuer,
            ),
            (
                "no end",
                unknown.clone().without("exp"),
                TokenFault::UnknownKey,
            ),
            (
                "end of another type",
                unknown.clone().claim("exp", "1"),
                TokenFault::UnknownKey,
            ),
            (
                "fraction",
                unknown.clone().claim("exp", 1.5),
                TokenFault::Expired,
            ),
            (
                "escaped issuer",
                unknown.clone().issuer("a\n"),
                TokenFault::UnknownIssuer,
            ),
            (
                "algorithm",
                unknown.clone().header("alg", "PS256"),
                TokenFault::Algorithm,
            ),
            (
                "repeated",
                unknown.clone().payload_json(r#"{"iss":"a","iss":"b"}"#),
                TokenFault::DuplicateMember,
            ),
            (
                "malformed",
                unknown.clone().payload_json(r#"{"iss":"a""#),
                TokenFault::Malformed,
            ),
            (
                "critical",
                unknown.clone().header("crit", ["x"]),
                TokenFault::Critical,
            ),
        ] {
            let (light, _) = decide(&server, &token.sign());
            let light = light.expect(name);
            assert_eq!(light.kind(), fault.into(), "{name}");
            let (full, parsed) = decide(&server, &escaped(token.clone()).sign());
            assert_eq!(Some(light), full, "{name}");
            assert_eq!(parsed > 0, fault != TokenFault::Critical, "{name}");
        }
    }

    #[test]
    fn unknown_key_after_another_is_told_before_the_cache_is_searched() {
        let issuer = issuer();
        let server = server(&issuer, 0);
        let (good, unknown) = (token(&issuer), token(&issuer).key_id("stranger"));
        let good = good.sign();
        let searches = |token: &str| {
            let count = || {
                let cache = server.token_cache_status().expect("a cache");
                cache.hits() + cache.misses()
            };
            let before = count();
            let refusal = decide(&server, token).0;
            let is_good = token == good;
            assert_eq!(refusal.is_none(), is_good, "{refusal:?}");
            count() - before
        };
        assert_eq!(searches(&good), 1);
        assert_eq!(searches(&unknown.sign()), 1);
        for _ in 0..3 {
            assert_eq!(searches(&unknown.clone().key_id("another").sign()), 0);
            assert_eq!(searches(&unknown.clone().expired().sign()), 0);
        }
        assert_eq!(searches(&good), 1);
        assert_eq!(searches(&unknown.sign()), 1);
        assert_eq!(searches(&escaped(unknown.clone()).sign()), 1);
        assert_eq!(searches("a.b.c"), 1);
        let long = unknown.claim("x", "x".repeat(20_000)).sign();
        assert_eq!(searches(&long), 0);
    }

    #[test]
    fn unknown_key_of_a_server_with_many_issuers_is_told_after_a_parse() {
        let issuer = issuer();
        for (others, parsed) in [(MOST_ISSUERS - 1, 0), (MOST_ISSUERS, 1)] {
            let server = server(&issuer, others);
            let unknown = token(&issuer).key_id("stranger").sign();
            let (rejection, count) = decide(&server, &unknown);
            let kind = rejection.map(|rejection| rejection.kind());
            assert_eq!(kind, Some(TokenFault::UnknownKey.into()), "{others}");
            assert_eq!(count, parsed, "{others}");
        }
    }

    #[test]
    fn unknown_key_is_no_verdict_where_a_key_without_id_may_be_the_tokens() {
        let issuer = MockIssuer::new().with_algorithms([Algorithm::ES256]);
        let unnamed = Issuer::oidc(issuer.issuer()).pem(issuer.public_key_pem());
        let server = ResourceServer::builder(API).issuer(unnamed);
        let server = server.build().expect("sound settings");
        let token = token(&issuer).key_id("stranger").sign();
        assert_eq!(decide(&server, &token), (None, 1));
    }

    /// A clock that counts its readings.
    #[derive(Clone)]
    struct CountingClock(ManualClock, Arc<AtomicUsize>);

    impl Clock for CountingClock {
        fn now(&self) -> UnixTime {
            self.0.now()
        }

        fn monotonic(&self) -> Duration {
            self.0.monotonic()
        }

        fn both(&self) -> (UnixTime, Duration) {
            self.1.fetch_add(1, Ordering::Relaxed);
            self.0.both()
        }

        fn sleep_until(&self, at: Duration) -> Sleep {
            self.0.sleep_until(at)
        }
    }

    #[tokio::test]
    async fn unknown_key_asks_a_fetched_set_once() {
        let issuer = issuer();
        let site = issuer.serve().await;
        let clock = CountingClock(ManualClock::new(), Arc::default());
        let readings = Arc::clone(&clock.1);
        let server = ResourceServer::builder(API)
            .issuer(Issuer::oidc(site.url()).key_set_url(site.key_set_url()))
            .clock(clock)
            .build()
            .expect("sound settings");
        let server = server.connect().await.expect("a runtime");
        let unknown = token(&issuer).key_id("stranger").sign();
        let credential = Credential::bare(unknown.as_bytes()).expect("it is not empty");
        let decision = server.authenticate_credential(credential);
        let Ok(decision @ Decision::Pending(_)) = decision else {
            panic!("nothing is fetched for the key");
        };
        assert!(decision.finish().await.is_err());
        // A set is asked under its lock, for which it reads the clock. The search in the cache does so too.
        for expected in [2, 1, 1] {
            let before = readings.load(Ordering::Relaxed);
            let (rejection, parsed) = decide(&server, &unknown);
            let kind = rejection.map(|rejection| rejection.kind());
            assert_eq!(kind, Some(TokenFault::UnknownKey.into()));
            assert_eq!(parsed, 0);
            assert_eq!(readings.load(Ordering::Relaxed) - before, expected);
        }
    }

    fn tokens(issuer: &MockIssuer) -> impl Strategy<Value = TokenBuilder> + use<> {
        let good = token(issuer).key_id("stranger");
        let iss = prop_oneof![
            3 => Just(None),
            1 => Just(Some(serde_json::json!(format!("{OTHER}/0")))),
            1 => Just(Some(serde_json::json!("https://a.test"))),
            1 => Just(Some(serde_json::json!("a\"b"))),
            1 => Just(Some(serde_json::json!(7))),
            1 => Just(Some(serde_json::Value::Null)),
        ];
        let exp = prop_oneof![
            2 => Just(None),
            1 => Just(Some(serde_json::json!(1_000))),
            1 => Just(Some(serde_json::json!(-5))),
            1 => Just(Some(serde_json::json!(4.0e9))),
            1 => Just(Some(serde_json::json!(0.5))),
            1 => Just(Some(serde_json::json!("1000"))),
        ];
        let other = prop_oneof![
            Just(serde_json::json!({"iss": "https://a.test", "exp": 1})),
            Just(serde_json::json!(["iss", {"iss": 1}, "}"])),
            "[a-z\"{}\\[\\],:\u{e9}]{0,12}".prop_map(serde_json::Value::from),
        ];
        let name = "a|isz|z|[a-z\"\u{e9}]{1,4}";
        (iss, exp, name, other).prop_map(move |(iss, exp, name, other)| {
            let mut token = good.clone();
            if !["iss", "exp", "aud"].contains(&name.as_str()) {
                token = token.claim(name, other);
            }
            if let Some(iss) = iss {
                token = token.claim("iss", iss);
            }
            if let Some(exp) = exp {
                token = token.claim("exp", exp);
            }
            token
        })
    }

    static SITE: LazyLock<(MockIssuer, ResourceServer)> = LazyLock::new(|| {
        let issuer = issuer();
        let server = server(&issuer, 2);
        (issuer, server)
    });

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn unknown_key_is_refused_as_after_a_parse_and_never_admitted(
            token in tokens(&SITE.0),
        ) {
            let (light, _) = decide(&SITE.1, &token.sign());
            let (full, parsed) = decide(&SITE.1, &escaped(token).sign());
            prop_assert!(light.is_some());
            prop_assert_eq!(light, full);
            prop_assert_eq!(parsed, 1);
        }
    }
}
