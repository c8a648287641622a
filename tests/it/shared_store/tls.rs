//! A store behind TLS: reached where the system trusts its certificate, and nowhere else.

use std::env;
use std::process::Stdio;

use tokio::net::{TcpListener, TcpStream};
use tokio::process::Command;

use super::engine::Engine;
use super::{World, store};
use crate::support::certificate::{Authority, Host};

const STORE: &str = "PORTCULLIS_TEST_TLS_STORE";
const ANSWER: &str = "answer: ";

/// The child process: this very test, which the environment tells that it is a child.
async fn says_whether_it_is_ready(url: String) {
    let instance = World::new().instance_of(store(&url)).await;
    let status = instance.server.shared_store_status().expect("a store");
    let error = status.last_error().unwrap_or_default();
    println!("{ANSWER}{} {error}", instance.server.ready());
}

/// What a process says that trusts this authority and no other.
async fn said(url: &str, trusted: &Authority) -> String {
    let file = env::temp_dir().join(format!("portcullis-roots-{}.pem", std::process::id()));
    std::fs::write(&file, trusted.pem()).expect("a file");
    let child = Command::new(env::current_exe().expect("this binary"))
        .args(["--exact", "--ignored", "--nocapture"])
        .arg("shared_store::tls::store_behind_tls_is_trusted_by_the_roots_of_the_system_alone")
        .env(STORE, url)
        .env("SSL_CERT_FILE", &file)
        .env_remove("SSL_CERT_DIR")
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = child.await.expect("a process");
    std::fs::remove_file(&file).expect("a file");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let line = text.lines().find_map(|line| line.split_once(ANSWER));
    line.expect("an answer").1.to_owned()
}

#[tokio::test]
#[ignore = "needs redis-server or valkey-server"]
async fn store_behind_tls_is_trusted_by_the_roots_of_the_system_alone() {
    if let Ok(url) = env::var(STORE) {
        return says_whether_it_is_ready(url).await;
    }
    let engine = Engine::start(&[]).await;
    let (trusted, other) = (Authority::new("the system's"), Authority::new("another"));
    let tls = trusted.vouch(Host::Loopback);
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = listener.local_addr().expect("an address").port();
    let target = engine.port;
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let tls = tls.clone();
            tokio::spawn(async move {
                let mut client = tls.accept(client).await?;
                let mut server = TcpStream::connect(("127.0.0.1", target)).await?;
                tokio::io::copy_bidirectional(&mut client, &mut server).await
            });
        }
    });
    let url = format!("rediss://127.0.0.1:{port}");
    assert_eq!(said(&url, &trusted).await, "true ");
    let refused = said(&url, &other).await;
    assert!(
        refused.starts_with("false ") && refused.contains("certificate"),
        "{refused}"
    );
    let plain = said(&format!("rediss://127.0.0.1:{target}"), &trusted).await;
    assert!(plain.starts_with("false "), "{plain}");
}
