//! Tests of the shared check, with a store of the test's own: one that is faked in this process, and
//! `redis-server`.

use std::collections::HashSet;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::{SharedProofStore, SharedReplay};
use crate::runtime::shared::store::address::Address;
use crate::test_util::ManualClock;
use crate::verify::crypto::sealed::{ClusterKey, Purpose};

const LIFE: Duration = Duration::from_secs(360);
const KEY: [u8; 32] = *b"0123456789abcdef0123456789abcdef";
const JWK: [u8; 32] = [1; 32];
/// Long enough for a busy machine; nothing passes because of it.
const PATIENCE: Duration = Duration::from_secs(30);

/// What the fake store does with `SET`.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Answers,
    Silent,
    Refuses,
    Nonsense,
    HangsUp,
}

/// A store that knows `SET NX PX`, and says OK to everything else.
struct FakeStore {
    port: u16,
    mode: watch::Sender<Mode>,
    held: Arc<Mutex<HashSet<String>>>,
    /// The arguments of each `SET`.
    commands: Arc<Mutex<Vec<Vec<String>>>>,
}

impl FakeStore {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let store = Self {
            port,
            mode: watch::Sender::new(Mode::Answers),
            held: Arc::default(),
            commands: Arc::default(),
        };
        let mode = store.mode.subscribe();
        let (held, commands) = (Arc::clone(&store.held), Arc::clone(&store.commands));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (held, commands) = (Arc::clone(&held), Arc::clone(&commands));
                tokio::spawn(serve(stream, mode.clone(), held, commands));
            }
        });
        store
    }

    fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    fn turn(&self, mode: Mode) {
        self.mode.send_replace(mode);
    }

    fn sets(&self) -> Vec<Vec<String>> {
        self.commands.lock().expect("no panic").clone()
    }
}

async fn serve(
    stream: TcpStream,
    mode: watch::Receiver<Mode>,
    held: Arc<Mutex<HashSet<String>>>,
    commands: Arc<Mutex<Vec<Vec<String>>>>,
) {
    let mut stream = BufReader::new(stream);
    while let Some(command) = next_command(&mut stream).await {
        let mut reply = "+OK\r\n";
        if command.first().is_some_and(|name| name == "SET") {
            commands
                .lock()
                .expect("no panic")
                .push(command[1..].to_vec());
            let mode = *mode.borrow();
            reply = match mode {
                Mode::Answers if held.lock().expect("no panic").insert(command[1].clone()) => reply,
                Mode::Answers => "$-1\r\n",
                Mode::Refuses => "-OOM command not allowed when used memory > 'maxmemory'.\r\n",
                Mode::Nonsense => ":1\r\n",
                Mode::Silent => continue,
                Mode::HangsUp => return,
            };
        }
        if stream.write_all(reply.as_bytes()).await.is_err() {
            return;
        }
    }
}

async fn next_command(stream: &mut BufReader<TcpStream>) -> Option<Vec<String>> {
    let count = number(stream).await?;
    let mut command = Vec::new();
    for _ in 0..count {
        let mut text = vec![0; number(stream).await? + 2];
        stream.read_exact(&mut text).await.ok()?;
        let text = String::from_utf8(text).ok()?;
        command.push(text.trim_end().to_owned());
    }
    Some(command)
}

async fn number(stream: &mut BufReader<TcpStream>) -> Option<usize> {
    let mut line = String::new();
    stream.read_line(&mut line).await.ok()?;
    line.get(1..)?.trim_end().parse().ok()
}

/// One instance.
struct Instance {
    clock: ManualClock,
    proofs: Arc<SharedProofStore>,
}

impl Instance {
    fn of(url: &str) -> Self {
        Self::with(url, KEY, "portcullis", PATIENCE)
    }

    fn with(url: &str, key: [u8; 32], namespace: &str, timeout: Duration) -> Self {
        let clock = ManualClock::new();
        let proofs = SharedProofStore::new(
            Address::parse(url, false).expect("an address"),
            ClusterKey::new(key).seals(Purpose::Proof).expect("keys"),
            namespace.to_owned(),
            Arc::new(clock.clone()),
            timeout,
        );
        Self {
            clock,
            proofs: Arc::new(proofs),
        }
    }

    async fn use_once(&self, jti: &str) -> SharedReplay {
        self.proofs.use_once((&JWK, jti.as_bytes()), LIFE).await
    }
}

#[tokio::test]
async fn a_proof_is_fresh_at_one_instance_and_a_replay_at_all_others() {
    let store = FakeStore::start().await;
    let (one, two) = (Instance::of(&store.url()), Instance::of(&store.url()));
    one.proofs.open().await;
    assert_eq!(one.use_once("a").await, SharedReplay::Fresh);
    assert_eq!(
        two.use_once("a").await,
        SharedReplay::Replayed,
        "it connects and waits"
    );
    assert_eq!(one.use_once("a").await, SharedReplay::Replayed);
    assert_eq!(two.use_once("b").await, SharedReplay::Fresh);
    let other_key = two.proofs.use_once((&[2; 32], b"a"), LIFE).await;
    assert_eq!(other_key, SharedReplay::Fresh);
    assert!(one.proofs.last_error().is_none());
}

#[tokio::test]
async fn one_command_records_a_keyed_digest_for_the_life_of_a_proof_and_the_skew_of_clocks() {
    let store = FakeStore::start().await;
    let instance = Instance::of(&store.url());
    assert_eq!(instance.use_once("secret-jti").await, SharedReplay::Fresh);
    let sets = store.sets();
    let [set] = &sets[..] else {
        panic!("one round trip: {sets:?}");
    };
    let digest = set[0]
        .strip_prefix("portcullis:proof:")
        .expect("the prefix");
    assert!(digest.len() == 64 && digest.bytes().all(|byte| byte.is_ascii_hexdigit()));
    assert_eq!(set[1..], ["1", "NX", "PX", "390000"]);
}

#[tokio::test]
async fn clusters_with_another_key_or_namespace_share_no_proofs() {
    let store = FakeStore::start().await;
    let one = Instance::of(&store.url());
    assert_eq!(one.use_once("a").await, SharedReplay::Fresh);
    let other_key = Instance::with(&store.url(), [7; 32], "portcullis", PATIENCE);
    assert_eq!(other_key.use_once("a").await, SharedReplay::Fresh);
    let other_namespace = Instance::with(&store.url(), KEY, "other", PATIENCE);
    assert_eq!(other_namespace.use_once("a").await, SharedReplay::Fresh);
    let same = Instance::of(&store.url());
    assert_eq!(same.use_once("a").await, SharedReplay::Replayed, "the twin");
}

#[tokio::test]
async fn of_checks_of_one_proof_at_once_one_is_fresh() {
    let store = FakeStore::start().await;
    let instances: Vec<Instance> = (0..4).map(|_| Instance::of(&store.url())).collect();
    let checks = (0..40).map(|at| instances[at % 4].proofs.use_once((&JWK, b"a"), LIFE));
    let checks: Vec<_> = checks.map(tokio::spawn).collect();
    let mut fresh = 0;
    for check in checks {
        match check.await.expect("no panic") {
            SharedReplay::Fresh => fresh += 1,
            SharedReplay::Replayed => {}
            SharedReplay::Down => panic!("all wait for the connection"),
        }
    }
    assert_eq!(fresh, 1);
}

#[tokio::test]
async fn a_lost_connection_is_down_once_and_the_next_check_reconnects() {
    let store = FakeStore::start().await;
    let instance = Instance::of(&store.url());
    assert_eq!(instance.use_once("a").await, SharedReplay::Fresh);
    store.turn(Mode::HangsUp);
    assert_eq!(instance.use_once("b").await, SharedReplay::Down);
    assert!(instance.proofs.last_error().is_some());
    store.turn(Mode::Answers);
    assert_eq!(instance.use_once("b").await, SharedReplay::Fresh);
    assert_eq!(instance.use_once("a").await, SharedReplay::Replayed);
    assert!(instance.proofs.last_error().is_none());
}

#[tokio::test]
async fn a_store_that_does_not_reply_is_down_after_the_timeout_and_is_left_alone_for_a_while() {
    let store = FakeStore::start().await;
    let brief = Duration::from_millis(50);
    let instance = Instance::with(&store.url(), KEY, "portcullis", brief);
    instance.proofs.open().await;
    store.turn(Mode::Silent);
    assert_eq!(instance.use_once("a").await, SharedReplay::Down);
    let asked = store.sets().len();
    assert_eq!(
        instance.use_once("a").await,
        SharedReplay::Down,
        "the backoff"
    );
    assert_eq!(store.sets().len(), asked, "no command");
    store.turn(Mode::Answers);
    let fresh = async {
        // A busy machine may need more than the timeout.
        while instance.use_once("b").await == SharedReplay::Down {
            instance.clock.advance(Duration::from_secs(31));
        }
    };
    tokio::time::timeout(PATIENCE, fresh)
        .await
        .expect("it comes back");
    assert!(instance.proofs.last_error().is_none());
}

#[tokio::test]
async fn a_refusal_and_an_unexpected_reply_are_down_until_the_backoff_is_over() {
    for mode in [Mode::Refuses, Mode::Nonsense] {
        let store = FakeStore::start().await;
        let instance = Instance::of(&store.url());
        instance.proofs.open().await;
        store.turn(mode);
        assert_eq!(instance.use_once("a").await, SharedReplay::Down);
        store.turn(Mode::Answers);
        assert_eq!(
            instance.use_once("a").await,
            SharedReplay::Down,
            "the backoff"
        );
        instance.clock.advance(Duration::from_secs(1));
        assert_eq!(instance.use_once("a").await, SharedReplay::Fresh);
    }
}

#[tokio::test]
async fn without_a_store_each_check_is_down_and_the_error_names_host_and_port() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    drop(listener);
    let instance = Instance::of(&format!("redis://:secret@127.0.0.1:{port}"));
    for _ in 0..3 {
        assert_eq!(instance.use_once("a").await, SharedReplay::Down);
    }
    let error = instance.proofs.last_error().expect("an error").to_string();
    assert!(error.contains(&port.to_string()), "{error}");
    assert!(!error.contains("secret"), "{error}");
}

/// A `redis-server` process, with a folder of its own for what it writes.
struct Redis {
    port: u16,
    folder: PathBuf,
    settings: Vec<String>,
    process: Child,
}

impl Redis {
    fn start(settings: &[&str]) -> Self {
        let settings: Vec<String> = settings.iter().map(ToString::to_string).collect();
        loop {
            let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
            let port = listener.local_addr().expect("an address").port();
            drop(listener);
            // Another test may have taken the port meanwhile.
            let folder = std::env::temp_dir().join(format!("portcullis-proofs-{port}"));
            std::fs::create_dir_all(&folder).expect("a folder");
            if let Some(process) = Self::run(port, &folder, &settings) {
                return Self {
                    port,
                    folder,
                    settings,
                    process,
                };
            }
        }
    }

    /// `None` where the process ends, since the port is taken.
    fn run(port: u16, folder: &Path, settings: &[String]) -> Option<Child> {
        let named = std::env::var("PORTCULLIS_REDIS").ok();
        let named = named.filter(|name| name != "required");
        let process = Command::new(named.as_deref().unwrap_or("redis-server"))
            .args(["--bind", "127.0.0.1", "--save", ""])
            .args(["--port", &port.to_string()])
            .arg("--dir")
            .arg(folder)
            .args(settings)
            .stdout(Stdio::null())
            .spawn();
        let mut process = process.expect("this test needs redis-server");
        let own = format!("process_id:{}\r\n", process.id());
        // A server that loads its file answers `INFO`, and refuses `PING`.
        while !say(port, "INFO server").contains(&own) || !say(port, "PING").starts_with("+PONG") {
            if process.try_wait().expect("a process").is_some() {
                return None;
            }
            std::thread::yield_now();
        }
        Some(process)
    }

    fn restart(&mut self) {
        self.kill();
        self.process = loop {
            if let Some(process) = Self::run(self.port, &self.folder, &self.settings) {
                break process;
            }
        };
    }

    fn kill(&mut self) {
        self.process.kill().expect("a process");
        self.process.wait().expect("a process");
    }

    fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// The reply to an inline command; empty where there is no server.
fn say(port: u16, command: &str) -> String {
    let talk = || {
        let mut stream = std::net::TcpStream::connect(("127.0.0.1", port)).ok()?;
        stream
            .write_all(format!("{command}\r\nQUIT\r\n").as_bytes())
            .ok()?;
        let mut reply = String::new();
        stream.read_to_string(&mut reply).ok()?;
        Some(reply)
    };
    talk().unwrap_or_default()
}

#[tokio::test]
#[ignore = "needs redis-server or valkey-server"]
async fn redis_records_a_proof_once_and_forgets_it_by_itself() {
    let redis = Redis::start(&[]);
    let (one, two) = (Instance::of(&redis.url()), Instance::of(&redis.url()));
    assert_eq!(one.use_once("a").await, SharedReplay::Fresh);
    assert_eq!(two.use_once("a").await, SharedReplay::Replayed);
    let keys = say(redis.port, "KEYS *");
    let key = keys
        .lines()
        .find(|line| line.contains(":proof:"))
        .expect("a key");
    let left = say(redis.port, &format!("PTTL {key}"));
    let left = left
        .lines()
        .next()
        .and_then(|line| line.get(1..)?.parse().ok());
    let left: u64 = left.expect("milliseconds");
    assert!((1..=390_000).contains(&left), "{left}");
    let brief = one.proofs.use_once((&JWK, b"b"), Duration::ZERO).await;
    assert_eq!(brief, SharedReplay::Fresh);
}

#[tokio::test]
#[ignore = "needs redis-server or valkey-server"]
async fn a_restart_without_persistence_forgets_proofs_and_one_with_it_does_not() {
    let persistent = ["--appendonly", "yes", "--appendfsync", "always"];
    for (settings, after) in [
        (&[][..], SharedReplay::Fresh),
        (&persistent[..], SharedReplay::Replayed),
    ] {
        let mut redis = Redis::start(settings);
        let instance = Instance::of(&redis.url());
        assert_eq!(instance.use_once("a").await, SharedReplay::Fresh);
        redis.kill();
        assert_eq!(instance.use_once("b").await, SharedReplay::Down);
        redis.restart();
        instance.clock.advance(Duration::from_secs(31));
        let fresh = instance.use_once("b").await;
        let error = instance.proofs.last_error();
        assert_eq!(fresh, SharedReplay::Fresh, "{error:?}");
        assert_eq!(instance.use_once("a").await, after);
    }
}

#[tokio::test]
#[ignore = "needs redis-server or valkey-server"]
async fn a_replica_is_down_until_it_is_the_primary_and_holds_what_was_replicated() {
    let (primary, replica) = (Redis::start(&[]), Redis::start(&[]));
    say(
        replica.port,
        &format!("REPLICAOF 127.0.0.1 {}", primary.port),
    );
    let (before, after) = (Instance::of(&primary.url()), Instance::of(&replica.url()));
    assert_eq!(before.use_once("a").await, SharedReplay::Fresh);
    let replicated = async {
        while !say(replica.port, "DBSIZE").starts_with(":1") {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, replicated)
        .await
        .expect("a replica");
    assert_eq!(
        after.use_once("b").await,
        SharedReplay::Down,
        "it takes no writes"
    );
    drop(primary);
    say(replica.port, "REPLICAOF NO ONE");
    after.clock.advance(Duration::from_secs(1));
    assert_eq!(after.use_once("a").await, SharedReplay::Replayed);
    assert_eq!(after.use_once("b").await, SharedReplay::Fresh);
}
