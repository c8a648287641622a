//! Why leases end, and that others go on.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Wake, Waker};
use std::time::Duration;

use http::Request;
use portcullis::lease::{Lease, LeaseEnd};
use portcullis::revocation::{Revocation, RevocationKind};
use portcullis::test_util::{DpopKey, MockIssuer};
use portcullis::time::Clock as _;
use portcullis::{Issuer, ResourceServer};

use super::{World, end_of, lease};
use crate::support::API;
use crate::support::lease::{lease_by, lease_of};

#[tokio::test]
async fn a_lease_ends_when_its_token_has_expired_and_not_before() {
    let world = World::new();
    let server = world.server();
    let short = world.token("alice").expires_in(Duration::from_secs(60));
    let long = world.token("alice").expires_in(Duration::from_secs(3600));
    let mut short = lease(&server, &short.sign()).await;
    let mut long = lease(&server, &long.sign()).await;
    let leeway = Duration::from_secs(30);
    let expected = world
        .clock
        .now()
        .saturating_add(Duration::from_secs(60) + leeway);
    assert_eq!(short.expires_at(), expected);
    world.clock.advance(Duration::from_secs(89));
    tokio::task::yield_now().await;
    assert_eq!(short.end(), None);
    assert_eq!(server.lease_status().open(), 2);
    world.clock.advance(Duration::from_secs(1));
    assert_eq!(end_of(&mut short).await, LeaseEnd::Expired);
    assert_eq!(long.end(), None);
    world.clock.advance(Duration::from_secs(3600));
    assert_eq!(end_of(&mut long).await, LeaseEnd::Expired);
    let status = server.lease_status();
    assert_eq!((status.open(), status.opened()), (0, 2));
    assert_eq!(status.expired(), 2);
}

#[tokio::test]
async fn a_wall_clock_that_jumps_ahead_ends_what_has_expired_by_it() {
    let world = World::new();
    let server = world.server();
    let mut lease = lease(&server, &world.token("alice").sign()).await;
    // The machine was suspended: the monotonic clock stood still.
    let later = world
        .clock
        .now()
        .saturating_add(Duration::from_secs(48 * 3600));
    world.clock.set_wall(later);
    world.clock.advance(Duration::from_secs(1));
    assert_eq!(end_of(&mut lease).await, LeaseEnd::Expired);
}

#[tokio::test]
async fn a_revocation_ends_the_leases_that_it_concerns_and_no_others() {
    let world = World::new();
    let issuer = world.issuer.issuer();
    let now = world.clock.now();
    let token = || {
        world
            .token("alice")
            .client("app")
            .claim("jti", "token-1")
            .claim("sid", "session-1")
    };
    let others = [
        token()
            .subject("bob")
            .client("other")
            .claim("jti", "2")
            .claim("sid", "2"),
        // Ids of one kind are no ids of another.
        token()
            .subject("token-1")
            .client("session-1")
            .claim("jti", "alice")
            .claim("sid", "app"),
    ];
    for revocation in [
        Revocation::token(&issuer, "token-1"),
        Revocation::session(&issuer, "session-1"),
        Revocation::subject(&issuer, "alice", now),
        Revocation::client(&issuer, "app", now),
    ] {
        let server = world.server();
        let mut concerned = lease(&server, &token().sign()).await;
        let mut spared = Vec::new();
        for other in &others {
            spared.push(lease(&server, &other.sign()).await);
        }
        let later = token().claim("auth_time", now.as_secs() + 100);
        let later = lease(&server, &later.sign()).await;
        server
            .revocations()
            .revoke(revocation.clone())
            .expect("known");
        let expected = LeaseEnd::Revoked(revocation.kind());
        assert_eq!(end_of(&mut concerned).await, expected);
        for (other, token) in spared.iter().zip(&others) {
            assert_eq!(other.end(), None, "{revocation:?} {token:?}");
        }
        // Who signed in again is not concerned by what ends at a time.
        assert_eq!(later.end().is_none(), revocation.before().is_some());
    }
}

#[tokio::test]
async fn a_revoked_issuer_ends_its_leases_and_those_of_others_go_on() {
    let world = World::new();
    let other = MockIssuer::named("https://other.example.com").with_clock(world.clock.clone());
    let server = world
        .builder()
        .issuer(other.trusted())
        .build()
        .expect("sound");
    let mut concerned = lease(&server, &world.token("alice").sign()).await;
    let spared = lease(
        &server,
        &other.token().audience(API).subject("alice").sign(),
    )
    .await;
    let revocation = Revocation::whole_issuer(&world.issuer.issuer(), world.clock.now());
    server.revocations().revoke(revocation).expect("known");
    let expected = LeaseEnd::Revoked(RevocationKind::Issuer);
    assert_eq!(end_of(&mut concerned).await, expected);
    assert_eq!(spared.end(), None);
}

#[tokio::test]
async fn a_token_with_a_session_is_spared_where_only_those_without_are_meant() {
    let world = World::new();
    let server = world.server();
    let with = lease(&server, &world.token("alice").claim("sid", "1").sign()).await;
    let mut without = lease(&server, &world.token("alice").sign()).await;
    let issuer = world.issuer.issuer();
    let revocation = Revocation::subject_without_session(&issuer, "alice", world.clock.now());
    server.revocations().revoke(revocation).expect("known");
    assert!(matches!(end_of(&mut without).await, LeaseEnd::Revoked(_)));
    assert_eq!(with.end(), None);
}

#[tokio::test]
async fn a_snapshot_that_is_loaded_ends_leases_and_a_later_moment_ends_more() {
    let world = World::new();
    let server = world.server();
    let issuer = world.issuer.issuer();
    let now = world.clock.now();
    let early = now.saturating_sub(Duration::from_secs(1000));
    let other = world.server();
    other
        .revocations()
        .revoke(Revocation::subject(&issuer, "alice", early))
        .expect("known");
    let old = world.token("alice").claim("auth_time", early.as_secs());
    let mut old = lease(&server, &old.sign()).await;
    let mut new = lease(&server, &world.token("alice").sign()).await;
    assert_eq!(
        server.revocations().load(&other.revocations().snapshot()),
        Ok(1)
    );
    assert!(matches!(end_of(&mut old).await, LeaseEnd::Revoked(_)));
    assert_eq!(new.end(), None);
    server
        .revocations()
        .revoke(Revocation::subject(&issuer, "alice", now))
        .expect("known");
    assert!(matches!(end_of(&mut new).await, LeaseEnd::Revoked(_)));
}

#[tokio::test]
async fn a_lease_ends_with_the_key_of_its_token_and_outlives_other_changes_of_the_set() {
    let world = World::new();
    let served = world.issuer.serve().await;
    let issuer = Issuer::oidc(served.url()).key_set_url(served.key_set_url());
    let server = ResourceServer::builder(API)
        .issuer(issuer)
        .clock(world.clock.clone());
    let server = server
        .build()
        .expect("sound")
        .connect()
        .await
        .expect("a runtime");
    let keys = server.issuer_keys(served.url()).expect("configured");
    let named = lease(&server, &world.token("alice").sign()).await;
    let unnamed = lease(&server, &world.token("alice").without_header("kid").sign()).await;
    let mut old = [named, unnamed];
    world.issuer.rotate();
    keys.refresh_now().await.expect("it answers");
    let mut new = lease(&server, &world.token("alice").without_header("kid").sign()).await;
    assert!(old.iter().all(|lease| lease.end().is_none()));
    world.issuer.retire_old_keys();
    keys.refresh_now().await.expect("it answers");
    for lease in &mut old {
        assert_eq!(end_of(lease).await, LeaseEnd::KeyRemoved);
    }
    assert_eq!(new.end(), None);
    keys.drop_keys();
    assert_eq!(end_of(&mut new).await, LeaseEnd::KeyRemoved);
}

#[tokio::test]
async fn keys_of_the_configuration_that_are_dropped_end_the_leases_of_their_issuer() {
    let world = World::new();
    let other = MockIssuer::named("https://other.example.com").with_clock(world.clock.clone());
    let server = world
        .builder()
        .issuer(other.trusted())
        .build()
        .expect("sound");
    let mut concerned = lease(&server, &world.token("alice").sign()).await;
    let spared = lease(&server, &other.token().audience(API).sign()).await;
    let keys = server
        .issuer_keys(&world.issuer.issuer())
        .expect("configured");
    keys.drop_keys();
    assert_eq!(end_of(&mut concerned).await, LeaseEnd::KeyRemoved);
    assert_eq!(spared.end(), None);
}

#[tokio::test]
async fn a_clone_is_the_same_lease_and_each_handle_is_woken() {
    let world = World::new();
    let server = world.server();
    let mut first = lease(&server, &world.token("alice").sign()).await;
    let mut second = first.clone();
    assert_eq!(server.lease_status().open(), 1);
    let waiting = tokio::spawn(async move { first.ended().await });
    tokio::task::yield_now().await;
    let issuer = world.issuer.issuer();
    let revocation = Revocation::subject(&issuer, "alice", world.clock.now());
    server.revocations().revoke(revocation).expect("known");
    let expected = LeaseEnd::Revoked(RevocationKind::Subject);
    assert_eq!(super::within(waiting).await.expect("no panic"), expected);
    assert_eq!(end_of(&mut second).await, expected);
}

#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[tokio::test]
async fn a_revoked_subject_wakes_its_own_leases_and_no_others() {
    let world = World::new();
    let server = world.server();
    let mut leases = Vec::new();
    for subject in 0..40 {
        let token = world.token(&format!("user-{subject}")).sign();
        for _ in 0..5 {
            let wakes = Arc::new(Wakes::default());
            let mut lease = lease(&server, &token).await;
            let waker = Waker::from(Arc::clone(&wakes));
            let context = Context::from_waker(&waker);
            assert!(lease.poll_ended(&context).is_pending());
            leases.push((subject, lease, wakes));
        }
    }
    let issuer = world.issuer.issuer();
    let revocation = Revocation::subject(&issuer, "user-7", world.clock.now());
    server.revocations().revoke(revocation).expect("known");
    for (subject, lease, wakes) in &leases {
        let expected = usize::from(*subject == 7);
        assert_eq!(wakes.0.load(Ordering::Relaxed), expected, "{subject}");
        assert_eq!(lease.end().is_some(), *subject == 7);
    }
    assert_eq!(server.lease_status().open(), 195);
    drop(leases);
    assert_eq!(server.lease_status().open(), 0);
}

/// Inserted first, checked afterwards; published first, searched afterwards.
#[test]
fn no_lease_escapes_a_revocation_that_comes_while_it_is_opened() {
    let world = World::new();
    let server = world.server();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    let runtime = runtime.expect("a runtime");
    let issuer = world.issuer.issuer();
    let mut escaped = 0;
    for round in 0..200 {
        let subject = format!("user-{round}");
        let token = world.token(&subject).sign();
        let revocations = server.revocations();
        let revocation = Revocation::subject(&issuer, &subject, world.clock.now());
        let revoking = runtime.spawn(async move { revocations.revoke(revocation) });
        let opening = runtime.block_on(lease_by(&server, &token));
        runtime
            .block_on(revoking)
            .expect("no panic")
            .expect("known");
        escaped += usize::from(opening.is_some_and(|lease| lease.end().is_none()));
    }
    assert_eq!(escaped, 0);
}

#[tokio::test]
async fn a_bound_token_has_a_lease_like_any_other() {
    let issuer = MockIssuer::new();
    let server = crate::support::server(&issuer);
    let key = DpopKey::generate();
    let token = issuer
        .token()
        .audience(API)
        .subject("alice")
        .bound_to_key(&key);
    let url = "https://api.example.com/";
    let request = Request::get(url).body(()).expect("a request");
    let request = key.proof("GET", url).authorize(request, &token.sign());
    let mut lease = lease_of(&server, request).await.expect("admitted");
    let other = token.clone().bound_to_key(&DpopKey::generate()).sign();
    assert!(lease.renew(&other).await.is_err(), "another key");
    let _ = lease.renew(&token.sign()).await.expect("the same key");
    let now = portcullis::time::SystemClock::new().now();
    let revocation = Revocation::subject(&issuer.issuer(), "alice", now);
    server.revocations().revoke(revocation).expect("known");
    assert!(matches!(end_of(&mut lease).await, LeaseEnd::Revoked(_)));
}

#[test]
fn without_a_runtime_a_lease_has_ended_when_it_is_opened() {
    let world = World::new();
    let server = world.server();
    let token = world.token("alice").sign();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime");
    let lease = runtime
        .block_on(lease_by(&server, &token))
        .expect("admitted");
    assert_eq!(lease.end(), None, "the twin");
    drop(runtime);
    let mut opening = Box::pin(lease_by(&server, &token));
    let outcome = opening
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()));
    let std::task::Poll::Ready(Some(lease)) = outcome else {
        panic!("it needs no waiting");
    };
    assert_eq!(lease.end(), Some(LeaseEnd::Unavailable));
}

fn runtime() -> tokio::runtime::Runtime {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.worker_threads(1).enable_all().build();
    runtime.expect("a runtime")
}

/// The task that watches the clock runs on the runtime of the first lease.
#[test]
fn a_lease_expires_though_the_runtime_of_the_first_lease_is_gone() {
    let world = World::new();
    let server = world.server();
    let (first, second) = (runtime(), runtime());
    let token = world.token("alice").expires_in(Duration::from_secs(60));
    let token = token.sign();
    let elder = first.block_on(lease_by(&server, &token)).expect("admitted");
    let mut lease = second
        .block_on(lease_by(&server, &token))
        .expect("admitted");
    let waiting = second.spawn(async move { lease.ended().await });
    drop(first);
    world.clock.advance(Duration::from_secs(1000));
    let ended = second.block_on(super::within(waiting));
    assert_eq!(ended.expect("no panic"), LeaseEnd::Expired);
    assert_eq!(elder.end(), Some(LeaseEnd::Expired));
}

/// A waker that owns a handle of the lease that it waits for, as that of an executor of one task may.
struct Owner(#[allow(dead_code)] Lease);

impl Wake for Owner {
    fn wake(self: Arc<Self>) {}
}

#[tokio::test]
async fn a_waker_that_owns_a_handle_of_its_lease_is_replaced_and_dropped() {
    let world = World::new();
    let server = world.server();
    let mut lease = lease(&server, &world.token("alice").sign()).await;
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for _ in 0..2 {
            let waker = Waker::from(Arc::new(Owner(lease.clone())));
            assert!(lease.poll_ended(&Context::from_waker(&waker)).is_pending());
        }
        drop(lease);
        sender.send(()).expect("the test listens");
    });
    let dropped = receiver.recv_timeout(super::PATIENCE);
    assert_eq!(dropped, Ok(()), "no deadlock");
    assert_eq!(server.lease_status().open(), 0);
}
