//! Single flight: concurrent requests with the same key share one call and its result.
//!
//! 1. A call is found by the whole digest of its token, so that no token gets the response of another
//!    one (CVE-2026-71326).
//! 2. The lock is held for an access to the map, and never across an await.
//! 3. A call that ends without a result, an aborted task included, ends for all followers.
//! 4. The number of calls is bounded.
//! 5. A call without followers is given up under the lock under which calls are joined, so that no
//!    request joins a call that will not be made.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

/// The calls in flight, by key.
pub(super) struct SingleFlight<K, V> {
    in_flight: Arc<Mutex<InFlight<K, V>>>,
    most: usize,
}

type InFlight<K, V> = HashMap<K, watch::Receiver<Option<V>>>;

/// Waits for the result of a call.
#[derive(Debug)]
pub(super) struct Follower<V>(watch::Receiver<Option<V>>);

/// A call that its holder makes for all followers. Dropped without a result, the call has failed.
pub(super) struct Leader<K: Eq + Hash, V> {
    key: K,
    result: watch::Sender<Option<V>>,
    in_flight: Arc<Mutex<InFlight<K, V>>>,
    /// Whether it is no longer in the map, where a later call may have its key.
    is_removed: bool,
}

/// A call that was joined, or one to make.
pub(super) enum Join<K: Eq + Hash, V> {
    Joined(Follower<V>),
    First(Follower<V>, Leader<K, V>),
    /// As many calls are in flight as are allowed.
    Full,
}

impl<K: Copy + Eq + Hash, V> SingleFlight<K, V> {
    pub(super) fn new(most: usize) -> Self {
        Self {
            in_flight: Arc::new(Mutex::new(HashMap::new())),
            most,
        }
    }

    pub(super) fn join(&self, key: K) -> Join<K, V> {
        let mut in_flight = lock(&self.in_flight);
        if let Some(result) = in_flight.get(&key) {
            return Join::Joined(Follower(result.clone()));
        }
        if in_flight.len() >= self.most {
            return Join::Full;
        }
        let (result, waiting) = watch::channel(None);
        in_flight.insert(key, waiting.clone());
        drop(in_flight);
        let leader = Leader {
            key,
            result,
            in_flight: Arc::clone(&self.in_flight),
            is_removed: false,
        };
        Join::First(Follower(waiting), leader)
    }

    pub(super) fn len(&self) -> usize {
        lock(&self.in_flight).len()
    }
}

impl<K: Eq + Hash, V> Leader<K, V> {
    /// The leader, if a follower waits. Otherwise the call is given up, and the next request starts
    /// another one.
    pub(super) fn if_awaited(mut self) -> Option<Self> {
        let mut in_flight = lock(&self.in_flight);
        // INVARIANT: joining clones the map's receiver under this lock, so the count cannot rise
        // between the check and the removal. One receiver is the map's own.
        if self.result.receiver_count() > 1 {
            drop(in_flight);
            return Some(self);
        }
        in_flight.remove(&self.key);
        drop(in_flight);
        self.is_removed = true;
        None
    }

    /// Ends the call with a result. A cache of results must be filled before: the next request
    /// starts another call.
    pub(super) fn complete(self, value: V) {
        self.result.send_replace(Some(value));
    }
}

impl<K: Eq + Hash, V> Drop for Leader<K, V> {
    fn drop(&mut self) {
        if !self.is_removed {
            lock(&self.in_flight).remove(&self.key);
        }
    }
}

impl<V: Clone> Follower<V> {
    /// The result; `None` where the call ended without one.
    pub(super) async fn result(&mut self) -> Option<V> {
        let result = self.0.wait_for(Option::is_some).await.ok()?;
        result.clone()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn requests_for_one_key_share_one_call_and_its_result() {
        let single_flight = SingleFlight::new(2);
        let Join::First(mut first, leader) = single_flight.join(1) else {
            panic!("the first one leads");
        };
        let Join::Joined(mut second) = single_flight.join(1) else {
            panic!("the second one joins");
        };
        let Join::First(mut other, gone) = single_flight.join(2) else {
            panic!("another key is another call");
        };
        assert!(matches!(single_flight.join(3), Join::Full));
        leader.complete("one");
        assert_eq!(first.result().await, Some("one"));
        assert_eq!(second.result().await, Some("one"));
        drop(gone);
        assert_eq!(other.result().await, None, "over, without an answer");
        assert_eq!(single_flight.len(), 0);
        assert!(matches!(single_flight.join(1), Join::First(..)));
    }

    #[test]
    fn a_call_without_followers_is_given_up() {
        let single_flight = SingleFlight::<u8, ()>::new(1);
        let Join::First(result, leader) = single_flight.join(1) else {
            panic!("the first one leads");
        };
        let leader = leader.if_awaited().expect("it is awaited");
        drop(result);
        assert!(leader.if_awaited().is_none());
        assert_eq!(single_flight.len(), 0);
    }

    #[tokio::test]
    async fn call_that_is_joined_after_its_first_follower_left_is_made() {
        let single_flight = SingleFlight::new(1);
        let Join::First(result, leader) = single_flight.join(1) else {
            panic!("the first one leads");
        };
        drop(result);
        let Join::Joined(mut joined) = single_flight.join(1) else {
            panic!("it is still in flight");
        };
        let leader = leader.if_awaited().expect("the second one waits");
        leader.complete("one");
        assert_eq!(joined.result().await, Some("one"));
    }

    #[tokio::test]
    async fn call_that_was_given_up_is_not_joined_and_ends_no_later_one() {
        let single_flight = SingleFlight::new(2);
        let Join::First(result, leader) = single_flight.join(1) else {
            panic!("the first one leads");
        };
        drop(result);
        // The check and the removal are one step: a request that joins now starts another call.
        assert!(leader.if_awaited().is_none());
        let Join::First(mut result, next) = single_flight.join(1) else {
            panic!("the next one is a call of its own");
        };
        assert_eq!(
            single_flight.len(),
            1,
            "which the end of the first has left alone"
        );
        next.complete("two");
        assert_eq!(result.result().await, Some("two"));
    }

    /// Waiters that come and go on other threads while calls are given up: each that waits to
    /// the end has its answer.
    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn races_between_joining_and_giving_up_leave_no_follower_without_a_result() {
        let single_flight = Arc::new(SingleFlight::<u8, u8>::new(1));
        let mut waiters = tokio::task::JoinSet::new();
        for number in 0..4_000 {
            let single_flight = Arc::clone(&single_flight);
            waiters.spawn(async move {
                let (mut result, leader) = match single_flight.join(1) {
                    Join::First(result, leader) => (result, Some(leader)),
                    Join::Joined(result) => (result, None),
                    Join::Full => panic!("there is one key"),
                };
                let leaves = number % 3 == 0;
                if let Some(leader) = leader {
                    tokio::spawn(async move {
                        tokio::task::yield_now().await;
                        if let Some(leader) = leader.if_awaited() {
                            leader.complete(7);
                        }
                    });
                }
                leaves || result.result().await == Some(7)
            });
        }
        assert!(waiters.join_all().await.into_iter().all(|served| served));
    }
}
