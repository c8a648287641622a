//! Models of the replacement of a key set.

use loom::thread;

use super::*;
use crate::model::time::UnixTime;
use crate::runtime::cache::token_cache::{CacheLimits, Cached, TokenCache, TokenDigest};

const NOW: Now = Now {
    wall: UnixTime::from_secs(1_800_000_000),
    monotonic: Duration::from_secs(10),
};

const TOKEN: TokenDigest = TokenDigest::of_number(1);

fn snapshot(fetch: u64) -> Arc<Snapshot> {
    let keys = Arc::new(KeySet::default());
    Arc::new(Snapshot {
        liveness: KeySetLiveness::of(&keys),
        keys,
        metadata: Arc::new(FetchMetadata::none()),
        fetch,
        confirmed: NOW,
        earlier: Duration::ZERO,
        max_age: Duration::from_secs(86_400),
        refresh: Duration::from_secs(1),
    })
}

/// A request whose cached token has ended reads the next set, never the one before.
#[test]
fn loom_ended_keys_are_replaced_before_they_end() {
    loom::model(|| {
        let (before, next) = (snapshot(1), snapshot(2));
        let liveness = before.liveness.under(None).clone();
        let current = Arc::new(CurrentSet::none());
        current.replace(Some(&before));
        let writer = {
            let current = Arc::clone(&current);
            // Other keys: nothing of the set before is kept.
            thread::spawn(move || current.replace(Some(&next)))
        };
        if !liveness.is_live() {
            let fetch = current.load().as_ref().map(|set| set.fetch);
            assert_eq!(fetch, Some(2));
        }
        writer.join().expect("no panic");
        assert!(!liveness.is_live());
    });
}

/// A token that a request verifies by a set while it is dropped is not found afterwards.
#[test]
fn loom_dropped_keys_leave_no_cached_token_behind() {
    loom::model(|| {
        let limits = CacheLimits {
            entries: 1,
            bytes: 100,
            life: Duration::from_secs(60),
        };
        let cache = Arc::new(TokenCache::new(limits).expect("randomness"));
        let current = Arc::new(CurrentSet::none());
        current.replace(Some(&snapshot(1)));
        let request = {
            let (cache, current) = (Arc::clone(&cache), Arc::clone(&current));
            thread::spawn(move || {
                let held = current.load();
                if held.is_some() {
                    let end = Deadline::NEVER;
                    let validity = KeySetGuard { held, end }.validity(None, 0);
                    let mut value = Arc::new(Cached::unkept(7, validity));
                    cache.keep(TOKEN, &mut value, |_| 1, NOW);
                }
            })
        };
        current.replace(None);
        assert!(cache.find(TOKEN, NOW).is_none(), "dropped before");
        request.join().expect("no panic");
        assert!(cache.find(TOKEN, NOW).is_none(), "after both");
    });
}
