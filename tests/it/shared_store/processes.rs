//! Two processes that share a store: this very test binary, run once more with the one test here,
//! which the environment tells that it is a child.

use std::env;
use std::process::Stdio;
use std::time::Duration;

use portcullis::revocation::Revocation;
use portcullis::{Issuer, ResourceServer};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines, stdin};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use super::engine::{Engine, Wire};
use super::{REVOKED, World, store};
use crate::support::{API, Requests as _};

const STORE: &str = "PORTCULLIS_TEST_STORE";
const KEYS: &str = "PORTCULLIS_TEST_KEY_SET";
const NAME: &str = "PORTCULLIS_TEST_ISSUER";
const ANSWER: &str = "answer: ";

/// The child: an instance that does what standard input says.
async fn does_as_it_is_told(url: String) {
    let [keys, name] = [KEYS, NAME].map(|of| env::var(of).expect("the parent has set it"));
    let server = ResourceServer::builder(API)
        .issuer(Issuer::oidc(&name).key_set(keys))
        // Long enough for a busy machine.
        .shared_store(store(&url).answer_timeout(Duration::from_secs(2)));
    let server = server
        .build()
        .expect("sound")
        .connect()
        .await
        .expect("a runtime");
    let instance = World::new().around(server);
    let mut lines = BufReader::new(stdin()).lines();
    while let Some(line) = lines.next_line().await.expect("a line") {
        let answer = match line.split_once(' ') {
            Some(("revoke", id)) => {
                let revocation = Revocation::token(&name, id);
                format!("{:?}", instance.server.revocations().revoke(revocation))
            }
            Some(("verdict", token)) => instance.verdict(token).await,
            Some(("prove", pair)) => {
                let (token, proof) = pair.split_once(' ').expect("a token and a proof");
                let authorization = format!("DPoP {token}");
                let fields = [("authorization", &*authorization), ("dpop", proof)];
                instance.app.send("/", &fields).await.verdict()
            }
            _ => format!("{}", instance.server.synchronize().await.is_ok()),
        };
        println!("{ANSWER}{answer}");
    }
}

/// Another process.
pub(super) struct Other {
    _process: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

impl Other {
    pub(super) fn start(world: &World, url: &str) -> Self {
        let child = Command::new(env::current_exe().expect("this binary"))
            .args(["--exact", "--ignored", "--nocapture"])
            .arg("shared_store::processes::two_processes_share_revocations_through_cuts_and_the_loss_of_the_store")
            .env(STORE, url)
            .env(KEYS, world.issuer.key_set())
            .env(NAME, world.issuer.issuer())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn();
        let mut child = child.expect("a process");
        Self {
            input: child.stdin.take().expect("its input"),
            output: BufReader::new(child.stdout.take().expect("its output")).lines(),
            _process: child,
        }
    }

    pub(super) async fn tell(&mut self, line: &str) -> String {
        let line = format!("{line}\n");
        self.input
            .write_all(line.as_bytes())
            .await
            .expect("it listens");
        loop {
            let line = self
                .output
                .next_line()
                .await
                .expect("a line")
                .expect("it lives");
            if let Some((_, answer)) = line.split_once(ANSWER) {
                return answer.to_owned();
            }
        }
    }

    async fn synchronize(&mut self) {
        assert_eq!(self.tell("synchronize").await, "true");
    }

    async fn verdict(&mut self, token: &str) -> String {
        self.tell(&format!("verdict {token}")).await
    }
}

#[tokio::test]
#[ignore = "needs redis-server or valkey-server"]
async fn two_processes_share_revocations_through_cuts_and_the_loss_of_the_store() {
    if let Ok(url) = env::var(STORE) {
        return does_as_it_is_told(url).await;
    }
    let mut engine = Engine::start(&[]).await;
    let world = World::on_real_time();
    let wire = Wire::to(&engine).await;
    let mut one = Other::start(&world, &engine.url());
    let mut two = Other::start(&world, &wire.url());
    let ids = ["a", "b", "c", "never"];
    let [a, b, c, never] = ids.map(|id| world.token(id));
    for other in [&mut one, &mut two] {
        assert_eq!(other.verdict(&a).await, "200");
    }
    assert_eq!(one.tell("revoke a").await, "Ok(())");
    one.synchronize().await;
    two.synchronize().await;
    assert_eq!(two.verdict(&a).await, REVOKED);

    wire.cut();
    assert_eq!(two.tell("synchronize").await, "false");
    assert_eq!(one.tell("revoke b").await, "Ok(())");
    assert_eq!(two.tell("revoke c").await, "Ok(())");
    one.synchronize().await;
    assert_eq!(two.verdict(&a).await, REVOKED);
    wire.mend();
    two.synchronize().await;
    one.synchronize().await;
    for other in [&mut one, &mut two] {
        for token in [&a, &b, &c] {
            assert_eq!(other.verdict(token).await, REVOKED);
        }
    }

    engine.kill().await;
    for other in [&mut one, &mut two] {
        assert_eq!(other.tell("synchronize").await, "false");
        assert_eq!(other.verdict(&a).await, REVOKED, "in the outage");
        assert_eq!(other.verdict(&never).await, "200");
    }
    engine.run().await;
    drop(one);
    two.synchronize().await;
    let fresh = world.instance_of(store(&engine.url())).await;
    for token in [&a, &b, &c] {
        assert_eq!(two.verdict(token).await, REVOKED);
        assert_eq!(fresh.verdict(token).await, REVOKED, "told again");
    }
    assert_eq!(fresh.verdict(&never).await, "200");
}
