//! Requests while the configuration is replaced again and again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use portcullis::test_util::{ManualClock, MockIssuer};
use portcullis::{Algorithm, Issuer, ResourceServer};

use super::with;
use crate::support::{API, Requests as _, TestApp};

const REQUESTS: usize = 10_000;
const REPLACEMENTS: usize = 1_000;

/// Tokens that every configuration accepts or refuses get that verdict from every request; those that
/// one accepts and another refuses get one of both verdicts; nothing gets a 5xx.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_request_gets_a_wrong_verdict_because_of_a_replacement() {
    let clock = ManualClock::new();
    let mock = |name: &str| {
        let mock = MockIssuer::named(name).with_clock(clock.clone());
        mock.with_algorithms([Algorithm::ES256])
    };
    let (always, sometimes) = (
        mock("https://always.example"),
        mock("https://sometimes.example"),
    );
    let fetched = MockIssuer::new().with_clock(clock.clone()).serve().await;
    let by_address = || Issuer::oidc(fetched.url()).key_set_url(fetched.key_set_url());
    let configuration = {
        let (always, sometimes) = (always.clone(), sometimes.clone());
        let (url, keys) = (fetched.url().to_owned(), fetched.key_set_url());
        move |number: usize| {
            let by_address = Issuer::oidc(&url).key_set_url(&keys);
            let strict = by_address.clone().client_id("web");
            match number % 4 {
                0 => with([always.trusted(), by_address]),
                1 => with([
                    always.trusted().client_id("web"),
                    sometimes.trusted(),
                    by_address,
                ]),
                2 => with([
                    strict,
                    sometimes.trusted().client_id("web"),
                    always.trusted(),
                ]),
                _ => with([always.trusted(), strict]),
            }
        }
    };
    let server = ResourceServer::builder(API)
        .issuer(always.trusted())
        .issuer(by_address())
        .clock(clock.clone())
        .build()
        .expect("sound");
    let server = server.connect().await.expect("a runtime");
    let unknown = "401 invalid_token unknown_issuer";
    let client = "401 invalid_token client_id";
    let of = |mock: &MockIssuer, client: &str| mock.token().audience(API).client(client).sign();
    let cases: Arc<Vec<(String, Vec<&str>)>> = Arc::new(vec![
        (of(&always, "web"), vec!["200"]),
        (of(&always, "cli"), vec!["200", client]),
        (of(&sometimes, "web"), vec!["200", unknown]),
        (of(&sometimes, "cli"), vec!["200", unknown, client]),
        (of(&fetched, "web"), vec!["200"]),
        (of(&fetched, "cli"), vec!["200", client]),
        (
            always.token().audience(API).sign_with_wrong_key(),
            vec!["401 invalid_token signature"],
        ),
    ]);
    let is_done = Arc::new(AtomicBool::new(false));
    let replacing = {
        let (server, is_done) = (server.clone(), Arc::clone(&is_done));
        std::thread::spawn(move || {
            for number in 0..REPLACEMENTS {
                server.replace(configuration(number)).expect("sound");
            }
            is_done.store(true, Ordering::SeqCst);
        })
    };
    let sent = Arc::new(AtomicUsize::new(0));
    let mut clients = tokio::task::JoinSet::new();
    for first in 0..4 {
        let (app, cases) = (TestApp::new(&server), Arc::clone(&cases));
        let (sent, is_done) = (Arc::clone(&sent), Arc::clone(&is_done));
        clients.spawn(async move {
            let mut number = first;
            while sent.fetch_add(1, Ordering::Relaxed) < REQUESTS || !is_done.load(Ordering::SeqCst)
            {
                let (token, expected) = &cases[number % cases.len()];
                let verdict = app.verdict(token).await;
                assert!(expected.contains(&&*verdict), "{verdict}: {expected:?}");
                number += 1;
                tokio::task::yield_now().await;
            }
        });
    }
    while let Some(client) = clients.join_next().await {
        client.expect("no wrong verdict");
    }
    replacing.join().expect("no panic");
    assert_eq!(server.revision(), 1 + REPLACEMENTS as u64);
    assert!(sent.load(Ordering::Relaxed) >= REQUESTS);
    assert_eq!(fetched.fetches(), 1, "its keys were kept all the time");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replacements_at_the_same_time_take_effect_one_after_the_other() {
    let issuer = MockIssuer::new();
    let server = with([issuer.trusted()]).build().expect("sound");
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let (server, trusted) = (server.clone(), issuer.trusted());
            std::thread::spawn(move || {
                let replace = || server.replace(with([trusted.clone()]));
                let reports = (0..50).map(|_| replace().expect("sound").revision());
                reports.collect::<Vec<_>>()
            })
        })
        .collect();
    let mut revisions: Vec<u64> = threads
        .into_iter()
        .flat_map(|thread| thread.join().expect("no panic"))
        .collect();
    revisions.sort_unstable();
    assert!(revisions.into_iter().eq(2..=201));
}
