//! WebSockets of axum, with the client of tungstenite.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::Context;
use std::time::Duration;

use axum::extract::FromRequestParts as _;
use axum::extract::ws::{Message, WebSocketUpgrade};
use axum::routing::any;
use futures_core::Stream as _;
use futures_sink::Sink as _;
use http::Request;
use portcullis::lease::Lease;
use portcullis::revocation::Revocation;
use portcullis::time::Clock as _;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message as Sent;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};
use tonic::codegen::tokio_stream::StreamExt as _;

use super::{World, serve, within};
use crate::support::TestApp;
use crate::support::logs::Logs;

type Client = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// An application that echoes, and renews its lease by what follows `token:`.
fn echo(world: &World) -> (portcullis::ResourceServer, TestApp) {
    let server = world.server();
    let handler = any(async |lease: Lease, upgrade: WebSocketUpgrade| {
        upgrade.on_upgrade(async |socket| {
            let mut socket = lease.web_socket(socket);
            while let Some(Ok(message)) = socket.recv().await {
                let Message::Text(text) = message else {
                    continue;
                };
                let answer = match text.strip_prefix("token:") {
                    Some(token) => match socket.lease().renew(token).await {
                        Ok(_) => "renewed".into(),
                        Err(error) => Message::from(error.to_string()),
                    },
                    None => Message::Text(text),
                };
                if socket.send(answer).await.is_err() {
                    break;
                }
            }
        })
    });
    let app = TestApp::behind(server.authenticate()).route("/", handler);
    (server, app)
}

async fn connect(address: std::net::SocketAddr, token: &str) -> Client {
    let request = Request::get(format!("ws://{address}/"))
        .header("host", address.to_string())
        .header("connection", "upgrade")
        .header("upgrade", "websocket")
        .header("sec-websocket-version", "13")
        .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
        .header("authorization", format!("Bearer {token}"))
        .body(())
        .expect("a request");
    let (client, _) = tokio_tungstenite::connect_async(request)
        .await
        .expect("admitted");
    client
}

async fn say(client: &mut Client, text: &str) -> Sent {
    let message = Sent::text(text.to_owned());
    let mut sink = Pin::new(&mut *client);
    poll_fn(|context| sink.as_mut().poll_ready(context))
        .await
        .expect("open");
    sink.as_mut().start_send(message).expect("open");
    poll_fn(|context| sink.as_mut().poll_flush(context))
        .await
        .expect("open");
    next(client).await.expect("an answer")
}

async fn next(client: &mut Client) -> Option<Sent> {
    within(client.next())
        .await
        .map(|message| message.expect("no error"))
}

#[tokio::test]
async fn a_web_socket_is_closed_when_its_token_is_revoked_and_others_go_on() {
    let world = World::new();
    let (server, app) = echo(&world);
    let (address, task) = serve(app).await;
    let mut alice = connect(address, &world.token("alice").sign()).await;
    let mut bob = connect(address, &world.token("bob").sign()).await;
    assert_eq!(say(&mut alice, "hello").await, Sent::text("hello"));
    let revocation = Revocation::subject(&world.issuer.issuer(), "alice", world.clock.now());
    server.revocations().revoke(revocation).expect("known");
    let Some(Sent::Close(Some(close))) = next(&mut alice).await else {
        panic!("it is closed");
    };
    assert_eq!(close.code, CloseCode::Policy);
    assert_eq!(close.reason.as_str(), "the access token was revoked");
    assert_eq!(say(&mut bob, "hello").await, Sent::text("hello"));
    task.abort();
}

#[tokio::test]
async fn a_web_socket_goes_on_with_a_token_that_the_client_sends() {
    let world = World::new();
    let (_server, app) = echo(&world);
    let (address, task) = serve(app).await;
    let minute = Duration::from_secs(60);
    let token = world.token("alice").expires_in(minute);
    let mut client = connect(address, &token.sign()).await;
    let other = world.token("bob").sign();
    let answer = say(&mut client, &format!("token:{other}")).await;
    let refused = "the token is of another issuer, subject, client, actor or sender";
    assert_eq!(answer, Sent::text(refused));
    let next_token = token.expires_in(60 * minute).sign();
    let answer = say(&mut client, &format!("token:{next_token}")).await;
    assert_eq!(answer, Sent::text("renewed"));
    world.clock.advance(30 * minute);
    assert_eq!(say(&mut client, "still").await, Sent::text("still"));
    world.clock.advance(60 * minute);
    let Some(Sent::Close(Some(close))) = next(&mut client).await else {
        panic!("it is closed");
    };
    assert_eq!(close.reason.as_str(), "the access token has expired");
    task.abort();
}

/// What is logged when a WebSocket is opened under a layer that ends streams.
async fn logged(has_lease: bool) -> String {
    let logs = Logs::default();
    let _listening = logs.listen();
    let world = World::new();
    let layer = world.server().authenticate().end_streams();
    let handler = any(async move |request: axum::extract::Request| {
        let mut parts = request.into_parts().0;
        if has_lease {
            let lease = Lease::from_request_parts(&mut parts, &()).await;
            assert!(lease.is_ok());
        }
        let upgrade = WebSocketUpgrade::from_request_parts(&mut parts, &()).await;
        upgrade.expect("an upgrade").on_upgrade(async |_| {})
    });
    let (address, task) = serve(TestApp::behind(layer).route("/", handler)).await;
    for _ in 0..2 {
        drop(connect(address, &world.token("alice").sign()).await);
    }
    task.abort();
    logs.text()
}

#[tokio::test]
async fn a_web_socket_without_a_lease_is_a_warning_under_a_layer_that_ends_streams() {
    let text = "a connection was upgraded without a lease";
    let logged_without = logged(false).await;
    assert_eq!(logged_without.matches(text).count(), 1, "once a minute");
    assert!(!logged(true).await.contains(text));
}

/// One task receives, and another one sends, as with the halves of a split socket.
#[tokio::test]
async fn a_web_socket_that_two_tasks_use_is_closed_though_the_other_one_sent_last() {
    let world = World::new();
    let server = world.server();
    let (sender, mut reports) = tokio::sync::mpsc::channel(2);
    let handler = any(async move |lease: Lease, upgrade: WebSocketUpgrade| {
        upgrade.on_upgrade(async move |socket| {
            let socket = Arc::new(Mutex::new(lease.web_socket(socket)));
            let received = Arc::clone(&socket);
            let receiving = tokio::spawn(poll_fn(move |context| {
                let mut socket = received.lock().expect("no panic");
                Pin::new(&mut *socket).poll_next(context).map(drop)
            }));
            tokio::task::yield_now().await;
            let flush = |context: &mut Context<'_>| {
                let mut socket = socket.lock().expect("no panic");
                Pin::new(&mut *socket).poll_flush(context)
            };
            poll_fn(flush).await.expect("open");
            sender.send("flushed").await.expect("the test listens");
            receiving.await.expect("no panic");
            sender.send("received").await.expect("the test listens");
        })
    });
    let app = TestApp::behind(server.authenticate()).route("/", handler);
    let (address, task) = serve(app).await;
    let mut client = connect(address, &world.token("alice").sign()).await;
    assert_eq!(within(reports.recv()).await, Some("flushed"));
    let revocation = Revocation::subject(&world.issuer.issuer(), "alice", world.clock.now());
    server.revocations().revoke(revocation).expect("known");
    assert_eq!(within(reports.recv()).await, Some("received"));
    assert!(matches!(
        next(&mut client).await,
        Some(Sent::Close(Some(_)))
    ));
    task.abort();
}
