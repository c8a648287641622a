//! What the loader of revocations knows of issuers that are added.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use portcullis::revocation::{Revocation, Revocations, revocation_loader_fn};
use portcullis::test_util::{ManualClock, MockIssuer};

use super::with;
use crate::support::{Requests as _, TestApp};

const UNKNOWN: &str = "503 unavailable revocations_not_loaded";
const REVOKED: &str = "401 invalid_token revoked";

#[tokio::test]
async fn an_issuer_that_is_added_is_loaded_before_its_tokens_are_admitted() {
    let clock = ManualClock::new();
    let issuer = |name: &str| MockIssuer::named(name).with_clock(clock.clone());
    let (first, second) = (
        issuer("https://first.example"),
        issuer("https://second.example"),
    );
    // A snapshot that names both, as another instance has written it.
    let both = with([first.trusted(), second.trusted()]).clock(clock.clone());
    let both = both.build().expect("sound");
    for name in [first.issuer(), second.issuer()] {
        let revocation = Revocation::token(&name, "stolen");
        both.revocations().revoke(revocation).expect("room");
    }
    let snapshot = both.revocations().snapshot();
    let (is_down, calls) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicUsize::new(0)),
    );
    let loader = {
        let (is_down, calls) = (Arc::clone(&is_down), Arc::clone(&calls));
        revocation_loader_fn(move |list: Revocations| {
            calls.fetch_add(1, Ordering::SeqCst);
            let (is_down, snapshot) = (is_down.load(Ordering::SeqCst), snapshot.clone());
            async move {
                if is_down {
                    return Err("the table is away".into());
                }
                list.load(&snapshot)?;
                Ok(())
            }
        })
    };
    let server = with([first.trusted()])
        .clock(clock.clone())
        .load_revocations(loader)
        .build()
        .expect("sound");
    let server = server.connect().await.expect("a runtime");
    let app = TestApp::new(&server);
    let token = |issuer: &MockIssuer, id: &str| issuer.token().claim("jti", id).sign();
    let firsts = [token(&first, "stolen"), token(&first, "good")];
    let seconds = [token(&second, "stolen"), token(&second, "good")];
    let verdicts =
        async |tokens: &[String; 2]| [app.verdict(&tokens[0]).await, app.verdict(&tokens[1]).await];
    assert_eq!(verdicts(&firsts).await, [REVOKED, "200"]);
    assert!(server.ready() && server.revocations().len() == 1);

    is_down.store(true, Ordering::SeqCst);
    let replacement = || with([first.trusted(), second.trusted()]);
    server.replace(replacement()).expect("sound");
    for _ in 0..2 {
        assert!(!server.ready() && !server.revocations().is_loaded());
        assert_eq!(verdicts(&seconds).await, [UNKNOWN, UNKNOWN]);
        assert_eq!(verdicts(&firsts).await, [REVOKED, "200"], "nothing changes");
        // The first attempt fails, and the issuers stay where they are.
        while clock.next_sleeper() != Some(Duration::from_secs(1)) {
            tokio::task::yield_now().await;
        }
    }
    is_down.store(false, Ordering::SeqCst);
    clock.advance(Duration::from_secs(1));
    while !server.ready() {
        tokio::task::yield_now().await;
    }
    assert_eq!(verdicts(&seconds).await, [REVOKED, "200"]);
    assert_eq!(verdicts(&firsts).await, [REVOKED, "200"]);
    assert_eq!(calls.load(Ordering::SeqCst), 3);

    // Without an issuer that is added nothing is loaded; a removed one does not keep it from being ready.
    is_down.store(true, Ordering::SeqCst);
    server.replace(replacement()).expect("sound");
    server.replace(with([first.trusted()])).expect("sound");
    assert!(server.ready());
    server.replace(replacement()).expect("sound");
    assert!(!server.ready());
    server.replace(with([first.trusted()])).expect("sound");
    assert!(server.ready());
    assert_eq!(verdicts(&firsts).await, [REVOKED, "200"]);
}
