//! Exchanges: requests, responses, and connections that are kept or end.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::raw_server::{OK, RawServer, Then, all_closed, asked, client, get, post};
use crate::runtime::http::client::{Fetched, Fetcher, Validators};
use crate::runtime::http::probe::ConnectionProblem;
use crate::runtime::http::tls::HttpOptions;
use crate::runtime::http::transport::http_client::HttpClient;

#[tokio::test]
async fn request_names_its_target_its_host_and_the_client() {
    let server = RawServer::answering(OK, Then::Wait).await;
    let host = server.address;
    for (path, target) in [
        ("/keys?a=b", "/keys?a=b"),
        ("", "/"),
        ("?a", "/?a"),
        ("/a/../b", "/a/../b"),
    ] {
        asked(&client(false), get(&server.url(path)))
            .await
            .expect("an answer");
        let request = server.requests().pop().expect("a request");
        let start = format!("GET {target} HTTP/1.1\r\n");
        assert!(request.starts_with(&start), "{request}");
        for line in [
            &*format!("host: {host}"),
            concat!("user-agent: portcullis/", env!("CARGO_PKG_VERSION")),
        ] {
            assert!(request.contains(&format!("{line}\r\n")), "{request}");
        }
        assert!(!request.contains("content-length"), "{request}");
    }
    asked(&client(false), post(&server.url("/")))
        .await
        .expect("an answer");
    let request = server.requests().pop().expect("a request");
    assert!(request.contains("content-length: 3\r\n"), "{request}");
    assert!(request.ends_with("\r\n\r\na=b"), "{request}");
}

#[tokio::test]
async fn response_body_ends_by_its_length_its_last_chunk_or_the_connection() {
    let chunked = "HTTP/1.1 404 No\r\ntransfer-encoding: chunked\r\n\r\n1\r\no\r\n1\r\nk\r\n0\r\nx: y\r\n\r\n";
    for (answer, then, expected) in [
        (OK, Then::Wait, (200, "ok")),
        (chunked, Then::Wait, (404, "ok")),
        ("HTTP/1.1 200 OK\r\n\r\nok", Then::Close, (200, "ok")),
        ("HTTP/1.0 200 OK\r\n\r\nok", Then::Close, (200, "ok")),
        ("HTTP/1.1 204 No\r\n\r\n", Then::Wait, (204, "")),
        (
            "HTTP/1.1 302 No\r\nlocation: /b\r\ncontent-length: 0\r\n\r\n",
            Then::Wait,
            (302, ""),
        ),
        (
            "HTTP/1.1 103 Early\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok",
            Then::Wait,
            (200, "ok"),
        ),
    ] {
        let server = RawServer::answering(answer, then).await;
        let answered = asked(&client(true), get(&server.url("/"))).await;
        let (status, body) = answered.unwrap_or_else(|error| panic!("{answer}: {error}"));
        assert_eq!((status, &*body), expected, "{answer}");
        assert_eq!(server.requests().len(), 1, "no redirect is followed");
    }
}

#[tokio::test]
async fn response_that_is_no_http_or_is_cut_breaks_off() {
    let long = format!("HTTP/1.1 200 OK\r\nx: {}", "y".repeat(1 << 20));
    for answer in [
        "",
        "SSH-2.0-OpenSSH\r\n\r\n",
        "HTTP/1.1 2OO OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nno header\r\n\r\n",
        &long,
        "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nok",
        "HTTP/1.1 200 OK\r\ncontent-length: 3\r\ncontent-length: 2\r\n\r\nok",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nx\r\nok",
    ] {
        let server = RawServer::answering(answer, Then::Close).await;
        let shown = answer.get(..60).unwrap_or(answer);
        let error = asked(&client(true), post(&server.url("/")))
            .await
            .expect_err(shown);
        assert!(!error.is_connect(), "{shown}: {error}");
        assert_eq!(
            error.problem(),
            ConnectionProblem::Other,
            "{shown}: {error}"
        );
        assert_eq!(server.requests().len(), 1, "{shown}: a POST is sent once");
    }
}

#[tokio::test]
async fn fetch_whose_connection_breaks_is_tried_once_more_and_bodies_are_bounded() {
    let bounded = Fetcher::new(&HttpOptions::default())
        .expect("a client")
        .with_limit(4);
    let fetched = async |answer: &str, then| {
        let server = RawServer::answering(answer, then).await;
        let got = bounded.get(&server.url("/"), &Validators::default()).await;
        let got = got.map(|got| match got {
            Fetched::Body { bytes, .. } => String::from_utf8(bytes).expect("utf-8"),
            Fetched::Unchanged { .. } => "unchanged".to_owned(),
        });
        let got = got.map_err(|error| error.to_string().replace(&server.url("/"), "it"));
        (got, server.requests().len())
    };
    let chunks =
        |chunks: &str| format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{chunks}");
    let too_large = Err("`it` answered with more than 4 bytes".to_owned());
    assert_eq!(fetched(OK, Then::Wait).await, (Ok("ok".to_owned()), 1));
    let long = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n";
    assert_eq!(fetched(long, Then::Wait).await, (too_large.clone(), 1));
    let endless = chunks("4\r\nokok\r\n1\r\no\r\n");
    assert_eq!(fetched(&endless, Then::Wait).await, (too_large.clone(), 1));
    let to_the_end = "HTTP/1.1 200 OK\r\n\r\nokoko";
    assert_eq!(fetched(to_the_end, Then::Wait).await, (too_large, 1));
    let encoded = "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 2\r\n\r\nok";
    let refused = Err("`it` answered with a content encoding".to_owned());
    assert_eq!(fetched(encoded, Then::Wait).await, (refused, 1));
    let (got, requests) = fetched("", Then::Close).await;
    assert!(got.is_err_and(|error| error.starts_with("`it` broke off: ")));
    assert_eq!(requests, 2);
}

#[tokio::test]
async fn connection_is_used_again_by_a_client_with_a_pool_alone() {
    for (pooled, expected) in [(true, 1), (false, 3)] {
        let server = RawServer::answering(OK, Then::Wait).await;
        let client = client(pooled);
        for _ in 0..3 {
            let answer = asked(&client, post(&server.url("/"))).await;
            assert_eq!(answer.expect("an answer").1, "ok");
            client.settle().await;
        }
        assert_eq!(server.connections(), expected, "pooled: {pooled}");
    }
}

#[tokio::test]
async fn connection_whose_body_is_not_read_to_its_end_is_not_used_again() {
    let long = "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nok";
    let server = RawServer::answering(long, Then::Wait).await;
    let client = client(true);
    for _ in 0..2 {
        drop(client.send(get(&server.url("/"))).await.expect("a head"));
        client.settle().await;
    }
    assert_eq!(server.connections(), 2);
}

#[tokio::test]
async fn bytes_behind_a_response_are_no_response_to_the_next_request() {
    let behind = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nother";
    for (answer, expected) in [
        (format!("{OK}{behind}"), (200, "ok")),
        (format!("HTTP/1.1 204 No\r\n\r\n{behind}"), (204, "")),
        (
            format!("HTTP/1.1 304 No\r\ncontent-length: 47\r\n\r\n{behind}"),
            (304, ""),
        ),
        (
            format!(
                "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n{behind}"
            ),
            (200, "ok"),
        ),
    ] {
        let server = RawServer::answering(&*answer, Then::Wait).await;
        let client = client(true);
        for _ in 0..2 {
            let answered = asked(&client, post(&server.url("/"))).await;
            let (status, body) = answered.expect("an answer");
            assert_eq!((status, &*body), expected, "{answer}");
            client.settle().await;
        }
        assert_eq!(server.connections(), 2, "{answer}");
    }
}

#[tokio::test]
async fn request_that_is_no_longer_waited_for_ends_its_connection() {
    for part in [
        "",
        "HTTP/1.1 200 OK\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nok",
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}/", listener.local_addr().expect("an address"));
        let client = client(true);
        let mut asking = JoinSet::new();
        let request = post(&url);
        let asker = client.clone();
        asking.spawn(async move { asked(&asker, request).await.map(|_| ()) });
        let (mut stream, _) = listener.accept().await.expect("a connection");
        let mut request = Vec::new();
        while !request.ends_with(b"a=b") {
            request.push(stream.read_u8().await.expect("a request"));
        }
        stream.write_all(part.as_bytes()).await.expect("it is read");
        client.settle().await;
        asking.shutdown().await;
        // The client's end, or a reset of what it has not read.
        let rest = stream.read_to_end(&mut Vec::new()).await;
        assert!(
            rest.is_err() || rest.is_ok_and(|length| length == 0),
            "{part}"
        );
        client.settle().await;
        assert_eq!(client.idle_connections(), 0, "{part}");
    }
}

#[tokio::test]
async fn kept_connection_that_its_server_closes_costs_no_request() {
    let server = RawServer::answering(OK, Then::Close).await;
    let client = client(true);
    for _ in 0..3 {
        let answer = asked(&client, post(&server.url("/"))).await;
        assert_eq!(answer.expect("an answer").1, "ok");
        all_closed(&client).await;
    }
    assert_eq!(server.requests().len(), 3, "each is sent once");
}

#[tokio::test]
async fn requests_at_the_same_time_have_connections_of_their_own_and_few_are_kept() {
    let server = RawServer::answering(OK, Then::Wait).await;
    let (client, url) = (client(true), server.url("/"));
    let mut tasks = JoinSet::new();
    for _ in 0..100 {
        let (client, request) = (client.clone(), post(&url));
        tasks.spawn(async move { client.send(request).await.expect("an answer") });
    }
    let mut responses = Vec::new();
    while let Some(response) = tasks.join_next().await {
        responses.push(response.expect("no panic"));
    }
    assert_eq!(server.connections(), 100);
    for response in &mut responses {
        while response.chunk().await.expect("a body").is_some() {}
    }
    drop(responses);
    client.settle().await;
    assert_eq!(client.idle_connections(), 32);
}

#[tokio::test]
async fn idle_connections_are_closed_after_a_while() {
    let server = RawServer::answering(OK, Then::Wait).await;
    let client = HttpClient::with_times(Duration::from_secs(2), Duration::from_millis(1));
    for _ in 0..2 {
        let answer = asked(&client, get(&server.url("/"))).await;
        assert_eq!(answer.expect("an answer").1, "ok");
        while client.idle_connections() > 0 || client.is_swept() {
            tokio::task::yield_now().await;
        }
    }
    assert_eq!(server.connections(), 2);
}

#[tokio::test]
async fn ipv6_address_is_reached_and_named_in_brackets() {
    let server = RawServer::at("[::1]:0", OK.to_owned(), Then::Wait).await;
    // Not every machine has this protocol.
    let Ok(server) = server else { return };
    let answer = asked(&client(false), get(&server.url("/"))).await;
    assert_eq!(answer.expect("an answer").1, "ok");
    let host = format!("host: [::1]:{}\r\n", server.address.port());
    assert!(server.requests().concat().contains(&host));
}

#[tokio::test]
async fn connection_that_cannot_be_made_names_its_cause() {
    let closed = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let refusing = format!("http://{}/", closed.local_addr().expect("an address"));
    drop(closed);
    let plain = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let at = plain.local_addr().expect("an address");
    let mut answering = JoinSet::new();
    answering.spawn(async move {
        let (mut stream, _) = plain.accept().await.expect("a connection");
        let refusal = b"HTTP/1.1 400 Bad Request\r\n\r\n";
        stream.write_all(refusal).await.expect("it is read");
        let _ = stream.read_to_end(&mut Vec::new()).await;
    });
    let plain = format!("https://{at}/");
    for (url, problem, cause) in [
        (&*refusing, ConnectionProblem::Refused, "connection refused"),
        (
            "http://nothing.invalid/",
            ConnectionProblem::Dns,
            "failed to lookup address",
        ),
        (&*plain, ConnectionProblem::Tls, "received corrupt message"),
    ] {
        let error = asked(&client(true), post(url)).await.expect_err(url);
        assert!(error.is_connect(), "{url}: {error}");
        assert_eq!(error.problem(), problem, "{url}: {error}");
        assert!(error.to_string().contains(cause), "{url}: {error}");
    }
}

#[tokio::test]
async fn tls_handshake_that_is_not_answered_ends_in_time() {
    let silent = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("https://{}/", silent.local_addr().expect("an address"));
    let error = asked(&client(true), post(&url))
        .await
        .expect_err("no answer");
    assert_eq!(error.problem(), ConnectionProblem::TimedOut);
    assert_eq!(
        (error.is_connect(), &*error.to_string()),
        (true, "no answer in time")
    );
}
