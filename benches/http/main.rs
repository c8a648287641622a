//! Two servers that say hello, one of them behind the layer, for `benches/http/run`.
//!
//! 1. Both are in one process and one thread, and get the same requests; whoever asks, asks one
//!    of them at a time.
//! 2. Every token was seen before the first request comes.
//!
//! Its argument is a file for the tokens. It prints the two ports, and serves until it is ended.

#![allow(
    missing_docs,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)] // A benchmark fails loudly.

#[path = "../stage/mod.rs"]
mod stage;

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use http::StatusCode;
use portcullis::test_util::MockIssuer;
use tokio::net::TcpListener;
use tower::ServiceExt as _;

use stage::Scale;
use stage::tokens::{Mint, Size, roomy, server, values};

const TOKENS: usize = 5_000;

fn main() {
    let Some(file) = std::env::args().nth(1).filter(|it| !it.starts_with('-')) else {
        println!("started by benches/http/run");
        return;
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(serve(&file));
}

async fn serve(file: &str) {
    let issuer = MockIssuer::new();
    let tokens = Mint::new(&issuer, Size::Kb1).sign(TOKENS);
    std::fs::write(file, tokens.join("\n")).expect("a file for tokens");
    let scale = Scale {
        seen: TOKENS,
        ..Scale::FULL
    };
    let server = stage::built(roomy(server(&issuer), scale));
    let bare = Router::new().route("/", get(async || "hello"));
    let guarded = bare.clone().route_layer(server.authenticate());
    for value in values(&tokens).iter() {
        let (parts, ()) = stage::with(value).into_parts();
        let request = http::Request::from_parts(parts, Body::empty());
        let answer = guarded.clone().oneshot(request).await;
        assert!(answer.is_ok_and(|it| it.status() == StatusCode::OK));
    }
    let mut ports = Vec::new();
    for router in [bare, guarded] {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        ports.push(listener.local_addr().expect("an address").port());
        tokio::spawn(async { axum::serve(listener, router).await });
    }
    println!("{} {}", ports[0], ports[1]);
    std::future::pending::<()>().await;
}
