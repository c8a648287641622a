//! Servers that say hello, for `benches/http/run`: without a layer, behind one that does nothing,
//! and behind this library's.
//!
//! 1. All are in one process and one thread, and get the same requests; a client asks one
//!    of them at a time. What the second costs is axum's price for any layer.
//! 2. Every token was seen before the first request comes.
//!
//! Its argument is a file for the tokens. It prints their ports, and serves until it is ended.

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
use http::{Request, StatusCode};
use portcullis::test_util::MockIssuer;
use tokio::net::TcpListener;
use tower::ServiceExt as _;
use tower::util::MapRequestLayer;

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
    let idle = MapRequestLayer::new(|request: Request<Body>| request);
    let layered = bare.clone().route_layer(idle);
    let guarded = bare.clone().route_layer(server.authenticate());
    for value in values(&tokens).iter() {
        let (parts, ()) = stage::with(value).into_parts();
        let request = Request::from_parts(parts, Body::empty());
        let answer = guarded.clone().oneshot(request).await;
        assert!(answer.is_ok_and(|it| it.status() == StatusCode::OK));
    }
    let mut ports = Vec::new();
    for router in [bare, layered, guarded] {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        ports.push(listener.local_addr().expect("an address").port());
        tokio::spawn(async { axum::serve(listener, router).await });
    }
    println!("{} {} {}", ports[0], ports[1], ports[2]);
    std::future::pending::<()>().await;
}
