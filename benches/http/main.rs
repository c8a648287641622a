//! Servers that say hello, and a client that asks them, for `benches/http/run` and
//! `benches/http/compare`.
//!
//! 1. `serve FOLDER` starts servers without a layer, behind one that does nothing, and behind this
//!    library's with the token cache and without. It writes `tokens`, `keys.json`, `key.pem`, `issuer` and
//!    `audience` into the folder, prints names and ports, one server a line, an empty line at the end, and serves
//!    until it is ended.
//! 2. All are in one process and one thread, and a client asks one of them at a time. What the second
//!    costs is axum's price for any layer. Every token was seen before the first request comes.
//! 3. `ask PORT FILE VERSION SECONDS` asks with the tokens of a file, by HTTP `1.1` or `2`, and
//!    prints the number of answers.

#![allow(
    missing_docs,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)] // A benchmark fails loudly.

mod ask;
#[path = "../stage/mod.rs"]
mod stage;

use std::fs;
use std::path::Path;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use http::{Request, StatusCode, Version};
use portcullis::test_util::MockIssuer;
use tokio::net::TcpListener;
use tower::ServiceExt as _;
use tower::util::MapRequestLayer;

use stage::Scale;
use stage::shapes::Shape;
use stage::tokens::{Mint, Size, roomy, values};

const TOKENS: usize = 5_000;

fn main() {
    let arguments: Vec<String> = std::env::args()
        .skip(1)
        .filter(|it| !it.starts_with('-'))
        .collect();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let arguments: Vec<&str> = arguments.iter().map(|it| &**it).collect();
    match arguments[..] {
        ["serve", folder] => runtime.block_on(serve(Path::new(folder))),
        ["ask", port, file, version, seconds] => {
            let tokens = fs::read_to_string(file).expect("tokens");
            let tokens: Vec<String> = tokens.lines().map(str::to_owned).collect();
            let version = match version {
                "2" => Version::HTTP_2,
                _ => Version::HTTP_11,
            };
            let time = Duration::from_secs_f64(seconds.parse().expect("seconds"));
            let port = port.parse().expect("a port");
            println!(
                "{}",
                runtime.block_on(ask::ask(port, &tokens, version, time))
            );
        }
        _ => runtime.block_on(both()),
    }
}

/// Each server answers a client, by both versions.
async fn both() {
    let mint = mint();
    let tokens = mint.sign(8);
    for (name, port) in start(&mint, &tokens).await {
        for version in [Version::HTTP_11, Version::HTTP_2] {
            let answers = ask::ask(port, &tokens, version, Duration::ZERO).await;
            assert!(answers > 0, "{name} {version:?}");
        }
    }
    println!("started by benches/http/run and benches/http/compare");
}

fn mint() -> Mint {
    Mint::of(Shape::Cognito, &Shape::Cognito.issuer(), Size::Kb1)
}

async fn serve(folder: &Path) {
    let mint = mint();
    let tokens = mint.sign(TOKENS);
    let write = |name, text: String| fs::write(folder.join(name), text).expect("a folder");
    write("tokens", tokens.join("\n"));
    write("keys.json", mint.issuer().key_set());
    write("key.pem", mint.issuer().public_key_pem());
    write("issuer", mint.issuer().issuer());
    write("audience", MockIssuer::AUDIENCE.to_owned());
    for (name, port) in start(&mint, &tokens).await {
        println!("{name}\t{port}");
    }
    println!();
    std::future::pending::<()>().await;
}

/// Names and ports.
async fn start(mint: &Mint, tokens: &[String]) -> Vec<(&'static str, u16)> {
    let scale = Scale {
        seen: TOKENS,
        ..Scale::FULL
    };
    let seen = stage::built(roomy(mint.server(), scale));
    let forgetful = stage::built(mint.server().without_token_cache());
    let bare = Router::new().route("/", get(async || "hello"));
    let idle = MapRequestLayer::new(|request: Request<Body>| request);
    let layered = bare.clone().route_layer(idle);
    let guarded = bare.clone().route_layer(seen.authenticate());
    let verified = bare.clone().route_layer(forgetful.authenticate());
    for value in values(tokens).iter() {
        let (parts, ()) = stage::with(value).into_parts();
        let request = Request::from_parts(parts, Body::empty());
        let answer = guarded.clone().oneshot(request).await;
        assert!(answer.is_ok_and(|it| it.status() == StatusCode::OK));
    }
    let mut started = Vec::new();
    for (name, router) in [
        ("axum", bare),
        ("axum, a layer that does nothing", layered),
        ("axum, portcullis, tokens seen before", guarded),
        ("axum, portcullis without its cache", verified),
    ] {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        started.push((name, listener.local_addr().expect("an address").port()));
        tokio::spawn(async { axum::serve(listener, router).await });
    }
    started
}
