use super::*;
use crate::runtime::jwks::key_store::test_keys::{
    X1, X2, config, has, loaded, miss, refused, secs, started, waits,
};
use crate::runtime::jwks::key_store::test_server::{Server, TestClock, ok, set};
use crate::runtime::jwks::refresh_task;

#[tokio::test]
async fn an_unknown_id_causes_one_fetch_and_is_then_unknown() {
    let server = Server::start().await;
    server.set("/jwks", ok(&set(&[("a", X1)])));
    let (keys, _clock) = loaded(&server).await;

    let ticket = waits(miss(&keys, Some("b")));
    keys.wait(&ticket).await;
    assert!(matches!(again(&keys, Some("b"), ticket), Miss::Unknown));
    assert_eq!(server.hits("/jwks"), 2);
    // Known to be absent: told at once, without another fetch.
    assert!(matches!(miss(&keys, Some("b")), Miss::Unknown));
    assert_eq!(server.hits("/jwks"), 2);
}

#[tokio::test]
async fn a_second_unknown_id_inside_the_cooldown_is_an_outage() {
    let server = Server::start().await;
    server.set("/jwks", ok(&set(&[("a", X1)])));
    let (keys, clock) = loaded(&server).await;
    let ticket = waits(miss(&keys, Some("b")));
    keys.wait(&ticket).await;
    clock.advance(12);
    for n in 0..1_000 {
        let (outage, rest) = refused(miss(&keys, Some(&format!("stranger{n}"))));
        assert_eq!((outage, rest), (Outage::KeyUnconfirmed, secs(18)));
    }
    assert_eq!(server.hits("/jwks"), 2);
}

#[tokio::test]
async fn a_key_is_known_to_be_lacking_exactly_where_a_miss_would_say_so_and_do_nothing_else() {
    let server = Server::start().await;
    server.set("/jwks", ok(&set(&[("a", X1)])));
    let (keys, clock) = loaded(&server).await;
    assert!(
        !keys.is_known_to_lack("b"),
        "it may have been published since"
    );
    let ticket = waits(miss(&keys, Some("b")));
    assert!(!keys.is_known_to_lack("b"), "a fetch is awaited");
    keys.wait(&ticket).await;
    assert!(keys.is_known_to_lack("b") && keys.is_known_to_lack("b"));
    assert!(!keys.is_known_to_lack("a"), "it is there");
    assert!(!keys.is_known_to_lack("c"), "it was never seen");
    clock.advance(29);
    assert!(keys.is_known_to_lack("b"));
    clock.advance(1);
    assert!(!keys.is_known_to_lack("b"), "the cooldown is over");
    assert_eq!(server.hits("/jwks"), 2, "none of these fetches");
    let ticket = waits(miss(&keys, Some("b")));
    keys.wait(&ticket).await;
    server.set("/jwks", ok(&set(&[("a", X1), ("b", X2)])));
    keys.refresh_now().await.expect("a refresh");
    assert!(!keys.is_known_to_lack("b"), "it was published");
    keys.drop_keys();
    assert!(!keys.is_known_to_lack("b"), "there are no keys");
}

#[tokio::test]
async fn many_first_requests_share_one_fetch_and_find_the_rotated_key() {
    let server = Server::start().await;
    server.set("/jwks", ok(&set(&[("a", X1)])));
    let (keys, _clock) = loaded(&server).await;
    server.set("/jwks", ok(&set(&[("a", X1), ("b", X2)])));
    let tickets: Vec<_> = (0..100).map(|_| waits(miss(&keys, Some("b")))).collect();
    for ticket in tickets {
        keys.wait(&ticket).await;
        assert!(has(&keys, "b") && has(&keys, "a"));
    }
    assert_eq!(server.hits("/jwks"), 2);
}

#[tokio::test]
async fn a_swap_between_the_look_and_the_miss_asks_for_another_look() {
    let server = Server::start().await;
    server.set("/jwks", ok(&set(&[("a", X1)])));
    let (keys, _clock) = loaded(&server).await;
    keys.wait(&waits(miss(&keys, Some("b")))).await;
    let old = keys.current().expect("keys").searched();
    server.set("/jwks", ok(&set(&[("b", X2)])));
    keys.refresh_now().await.expect("a refresh");
    let ticket = waits(keys.miss(Some(old), Some("b"), None));
    keys.wait(&ticket).await;
    assert!(has(&keys, "b"));
}

#[tokio::test]
async fn waiters_join_the_first_fetch_and_are_bounded() {
    let server = Server::start().await;
    server.set("/jwks", ok(&set(&[("a", X1)])));
    let gate = server.hold();
    let (keys, _clock) = started(&server, Some("/jwks"));
    let mut tickets: Vec<_> = (0..256)
        .map(|_| waits(keys.miss(None, Some("a"), None)))
        .collect();
    let (outage, rest) = refused(keys.miss(None, Some("a"), None));
    assert_eq!((outage, rest), (Outage::TooManyWaiting, secs(1)));
    // One who goes away frees a place and cancels nothing.
    let (waiting, ticket) = (Arc::clone(&keys), tickets.pop().expect("a ticket"));
    let gone = tokio::spawn(async move { waiting.wait(&ticket).await });
    server.requested(1).await;
    gone.abort();
    gone.await.expect_err("aborted");
    let ticket = waits(keys.miss(None, Some("a"), None));
    gate.add_permits(1);
    keys.wait(&ticket).await;
    assert!(has(&keys, "a"));
    assert_eq!(server.hits("/jwks"), 1);
}

#[tokio::test]
async fn a_wait_ends_by_real_time_although_the_clock_stands_still() {
    let server = Server::start().await;
    server.set("/jwks", ok(&set(&[("a", X1)])));
    let _gate = server.hold();
    let mut config = config(&server, Some("/jwks"));
    config.limits.wait = Duration::from_millis(50);
    let keys = RemoteKeys::new(config, Arc::new(TestClock::default())).expect("keys");
    refresh_task::start(&keys).expect("a runtime");
    let ticket = waits(keys.miss(None, None, None));
    keys.wait(&ticket).await;
    let (outage, rest) = refused(keys.miss(None, None, Some(ticket)));
    assert_eq!((outage, rest), (Outage::KeysNotLoaded, secs(1)));
}

#[test]
fn waiting_may_move_between_threads() {
    fn sendable<T: Send>(_: impl FnOnce(Arc<RemoteKeys>, WaitTicket) -> T) {}
    sendable(|keys, ticket| async move { keys.wait(&ticket).await });
    sendable(|keys, _| async move { keys.refresh_now().await });
    sendable(|_, ticket| ticket);
}

fn again(keys: &RemoteKeys, id: Option<&str>, ticket: WaitTicket) -> Miss {
    keys.miss(
        keys.current().ok().map(|loaded| loaded.searched()),
        id,
        Some(ticket),
    )
}
