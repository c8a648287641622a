//! Connections that are upgraded to a protocol of the application's own.

use axum::body::Body;
use axum::routing::get;
use http::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use portcullis::lease::Lease;
use portcullis::revocation::Revocation;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::{World, lease, serve, within};
use crate::support::TestApp;

#[tokio::test]
async fn an_upgraded_connection_ends_with_the_token() {
    let world = World::new();
    let server = world.server();
    let (sender, mut reports) = tokio::sync::mpsc::channel(1);
    let handler = get(async move |lease: Lease, request: Request<Body>| {
        let upgrade = hyper::upgrade::on(request);
        tokio::spawn(async move {
            let upgraded = upgrade.await.expect("upgraded");
            let mut io = lease.io(TokioIo::new(upgraded));
            let mut byte = [0];
            while io.read(&mut byte).await.expect("a byte or the end") > 0 {
                io.write_all(&byte).await.expect("open");
            }
            let written = io.write_all(b"more").await;
            let error = written.expect_err("ended").to_string();
            sender.send(error).await.expect("the test listens");
        });
        let fields = [("connection", "upgrade"), ("upgrade", "echo")];
        (StatusCode::SWITCHING_PROTOCOLS, fields)
    });
    let app = TestApp::behind(server.authenticate()).route("/", handler);
    let (address, task) = serve(app).await;
    let token = world.token("alice").claim("jti", "1").sign();
    let mut client = TcpStream::connect(address).await.expect("it listens");
    let request = format!(
        "GET / HTTP/1.1\r\nhost: a.test\r\nconnection: upgrade\r\nupgrade: echo\r\nauthorization: Bearer {token}\r\n\r\n"
    );
    client.write_all(request.as_bytes()).await.expect("sent");
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(client.read_u8().await.expect("an answer"));
    }
    assert!(head.starts_with(b"HTTP/1.1 101"));
    client.write_u8(b'x').await.expect("open");
    assert_eq!(within(client.read_u8()).await.expect("an echo"), b'x');
    let revocation = Revocation::token(&world.issuer.issuer(), "1");
    server.revocations().revoke(revocation).expect("known");
    let report = within(reports.recv()).await.expect("a report");
    assert_eq!(report, "the lease has ended: the access token was revoked");
    let mut rest = Vec::new();
    within(client.read_to_end(&mut rest)).await.expect("closed");
    assert_eq!(rest, b"");
    task.abort();
}

/// The halves of one connection wait in two tasks.
#[tokio::test]
async fn both_halves_of_a_connection_are_woken_by_the_end() {
    let world = World::new();
    let server = world.server();
    let lease = lease(&server, &world.token("alice").claim("jti", "1").sign()).await;
    let (io, _client) = tokio::io::duplex(1);
    let (mut reading, mut writing) = tokio::io::split(lease.io(io));
    let reading = tokio::spawn(async move { reading.read(&mut [0]).await });
    tokio::task::yield_now().await;
    let writing = tokio::spawn(async move { writing.write_all(b"more than one byte").await });
    tokio::task::yield_now().await;
    let revocation = Revocation::token(&world.issuer.issuer(), "1");
    server.revocations().revoke(revocation).expect("known");
    let written = within(writing).await.expect("no panic");
    assert!(written.is_err());
    let read = within(reading).await.expect("no panic");
    assert_eq!(read.expect("the end"), 0);
}
