//! Questions under way: one for each token, shared by all who wait for its answer.
//!
//! 1. A flight is found by the whole digest of its token, so that no answer is given for another
//!    one (CVE-2026-71326).
//! 2. The lock is held for a look into the map, and never over a wait.
//! 3. A flight that ends without an answer, its task cut off included, is over for all who wait.
//! 4. How many there may be is bounded.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

/// The flights of one kind. Clones are the same.
pub(super) struct Flights<K, V> {
    under_way: Arc<Mutex<UnderWay<K, V>>>,
    most: usize,
}

type UnderWay<K, V> = HashMap<K, watch::Receiver<Option<V>>>;

/// Waits for a flight to land.
#[derive(Debug)]
pub(super) struct Landing<V>(watch::Receiver<Option<V>>);

/// A flight that its holder must make.
pub(super) struct Departure<K: Eq + Hash, V> {
    key: K,
    landing: watch::Sender<Option<V>>,
    under_way: Arc<Mutex<UnderWay<K, V>>>,
}

/// A flight that was found, or one to make.
pub(super) enum Boarding<K: Eq + Hash, V> {
    Joined(Landing<V>),
    First(Landing<V>, Departure<K, V>),
    /// There are as many as there may be.
    Full,
}

impl<K: Copy + Eq + Hash, V> Flights<K, V> {
    pub(super) fn new(most: usize) -> Self {
        Self {
            under_way: Arc::new(Mutex::new(HashMap::new())),
            most,
        }
    }

    pub(super) fn board(&self, key: K) -> Boarding<K, V> {
        let mut under_way = lock(&self.under_way);
        if let Some(landing) = under_way.get(&key) {
            return Boarding::Joined(Landing(landing.clone()));
        }
        if under_way.len() >= self.most {
            return Boarding::Full;
        }
        let (landing, waiting) = watch::channel(None);
        under_way.insert(key, waiting.clone());
        drop(under_way);
        let departure = Departure {
            key,
            landing,
            under_way: Arc::clone(&self.under_way),
        };
        Boarding::First(Landing(waiting), departure)
    }

    pub(super) fn len(&self) -> usize {
        lock(&self.under_way).len()
    }
}

impl<K: Eq + Hash, V> Departure<K, V> {
    /// Whether anybody waits, beside the map itself.
    pub(super) fn is_awaited(&self) -> bool {
        self.landing.receiver_count() > 1
    }

    /// Ends the flight with an answer. What is to be found elsewhere from now on must be there
    /// already: whoever comes next starts another one.
    pub(super) fn land(self, value: V) {
        self.landing.send_replace(Some(value));
    }
}

impl<K: Eq + Hash, V> Drop for Departure<K, V> {
    fn drop(&mut self) {
        lock(&self.under_way).remove(&self.key);
    }
}

impl<V: Clone> Landing<V> {
    /// The answer; `None` where the flight ended without one.
    pub(super) async fn landed(&mut self) -> Option<V> {
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
        let flights = Flights::new(2);
        let Boarding::First(mut first, departure) = flights.board(1) else {
            panic!("the first one flies");
        };
        let Boarding::Joined(mut second) = flights.board(1) else {
            panic!("the second one joins");
        };
        let Boarding::First(mut other, gone) = flights.board(2) else {
            panic!("another key is another flight");
        };
        assert!(matches!(flights.board(3), Boarding::Full));
        departure.land("one");
        assert_eq!(first.landed().await, Some("one"));
        assert_eq!(second.landed().await, Some("one"));
        drop(gone);
        assert_eq!(other.landed().await, None, "over, without an answer");
        assert_eq!(flights.len(), 0);
        assert!(matches!(flights.board(1), Boarding::First(..)));
    }

    #[test]
    fn a_flight_knows_whether_anybody_waits() {
        let flights = Flights::<u8, ()>::new(1);
        let Boarding::First(landing, departure) = flights.board(1) else {
            panic!("the first one flies");
        };
        assert!(departure.is_awaited());
        drop(landing);
        assert!(!departure.is_awaited());
    }
}
