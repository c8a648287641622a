//! Questions under way: one for each token, shared by all who wait for its answer.
//!
//! 1. A flight is found by the whole digest of its token, so that no answer is given for another
//!    one (CVE-2026-71326).
//! 2. The lock is held for a look into the map, and never over a wait.
//! 3. A flight that ends without an answer, its task cut off included, is over for all who wait.
//! 4. How many there may be is bounded.
//! 5. A flight that nobody waits for is given up under the same lock under which flights are
//!    joined, so that nobody joins one that will not be made.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

/// The flights of one kind. Clones are the same.
pub(in crate::runtime) struct SingleFlight<K, V> {
    under_way: Arc<Mutex<InFlight<K, V>>>,
    most: usize,
}

type InFlight<K, V> = HashMap<K, watch::Receiver<Option<V>>>;

/// Waits for a flight to land.
#[derive(Debug)]
pub(in crate::runtime) struct Follower<V>(watch::Receiver<Option<V>>);

/// A flight that its holder must make.
pub(in crate::runtime) struct Leader<K: Eq + Hash, V> {
    key: K,
    landing: watch::Sender<Option<V>>,
    under_way: Arc<Mutex<InFlight<K, V>>>,
    /// Whether it is no longer in the map, where another one may have taken its place.
    is_off_the_map: bool,
}

/// A flight that was found, or one to make.
pub(in crate::runtime) enum Join<K: Eq + Hash, V> {
    Joined(Follower<V>),
    First(Follower<V>, Leader<K, V>),
    /// There are as many as there may be.
    Full,
}

impl<K: Copy + Eq + Hash, V> SingleFlight<K, V> {
    pub(in crate::runtime) fn new(most: usize) -> Self {
        Self {
            under_way: Arc::new(Mutex::new(HashMap::new())),
            most,
        }
    }

    pub(in crate::runtime) fn board(&self, key: K) -> Join<K, V> {
        let mut under_way = lock(&self.under_way);
        if let Some(landing) = under_way.get(&key) {
            return Join::Joined(Follower(landing.clone()));
        }
        if under_way.len() >= self.most {
            return Join::Full;
        }
        let (landing, waiting) = watch::channel(None);
        under_way.insert(key, waiting.clone());
        drop(under_way);
        let departure = Leader {
            key,
            landing,
            under_way: Arc::clone(&self.under_way),
            is_off_the_map: false,
        };
        Join::First(Follower(waiting), departure)
    }

    pub(in crate::runtime) fn len(&self) -> usize {
        lock(&self.under_way).len()
    }
}

impl<K: Eq + Hash, V> Leader<K, V> {
    /// The flight, if anybody waits for it. Otherwise it is given up, and the next who comes
    /// starts another one.
    pub(in crate::runtime) fn if_awaited(mut self) -> Option<Self> {
        let mut under_way = lock(&self.under_way);
        // INVARIANT: joining clones a receiver of the map under this lock, so that the count
        // cannot rise between the look and the removal. One receiver is the map's own.
        if self.landing.receiver_count() > 1 {
            drop(under_way);
            return Some(self);
        }
        under_way.remove(&self.key);
        drop(under_way);
        self.is_off_the_map = true;
        None
    }

    /// Ends the flight with an answer. What is to be found elsewhere from now on must be there
    /// already: whoever comes next starts another one.
    pub(in crate::runtime) fn land(self, value: V) {
        self.landing.send_replace(Some(value));
    }
}

impl<K: Eq + Hash, V> Drop for Leader<K, V> {
    fn drop(&mut self) {
        if !self.is_off_the_map {
            lock(&self.under_way).remove(&self.key);
        }
    }
}

impl<V: Clone> Follower<V> {
    /// The answer; `None` where the flight ended without one.
    pub(in crate::runtime) async fn landed(&mut self) -> Option<V> {
        let landed = self.0.wait_for(Option::is_some).await.ok()?;
        landed.clone()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn whoever_asks_the_same_shares_one_flight_and_its_answer() {
        let flights = SingleFlight::new(2);
        let Join::First(mut first, departure) = flights.board(1) else {
            panic!("the first one flies");
        };
        let Join::Joined(mut second) = flights.board(1) else {
            panic!("the second one joins");
        };
        let Join::First(mut other, gone) = flights.board(2) else {
            panic!("another key is another flight");
        };
        assert!(matches!(flights.board(3), Join::Full));
        departure.land("one");
        assert_eq!(first.landed().await, Some("one"));
        assert_eq!(second.landed().await, Some("one"));
        drop(gone);
        assert_eq!(other.landed().await, None, "over, without an answer");
        assert_eq!(flights.len(), 0);
        assert!(matches!(flights.board(1), Join::First(..)));
    }

    #[test]
    fn a_flight_knows_whether_anybody_waits() {
        let flights = SingleFlight::<u8, ()>::new(1);
        let Join::First(landing, departure) = flights.board(1) else {
            panic!("the first one flies");
        };
        let departure = departure.if_awaited().expect("it is awaited");
        drop(landing);
        assert!(departure.if_awaited().is_none());
        assert_eq!(flights.len(), 0);
    }

    #[tokio::test]
    async fn flight_that_is_joined_after_its_first_waiter_left_is_made() {
        let flights = SingleFlight::new(1);
        let Join::First(landing, departure) = flights.board(1) else {
            panic!("the first one flies");
        };
        drop(landing);
        let Join::Joined(mut joined) = flights.board(1) else {
            panic!("it is still under way");
        };
        let departure = departure.if_awaited().expect("the second one waits");
        departure.land("one");
        assert_eq!(joined.landed().await, Some("one"));
    }

    #[tokio::test]
    async fn flight_that_was_given_up_is_joined_by_nobody_and_ends_no_later_one() {
        let flights = SingleFlight::new(2);
        let Join::First(landing, departure) = flights.board(1) else {
            panic!("the first one flies");
        };
        drop(landing);
        // The look and the removal are one step: whoever boards now, boards another flight.
        assert!(departure.if_awaited().is_none());
        let Join::First(mut landing, next) = flights.board(1) else {
            panic!("the next one is a flight of its own");
        };
        assert_eq!(
            flights.len(),
            1,
            "which the end of the first has left alone"
        );
        next.land("two");
        assert_eq!(landing.landed().await, Some("two"));
    }

    /// Waiters that come and go on other threads while flights are given up: each that waits to
    /// the end has its answer.
    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn flight_races_between_joining_and_giving_up_leave_no_waiter_without_an_answer() {
        let flights = Arc::new(SingleFlight::<u8, u8>::new(1));
        let mut waiters = tokio::task::JoinSet::new();
        for number in 0..4_000 {
            let flights = Arc::clone(&flights);
            waiters.spawn(async move {
                let (mut landing, departure) = match flights.board(1) {
                    Join::First(landing, departure) => (landing, Some(departure)),
                    Join::Joined(landing) => (landing, None),
                    Join::Full => panic!("there is one key"),
                };
                let leaves = number % 3 == 0;
                if let Some(departure) = departure {
                    tokio::spawn(async move {
                        tokio::task::yield_now().await;
                        if let Some(departure) = departure.if_awaited() {
                            departure.land(7);
                        }
                    });
                }
                leaves || landing.landed().await == Some(7)
            });
        }
        assert!(waiters.join_all().await.into_iter().all(|served| served));
    }
}
