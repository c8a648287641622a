//! Any answer of an introspection endpoint: never a panic, and nobody gets in unless it says so.
#![no_main]

use std::convert::Infallible;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{LazyLock, Mutex};
use std::time::Duration;

use http::{HeaderValue, Request, Response};
use libfuzzer_sys::fuzz_target;
use portcullis::test_util::ManualClock;
use portcullis::config::ClientAuthentication;
use portcullis::{Issuer, ResourceServer, TenantClaims};
use tokio::runtime::{Builder, Runtime};
use tower::{Layer as _, ServiceExt as _};

static ANSWER: Mutex<Vec<u8>> = Mutex::new(Vec::new());

static CLOCK: LazyLock<ManualClock> = LazyLock::new(ManualClock::new);

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    let mut runtime = Builder::new_current_thread();
    runtime.enable_all().build().expect("a runtime")
});

static SERVER: LazyLock<ResourceServer> = LazyLock::new(|| {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let origin = format!("http://{}", listener.local_addr().expect("an address"));
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let _ = answer(stream);
        }
    });
    let issuer = Issuer::introspected(format!("{origin}/introspect"))
        .client_authentication(ClientAuthentication::basic("id", "secret"))
        .tenant_claims(TenantClaims::aworld())
        .audience_where_stated()
        .without_introspection_cache();
    ResourceServer::builder("https://api.example.com")
        .issuer(issuer)
        .clock(CLOCK.clone())
        .build()
        .expect("sound")
});

fn answer(mut stream: TcpStream) -> std::io::Result<()> {
    // The whole question is small, and comes in one or two pieces.
    let mut question = Vec::new();
    while !question.ends_with(b"token=opaque") {
        let mut piece = [0; 1024];
        let length = stream.read(&mut piece)?;
        question.extend_from_slice(&piece[..length]);
        if length == 0 {
            return Ok(());
        }
    }
    let body = ANSWER.lock().expect("nobody panics").clone();
    let head = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length:";
    write!(stream, "{head} {}\r\n\r\n", body.len())?;
    stream.write_all(&body)
}

fuzz_target!(|body: &[u8]| {
    *ANSWER.lock().expect("nobody panics") = body.to_vec();
    // Past the rest that failures cause.
    CLOCK.advance(Duration::from_secs(1));
    let layer = SERVER.authenticate().context("app");
    let service = layer.layer(tower::service_fn(|_: Request<()>| {
        std::future::ready(Ok::<_, Infallible>(Response::new(String::new())))
    }));
    let mut request = Request::new(());
    let token = HeaderValue::from_static("Bearer opaque");
    request
        .headers_mut()
        .insert(http::header::AUTHORIZATION, token);
    let Ok(response) = RUNTIME.block_on(service.oneshot(request));
    let status = response.status().as_u16();
    assert!([200, 401, 403, 503].contains(&status), "{status}");
    if status == 200 {
        let text = std::str::from_utf8(body).expect("it was read");
        assert!(text.contains("true"), "nobody said so");
    }
});
