//! A client that asks one server, always with as many requests under way, for a time.
//!
//! 1. HTTP/1.1: 32 connections that are kept, one request at a time on each. HTTP/2, without TLS:
//!    4 connections with 8 streams each.
//! 2. Tokens come in skewed order, the first ones far oftener than the last.

use std::sync::Arc;
use std::time::Duration;

use http::header::{AUTHORIZATION, HOST};
use http::{HeaderValue, Request, Response, StatusCode, Version};
use http_body_util::{BodyExt as _, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::stage::skewed;
use crate::stage::tokens::values;

/// Asks for this long, and once at least by each. Returns how many answers came; all were 200.
pub(crate) async fn ask(port: u16, tokens: &[String], version: Version, time: Duration) -> usize {
    let asking = Asking {
        port,
        values: values(tokens),
        end: Instant::now() + time,
    };
    let mut work = JoinSet::new();
    for number in 0..32 {
        if version == Version::HTTP_11 {
            work.spawn(asking.clone().by_http1(number));
        } else if number % 8 == 0 {
            let sender = asking.http2().await;
            for stream in 0..8 {
                work.spawn(asking.clone().by_http2(number + stream, sender.clone()));
            }
        }
    }
    work.join_all().await.into_iter().sum()
}

#[derive(Clone)]
struct Asking {
    port: u16,
    values: Arc<[HeaderValue]>,
    end: Instant,
}

impl Asking {
    /// On a connection of its own.
    async fn by_http1(self, number: usize) -> usize {
        let (mut sender, connection) = http1::handshake(self.connect().await)
            .await
            .expect("a connection");
        tokio::spawn(connection);
        let (mut order, mut answers) = (self.order(number), 0);
        loop {
            let request = self.request("/", order());
            let answer = sender.send_request(request).await.expect("an answer");
            read(answer).await;
            answers += 1;
            if Instant::now() >= self.end {
                return answers;
            }
            // It takes the next one when it has seen the end of this one.
            sender.ready().await.expect("the connection is kept");
        }
    }

    /// One stream after the other on a connection that others use too.
    async fn by_http2(self, number: usize, mut sender: http2::SendRequest<Empty<Bytes>>) -> usize {
        let target = format!("http://127.0.0.1:{}/", self.port);
        let (mut order, mut answers) = (self.order(number), 0);
        loop {
            let request = self.request(&target, order());
            let answer = sender.send_request(request).await.expect("an answer");
            read(answer).await;
            answers += 1;
            if Instant::now() >= self.end {
                return answers;
            }
        }
    }

    async fn http2(&self) -> http2::SendRequest<Empty<Bytes>> {
        let (sender, connection) = http2::handshake(TokioExecutor::new(), self.connect().await)
            .await
            .expect("the server speaks HTTP/2");
        tokio::spawn(connection);
        sender
    }

    async fn connect(&self) -> TokioIo<TcpStream> {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).await;
        let stream = stream.expect("the server listens");
        stream.set_nodelay(true).expect("a socket");
        TokioIo::new(stream)
    }

    /// They are not at the same tokens.
    fn order(&self, number: usize) -> impl FnMut() -> usize + use<> {
        let mut order = skewed(self.values.len());
        (0..number * 100).for_each(|_| _ = order());
        order
    }

    fn request(&self, target: &str, token: usize) -> Request<Empty<Bytes>> {
        Request::get(target)
            .header(HOST, "127.0.0.1")
            .header(AUTHORIZATION, self.values[token].clone())
            .body(Empty::new())
            .expect("a request")
    }
}

async fn read(answer: Response<Incoming>) {
    assert_eq!(answer.status(), StatusCode::OK);
    answer.into_body().collect().await.expect("a body");
}
