//! What the development authorization server costs, over real HTTP with connections that are kept.
//!
//! `cargo bench --bench authorization_server` starts the server as a process of its own, with one thread:
//!
//! * `start`: from the start of the process until its metadata is there; goal at most 50 ms;
//! * `tokens`: access tokens by client credentials and ES256, a second of wall time and a second of the server's
//!   processor time, which is one core; goal at least 2,000;
//! * `sessions`: 10,000 sign-ins, each with a session, a grant, a refresh token, an access token and an ID token,
//!   and the resident memory of the server after them; goal at most 30 MB.

#![allow(
    missing_docs,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)] // A benchmark fails loudly.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use portcullis::Algorithm;
use portcullis::test_util::{AuthorizationServer, MockIssuer};

/// The argument by which this program is the server.
const SERVE: &str = "--serve-for-the-bench";

const CONNECTIONS: usize = 4;
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CALLBACK: &str = "http%3A%2F%2Flocalhost%2Fcallback";

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if arguments.iter().any(|argument| argument == SERVE) {
        return serve();
    }
    // A small round that shows that it runs: unoptimized, the figures would say nothing.
    let is_test = !arguments.iter().any(|argument| argument == "--bench");
    let (starts, tokens, sessions) = if is_test {
        (1, 40, 20)
    } else {
        (10, 20_000, 10_000)
    };

    let mut times: Vec<Duration> = (0..starts).map(|_| Server::start().1).collect();
    times.sort();
    println!(
        "start     {:6.1} ms (median of {starts})",
        millis(times[starts / 2])
    );

    let (server, _) = Server::start();
    let form = "grant_type=client_credentials&client_id=machine&client_secret=machine-secret";
    server.post_all("/token", tokens / 10, |_| form.into(), |_| {});
    let (before, began) = (server.processor_time(), Instant::now());
    server.post_all(
        "/token",
        tokens,
        |_| form.into(),
        |answer| {
            assert!(answer.contains("\"access_token\""), "{answer}");
        },
    );
    let (wall, processor) = (
        began.elapsed(),
        server
            .processor_time()
            .map(|time| time.saturating_sub(before.unwrap_or_default())),
    );
    println!("tokens    {:6.0} a second of wall time", rate(tokens, wall));
    if let Some(processor) = processor.filter(|time| !time.is_zero()) {
        println!(
            "          {:6.0} a second of the server's processor",
            rate(tokens, processor)
        );
    }
    drop(server);

    let (server, _) = Server::start();
    let empty = server.resident_kilobytes();
    let began = Instant::now();
    server.sign_in(sessions);
    println!(
        "sessions  {:6.0} sign-ins a second",
        rate(sessions, began.elapsed())
    );
    if let (Some(empty), Some(full)) = (empty, server.resident_kilobytes()) {
        println!(
            "          {:6.1} MB with none, {:.1} MB with {sessions}",
            megabytes(empty),
            megabytes(full)
        );
    }
}

/// Serves until standard input ends.
fn serve() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let issuer = MockIssuer::new().with_algorithms([Algorithm::ES256]);
        let server = AuthorizationServer::new(issuer)
            .serve()
            .await
            .expect("a free port");
        println!("{}", server.url());
        let end = tokio::task::spawn_blocking(|| std::io::stdin().read_line(&mut String::new()));
        let _ = end.await;
    });
}

/// The server as a process of its own.
struct Server {
    process: Child,
    address: String,
}

impl Server {
    /// The server, and the time until its metadata was there.
    fn start() -> (Self, Duration) {
        let began = Instant::now();
        let mut process = Command::new(std::env::current_exe().expect("this program"))
            .arg(SERVE)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a process");
        let mut url = String::new();
        let output = process.stdout.take().expect("its output");
        BufReader::new(output).read_line(&mut url).expect("its URL");
        let address = url
            .trim()
            .strip_prefix("http://")
            .expect("a URL")
            .to_owned();
        let server = Self { process, address };
        let mut connection = Connection::open(&server.address);
        let metadata = connection.get("/.well-known/openid-configuration");
        assert!(metadata.contains("token_endpoint"), "{metadata}");
        let took = began.elapsed();
        (server, took)
    }

    /// Posts this many forms over several connections.
    fn post_all(
        &self,
        path: &str,
        count: usize,
        form: impl Fn(usize) -> String + Sync,
        check: impl Fn(&str) + Sync,
    ) {
        std::thread::scope(|scope| {
            for part in 0..CONNECTIONS {
                let (form, check) = (&form, &check);
                scope.spawn(move || {
                    let mut connection = Connection::open(&self.address);
                    for index in (part..count).step_by(CONNECTIONS) {
                        check(&connection.post(path, &form(index), ""));
                    }
                });
            }
        });
    }

    /// Signs `user-1` in so many times, each time in a new session.
    fn sign_in(&self, count: usize) {
        let mut connection = Connection::open(&self.address);
        let query = format!(
            "response_type=code&client_id=spa&redirect_uri={CALLBACK}&scope=openid+email+app%2Fread&state=s&nonce=n\
             &code_challenge_method=S256&code_challenge={CHALLENGE}"
        );
        let page = connection.get(&format!("/authorize?{query}"));
        let cookie = between(&page, "set-cookie: ", ";").to_owned();
        let csrf = between(&page, "name=\"csrf\" value=\"", "\"").to_owned();
        let request = query
            .replace('%', "%25")
            .replace('&', "%26")
            .replace('+', "%2B")
            .replace('=', "%3D");
        let form = format!("subject=user-1&csrf={csrf}&authorization_request={request}");
        std::thread::scope(|scope| {
            for part in 0..CONNECTIONS {
                let (form, cookie) = (&form, format!("cookie: {cookie}\r\n"));
                scope.spawn(move || {
                    let mut connection = Connection::open(&self.address);
                    for _ in (part..count).step_by(CONNECTIONS) {
                        let back = connection.post("/login", form, &cookie);
                        let code = between(&back, "?code=", "&");
                        let exchange = format!(
                            "grant_type=authorization_code&client_id=spa&redirect_uri={CALLBACK}\
                             &code_verifier={VERIFIER}&code={code}"
                        );
                        let tokens = connection.post("/token", &exchange, "");
                        assert!(tokens.contains("\"refresh_token\""), "{tokens}");
                    }
                });
            }
        });
    }

    /// Absent where the system does not say.
    fn resident_kilobytes(&self) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id())).ok()?;
        let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
        line.split_whitespace().nth(1)?.parse().ok()
    }

    /// The time that the process has run, in user and kernel mode. Absent where the system does not say.
    fn processor_time(&self) -> Option<Duration> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.process.id())).ok()?;
        let (_, after_name) = stat.rsplit_once(')')?;
        let mut fields = after_name.split_whitespace().skip(11);
        let mut ticks = || fields.next()?.parse::<u64>().ok();
        // A tick of this file is a hundredth of a second on every Linux that Rust runs on.
        Some(Duration::from_millis((ticks()? + ticks()?) * 10))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A connection that is kept.
struct Connection(BufReader<TcpStream>);

impl Connection {
    fn open(address: &str) -> Self {
        let stream = TcpStream::connect(address).expect("a connection");
        stream.set_nodelay(true).expect("an option of every socket");
        Self(BufReader::new(stream))
    }

    fn get(&mut self, path: &str) -> String {
        self.exchange(&format!("GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n"))
    }

    fn post(&mut self, path: &str, form: &str, fields: &str) -> String {
        self.exchange(&format!(
            "POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/x-www-form-urlencoded\r\n\
             content-length: {}\r\n{fields}\r\n{form}",
            form.len()
        ))
    }

    /// Head and body of the answer.
    fn exchange(&mut self, request: &str) -> String {
        self.0
            .get_mut()
            .write_all(request.as_bytes())
            .expect("an open connection");
        let (mut answer, mut length) = (String::new(), 0);
        loop {
            let start = answer.len();
            self.0.read_line(&mut answer).expect("a line");
            match &answer[start..] {
                "\r\n" => break,
                "" => panic!("the server closed the connection: {answer}"),
                line => {
                    if let Some(value) = line.strip_prefix("content-length: ") {
                        length = value.trim().parse().expect("a length");
                    }
                }
            }
        }
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).expect("a body");
        answer.push_str(&String::from_utf8_lossy(&body));
        answer
    }
}

fn between<'a>(text: &'a str, start: &str, end: &str) -> &'a str {
    let (_, rest) = text
        .split_once(start)
        .unwrap_or_else(|| panic!("no `{start}`: {text}"));
    rest.split(end).next().unwrap_or_default()
}

#[allow(clippy::cast_precision_loss)] // Figures for people.
fn rate(count: usize, time: Duration) -> f64 {
    count as f64 / time.as_secs_f64()
}

#[allow(clippy::cast_precision_loss)] // Figures for people.
fn megabytes(kilobytes: u64) -> f64 {
    kilobytes as f64 / 1024.0
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
