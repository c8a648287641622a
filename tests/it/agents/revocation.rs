//! Revocation of an actor: the tokens with which it acts end, and no others.

use std::time::Duration;

use axum::routing::get;
use portcullis::ResourceServer;
use portcullis::lease::{Lease, LeaseEnd, RenewalError};
use portcullis::revocation::{Revocation, RevocationKind};
use portcullis::test_util::{ManualClock, MockIssuer, TokenBuilder};
use portcullis::time::Clock as _;
use serde_json::json;
use tokio::sync::mpsc::unbounded_channel;

use crate::support::{API, Requests as _, TestApp};

const REVOKED: &str = "401 invalid_token revoked";
const HOUR: Duration = Duration::from_secs(3600);

struct Site {
    clock: ManualClock,
    issuer: MockIssuer,
    server: ResourceServer,
    app: TestApp,
}

impl Site {
    fn new() -> Self {
        let clock = ManualClock::new();
        let issuer = MockIssuer::new().with_clock(clock.clone());
        let server = ResourceServer::builder(API)
            .issuer(issuer.trusted())
            .clock(clock.clone())
            .build()
            .expect("sound");
        Self {
            app: TestApp::new(&server),
            clock,
            issuer,
            server,
        }
    }

    fn revoke(&self, actor: &str) {
        let revocation = Revocation::actor(&self.issuer.issuer(), actor, self.clock.now());
        assert_eq!(revocation.kind(), RevocationKind::Actor);
        assert_eq!(revocation.kind().as_str(), "actor");
        assert_eq!(revocation.id(), Some(actor));
        let added = self.server.revocations().revoke(revocation);
        added.expect("there is room");
    }

    fn token(&self) -> TokenBuilder {
        self.issuer.token().expires_in(1000 * HOUR)
    }
}

#[tokio::test]
async fn tokens_with_which_the_actor_acts_are_refused_also_when_they_were_seen_before() {
    let site = Site::new();
    let with = |members| site.token().actor_with(members);
    let tokens = [
        (with(json!({"sub": "agent"})), REVOKED),
        (with(json!({"client_id": "agent"})), REVOKED),
        (with(json!({"sub": "agent", "client_id": "other"})), REVOKED),
        (with(json!({"sub": "other", "client_id": "agent"})), REVOKED),
        // Whatever issuer names the actor: the revocation is of tokens of this one.
        (
            with(json!({"sub": "agent", "iss": "https://x.example"})),
            REVOKED,
        ),
        // A later actor acts now.
        (site.token().actor("agent").actor("other"), "200"),
        (with(json!({"sub": "Agent"})), "200"),
        (site.token(), "200"),
        // The agent's own tokens are a subject's or a client's.
        (site.token().subject("agent"), "200"),
        (site.token().client("agent"), "200"),
        (site.token().claim("jti", "agent"), "200"),
        (site.token().claim("sid", "agent"), "200"),
    ];
    let signed: Vec<(String, &str)> = tokens
        .iter()
        .map(|(token, expected)| (token.sign(), *expected))
        .collect();
    for (token, _) in &signed {
        assert_eq!(site.app.verdict(token).await, "200");
    }
    site.revoke("agent");
    for (place, (token, expected)) in signed.iter().enumerate() {
        assert_eq!(site.app.verdict(token).await, *expected, "seen {place}");
    }
    for (place, (token, expected)) in tokens.iter().enumerate() {
        let unseen = token.clone().claim("n", place).sign();
        assert_eq!(site.app.verdict(&unseen).await, *expected, "unseen {place}");
    }
}

#[tokio::test]
async fn other_kinds_of_revocation_do_not_name_actors() {
    let site = Site::new();
    let issuer = site.issuer.issuer();
    let now = site.clock.now();
    let token = site.token().actor("agent").sign();
    for revocation in [
        Revocation::token(&issuer, "agent"),
        Revocation::session(&issuer, "agent"),
        Revocation::subject(&issuer, "agent", now),
        Revocation::client(&issuer, "agent", now),
    ] {
        let added = site.server.revocations().revoke(revocation);
        added.expect("there is room");
    }
    assert_eq!(site.app.verdict(&token).await, "200");
    let user = Revocation::subject(&issuer, MockIssuer::SUBJECT, now);
    site.server.revocations().revoke(user).expect("room");
    assert_eq!(
        site.app.verdict(&token).await,
        REVOKED,
        "the user's are the agent's too"
    );
}

#[tokio::test]
async fn an_actor_may_act_again_with_tokens_of_a_later_time() {
    let site = Site::new();
    site.revoke("agent");
    let old = site.token().actor("agent").sign();
    assert_eq!(site.app.verdict(&old).await, REVOKED);
    site.clock.advance(Duration::from_secs(60));
    assert_eq!(site.app.verdict(&old).await, REVOKED);
    let new = site.token().actor("agent").sign();
    assert_eq!(site.app.verdict(&new).await, "200");
}

#[tokio::test]
async fn a_snapshot_holds_actors_and_a_withdrawn_one_counts_no_more() {
    let site = Site::new();
    site.revoke("agent");
    let token = site.token().actor("agent").sign();
    let snapshot = site.server.revocations().snapshot();
    assert!(snapshot.contains(r#""actor":"agent""#), "{snapshot}");
    let other = ResourceServer::builder(API)
        .issuer(site.issuer.trusted())
        .clock(site.clock.clone())
        .build()
        .expect("sound");
    let app = TestApp::new(&other);
    assert_eq!(app.verdict(&token).await, "200");
    other.revocations().load(&snapshot).expect("a snapshot");
    assert_eq!(app.verdict(&token).await, REVOKED);
    let revocation = Revocation::actor(&site.issuer.issuer(), "agent", site.clock.now());
    assert!(other.revocations().withdraw(&revocation));
    assert_eq!(app.verdict(&token).await, "200");
}

/// A stream that was opened through the actor ends, and a renewal does not change who acts.
#[tokio::test]
async fn leases_of_the_actors_requests_end_and_are_not_renewed_by_another_actor() {
    let site = Site::new();
    let (opened, mut leases) = unbounded_channel();
    let open = move |lease: Lease| {
        opened.send(lease).expect("the test listens");
        async {}
    };
    let app = TestApp::behind(site.server.authenticate()).route("/", get(open));
    let mut lease = async |token: &TokenBuilder| {
        assert_eq!(app.verdict(&token.sign()).await, "200");
        leases.recv().await.expect("a lease")
    };
    let alone = lease(&site.token()).await;
    let agents = lease(&site.token().actor("agent")).await;
    let others = lease(&site.token().actor("agent").actor("other")).await;
    // The same id of another issuer is another actor.
    let foreign = json!({"sub": "agent", "iss": "https://x.example"});
    for (lease, token) in [
        (&alone, site.token().actor("agent")),
        (&agents, site.token()),
        (&agents, site.token().actor("other")),
        (&agents, site.token().actor_with(foreign)),
    ] {
        let renewed = lease.renew(&token.sign()).await;
        assert!(matches!(renewed, Err(RenewalError::OtherCaller)));
    }
    let again = site.token().actor("before").actor("agent").sign();
    assert!(agents.renew(&again).await.is_ok(), "the accepted twin");
    site.revoke("agent");
    assert_eq!(agents.end(), Some(LeaseEnd::Revoked(RevocationKind::Actor)));
    assert_eq!(alone.end(), None);
    assert_eq!(others.end(), None);
}
