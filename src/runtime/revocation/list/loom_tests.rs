//! Models of the list: a clean result is cached with a version, and every addition is seen.

use std::time::Duration;

use loom::thread;

use super::*;
use crate::runtime::clock::Sleep;
use crate::runtime::revocation::check::KEPT;

const NOW: UnixTime = UnixTime::from_secs(1_800_000_000);

struct Still;

impl Clock for Still {
    fn now(&self) -> UnixTime {
        NOW
    }

    fn monotonic(&self) -> Duration {
        Duration::ZERO
    }

    fn sleep_until(&self, _: Duration) -> Sleep {
        Box::pin(std::future::pending())
    }
}

fn entry(id: &str) -> RevocationEntry {
    let revocation = Revocation::token("https://a.example", id);
    RevocationEntry::new(revocation, NOW.saturating_add(Duration::from_secs(60)))
}

/// Checks the token with the id `1`.
fn check(list: &RevocationList, check: &RevocationCheck) -> Result<(), RevocationCheckError> {
    let revocation = entry("1").revocation().clone();
    let mut hashes = [0; KEPT];
    let [first, .., last] = &mut hashes;
    *first = list.hasher.of_revocation(&revocation);
    *last = 1 << 32;
    let concerns = |entry: &RevocationEntry| entry.revocation().is_about_the_same(&revocation);
    list.check_by(check, || check.hashes(|| hashes), concerns, || false, NOW)
}

fn add(list: &RevocationList, id: &str) {
    let span = MonotonicSpan::lasting(Duration::from_secs(60));
    list.add(entry(id), span).expect("room");
}

/// While one thread revokes the token, others check it and cache their results: after the
/// revocation no cached result is clean.
#[test]
fn loom_revocation_is_seen_by_every_later_check() {
    loom::model(|| {
        let list = Arc::new(RevocationList::new(10, Arc::new(Still)));
        let cached = Arc::new(RevocationCheck::default());
        let reader = {
            let (list, cached) = (Arc::clone(&list), Arc::clone(&cached));
            thread::spawn(move || check(&list, &cached))
        };
        add(&list, "1");
        assert_eq!(
            check(&list, &cached),
            Err(RevocationCheckError::Revoked),
            "revoked before"
        );
        let _ = reader.join().expect("no panic");
        assert_eq!(
            check(&list, &cached),
            Err(RevocationCheckError::Revoked),
            "after both"
        );
    });
}

/// A list that is marked complete by one thread is complete with its entries.
#[test]
fn loom_completed_list_shows_the_entries_that_were_loaded_before() {
    loom::model(|| {
        let list = Arc::new(RevocationList::new(10, Arc::new(Still)));
        list.mark_incomplete();
        let cached = RevocationCheck::default();
        let loader = {
            let list = Arc::clone(&list);
            thread::spawn(move || {
                add(&list, "1");
                list.mark_complete();
            })
        };
        assert!(
            check(&list, &cached).is_err(),
            "revoked or unknown, never clean"
        );
        loader.join().expect("no panic");
    });
}

/// Hashes are made once; a thread that sees the last one sees all.
#[test]
fn loom_hashes_are_seen_whole() {
    loom::model(|| {
        let made = std::array::from_fn(|index| index as u64 + 1);
        let check = Arc::new(RevocationCheck::default());
        let other = {
            let check = Arc::clone(&check);
            thread::spawn(move || check.hashes(|| made))
        };
        assert_eq!(check.hashes(|| made), made);
        assert_eq!(other.join().expect("no panic"), made);
    });
}
