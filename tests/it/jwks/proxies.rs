//! Proxies that the environment names: ignored, unless an issuer's settings say otherwise.
//!
//! The environment belongs to a whole process, so each case runs in a child: this very test
//! binary, run once more with one test, which the environment tells that it is a child.

use std::env;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use portcullis::status::KeySetState;
use portcullis::test_util::MockIssuer;
use portcullis::{Algorithm, Issuer};
use tokio::io::{self, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Command;
use tokio::task::JoinHandle;

use crate::support::certificate::{Authority, Host};
use crate::support::tls_key_set::TlsKeySet;
use crate::support::trusting;

const KEYS: &str = "PORTCULLIS_TEST_KEYS";
const PROXIED: &str = "PORTCULLIS_TEST_PROXIED";
const ROOT: &str = "PORTCULLIS_TEST_ROOT";
/// A part of the expected error.
const ERROR: &str = "PORTCULLIS_TEST_ERROR";

/// What proxies are read from, and what the machine of the test may have set.
const VARIABLES: [&str; 9] = [
    "HTTP_PROXY",
    "http_proxy",
    "HTTPS_PROXY",
    "https_proxy",
    "ALL_PROXY",
    "all_proxy",
    "NO_PROXY",
    "no_proxy",
    "REQUEST_METHOD",
];

/// The child: fetches the keys from this address once, and fails if it gets none, or not the expected error.
async fn fetches_as_its_environment_says(keys: String) {
    let mut issuer = Issuer::oidc("https://issuer.test").key_set_url(keys);
    if env::var_os(PROXIED).is_some() {
        issuer = issuer.proxy_from_environment();
    }
    if let Ok(root) = env::var(ROOT) {
        issuer = issuer.root_certificate(root);
    }
    let server = trusting([issuer]).connect().await.expect("a runtime");
    let status = &server.key_set_status()[0];
    if let Ok(expected) = env::var(ERROR) {
        let error = status.last_error().expect("no keys");
        assert!(error.contains(&expected), "{error}");
        return;
    }
    assert_eq!(status.state(), KeySetState::Fresh, "{status:?}");
}

/// `user:pass word` for RFC 7617.
const CREDENTIALS: &str = "Basic dXNlcjpwYXNzIHdvcmQ=";

/// A forward proxy on loopback (RFC 9110 sections 7.6 and 9.3.6). It counts what it forwards.
struct Proxy {
    url: String,
    forwarded: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Proxy {
    async fn open() -> Self {
        Self::demanding(None).await
    }

    /// One that forwards nothing without these credentials.
    async fn demanding(credentials: Option<&'static str>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let forwarded = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&forwarded);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let counter = Arc::clone(&counter);
                tokio::spawn(async move {
                    // A client that goes away is its own affair.
                    let _ = forward(stream, &counter, credentials).await;
                });
            }
        });
        Self {
            url,
            forwarded,
            task,
        }
    }

    fn forwarded(&self) -> usize {
        self.forwarded.swap(0, Ordering::SeqCst)
    }
}

async fn forward(
    mut client: TcpStream,
    counter: &AtomicUsize,
    demanded: Option<&str>,
) -> io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(client.read_u8().await?);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let field = |line: &str| {
        let (name, value) = line.split_once(": ")?;
        let found = name.eq_ignore_ascii_case("proxy-authorization");
        found.then(|| value.to_owned())
    };
    let given = head.lines().find_map(field);
    if demanded.is_some() && given.as_deref() != demanded {
        let refusal = b"HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n";
        client.write_all(refusal).await?;
        return client.shutdown().await;
    }
    let mut words = head.split(' ');
    let (method, target) = (words.next(), words.next().unwrap_or_default());
    counter.fetch_add(1, Ordering::SeqCst);
    if method == Some("CONNECT") {
        let mut server = TcpStream::connect(target).await?;
        client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await?;
        io::copy_bidirectional(&mut client, &mut server).await?;
        return Ok(());
    }
    let rest = target.strip_prefix("http://").unwrap_or_default();
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let mut server = TcpStream::connect(authority).await?;
    let request = format!("GET /{path} HTTP/1.1\r\nhost: {authority}\r\nconnection: close\r\n\r\n");
    server.write_all(request.as_bytes()).await?;
    io::copy(&mut server, &mut client).await?;
    client.shutdown().await
}

/// Runs the child with these variables.
async fn child(keys: &str, variables: &[(&str, &str)]) {
    let mut command = Command::new(env::current_exe().expect("this binary"));
    for name in VARIABLES {
        command.env_remove(name);
    }
    let output = command
        .args([
            "--exact",
            "jwks::proxies::https_goes_through_a_proxy_in_a_tunnel",
        ])
        .env(KEYS, keys)
        .envs(variables.iter().copied())
        .output()
        .await
        .expect("a child process");
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{variables:?}: {told}");
    assert!(told.contains("1 passed"), "{told}");
}

#[tokio::test]
async fn a_proxy_in_the_environment_is_used_where_that_is_asked_for_and_nowhere_else() {
    let issuer = MockIssuer::new().with_algorithms([Algorithm::ES256]);
    let served = issuer.serve().await;
    let proxy = Proxy::open().await;
    let (keys, url) = (served.key_set_url(), &*proxy.url);
    for (name, variables, forwarded) in [
        (
            "by default",
            vec![("HTTP_PROXY", url), ("ALL_PROXY", url)],
            0,
        ),
        ("asked for", vec![(PROXIED, "1"), ("HTTP_PROXY", url)], 1),
        (
            "in small letters",
            vec![(PROXIED, "1"), ("http_proxy", url)],
            1,
        ),
        (
            "for everything",
            vec![(PROXIED, "1"), ("ALL_PROXY", url)],
            1,
        ),
        (
            "for https alone",
            vec![(PROXIED, "1"), ("HTTPS_PROXY", url)],
            0,
        ),
        (
            "but for this host",
            vec![
                (PROXIED, "1"),
                ("HTTP_PROXY", url),
                ("NO_PROXY", "127.0.0.1"),
            ],
            0,
        ),
        (
            "but for another host",
            vec![
                (PROXIED, "1"),
                ("HTTP_PROXY", url),
                ("NO_PROXY", "localhost"),
            ],
            1,
        ),
        ("asked for, with none named", vec![(PROXIED, "1")], 0),
    ] {
        let before = served.fetches();
        child(&keys, &variables).await;
        assert_eq!(served.fetches(), before + 1, "{name}");
        assert_eq!(proxy.forwarded(), forwarded, "{name}");
    }
}

#[tokio::test]
async fn https_goes_through_a_proxy_in_a_tunnel() {
    if let Ok(keys) = env::var(KEYS) {
        return fetches_as_its_environment_says(keys).await;
    }
    let issuer = MockIssuer::new().with_algorithms([Algorithm::ES256]);
    let authority = Authority::new("a private authority");
    let vault = TlsKeySet::open(authority.vouch(Host::Loopback), issuer.key_set()).await;
    let proxy = Proxy::open().await;
    let root = authority.pem();
    for (variables, forwarded) in [
        (vec![(ROOT, &*root), ("HTTPS_PROXY", &*proxy.url)], 0),
        (
            vec![(ROOT, &*root), (PROXIED, "1"), ("HTTPS_PROXY", &*proxy.url)],
            1,
        ),
    ] {
        child(&vault.url, &variables).await;
        assert_eq!(proxy.forwarded(), forwarded);
    }
}

#[tokio::test]
async fn proxy_gets_the_credentials_of_its_url_and_may_refuse() {
    let issuer = MockIssuer::new().with_algorithms([Algorithm::ES256]);
    let served = issuer.serve().await;
    let authority = Authority::new("a private authority");
    let vault = TlsKeySet::open(authority.vouch(Host::Loopback), issuer.key_set()).await;
    let proxy = Proxy::demanding(Some(CREDENTIALS)).await;
    let root = authority.pem();
    let named = proxy.url.replace("http://", "http://user:pass%20word@");
    let other = proxy.url.replace("http://", "http://user:other@");
    for (url, error, forwarded) in [
        (&*named, None, 1),
        (&*proxy.url, Some(" 407"), 0),
        (&*other, Some(" 407"), 0),
    ] {
        let mut variables = vec![(ROOT, &*root), (PROXIED, "1"), ("ALL_PROXY", url)];
        variables.extend(error.map(|error| (ERROR, error)));
        child(&served.key_set_url(), &variables).await;
        assert_eq!(proxy.forwarded(), forwarded, "plain, {url}");
        let tunnel = error.map(|_| (ERROR, "the proxy demands credentials"));
        variables.retain(|(name, _)| *name != ERROR);
        variables.extend(tunnel);
        child(&vault.url, &variables).await;
        assert_eq!(proxy.forwarded(), forwarded, "in a tunnel, {url}");
    }
    let closed = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let refusing = format!("http://{}", closed.local_addr().expect("an address"));
    drop(closed);
    for (url, error) in [
        (
            "socks5://127.0.0.1:9",
            "the proxy of the environment is none for http",
        ),
        (
            &*refusing,
            "the proxy cannot be reached: connection refused",
        ),
    ] {
        let variables = [
            (ROOT, &*root),
            (PROXIED, "1"),
            ("ALL_PROXY", url),
            (ERROR, error),
        ];
        child(&vault.url, &variables).await;
    }
}

#[tokio::test]
async fn proxy_in_the_environment_of_a_cgi_program_may_be_a_request_header_and_is_not_used() {
    let issuer = MockIssuer::new().with_algorithms([Algorithm::ES256]);
    let served = issuer.serve().await;
    let proxy = Proxy::open().await;
    let variables = [
        (PROXIED, "1"),
        ("HTTP_PROXY", &*proxy.url),
        ("REQUEST_METHOD", "GET"),
    ];
    child(&served.key_set_url(), &variables).await;
    assert_eq!(proxy.forwarded(), 0);
}
