//! What the tests with foreign servers share: the server as a child process, HTTP, tokens.
//!
//! 1. A server is looked for in `target/interop/` beside `Cargo.toml`, where
//!    `tests/interop/install` puts it, whatever `CARGO_TARGET_DIR` is.
//! 2. Where it is not installed, the test fails. Every test that starts a server is therefore
//!    marked `#[ignore]`, with the server that it needs.
//! 3. A server lives as long as its [`Foreign`]. It also ends with its standard input, so that
//!    it cannot outlive this process.
//! 4. Nothing waits without a deadline.

use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use portcullis::test_util::ManualClock;
use portcullis::time::{Clock as _, SystemClock};
use portcullis::{Issuer, ResourceServer, ResourceServerBuilder};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use crate::support::API;

/// How long a foreign server may take for anything; three machines' work may be in its way.
const PATIENCE: Duration = Duration::from_secs(60);

/// A foreign server that runs on loopback.
pub(super) struct Foreign {
    child: Child,
    /// Open as long as the server shall live.
    input: Option<ChildStdin>,
    ends_with_input: bool,
    lines: UnboundedReceiver<String>,
    /// Disconnected when the server has ended.
    alive: Receiver<()>,
    complaints: Arc<Mutex<String>>,
    url: String,
}

/// Where this server is installed.
pub(super) fn home(name: &str) -> PathBuf {
    let home = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("target/interop")
        .join(name);
    assert!(
        home.join("installed").exists(),
        "this test needs {name}, which is not installed; run `tests/interop/install`"
    );
    home
}

/// Where the program is that starts a server or is a client.
pub(super) fn starter_of(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop");
    folder.join(name)
}

impl Foreign {
    /// Starts `oidc-provider` on this port, or on a free one for 0.
    pub(super) async fn oidc_provider(port: u16) -> Self {
        let home = home("oidc-provider");
        let node = Command::new("node");
        Self::start(node, "oidc-provider/server.mjs", port, &home).await
    }

    /// Starts `cognito-local` on a free port.
    pub(super) async fn cognito_local() -> Self {
        let home = home("cognito-local");
        Self::start(Command::new("node"), "cognito-local/server.js", 0, &home).await
    }

    /// Starts `moto` on a free port.
    pub(super) async fn moto() -> Self {
        let home = home("moto");
        let python = Command::new(home.join("bin/python"));
        Self::start(python, "moto/server.py", 0, &home).await
    }

    /// Starts Authlib's server on a free port.
    pub(super) async fn authlib() -> Self {
        let home = home("authlib");
        let python = Command::new(home.join("bin/python"));
        Self::start(python, "authlib/server.py", 0, &home).await
    }

    /// Starts a DPoP client by a library of Node. Its [`url`](Self::url) is the thumbprint of its key.
    pub(super) async fn dpop_client(library: &str) -> Self {
        let home = home("dpop-clients");
        let node = Command::new("node");
        Self::start(node, "dpop-clients/client.mjs", library, &home).await
    }

    /// Starts `requests-oauth2client`, with the same commands and answers.
    pub(super) async fn requests_oauth2client() -> Self {
        let home = home("requests-oauth2client");
        let python = Command::new(home.join("bin/python"));
        Self::start(python, "requests-oauth2client/client.py", "", &home).await
    }

    /// Starts a client that an interpreter runs. Its first line is `ready` and its name.
    pub(super) async fn client(
        interpreter: impl AsRef<std::ffi::OsStr>,
        script: &str,
        argument: &str,
        home: &Path,
    ) -> Self {
        Self::start(Command::new(interpreter), script, argument, home).await
    }

    /// Starts a client that is a program.
    pub(super) async fn program(path: PathBuf) -> Self {
        Self::run(&mut Command::new(path), "ready ").await
    }

    /// Starts `examples/mcp` on a free port, with these variables.
    pub(super) async fn mcp_server(variables: &[(&str, &str)]) -> Self {
        let mut server = Command::new(home("mcp/programs").join("portcullis-mcp-example"));
        server.env("LISTEN", "127.0.0.1:0");
        server.envs(variables.iter().copied());
        let mut server = Self::run(&mut server, "listening on ").await;
        server.ends_with_input = false;
        server
    }

    /// Starts the demo on a free port. Its [`url`](Self::url) is that of the page.
    pub(super) async fn demo(program: &Path) -> Self {
        let mut demo = Self::run(&mut Command::new(program), "page  ").await;
        demo.ends_with_input = false;
        demo
    }

    async fn start(
        mut command: Command,
        starter: &str,
        argument: impl ToString,
        home: &Path,
    ) -> Self {
        command.arg(starter_of(starter)).arg(argument.to_string());
        Self::run(command.current_dir(home), "ready ").await
    }

    /// Runs a program whose address follows these words. One that has not said so in half its time is
    /// started a second time: Node was seen to hang at its start.
    async fn run(command: &mut Command, ready: &str) -> Self {
        let mut server = Self::spawn(command);
        if let Some(url) = server.find_line(ready, PATIENCE / 2).await {
            server.url = url;
            return server;
        }
        drop(server);
        let mut server = Self::spawn(command);
        server.url = server.line_that_starts_with(ready).await;
        server
    }

    fn spawn(command: &mut Command) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the interpreter is installed");
        let output = child.stdout.take().expect("piped");
        let errors = child.stderr.take().expect("piped");
        let complaints = Arc::new(Mutex::new(String::new()));
        // Threads, so that the pipes never fill up, and end with the child.
        std::thread::spawn({
            let complaints = Arc::clone(&complaints);
            move || collect(errors, &complaints)
        });
        let (sender, lines) = unbounded_channel();
        let (until_the_end, alive) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let _until_the_end: Sender<()> = until_the_end;
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                // The receiver is gone: still read on.
                let _ = sender.send(line);
            }
        });
        Self {
            input: child.stdin.take(),
            ends_with_input: true,
            child,
            lines,
            alive,
            complaints,
            url: String::new(),
        }
    }

    /// Its base URL, without a slash at the end.
    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// Tells the server something and waits until it says the same.
    pub(super) async fn tell(&mut self, line: &str) {
        self.write(line);
        self.line_that_starts_with(line).await;
    }

    /// Sends a client a command and returns its answer.
    pub(super) async fn command(&mut self, line: &str) -> String {
        self.write(line);
        self.line_that_starts_with("answer ").await
    }

    fn write(&mut self, line: &str) {
        let input = self.input.as_mut().expect("open");
        writeln!(input, "{line}").expect("the server reads");
    }

    /// The rest of the next line that starts so.
    async fn line_that_starts_with(&mut self, start: &str) -> String {
        let Some(rest) = self.find_line(start, PATIENCE).await else {
            let complaints = self.complaints.lock().expect("no panic while held");
            panic!("the server did not say `{start}`; it complained:\n{complaints}");
        };
        rest
    }
}

impl Foreign {
    async fn find_line(&mut self, start: &str, patience: Duration) -> Option<String> {
        let found = tokio::time::timeout(patience, async {
            while let Some(line) = self.lines.recv().await {
                if let Some(rest) = line.strip_prefix(start) {
                    return Some(rest.to_owned());
                }
            }
            None
        });
        found.await.ok().flatten()
    }
}

impl Drop for Foreign {
    /// Also when the test panics. A moment to clean up, then by force; a child that has ended
    /// already is only collected.
    fn drop(&mut self) {
        self.input = None;
        if self.ends_with_input {
            let _ = self.alive.recv_timeout(Duration::from_secs(5));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn collect(mut from: impl Read, into: &Mutex<String>) {
    let mut buffer = [0; 1024];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        let text = String::from_utf8_lossy(&buffer[..length]);
        into.lock().expect("no panic while held").push_str(&text);
    }
}

/// A port that was free a moment ago, for a server that starts later. It is below those that systems
/// give to servers which name no port (32768 to 60999 on Linux), so that no other test gets it
/// meanwhile.
pub(super) fn free_port() -> u16 {
    let start = 20_000 + std::process::id() % 10_000;
    let mut ports = (start..start + 1_000).filter_map(|port| u16::try_from(port).ok());
    let is_free = |port: &u16| std::net::TcpListener::bind(("127.0.0.1", *port)).is_ok();
    ports.find(is_free).expect("a free port")
}

/// An HTTP client that follows no redirect.
pub(super) fn client() -> reqwest::Client {
    reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .timeout(PATIENCE)
        .build()
        .expect("a client")
}

/// These fields as a query or a form.
pub(super) fn form(fields: &[(&str, &str)]) -> String {
    let url = reqwest::Url::parse_with_params("http://127.0.0.1/", fields).expect("a URL");
    url.query().unwrap_or_default().to_owned()
}

/// Posts a form and gives the JSON of the answer, which must be a good one.
pub(super) async fn post(url: &str, fields: &[(&str, &str)]) -> Value {
    json(posting(url, fields)).await
}

/// Posts a form whose answer must be a good one and says nothing.
pub(super) async fn tell(url: &str, fields: &[(&str, &str)]) {
    let answer = posting(url, fields).send().await;
    let status = answer.expect("the server answers").status();
    assert!(status.is_success(), "{status}");
}

pub(super) fn posting(url: &str, fields: &[(&str, &str)]) -> reqwest::RequestBuilder {
    client()
        .post(url)
        .header("content-type", "application/x-www-form-urlencoded")
        .body(form(fields))
}

/// Sends a request and gives the JSON of the answer, which must be a good one.
pub(super) async fn json(request: reqwest::RequestBuilder) -> Value {
    let answer = request.send().await.expect("the server answers");
    let status = answer.status();
    let body = answer.text().await.expect("a body");
    assert!(status.is_success(), "{status}: {body}");
    serde_json::from_str(&body).unwrap_or_else(|error| panic!("{error}: {body}"))
}

/// A string of an answer.
pub(super) fn text(answer: &Value, name: &str) -> String {
    answer[name]
        .as_str()
        .unwrap_or_else(|| panic!("no {name} in {answer}"))
        .to_owned()
}

/// Header and payload of a JWT, unverified, to tell what a server's tokens look like.
pub(super) fn opened(token: &str) -> (Value, Value) {
    let mut parts = token.split('.').map(|part| {
        let bytes = URL_SAFE_NO_PAD.decode(part).expect("base64url");
        serde_json::from_slice(&bytes).expect("JSON")
    });
    let header = parts.next().expect("a header");
    (header, parts.next().expect("a payload"))
}

/// The names of a JSON object's members, in alphabetical order.
pub(super) fn names(object: &Value) -> Vec<&str> {
    let members = object.as_object().expect("an object");
    let mut names: Vec<&str> = members.keys().map(String::as_str).collect();
    names.sort_unstable();
    names
}

/// A clock that stands at the present time of the machine, as foreign tokens have it, until it
/// is moved.
pub(super) fn clock() -> ManualClock {
    ManualClock::at(SystemClock::new().now())
}

/// A server for [`API`] that trusts this issuer, still open for settings.
pub(super) fn builder(issuer: Issuer, clock: &ManualClock) -> ResourceServerBuilder {
    ResourceServer::builder(API)
        .issuer(issuer)
        .clock(clock.clone())
}

/// The same, connected.
pub(super) async fn connected(issuer: Issuer, clock: &ManualClock) -> ResourceServer {
    builder(issuer, clock)
        .build()
        .expect("sound")
        .connect()
        .await
        .expect("the issuer is the one that was configured")
}

/// Serves an application on loopback until the runtime of the test ends; gives its base URL.
pub(super) async fn serve(app: Router) -> String {
    let (listener, url) = socket().await;
    serve_at(listener, app);
    url
}

/// The same, on this socket.
pub(super) fn serve_at(listener: TcpListener, app: Router) {
    tokio::spawn(async move { axum::serve(listener, app).await });
}

/// A socket on a free port, and the base URL of what will be served on it.
pub(super) async fn socket() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    (listener, format!("http://{address}"))
}
