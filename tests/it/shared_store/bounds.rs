//! Lists that are full, bursts, and what a store that misbehaves does to the stream.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use http::Request;
use portcullis::config::SharedStore;
use portcullis::error::ConnectError;
use portcullis::revocation::Revocation;
use portcullis::test_util::MockIssuer;
use portcullis::time::{Clock as _, UnixTime};
use portcullis::{ResourceServer, ResourceServerBuilder};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::engine::Engine;
use super::{Instance, REVOKED, UNKNOWN, World, store};
use crate::support::logs::Logs;
use crate::support::{API, Requests as _};

fn builder(world: &World, url: &str) -> ResourceServerBuilder {
    ResourceServer::builder(API)
        .issuer(world.issuer.trusted())
        .clock(world.clock.clone())
        .shared_store(store(url))
}

async fn connected(world: &World, builder: ResourceServerBuilder) -> Instance {
    let server = builder.build().expect("sound").connect().await;
    world.around(server.expect("a runtime"))
}

#[tokio::test]
#[ignore = "needs redis-server or valkey-server"]
async fn list_that_is_full_after_the_start_admits_no_token_that_it_does_not_know() {
    let engine = Engine::start(&[]).await;
    let world = World::new();
    let one = world.instance(&engine.url()).await;
    let small = connected(&world, builder(&world, &engine.url()).most_revocations(2)).await;
    assert!(small.server.ready());
    let other = world.token("other");
    assert_eq!(small.verdict(&other).await, "200");
    for id in ["a", "b"] {
        one.revoke(id);
    }
    one.synchronize().await;
    small.synchronize().await;
    assert_eq!(small.verdict(&other).await, "200", "the accepted twin");

    for id in ["c", "d"] {
        one.revoke(id);
    }
    one.synchronize().await;
    let error = small.server.synchronize().await.expect_err("no room");
    assert!(error.to_string().contains("room"), "{error}");
    assert_eq!(small.verdict(&other).await, UNKNOWN);
    for id in ["a", "b", "c", "d"] {
        assert_eq!(small.verdict(&world.token(id)).await, REVOKED, "{id}");
    }
    assert!(!small.server.ready());
    let status = small.server.shared_store_status().expect("a store");
    assert!(status.is_refusing() && status.last_error().is_some());

    for id in ["a", "b"] {
        one.withdraw(id);
    }
    one.synchronize().await;
    small.synchronize().await;
    assert!(small.server.ready());
    assert_eq!(small.verdict(&other).await, "200");
    assert_eq!(small.verdict(&world.token("a")).await, "200");
    assert_eq!(small.verdict(&world.token("d")).await, REVOKED);
}

#[tokio::test]
#[ignore = "needs redis-server or valkey-server"]
async fn list_that_is_full_still_tells_what_is_revoked_here() {
    let engine = Engine::start(&[]).await;
    let world = World::new();
    let name = world.issuer.issuer();
    let now = world.clock.now();
    let subject = |secs: u64| {
        let before = UnixTime::from_secs(now.as_secs() + i64::try_from(secs).expect("small"));
        Revocation::subject(&name, "somebody", before)
    };
    let one = world.instance(&engine.url()).await;
    let small = connected(&world, builder(&world, &engine.url()).most_revocations(2)).await;
    small.server.revocations().revoke(subject(0)).expect("room");
    small.synchronize().await;
    for id in ["a", "b", "c"] {
        one.revoke(id);
    }
    one.synchronize().await;
    assert!(small.server.synchronize().await.is_err());
    // It is there already, and needs no room.
    small
        .server
        .revocations()
        .revoke(subject(100))
        .expect("room");
    assert!(small.server.synchronize().await.is_err());
    assert_eq!(
        small
            .server
            .shared_store_status()
            .expect("a store")
            .unwritten(),
        0
    );
    one.synchronize().await;
    let list = one.server.revocations().list();
    let known = list
        .iter()
        .find(|entry| entry.revocation().id() == Some("somebody"));
    let before = known.expect("the subject").revocation().before();
    assert_eq!(before, subject(100).before());
}

#[tokio::test]
#[ignore = "needs redis-server or valkey-server"]
async fn list_that_is_full_has_room_again_when_entries_have_ended() {
    let engine = Engine::start(&[]).await;
    let world = World::new();
    let one = world.instance(&engine.url()).await;
    let small = connected(&world, builder(&world, &engine.url()).most_revocations(1)).await;
    for id in ["a", "b"] {
        one.revoke(id);
    }
    one.synchronize().await;
    assert!(small.server.synchronize().await.is_err());
    world.clock.advance(Duration::from_secs(26 * 3600));
    small.synchronize().await;
    assert!(small.server.ready());
}

#[tokio::test]
#[ignore = "needs redis-server or valkey-server"]
async fn later_moments_of_one_subject_are_one_entry_of_the_stream() {
    let mut engine = Engine::start(&[]).await;
    let world = World::new();
    let (one, two) = (
        world.instance(&engine.url()).await,
        world.instance(&engine.url()).await,
    );
    let name = world.issuer.issuer();
    let start = world.clock.now().as_secs();
    let revoke = |moment: i64| {
        let before = UnixTime::from_secs(start - 40_000 + moment);
        let revocation = Revocation::subject(&name, "somebody", before);
        one.server.revocations().revoke(revocation).expect("room");
    };
    // A burst, as when the store was away.
    engine.kill().await;
    for moment in 0..31_000 {
        revoke(moment);
    }
    let unwritten = one
        .server
        .shared_store_status()
        .expect("a store")
        .unwritten();
    assert_eq!(unwritten, 1);
    engine.run().await;
    one.synchronize().await;
    assert_eq!(engine.stream().await.len(), 1);

    // One after the other: those that were replaced go when it is tidied.
    for moment in 31_000..31_020 {
        revoke(moment);
        one.synchronize().await;
    }
    two.synchronize().await;
    world.clock.advance(Duration::from_secs(61));
    one.synchronize().await;
    assert_eq!(engine.stream().await.len(), 1);
    two.synchronize().await;
    let three = world.instance(&engine.url()).await;
    for instance in [&one, &two, &three] {
        let list = instance.server.revocations().list();
        assert_eq!(list.len(), 1);
        let before = list[0].revocation().before();
        assert_eq!(before, Some(UnixTime::from_secs(start - 40_000 + 31_019)));
    }
}

#[tokio::test]
#[ignore = "needs redis-server or valkey-server"]
async fn logout_token_that_comes_again_leaves_the_stream_as_it_was() {
    let engine = Engine::start(&[]).await;
    let world = World::new();
    let issuer = world.issuer.trusted();
    let issuer = issuer.logout_client(MockIssuer::CLIENT_ID);
    let server = world.build_with(store(&engine.url()), issuer);
    let server = server.connect().await.expect("a runtime");
    let app = Router::new().route_service("/", server.backchannel_logout().expect("a client"));
    let logout = world.issuer.logout_token().claim("sid", "s-1").sign();
    let mut first = None;
    for _ in 0..30 {
        let request = Request::post("/")
            .header("content-type", "application/x-www-form-urlencoded")
            .body(Body::from(format!("logout_token={logout}")));
        let answer = app.exchange(request.expect("a request")).await;
        assert_eq!(answer.status, 200);
        server.synchronize().await.expect("a store");
        let stream = engine.stream().await;
        assert_eq!(first.get_or_insert_with(|| stream.clone()), &stream);
        world.clock.advance(Duration::from_secs(1));
    }
    assert_eq!(first.expect("a stream").len(), 2);
}

#[tokio::test]
#[ignore = "needs redis-server or valkey-server"]
async fn stream_whose_entries_may_not_be_deleted_is_used_all_the_same() {
    let engine = Engine::start(&[]).await;
    engine
        .say("ACL SETUSER api on >password ~portcullis:* +info +config|get +get +set +exists +xadd +xread +xrange +xtrim +xinfo")
        .await;
    let world = World::new();
    let url = format!("redis://api:password@127.0.0.1:{}", engine.port);
    let one = world.instance(&url).await;
    let name = world.issuer.issuer();
    for moment in 1..5 {
        let before = UnixTime::from_secs(moment);
        let revocation = Revocation::subject(&name, "somebody", before);
        one.server.revocations().revoke(revocation).expect("room");
        one.synchronize().await;
    }
    for _ in 0..2 {
        world.clock.advance(Duration::from_secs(61));
        one.synchronize().await;
    }
    assert_eq!(engine.stream().await.len(), 4);
    one.revoke("stolen");
    one.synchronize().await;
    let two = world.instance(&url).await;
    assert_eq!(two.verdict(&world.token("stolen")).await, REVOKED);
}

#[tokio::test]
#[ignore = "needs redis-server or valkey-server"]
async fn events_are_written_outside_of_every_lock() {
    let mut engine = Engine::start(&[]).await;
    let world = World::new();
    let server = world.build(store(&engine.url()));
    let asked = server.clone();
    let logs = Logs::asking(move || {
        drop(asked.shared_store_status());
        let _ = (asked.ready(), asked.revocations().len());
    });
    let _listening = logs.listen();
    let instance = world.around(server.connect().await.expect("a runtime"));
    assert!(logs.text().contains("revocations are shared"));
    engine.kill().await;
    assert!(instance.server.synchronize().await.is_err());
    assert!(logs.text().contains("revocations are not shared"));
    instance.revoke("stolen");
    engine.run().await;
    instance.synchronize().await;
    assert_eq!(logs.text().matches("revocations are shared").count(), 2);
}

#[tokio::test]
#[ignore = "needs redis-server or valkey-server"]
async fn stream_whose_last_id_was_given_out_is_given_up() {
    let last = "18446744073709551615-18446744073709551615";
    let almost = "18446744073709551615-18446744073709551613";
    for id in [last, almost, "99999999999999-0"] {
        let engine = Engine::start(&[]).await;
        let world = World::new();
        let one = world.instance(&engine.url()).await;
        one.revoke("before");
        one.synchronize().await;
        let key = engine.key(":revocations").await;
        engine.say(&format!("XADD {key} {id} e x")).await;
        for name in ["a", "b", "c"] {
            one.revoke(name);
            one.synchronize().await;
        }
        let renewals = || {
            one.server
                .shared_store_status()
                .expect("a store")
                .renewals()
        };
        assert_eq!(renewals(), 1, "{id}");
        let two = world.instance(&engine.url()).await;
        for instance in [&one, &two] {
            for name in ["before", "a", "b", "c"] {
                assert_eq!(instance.verdict(&world.token(name)).await, REVOKED, "{id}");
            }
            assert_eq!(instance.verdict(&world.token("other")).await, "200");
        }
        // Those who only read find out as well.
        let stream = engine.say("KEYS *renewed*:revocations").await;
        engine.say(&format!("XADD {} {last} e x", stream[0])).await;
        two.synchronize().await;
        one.synchronize().await;
        one.revoke("d");
        one.synchronize().await;
        two.synchronize().await;
        assert_eq!(two.verdict(&world.token("d")).await, REVOKED);
        assert!(
            two.server
                .shared_store_status()
                .expect("a store")
                .renewals()
                <= 1
        );
        assert_eq!(renewals(), 1, "not twice a minute");
    }
}

#[tokio::test]
#[ignore = "needs redis-server or valkey-server"]
async fn stream_is_given_up_at_most_once_a_minute() {
    let engine = Engine::start(&[]).await;
    let world = World::new();
    let one = world.instance(&engine.url()).await;
    one.revoke("a");
    one.synchronize().await;
    let spoil = async || {
        let epoch = engine.key(":epoch").await;
        let words: [&[u8]; 2] = [b"GET", epoch.as_bytes()];
        let value = engine.run_command(&words).await.remove(0);
        let value = String::from_utf8(value).expect("text");
        let base = epoch.trim_end_matches(":epoch");
        let stream = match value.strip_prefix("renewed-") {
            Some(_) => format!("{base}:{value}:revocations"),
            None => format!("{base}:revocations"),
        };
        let last = "18446744073709551615-18446744073709551615";
        engine.say(&format!("XADD {stream} {last} e x")).await;
    };
    spoil().await;
    one.revoke("b");
    one.synchronize().await;
    spoil().await;
    one.revoke("c");
    let error = one.server.synchronize().await.expect_err("not yet");
    assert!(error.to_string().contains("no more entries"), "{error}");
    assert!(one.server.ready(), "what is known holds");
    assert_eq!(one.verdict(&world.token("c")).await, REVOKED);
    world.clock.advance(Duration::from_secs(61));
    one.synchronize().await;
    assert_eq!(
        one.server
            .shared_store_status()
            .expect("a store")
            .renewals(),
        2
    );
    let two = world.instance(&engine.url()).await;
    for name in ["a", "b", "c"] {
        assert_eq!(two.verdict(&world.token(name)).await, REVOKED);
    }
}

#[tokio::test]
#[ignore = "needs redis-server or valkey-server"]
async fn something_else_in_the_place_of_the_stream_or_the_epoch_is_put_right() {
    let engine = Engine::start(&[]).await;
    let world = World::new();
    let one = world.instance(&engine.url()).await;
    one.revoke("stolen");
    one.synchronize().await;
    let key = engine.key(":revocations").await;
    engine.say(&format!("SET {key} nonsense")).await;
    one.synchronize().await;
    let two = world.instance(&engine.url()).await;
    assert_eq!(two.verdict(&world.token("stolen")).await, REVOKED);

    let key = engine.key(":epoch").await;
    world.clock.advance(Duration::from_secs(61));
    engine.say(&format!("DEL {key}")).await;
    engine.say(&format!("LPUSH {key} nonsense")).await;
    one.synchronize().await;
    two.synchronize().await;
    let three = world.instance(&engine.url()).await;
    assert_eq!(three.verdict(&world.token("stolen")).await, REVOKED);
    for id in ["", "renewed-", "renewed-../../x", "\u{fffd}"] {
        world.clock.advance(Duration::from_secs(61));
        let words: [&[u8]; 3] = [b"SET", key.as_bytes(), id.as_bytes()];
        engine.run_command(&words).await;
        one.synchronize().await;
        three.synchronize().await;
        let four = world.instance(&engine.url()).await;
        assert_eq!(four.verdict(&world.token("stolen")).await, REVOKED, "{id}");
    }
}

#[tokio::test]
#[ignore = "needs redis-server or valkey-server"]
async fn store_that_takes_no_writes_lets_new_instances_start() {
    let engine = Engine::start(&[]).await;
    let world = World::new();
    let one = world.instance(&engine.url()).await;
    one.revoke("stolen");
    one.synchronize().await;
    let [stolen, other, late] = ["stolen", "other", "late"].map(|id| world.token(id));
    for (refuse, accept) in [
        ("CONFIG SET maxmemory 1", "CONFIG SET maxmemory 0"),
        (
            "CONFIG SET min-replicas-to-write 1",
            "CONFIG SET min-replicas-to-write 0",
        ),
        ("REPLICAOF 127.0.0.1 1", "REPLICAOF NO ONE"),
    ] {
        engine.say(refuse).await;
        let new = world.instance(&engine.url()).await;
        assert!(new.server.ready(), "{refuse}");
        assert_eq!(new.verdict(&stolen).await, REVOKED, "{refuse}");
        assert_eq!(new.verdict(&other).await, "200", "{refuse}");
        let status = new.server.shared_store_status().expect("a store");
        assert!(status.last_error().is_none(), "nothing is to be written");

        new.revoke("late");
        let error = new.server.synchronize().await.expect_err("no writes");
        let status = new.server.shared_store_status().expect("a store");
        assert_eq!(status.unwritten(), 1, "{error}");
        assert!(status.failing_since().is_some() && new.server.ready());
        assert_eq!(new.verdict(&late).await, REVOKED);

        engine.say(accept).await;
        new.synchronize().await;
        one.synchronize().await;
        assert_eq!(one.verdict(&late).await, REVOKED, "{accept}");
        one.withdraw("late");
        one.synchronize().await;
    }
}

#[tokio::test]
#[ignore = "needs redis-server or valkey-server"]
async fn empty_store_that_takes_no_writes_lets_instances_start_too() {
    let engine = Engine::start(&["--maxmemory", "1"]).await;
    let world = World::new();
    let one = world.instance(&engine.url()).await;
    assert!(one.server.ready());
    one.revoke("stolen");
    assert!(one.server.synchronize().await.is_err());
    engine.say("CONFIG SET maxmemory 0").await;
    one.synchronize().await;
    let two = world.instance(&engine.url()).await;
    assert_eq!(two.verdict(&world.token("stolen")).await, REVOKED);
}

#[tokio::test]
#[ignore = "needs redis-server or valkey-server"]
async fn address_of_a_sentinel_or_of_a_cluster_node_is_named() {
    let sentinel = Engine::sentinel().await;
    let nodes = format!("portcullis-nodes-{}.conf", std::process::id());
    let nodes = std::env::temp_dir().join(nodes);
    let file = nodes.to_string_lossy().into_owned();
    let settings = ["--cluster-enabled", "yes", "--cluster-config-file", &file];
    let node = Engine::start(&settings).await;
    let world = World::new();
    for (engine, word) in [(&sentinel, "Sentinel"), (&node, "Cluster")] {
        let outcome = world.build(store(&engine.url())).connect().await;
        let error = outcome.map(|_| ()).expect_err(word);
        assert!(
            matches!(error, ConnectError::UnsupportedStore { .. }),
            "{error:?}"
        );
        assert!(error.to_string().contains(word), "{error}");
    }
    std::fs::remove_file(&nodes).expect("a file");
}

/// Carries at most so many bytes of one answer, and then breaks off.
async fn narrow(target: u16, most: usize) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            tokio::spawn(async move {
                let server = TcpStream::connect(("127.0.0.1", target)).await?;
                let (mut from_client, mut to_client) = client.into_split();
                let (mut from_server, mut to_server) = server.into_split();
                let answered = std::sync::atomic::AtomicUsize::new(0);
                let asks = async {
                    let mut bytes = vec![0; 1 << 16];
                    loop {
                        let count = from_client.read(&mut bytes).await?;
                        if count == 0 {
                            return std::io::Result::Ok(());
                        }
                        answered.store(0, std::sync::atomic::Ordering::SeqCst);
                        to_server.write_all(&bytes[..count]).await?;
                    }
                };
                let answers = async {
                    let mut bytes = vec![0; 1 << 16];
                    loop {
                        let count = from_server.read(&mut bytes).await?;
                        let order = std::sync::atomic::Ordering::SeqCst;
                        if count == 0 || answered.fetch_add(count, order) + count > most {
                            return std::io::Result::Ok(());
                        }
                        to_client.write_all(&bytes[..count]).await?;
                    }
                };
                tokio::select! {
                    outcome = asks => outcome,
                    outcome = answers => outcome,
                }
            });
        }
    });
    address
}

#[tokio::test]
#[ignore = "needs redis-server or valkey-server"]
async fn large_entries_are_read_in_smaller_pages() {
    let engine = Engine::start(&[]).await;
    let world = World::new();
    let one = world.instance(&engine.url()).await;
    one.revoke("before");
    one.synchronize().await;
    let key = engine.key(":revocations").await;
    let junk = vec![b'x'; 1 << 20];
    for _ in 0..40 {
        let words: [&[u8]; 5] = [b"XADD", key.as_bytes(), b"*", b"e", &junk];
        engine.run_command(&words).await;
    }
    one.revoke("behind");
    one.synchronize().await;
    // No page of more than three such entries comes through.
    let address = narrow(engine.port, 4 << 20).await;
    let url = format!("redis://{address}");
    let two = world.around(world.build(store(&url)).connect().await.expect("a runtime"));
    for _ in 0..10 {
        if two.server.synchronize().await.is_ok() {
            break;
        }
    }
    assert!(two.server.ready());
    for id in ["before", "behind"] {
        assert_eq!(two.verdict(&world.token(id)).await, REVOKED);
    }
}

#[tokio::test]
async fn store_of_another_kind_at_the_address_is_an_outage_and_no_panic() {
    let world = World::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = listener.local_addr().expect("an address").port();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let _ = client.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        }
    });
    for url in [
        format!("redis://127.0.0.1:{port}"),
        format!("rediss://127.0.0.1:{port}"),
    ] {
        let store = SharedStore::redis(&url).cluster_key(super::KEY);
        let one = world.instance_of(store).await;
        let status = one.server.shared_store_status().expect("a store");
        let error = status.last_error().expect("an error");
        assert!(error.contains(&port.to_string()), "{error}");
        assert!(!one.server.ready());
    }
}
