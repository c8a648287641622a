//! Two instances that share a store: an event at one ends tokens at both.

use portcullis::ResourceServer;
use portcullis::config::SharedStore;
use portcullis::ssf::EventType;
use portcullis::test_util::ManualClock;
use portcullis::time::{Clock as _, SystemClock};
use serde_json::json;

use super::{REVOKED, app, issuer, push};
use crate::shared_store::engine::{Engine, PATIENCE};
use crate::support::{API, Requests as _};

#[tokio::test]
#[ignore = "needs redis-server or valkey-server"]
async fn an_event_at_one_instance_ends_tokens_at_the_other() {
    let engine = Engine::start(&[]).await;
    let clock = ManualClock::at(SystemClock::new().now());
    let issuer = issuer(&clock);
    let instance = async || {
        let store =
            SharedStore::redis(engine.url()).cluster_key(*b"a key of thirty-two bytes,shared");
        let server = ResourceServer::builder(API)
            .issuer(issuer.trusted())
            .clock(clock.clone())
            .shared_store(store)
            .ssf_transmitter(issuer.transmitter())
            .build()
            .expect("sound");
        let server = server.connect().await.expect("a runtime");
        (app(&server), server)
    };
    let ((here, _here), (there, server)) = (instance().await, instance().await);
    let session = issuer.token().claim("sid", "s-1").sign();
    let other = issuer.token().claim("sid", "s-2").sign();
    for app in [&here, &there] {
        assert_eq!(app.verdict(&session).await, "200");
    }
    let subject = json!({"format": "opaque", "id": "s-1"});
    let set = issuer.security_event(&EventType::SESSION_REVOKED);
    let set = set.claim("sub_id", subject).sign();
    assert_eq!(push(&here, set.clone()).await.status.as_u16(), 202);
    assert_eq!(here.verdict(&session).await, REVOKED, "at once");
    let comes = async {
        while there.verdict(&session).await != REVOKED {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, comes)
        .await
        .expect("it comes");
    assert_eq!(there.verdict(&other).await, "200");
    // Each instance remembers for itself; the same event at the other one is harmless.
    assert_eq!(push(&there, set).await.status.as_u16(), 202);
    assert_eq!(server.ssf_status().transmitters()[0].applied(), 1);
}
