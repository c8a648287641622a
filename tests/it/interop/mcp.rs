//! Real MCP clients at `examples/mcp`, with tokens that they get from `oidc-provider` themselves.
//!
//! 1. Each client starts without anything but the URL of the server: 401, metadata of the resource and of
//!    the authorization server, registration, consent of the user, token, calls, and a further consent
//!    for a tool that demands a further scope.
//! 2. Both sides are recorded: what the client reports, and each request as the server has answered it.
//!
//! Where they differ, in these versions:
//!
//! 1. SDK 1 of TypeScript requests exactly the scope of the challenge; the others the union with what
//!    they have.
//! 2. All of them register with the scope that they request first. An authorization server that
//!    limits a client to the scope of its registration refuses the further scope for ever.

use std::path::PathBuf;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::response::Response;
use http::request::Parts;
use http_body_util::Full;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::process::Command;

use super::house::{Foreign, home, serve_at, socket, starter_of};

/// How long a client may take for its way.
const PATIENCE: Duration = Duration::from_secs(120);

/// The authorization server, the MCP server, and what the latter has answered.
struct Site {
    provider: Foreign,
    _server: Foreign,
    url: String,
    log: Arc<Mutex<Vec<String>>>,
}

/// What the relay in front of the MCP server works with.
#[derive(Clone)]
struct Relay {
    server: String,
    log: Arc<Mutex<Vec<String>>>,
}

impl Site {
    /// With this value of `CHALLENGE` for the example.
    async fn start(challenge: &str) -> Self {
        let provider = Foreign::oidc_provider(0).await;
        let (socket, base) = socket().await;
        let url = format!("{base}/mcp");
        let server = Foreign::mcp_server(&[
            ("ISSUER", provider.url()),
            ("PROFILE", "rfc9068"),
            ("RESOURCE", &url),
            ("CHALLENGE", challenge),
        ])
        .await;
        let log = Arc::default();
        let relay = Relay {
            server: server.url().replace("http://", ""),
            log: Arc::clone(&log),
        };
        serve_at(socket, Router::new().fallback(forward).with_state(relay));
        Self {
            provider,
            _server: server,
            url,
            log,
        }
    }

    /// What this client reports of its calls of these tools, and what the server has answered.
    async fn run(&self, client: &Client, tools: &[&str]) -> (Value, Vec<String>) {
        self.log.lock().expect("no panic while held").clear();
        let report = client.run(&self.url, tools).await;
        let log = std::mem::take(&mut *self.log.lock().expect("no panic while held"));
        (report, log)
    }
}

/// Hands a request on to the MCP server and records the answer. Bodies of answers are streams.
async fn forward(State(relay): State<Relay>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, 1 << 20).await.expect("a small body");
    let what = operation(&parts, &body);
    let stream = TcpStream::connect(&relay.server).await.expect("it is up");
    let handshake = hyper::client::conn::http1::handshake(TokioIo::new(stream));
    let (mut sender, connection) = handshake.await.expect("HTTP");
    tokio::spawn(connection);
    let request = http::Request::from_parts(parts, Full::new(body));
    let response = sender.send_request(request).await.expect("an answer");
    let challenge = response.headers().get("www-authenticate");
    let error = challenge.and_then(|value| value.to_str().ok()?.split_once("error=\""));
    let error = error.and_then(|(_, rest)| Some(format!(" {}", rest.split_once('"')?.0)));
    let line = format!(
        "{what}: {}{}",
        response.status().as_u16(),
        error.unwrap_or_default()
    );
    relay.log.lock().expect("no panic while held").push(line);
    response.map(Body::new)
}

fn operation(parts: &Parts, body: &Bytes) -> String {
    let message: Value = serde_json::from_slice(body).unwrap_or_default();
    let text = |value: &Value| value.as_str().map(ToOwned::to_owned);
    match (text(&message["method"]), text(&message["params"]["name"])) {
        (Some(method), Some(name)) => format!("{method} {name}"),
        (Some(method), None) => method,
        _ => format!("{} {}", parts.method, parts.uri.path()),
    }
}

/// A client: its program with the arguments before the URL, and the folder in which it runs.
struct Client {
    program: PathBuf,
    arguments: Vec<String>,
    folder: PathBuf,
}

impl Client {
    fn node(script: &str, arguments: &[&str]) -> Self {
        let script = starter_of("mcp/node").join(script);
        let mut words = vec![script.to_str().expect("text").to_owned()];
        words.extend(arguments.iter().map(|&word| word.to_owned()));
        Self {
            program: "node".into(),
            arguments: words,
            folder: home("mcp/node"),
        }
    }

    fn sdk_1() -> Self {
        Self::node("typescript.mjs", &["sdk"])
    }

    fn sdk_2() -> Self {
        Self::node("typescript.mjs", &["client"])
    }

    fn mcp_remote() -> Self {
        Self::node("mcp-remote.mjs", &[])
    }

    fn python() -> Self {
        let folder = home("mcp/python");
        let script = starter_of("mcp/python/client.py");
        Self {
            program: folder.join("bin/python"),
            arguments: vec![script.to_str().expect("text").to_owned()],
            folder,
        }
    }

    fn rmcp() -> Self {
        let folder = home("mcp/programs");
        let user = starter_of("mcp/user.mjs");
        Self {
            program: folder.join("rmcp-client"),
            arguments: vec![user.to_str().expect("text").to_owned()],
            folder,
        }
    }

    async fn run(&self, url: &str, tools: &[&str]) -> Value {
        let running = Command::new(&self.program)
            .args(&self.arguments)
            .arg(url)
            .args(tools)
            .current_dir(&self.folder)
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output();
        let output = tokio::time::timeout(PATIENCE, running).await;
        let output = output.expect("it ends").expect("the program is installed");
        let said = String::from_utf8_lossy(&output.stdout);
        let line = said.lines().last().unwrap_or_default();
        serde_json::from_str(line).unwrap_or_else(|error| {
            let errors = String::from_utf8_lossy(&output.stderr);
            panic!("{:?}: {error}: {said}\n{errors}", self.arguments)
        })
    }
}

const LIST: &str = "list_missions: apollo: Apollo\nvoyager: Voyager";
const RENAME: &str = "rename_mission: Apollo is now Apollo 11, by ada";
