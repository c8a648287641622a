//! Leases that are opened, renewed, cloned, awaited and dropped on several threads, while tokens are
//! revoked.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use portcullis::ResourceServer;
use portcullis::lease::{Lease, LeaseEnd, RenewalError};
use portcullis::revocation::{Revocation, RevocationKind};

use super::{World, within};
use crate::support::lease::lease_by;

const TOKENS: usize = 240;
const SUBJECTS: usize = 12;
const WORKERS: usize = 4;
const STEPS: usize = 1500;

/// Every other token of a subject is revoked, in the order of their numbers.
const fn is_to_be_revoked(token: usize) -> bool {
    (token / SUBJECTS) % 2 == 0
}

struct Site {
    server: ResourceServer,
    tokens: Vec<String>,
    /// The tokens before this one that are to be revoked are revoked.
    revoked: AtomicUsize,
    /// Where the workers are.
    steps: AtomicUsize,
}

/// A lease, and the token that it depends on.
type Held = (Lease, usize);

/// Opens and renews leases. Those that it still holds.
async fn work(site: Arc<Site>, seed: u64) -> Vec<Held> {
    let mut state = seed;
    let mut random = move |below: usize| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        usize::try_from(state >> 33).expect("31 bits") % below
    };
    let mut held: Vec<Held> = Vec::new();
    for _ in 0..STEPS {
        site.steps.fetch_add(1, Ordering::SeqCst);
        let token = random(TOKENS);
        let is_revoked = is_to_be_revoked(token) && token < site.revoked.load(Ordering::SeqCst);
        match random(4) {
            0 if !held.is_empty() => drop(held.swap_remove(random(held.len()))),
            1 if !held.is_empty() => {
                let place = random(held.len());
                let (lease, depends_on) = &mut held[place];
                let of_the_subject = token / SUBJECTS * SUBJECTS + *depends_on % SUBJECTS;
                match lease.renew(&site.tokens[of_the_subject]).await {
                    Ok(_) => *depends_on = of_the_subject,
                    // By the old token, or by the new one at once.
                    Err(RenewalError::Ended(_)) => {
                        let either = [*depends_on, of_the_subject];
                        assert!(either.into_iter().any(is_to_be_revoked));
                        drop(held.swap_remove(place));
                    }
                    Err(RenewalError::Refused(_)) => assert!(is_to_be_revoked(of_the_subject)),
                    Err(error) => panic!("{error}"),
                }
            }
            _ => {
                let Some(mut lease) = lease_by(&site.server, &site.tokens[token]).await else {
                    assert!(is_to_be_revoked(token));
                    continue;
                };
                assert!(!is_revoked || lease.end().is_some());
                if random(3) == 0 {
                    let mut waiting = lease.clone();
                    tokio::spawn(async move { waiting.ended().await });
                }
                let _ = poll_once(&mut lease).await;
                held.push((lease, token));
            }
        }
        tokio::task::yield_now().await;
    }
    held
}

/// Has this task woken by the end of the lease, which does not matter.
async fn poll_once(lease: &mut Lease) -> bool {
    std::future::poll_fn(|context| std::task::Poll::Ready(lease.poll_ended(context).is_ready()))
        .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_lease_is_missed_or_ended_wrongly_while_tokens_are_revoked_on_other_threads() {
    let world = World::new();
    let tokens = (0..TOKENS).map(|token| {
        let subject = format!("user-{}", token % SUBJECTS);
        world.token(&subject).claim("jti", token.to_string()).sign()
    });
    let site = Arc::new(Site {
        server: world.server(),
        tokens: tokens.collect(),
        revoked: AtomicUsize::new(0),
        steps: AtomicUsize::new(0),
    });
    let workers = (1..=WORKERS as u64).map(|seed| tokio::spawn(work(Arc::clone(&site), seed)));
    let workers: Vec<_> = workers.collect();
    let issuer = world.issuer.issuer();
    for token in 0..TOKENS {
        // Spread over the steps of the workers, whichever is slow.
        let due = token * STEPS * WORKERS / TOKENS;
        let reached = async {
            while site.steps.load(Ordering::SeqCst) < due {
                tokio::task::yield_now().await;
            }
        };
        within(reached).await;
        if is_to_be_revoked(token) {
            let revocation = Revocation::token(&issuer, &token.to_string());
            site.server.revocations().revoke(revocation).expect("known");
        }
        site.revoked.store(token + 1, Ordering::SeqCst);
    }
    let mut held = Vec::new();
    for worker in workers {
        held.extend(within(worker).await.expect("no panic"));
    }
    let expected = LeaseEnd::Revoked(RevocationKind::Token);
    let (mut wrong, mut missed) = (0, 0);
    for (lease, token) in &held {
        match lease.end() {
            Some(end) => {
                assert_eq!(end, expected);
                wrong += usize::from(!is_to_be_revoked(*token));
            }
            None => missed += usize::from(is_to_be_revoked(*token)),
        }
    }
    assert_eq!((wrong, missed), (0, 0), "of {}", held.len());
    assert!(site.server.lease_status().revoked() > 0);
    let rest = Revocation::whole_issuer(&issuer, portcullis::time::Clock::now(&world.clock));
    site.server.revocations().revoke(rest).expect("known");
    assert!(held.iter().all(|(lease, _)| lease.end().is_some()));
    assert_eq!(site.server.lease_status().open(), 0);
    drop(held);
    assert_eq!(site.server.lease_status().open(), 0);
}
