//! The wakers of the handles that wait for one lease.
//!
//! What is replaced or removed is given back, so that it is dropped without a lock: a waker may own a
//! handle of the same lease.

use std::task::Waker;

/// The wakers, by the numbers of the handles. Most leases have one, which takes no memory of its own.
#[derive(Default)]
pub(super) enum Wakers {
    #[default]
    None,
    One(u32, Waker),
    Several(Vec<(u32, Waker)>),
}

impl Wakers {
    /// Sets the waker of a handle. The one that is not needed any more.
    #[must_use]
    pub(super) fn set(&mut self, number: u32, waker: Waker) -> Option<Waker> {
        let present = match self {
            Self::None => None,
            Self::One(own, present) => (*own == number).then_some(present),
            Self::Several(all) => {
                let mut all = all.iter_mut();
                let own = all.find(|(own, _)| *own == number);
                own.map(|(_, present)| present)
            }
        };
        match present {
            Some(present) if present.will_wake(&waker) => Some(waker),
            Some(present) => Some(std::mem::replace(present, waker)),
            None => {
                *self = match std::mem::take(self) {
                    Self::None => Self::One(number, waker),
                    Self::One(own, first) => Self::Several(vec![(own, first), (number, waker)]),
                    Self::Several(mut all) => {
                        all.push((number, waker));
                        Self::Several(all)
                    }
                };
                None
            }
        }
    }

    /// Removes the waker of a handle.
    #[must_use]
    pub(super) fn remove(&mut self, number: u32) -> Option<Waker> {
        match self {
            Self::One(own, _) if *own == number => match std::mem::take(self) {
                Self::One(_, waker) => Some(waker),
                Self::None | Self::Several(_) => None,
            },
            Self::None | Self::One(..) => None,
            Self::Several(all) => {
                let place = all.iter().position(|(own, _)| *own == number)?;
                Some(all.swap_remove(place).1)
            }
        }
    }

    pub(super) fn wake(self) {
        match self {
            Self::None => {}
            Self::One(_, waker) => waker.wake(),
            Self::Several(all) => all.into_iter().for_each(|(_, waker)| waker.wake()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    use super::*;

    #[derive(Default)]
    struct Wakes(AtomicUsize);

    impl Wake for Wakes {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn each_handle_has_one_waker_and_the_last_one_counts() {
        for handles in 0..4_u32 {
            let all: Vec<_> = (0..5).map(|_| Arc::new(Wakes::default())).collect();
            let waker = |place: usize| Waker::from(Arc::clone(&all[place]));
            let mut wakers = Wakers::default();
            for number in 0..handles {
                assert!(wakers.set(number, waker(4)).is_none());
                // In place of it.
                assert!(wakers.set(number, waker(number as usize)).is_some());
                assert!(wakers.set(number, waker(number as usize)).is_some());
            }
            let removed = wakers.remove(1);
            assert_eq!(removed.is_some(), handles > 1);
            assert!(wakers.remove(1).is_none());
            wakers.wake();
            let woken = all.iter().map(|wakes| wakes.0.load(Ordering::Relaxed));
            let expected = (0..5).map(|place| usize::from(place < handles as usize && place != 1));
            assert!(woken.eq(expected), "{handles}");
        }
    }
}
