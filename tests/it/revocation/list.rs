//! What is revoked is refused from then on, also where its token was seen before.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use portcullis::error::RevocationError;
use portcullis::revocation::{Revocation, RevocationKind, RevocationLoader, Revocations};
use portcullis::tenant::LookupError;
use portcullis::test_util::{ManualClock, MockIssuer, TokenBuilder};
use portcullis::time::{Clock as _, UnixTime};
use portcullis::{Algorithm, ResourceServer, ResourceServerBuilder};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use serde_json::json;

use crate::support::{API, Requests as _, TestApp, trusting};

const POOL: &str = "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_AbCdEf";
const OTHER_FORM: &str = "https://issuer-cognito-idp.eu-west-1.amazonaws.com/eu-west-1_AbCdEf";
const REVOKED: &str = "401 invalid_token revoked";
const HOUR: Duration = Duration::from_secs(3600);

struct Site {
    clock: ManualClock,
    issuer: MockIssuer,
    server: ResourceServer,
    app: TestApp,
    list: Revocations,
}

impl Site {
    fn new() -> Self {
        Self::with(|builder| builder)
    }

    fn with(settings: impl FnOnce(ResourceServerBuilder) -> ResourceServerBuilder) -> Self {
        let clock = ManualClock::new();
        let issuer = MockIssuer::new()
            .with_algorithms([Algorithm::ES256])
            .with_clock(clock.clone());
        let builder = ResourceServer::builder(API)
            .issuer(issuer.trusted())
            .clock(clock.clone());
        let server = settings(builder).build().expect("sound");
        Self {
            app: TestApp::new(&server),
            list: server.revocations(),
            clock,
            issuer,
            server,
        }
    }

    fn name(&self) -> String {
        self.issuer.issuer()
    }

    fn now(&self) -> UnixTime {
        self.clock.now()
    }

    fn revoke(&self, revocation: Revocation) {
        self.list.revoke(revocation).expect("there is room");
    }

    /// A token that ends long after any revocation.
    fn token(&self) -> TokenBuilder {
        self.issuer.token().expires_in(1000 * HOUR)
    }
}

#[tokio::test]
async fn a_token_is_revoked_by_its_id_also_when_it_was_seen_before() {
    let site = Site::new();
    let stolen = site.token().claim("jti", "stolen").sign();
    let other = site.token().claim("jti", "other").sign();
    let without = site.token().without("jti").sign();
    let unseen = site.token().claim("jti", "stolen").subject("else").sign();
    for token in [&stolen, &other, &without] {
        assert_eq!(site.app.verdict(token).await, "200");
    }
    let revocation = Revocation::token(&site.name(), "stolen");
    site.revoke(revocation.clone());
    for _ in 0..2 {
        assert_eq!(site.app.verdict(&stolen).await, REVOKED);
        assert_eq!(site.app.verdict(&unseen).await, REVOKED);
        assert_eq!(site.app.verdict(&other).await, "200");
        assert_eq!(site.app.verdict(&without).await, "200");
    }
    let hits = site.server.token_cache_status().expect("it is on").hits();
    assert!(hits >= 5, "the cache answered: {hits}");
    assert!(site.list.withdraw(&revocation));
    assert!(!site.list.withdraw(&revocation), "once");
    assert_eq!(site.app.verdict(&stolen).await, "200", "taken back");
    assert_eq!(site.app.verdict(&unseen).await, "200");
}

#[tokio::test]
async fn a_session_is_revoked_by_either_of_its_names() {
    let site = Site::new();
    let cognitos = site.token().claim("origin_jti", "s-1").sign();
    let openid = site.token().claim("sid", "s-1").sign();
    let both = site
        .token()
        .claim("sid", "s-1")
        .claim("origin_jti", "s-2")
        .sign();
    let id_alone = site.token().claim("jti", "s-1").sign();
    for token in [&cognitos, &openid, &both] {
        assert_eq!(site.app.verdict(token).await, "200");
    }
    site.revoke(Revocation::session(&site.name(), "s-1"));
    for token in [&cognitos, &openid, &both] {
        assert_eq!(site.app.verdict(token).await, REVOKED);
    }
    assert_eq!(
        site.app.verdict(&id_alone).await,
        "200",
        "an id is no session"
    );
}

#[tokio::test]
async fn a_session_that_is_no_text_is_a_fault_and_hides_nothing() {
    let site = Site::new();
    for name in ["sid", "origin_jti"] {
        for value in [json!(7), json!(["s-1"]), json!(null), json!("")] {
            let token = site.token().claim(name, &value).sign();
            assert_eq!(
                site.app.verdict(&token).await,
                "401 invalid_token claims",
                "{name} {value}"
            );
        }
        assert_eq!(
            site.app
                .verdict(&site.token().claim(name, "s-1").sign())
                .await,
            "200"
        );
    }
}

#[tokio::test]
async fn a_subject_is_signed_out_up_to_a_moment() {
    let site = Site::new();
    let cut_off = site.now().as_secs() - 3600;
    let subject = || site.token().subject("user-1");
    let at = |claim: &str, late: i64| subject().claim(claim, cut_off + late).sign();
    let early = |token: TokenBuilder| token.claim("iat", cut_off - 100).sign();
    // The leeway of 30 s belongs to the time before.
    let revoked = [
        at("auth_time", -1),
        at("auth_time", 30),
        subject()
            .claim("auth_time", cut_off + 30)
            .claim("iat", cut_off + 999)
            .sign(),
        subject()
            .claim(
                "auth_time",
                f64::from(u32::try_from(cut_off).expect("small")) + 30.9,
            )
            .sign(),
        subject()
            .without("auth_time")
            .claim("iat", cut_off + 30)
            .sign(),
        subject().without("auth_time").without("iat").sign(),
        subject()
            .claim("auth_time", "2026-01-01T00:00:00Z")
            .claim("iat", cut_off + 999)
            .sign(),
        subject()
            .claim("auth_time", json!(null))
            .claim("iat", cut_off + 999)
            .sign(),
        subject()
            .claim("auth_time", 1e300)
            .claim("iat", cut_off + 999)
            .sign(),
    ];
    let good = [
        at("auth_time", 31),
        subject()
            .without("auth_time")
            .claim("iat", cut_off + 31)
            .sign(),
        early(site.token().subject("user-2")),
        early(site.token().subject("user-1 ")),
        early(site.token().subject("USER-1")),
        early(site.token().without("sub")),
        early(site.token().subject("user-2").client("user-1")),
    ];
    for token in revoked.iter().chain(&good) {
        assert_eq!(site.app.verdict(token).await, "200");
    }
    site.revoke(Revocation::subject(
        &site.name(),
        "user-1",
        UnixTime::from_secs(cut_off),
    ));
    for (place, token) in revoked.iter().enumerate() {
        assert_eq!(site.app.verdict(token).await, REVOKED, "{place}");
    }
    for (place, token) in good.iter().enumerate() {
        assert_eq!(site.app.verdict(token).await, "200", "{place}");
    }
}

#[tokio::test]
async fn a_later_moment_holds_and_is_withdrawn_by_none_before_it() {
    let site = Site::new();
    let now = site.now();
    let before = |ago: u64| {
        let moment = now.saturating_sub(Duration::from_secs(ago));
        Revocation::subject(&site.name(), "user-1", moment)
    };
    let token = site
        .token()
        .subject("user-1")
        .claim("auth_time", now.as_secs() - 500)
        .sign();
    site.revoke(before(1000));
    assert_eq!(site.app.verdict(&token).await, "200");
    site.revoke(before(100));
    site.revoke(before(2000));
    assert_eq!(site.app.verdict(&token).await, REVOKED);
    assert_eq!(site.list.len(), 1, "one entry for one subject");
    assert_eq!(site.list.list()[0].revocation(), &before(100));
    assert!(!site.list.withdraw(&before(1000)));
    assert_eq!(site.app.verdict(&token).await, REVOKED);
    assert!(site.list.withdraw(&before(100)));
    assert_eq!(site.app.verdict(&token).await, "200");
}

#[tokio::test]
async fn a_client_and_a_whole_issuer_are_revoked_up_to_a_moment() {
    let site = Site::new();
    let now = site.now();
    let of = |client: &str, ago: i64| {
        let token = site.token().client(client).without("auth_time");
        token.claim("iat", now.as_secs() - ago).sign()
    };
    let (old, young, other) = (of("leaky", 100), of("leaky", 0), of("sound", 100));
    let named_alike = site.token().subject("leaky").client("sound").sign();
    site.revoke(Revocation::client(
        &site.name(),
        "leaky",
        now.saturating_sub(Duration::from_secs(50)),
    ));
    assert_eq!(site.app.verdict(&old).await, REVOKED);
    for token in [&young, &other, &named_alike] {
        assert_eq!(site.app.verdict(token).await, "200");
    }
    site.revoke(Revocation::whole_issuer(
        &site.name(),
        now.saturating_sub(Duration::from_secs(50)),
    ));
    assert_eq!(site.app.verdict(&other).await, REVOKED);
    assert_eq!(site.app.verdict(&young).await, "200");
}

#[tokio::test]
async fn a_token_that_names_a_session_is_left_to_what_revokes_that() {
    let site = Site::new();
    let subject = || {
        site.token()
            .subject("user-1")
            .claim("auth_time", site.now().as_secs() - 1)
    };
    let (with, without) = (subject().claim("sid", "s-1").sign(), subject().sign());
    site.revoke(Revocation::subject_without_session(
        &site.name(),
        "user-1",
        site.now(),
    ));
    assert_eq!(site.app.verdict(&without).await, REVOKED);
    assert_eq!(site.app.verdict(&with).await, "200");
}

#[tokio::test]
async fn another_issuers_tokens_are_somebody_elses() {
    let clock = ManualClock::new();
    let make = |name: &str| {
        let issuer = MockIssuer::named(name).with_algorithms([Algorithm::ES256]);
        issuer.with_clock(clock.clone())
    };
    let (one, two) = (make("https://one.example"), make("https://two.example"));
    let server = ResourceServer::builder(API)
        .issuer(one.trusted())
        .issuer(two.trusted())
        .clock(clock.clone())
        .build()
        .expect("sound");
    let (app, list) = (TestApp::new(&server), server.revocations());
    let token = |issuer: &MockIssuer| {
        issuer
            .token()
            .claim("jti", "1")
            .claim("sid", "1")
            .subject("1")
            .client("1")
            .sign()
    };
    let now = clock.now();
    for revocation in [
        Revocation::token("https://one.example", "1"),
        Revocation::session("https://one.example", "1"),
        Revocation::subject("https://one.example", "1", now),
        Revocation::client("https://one.example", "1", now),
        Revocation::whole_issuer("https://one.example", now),
    ] {
        list.revoke(revocation.clone()).expect("there is room");
        assert_eq!(app.get("/", &token(&one)).await.verdict(), REVOKED);
        assert_eq!(app.get("/", &token(&two)).await.verdict(), "200");
        assert!(list.withdraw(&revocation));
        assert_eq!(app.get("/", &token(&one)).await.verdict(), "200");
    }
    let stranger = list.revoke(Revocation::token("https://three.example", "1"));
    assert!(matches!(
        stranger,
        Err(RevocationError::UnknownIssuer { .. })
    ));
}

#[tokio::test]
async fn both_forms_of_a_pool_are_one_issuer() {
    let pool = MockIssuer::cognito("eu-west-1", "eu-west-1_AbCdEf");
    let server = trusting([pool.trusted()]);
    let (app, list) = (TestApp::new(&server), server.revocations());
    let token = |form: &str| pool.token().issuer(form).claim("origin_jti", "s-1").sign();
    for named in [POOL, OTHER_FORM] {
        let revocation = Revocation::session(named, "s-1");
        for form in [POOL, OTHER_FORM] {
            assert_eq!(app.get("/", &token(form)).await.verdict(), "200");
        }
        list.revoke(revocation.clone()).expect("there is room");
        for form in [POOL, OTHER_FORM] {
            assert_eq!(app.get("/", &token(form)).await.verdict(), REVOKED);
        }
        assert_eq!(list.list()[0].revocation().issuer(), POOL);
        assert!(list.withdraw(&revocation));
    }
}

#[tokio::test]
async fn where_another_claim_is_the_subject_both_are_one() {
    let issuer = MockIssuer::new().with_algorithms([Algorithm::ES256]);
    let server = trusting([issuer.trusted().subject_claim("uid")]);
    let (app, list) = (TestApp::new(&server), server.revocations());
    let token = issuer.token().subject("s-1").claim("uid", "u-1").sign();
    for name in ["u-1", "s-1"] {
        assert_eq!(app.get("/", &token).await.verdict(), "200");
        let now = UnixTime::from_secs(issued_at(&token) + 1);
        let revocation = Revocation::subject(&issuer.issuer(), name, now);
        list.revoke(revocation.clone()).expect("there is room");
        assert_eq!(app.get("/", &token).await.verdict(), REVOKED);
        assert!(list.withdraw(&revocation));
    }
}

fn issued_at(token: &str) -> i64 {
    use base64::Engine as _;
    let payload = token.split('.').nth(1).expect("a payload");
    let payload = base64::engine::general_purpose::URL_SAFE_NO_PAD
        .decode(payload)
        .expect("base64url");
    let payload: serde_json::Value = serde_json::from_slice(&payload).expect("json");
    payload["iat"].as_i64().expect("iat")
}

#[tokio::test]
async fn an_entry_ends_when_no_token_of_its_issuer_can_outlive_it() {
    let clock = ManualClock::new();
    let issuer = MockIssuer::new()
        .with_algorithms([Algorithm::ES256])
        .with_clock(clock.clone());
    let life = Duration::from_secs(7200);
    let server = ResourceServer::builder(API)
        .issuer(issuer.trusted().longest_token_life(life))
        .clock(clock.clone())
        .build()
        .expect("sound");
    let (app, list) = (TestApp::new(&server), server.revocations());
    // Issued by a clock that is 30 s ahead, the last token before the revocation.
    let last = issuer
        .token()
        .expires_in(life + Duration::from_secs(30))
        .claim("jti", "1")
        .sign();
    let longer = issuer
        .token()
        .expires_in(life + HOUR)
        .claim("jti", "1")
        .sign();
    list.revoke(Revocation::token(&issuer.issuer(), "1"))
        .expect("there is room");
    let end = list.list()[0].ends_at();
    assert_eq!(
        end,
        clock.now().saturating_add(life + Duration::from_secs(60))
    );
    clock.advance(life + Duration::from_secs(59));
    assert_eq!(app.get("/", &last).await.verdict(), REVOKED);
    assert_eq!(app.get("/", &longer).await.verdict(), REVOKED);
    clock.advance(Duration::from_secs(1));
    assert_eq!(
        app.get("/", &last).await.verdict(),
        "401 invalid_token expired"
    );
    assert_eq!(
        app.get("/", &longer).await.verdict(),
        "200",
        "the setting was wrong"
    );
    assert!(list.list().is_empty());
}

#[tokio::test]
async fn an_entry_comes_back_with_the_time_when_the_clock_is_set_back() {
    let site = Site::with(|builder| builder.most_revocations(1));
    let token = site.token().claim("jti", "1").sign();
    site.revoke(Revocation::token(&site.name(), "1"));
    let end = site.list.list()[0].ends_at();
    site.clock
        .set_wall(end.saturating_add(Duration::from_secs(3599)));
    let full = site.list.revoke(Revocation::token(&site.name(), "2"));
    assert!(
        matches!(full, Err(RevocationError::Full { .. })),
        "its place is not free yet"
    );
    site.clock
        .set_wall(end.saturating_sub(Duration::from_secs(1)));
    assert_eq!(site.app.verdict(&token).await, REVOKED);
    site.clock
        .set_wall(end.saturating_add(Duration::from_secs(3600)));
    site.revoke(Revocation::token(&site.name(), "2"));
}

#[tokio::test]
async fn a_full_list_is_an_error_and_forgets_nothing() {
    let site = Site::with(|builder| builder.most_revocations(3));
    let revocation = |id: usize| Revocation::token(&site.name(), &format!("t-{id}"));
    for id in 0..3 {
        site.revoke(revocation(id));
    }
    let error = site
        .list
        .revoke(revocation(3))
        .expect_err("there is no room");
    assert_eq!(
        error,
        site.list.revoke(revocation(4)).expect_err("nor here")
    );
    assert!(error.to_string().contains("`most_revocations`"), "{error}");
    site.revoke(revocation(1)); // What is in there needs no room.
    for id in 0..3 {
        let token = site.token().claim("jti", format!("t-{id}")).sign();
        assert_eq!(site.app.verdict(&token).await, REVOKED);
    }
    assert!(site.list.withdraw(&revocation(0)));
    site.revoke(revocation(3));
}

#[test]
fn what_cannot_be_revoked_is_an_error() {
    let site = Site::new();
    let name = site.name();
    let now = site.now();
    let later = |secs| now.saturating_add(Duration::from_secs(secs));
    for (revocation, expected) in [
        (Revocation::token(&name, ""), Err(RevocationError::Id)),
        (
            Revocation::token(&name, &"x".repeat(1025)),
            Err(RevocationError::Id),
        ),
        (Revocation::token(&name, &"x".repeat(1024)), Ok(())),
        (
            Revocation::subject(&name, "s", later(301)),
            Err(RevocationError::Ahead),
        ),
        (
            Revocation::subject(&name, "s", UnixTime::from_secs(now.as_secs() * 1000)),
            Err(RevocationError::Ahead),
        ),
        (Revocation::whole_issuer(&name, later(300)), Ok(())),
        (
            Revocation::subject(&name, "s", UnixTime::from_secs(i64::MIN)),
            Ok(()),
        ),
    ] {
        assert_eq!(
            site.list.revoke(revocation.clone()),
            expected,
            "{revocation:?}"
        );
    }
    let error = site
        .list
        .revoke(Revocation::token("https://else.example\n", "1"));
    let text = error.expect_err("unknown").to_string();
    assert!(text.contains("`https://else.example\\n`"), "{text}");
}

#[test]
fn a_revocation_shows_no_id_in_debug() {
    let site = Site::new();
    site.revoke(Revocation::subject(&site.name(), "secret-user", site.now()));
    let shown = format!("{:?} {:?}", site.list, site.list.list());
    assert!(
        !shown.contains("secret-user") && shown.contains("Subject"),
        "{shown}"
    );
    assert_eq!(
        RevocationKind::SubjectWithoutSession.as_str(),
        "subject_without_session"
    );
}

#[tokio::test]
async fn a_snapshot_brings_back_what_a_restart_forgets() {
    let before = Site::new();
    let name = before.name();
    before.revoke(Revocation::token(&name, "1"));
    before.revoke(Revocation::subject(&name, "user-\"2\"", before.now()));
    before.revoke(Revocation::whole_issuer(&name, UnixTime::from_secs(5)));
    let snapshot = before.list.snapshot();

    let server = ResourceServer::builder(API)
        .issuer(before.issuer.trusted())
        .clock(before.clock.clone())
        .build()
        .expect("sound");
    let (app, list) = (TestApp::new(&server), server.revocations());
    let token = before.token().claim("jti", "1").sign();
    let subject = before.token().subject("user-\"2\"").sign();
    assert_eq!(app.get("/", &token).await.verdict(), "200", "forgotten");
    let cut = &snapshot[..snapshot.len() / 2];
    assert!(matches!(
        list.load(cut),
        Err(RevocationError::Snapshot { .. })
    ));
    assert!(list.is_empty());
    assert_eq!(list.load(&snapshot), Ok(3));
    assert_eq!(list.load(&snapshot), Ok(3), "again changes nothing");
    assert_eq!(list.len(), 3);
    assert_eq!(app.get("/", &token).await.verdict(), REVOKED);
    assert_eq!(app.get("/", &subject).await.verdict(), REVOKED);
    let mut ends: Vec<_> = list
        .list()
        .iter()
        .map(portcullis::revocation::RevocationEntry::ends_at)
        .collect();
    let mut had: Vec<_> = before
        .list
        .list()
        .iter()
        .map(portcullis::revocation::RevocationEntry::ends_at)
        .collect();
    ends.sort();
    had.sort();
    assert_eq!(ends, had);

    let foreign = MockIssuer::named("https://else.example").with_algorithms([Algorithm::ES256]);
    let other = trusting([foreign.trusted()]);
    assert_eq!(
        other.revocations().load(&snapshot),
        Ok(0),
        "of an issuer that is not trusted"
    );
    before.clock.advance(48 * HOUR);
    assert_eq!(before.list.load(&snapshot), Ok(0), "over");
    assert_eq!(before.list.snapshot().lines().count(), 1);
}

#[test]
fn no_request_that_begins_after_a_revocation_is_admitted() {
    let site = Site::new();
    let runtime = || {
        tokio::runtime::Builder::new_current_thread()
            .build()
            .expect("a runtime")
    };
    let tokens: Vec<String> = (0..200)
        .map(|id| site.token().claim("jti", format!("t-{id}")).sign())
        .collect();
    runtime().block_on(async {
        for token in &tokens {
            assert_eq!(site.app.verdict(token).await, "200");
        }
    });
    // How many have been revoked: counted after `revoke` has returned.
    let revoked = AtomicUsize::new(0);
    let order = Ordering::SeqCst;
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for id in 0..tokens.len() {
                site.revoke(Revocation::token(&site.name(), &format!("t-{id}")));
                revoked.fetch_add(1, order);
            }
        });
        for _ in 0..3 {
            scope.spawn(|| {
                let runtime = runtime();
                loop {
                    let known = revoked.load(order);
                    if known > 0 {
                        let verdict = runtime.block_on(site.app.verdict(&tokens[known - 1]));
                        assert_eq!(verdict, REVOKED, "{known}");
                    }
                    if known == tokens.len() {
                        return;
                    }
                    let next = runtime.block_on(site.app.verdict(&tokens[known]));
                    assert!(next == "200" || next == REVOKED, "{next}");
                }
            });
        }
    });
}

/// What happens to a list.
#[derive(Clone, Debug)]
enum Step {
    Revoke(Revocation),
    Withdraw(Revocation),
    Advance(u64),
    Reload,
}

fn revocation(names: &'static [&'static str]) -> impl Strategy<Value = Revocation> {
    (0..6_usize, proptest::sample::select(names), -200..200_i64).prop_map(|(kind, id, ago)| {
        let before = UnixTime::from_secs(ManualClock::START.as_secs() - ago);
        match kind {
            0 => Revocation::token(ISSUER, id),
            1 => Revocation::session(ISSUER, id),
            2 => Revocation::subject(ISSUER, id, before),
            3 => Revocation::subject_without_session(ISSUER, id, before),
            4 => Revocation::client(ISSUER, id, before),
            _ => Revocation::whole_issuer(ISSUER, before),
        }
    })
}

const ISSUER: &str = "https://one.example";
const NAMES: &[&str] = &["a", "b", "c"];

/// A token, as far as the list is concerned.
#[derive(Clone, Debug)]
struct Facts {
    id: Option<&'static str>,
    session: Option<&'static str>,
    subject: Option<&'static str>,
    client: Option<&'static str>,
    signed_in: Option<i64>,
}

impl Facts {
    fn is_revoked_by(&self, revocation: &Revocation) -> bool {
        let id = revocation.id();
        let named = match revocation.kind() {
            RevocationKind::Token => self.id == id,
            RevocationKind::Session => self.session == id,
            RevocationKind::Subject => self.subject == id,
            RevocationKind::SubjectWithoutSession => self.subject == id && self.session.is_none(),
            RevocationKind::Client => self.client == id,
            _ => true,
        };
        let Some(before) = revocation.before() else {
            return named;
        };
        named && self.signed_in.is_none_or(|at| at <= before.as_secs() + 30)
    }

    fn sign(&self, issuer: &MockIssuer) -> String {
        let mut token = issuer.token().expires_in(1000 * HOUR).without("iat");
        let names = [
            ("jti", self.id),
            ("sid", self.session),
            ("sub", self.subject),
            ("client_id", self.client),
        ];
        for (name, value) in names {
            token = match value {
                Some(value) => token.claim(name, value),
                None => token.without(name),
            };
        }
        match self.signed_in {
            Some(at) => token.claim("auth_time", at).sign(),
            None => token.without("auth_time").sign(),
        }
    }
}

fn facts() -> impl Strategy<Value = Facts> {
    let name = || proptest::option::of(proptest::sample::select(NAMES));
    let time = proptest::option::of(-250..250_i64);
    (name(), name(), name(), name(), time).prop_map(|(id, session, subject, client, ago)| Facts {
        id,
        session,
        subject,
        client,
        signed_in: ago.map(|ago| ManualClock::START.as_secs() - ago),
    })
}

#[test]
fn the_list_says_what_a_slow_look_at_every_entry_says() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime");
    let issuer = MockIssuer::named(ISSUER).with_algorithms([Algorithm::ES256]);
    let step = prop_oneof![
        4 => revocation(NAMES).prop_map(Step::Revoke),
        2 => revocation(NAMES).prop_map(Step::Withdraw),
        1 => (0..100_000_u64).prop_map(Step::Advance),
        1 => Just(Step::Reload),
    ];
    let scenes = (
        proptest::collection::vec(facts(), 4),
        proptest::collection::vec(step, 1..12),
    );
    let config = ProptestConfig {
        cases: 48,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let outcome = TestRunner::new(config).run(&scenes, |(tokens, steps)| {
        let clock = ManualClock::new();
        let issuer = issuer.clone().with_clock(clock.clone());
        let make = || {
            let builder = ResourceServer::builder(API).issuer(issuer.trusted());
            let server = builder.clock(clock.clone()).build().expect("sound");
            (TestApp::new(&server), server.revocations())
        };
        let (mut app, mut list) = make();
        // One entry about each thing.
        let mut slow: Vec<(Revocation, i64)> = Vec::new();
        let signed: Vec<String> = tokens.iter().map(|facts| facts.sign(&issuer)).collect();
        for step in steps {
            let now = clock.now().as_secs();
            slow.retain(|(_, end)| now < *end);
            match step {
                Step::Revoke(revocation) => {
                    list.revoke(revocation.clone()).expect("there is room");
                    let before = revocation.before();
                    let from = before.map_or(now, |before| before.as_secs().max(now));
                    let end = from + 24 * 3600 + 60;
                    match slow
                        .iter_mut()
                        .find(|(held, _)| is_about_the_same(held, &revocation))
                    {
                        Some(held) if held.0.before() < before => {
                            *held = (revocation, end.max(held.1));
                        }
                        Some(held) => held.1 = held.1.max(end),
                        None => slow.push((revocation, end)),
                    }
                }
                Step::Withdraw(revocation) => {
                    let length = slow.len();
                    slow.retain(|(held, _)| {
                        !is_about_the_same(held, &revocation) || held.before() > revocation.before()
                    });
                    prop_assert_eq!(list.withdraw(&revocation), slow.len() < length);
                }
                Step::Advance(secs) => clock.advance(Duration::from_secs(secs)),
                Step::Reload => {
                    let snapshot = list.snapshot();
                    (app, list) = make();
                    list.load(&snapshot).expect("a snapshot");
                }
            }
            let now = clock.now().as_secs();
            for (facts, token) in tokens.iter().zip(&signed) {
                let mut live = slow.iter().filter(|(_, end)| now < *end);
                let revoked = live.any(|(revocation, _)| facts.is_revoked_by(revocation));
                let verdict = runtime.block_on(app.get("/", token)).verdict();
                prop_assert_eq!(
                    verdict,
                    if revoked { REVOKED } else { "200" },
                    "{:?}",
                    facts
                );
            }
        }
        Ok(())
    });
    outcome.expect("they agree");
}

fn is_about_the_same(one: &Revocation, other: &Revocation) -> bool {
    (one.kind(), one.id()) == (other.kind(), other.id())
}

/// Ends when the first sleeper sleeps for so long.
async fn sleeps(clock: &ManualClock, secs: u64) {
    while clock.next_sleeper() != Some(Duration::from_secs(secs)) {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn nobody_is_admitted_before_what_was_revoked_is_loaded() {
    const UNKNOWN: &str = "503 unavailable revocations_not_loaded";
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let site = Site::with(|builder| {
        builder.load_revocations(portcullis::revocation::revocation_loader_fn(
            move |list: Revocations| {
                let attempt = count.fetch_add(1, Ordering::SeqCst);
                async move {
                    let known = Revocation::token(&list_issuer(), "known");
                    list.revoke(known)?;
                    match attempt {
                        0 => Err("the store is down".into()),
                        // A bug of the application; without the trace that a panic prints, which
                        // takes more memory than another test allows.
                        1 => std::panic::resume_unwind(Box::new("a bug")),
                        _ => Ok(list.revoke(Revocation::token(&list_issuer(), "late"))?),
                    }
                }
            },
        ))
    });
    let token = |id: &str| site.token().claim("jti", id).sign();
    let (good, known, late) = (token("good"), token("known"), token("late"));
    assert!(!site.server.ready() && !site.list.is_loaded());
    assert_eq!(
        site.app.verdict(&good).await,
        "503 unavailable not_connected",
        "before `connect`"
    );

    let server = site
        .server
        .clone()
        .connect()
        .await
        .expect("an outage is no error");
    // The pause doubles: 1 s, then 2 s.
    for attempt in [1, 2] {
        sleeps(&site.clock, attempt).await;
        assert_eq!(asked.load(Ordering::SeqCst) as u64, attempt);
        assert!(!server.ready());
        let answer = site.app.get("/", &good).await;
        assert_eq!(answer.verdict(), UNKNOWN);
        assert_eq!(answer.header("retry-after"), Some("1"));
        assert_eq!(
            site.app.verdict(&known).await,
            REVOKED,
            "what is known is judged"
        );
        assert_eq!(
            site.app
                .verdict(&site.issuer.token().expired().sign())
                .await,
            "401 invalid_token expired"
        );
        site.clock.advance(Duration::from_secs(attempt));
    }
    while !server.ready() {
        tokio::task::yield_now().await;
    }
    assert_eq!(asked.load(Ordering::SeqCst), 3);
    assert_eq!(site.app.verdict(&good).await, "200");
    assert_eq!(site.app.verdict(&known).await, REVOKED);
    assert_eq!(site.app.verdict(&late).await, REVOKED);
    server.connect().await.expect("again");
    assert_eq!(asked.load(Ordering::SeqCst), 3, "once loaded, never again");
}

/// The name of an issuer that was given none.
fn list_issuer() -> String {
    MockIssuer::new().issuer()
}

#[tokio::test]
async fn a_loader_that_does_not_end_is_given_up() {
    struct Stuck(tokio::sync::mpsc::UnboundedSender<()>);

    impl RevocationLoader for Stuck {
        async fn load(&self, _: Revocations) -> Result<(), LookupError> {
            self.0.send(()).expect("the test listens");
            std::future::pending().await
        }
    }

    let (sender, mut asked) = tokio::sync::mpsc::unbounded_channel();
    let site = Site::with(|builder| builder.load_revocations(Stuck(sender)));
    let connecting = tokio::spawn(site.server.clone().connect());
    asked.recv().await.expect("asked");
    sleeps(&site.clock, 30).await;
    site.clock.advance(Duration::from_secs(30));
    let server = connecting.await.expect("no panic").expect("no error");
    assert!(!server.ready());
    sleeps(&site.clock, 1).await;
    site.clock.advance(Duration::from_secs(1));
    asked.recv().await.expect("asked again");
}

#[tokio::test]
async fn the_task_that_loads_ends_with_the_last_handle() {
    let (sender, mut asked) = tokio::sync::mpsc::unbounded_channel();
    let site = Site::with(|builder| {
        builder.load_revocations(portcullis::revocation::revocation_loader_fn(
            move |_: Revocations| {
                sender.send(()).expect("the test listens");
                async { Err("down".into()) }
            },
        ))
    });
    let server = site.server.clone().connect().await.expect("no error");
    asked.recv().await.expect("asked");
    sleeps(&site.clock, 1).await;
    drop((server, site));
    assert_eq!(asked.recv().await, None, "the loader is gone");
}

#[tokio::test]
async fn an_opaque_token_is_revoked_like_any_other_also_when_its_answer_is_remembered() {
    use crate::support::introspection::{AS, TOKEN, good, issuer, server};

    let clock = ManualClock::new();
    let mut said = good();
    said["jti"] = json!("o-1");
    said["sid"] = json!("s-1");
    let endpoint = crate::support::endpoint::Endpoint::saying(said).await;
    let server = server(issuer(&endpoint), &clock);
    let (app, list) = (TestApp::new(&server), server.revocations());
    for revocation in [
        Revocation::token(AS, "o-1"),
        Revocation::session(AS, "s-1"),
        Revocation::subject(AS, "user-1", clock.now()),
        Revocation::client(AS, "web", clock.now()),
        Revocation::whole_issuer(AS, clock.now()),
    ] {
        assert_eq!(app.get("/", TOKEN).await.verdict(), "200");
        list.revoke(revocation.clone()).expect("there is room");
        assert_eq!(
            app.get("/", TOKEN).await.verdict(),
            REVOKED,
            "{revocation:?}"
        );
        assert!(list.withdraw(&revocation));
    }
    assert_eq!(endpoint.calls(), 1, "the answer was remembered all along");
}
