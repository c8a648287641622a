//! Proxies: what they are told, and what they answer.

use super::raw_server::{OK, RawServer, Then, asked, post};
use crate::runtime::http::probe::ConnectionProblem;
use crate::runtime::http::transport::http_client::HttpClient;

#[tokio::test]
async fn proxy_gets_its_credentials_and_a_host_without_a_proxy_does_not() {
    let server = RawServer::answering(OK, Then::Wait).await;
    let proxy = RawServer::answering(OK, Then::Wait).await;
    // RFC 7617 s2: a password may be empty.
    let named = format!("http://user@{}", proxy.address);
    let client = HttpClient::with_proxy(&named, "LocalHost");
    let port = server.address.port();
    for (host, asked_server, asked_proxy) in [
        ("localhost", 1, 0),
        ("LOCALHOST", 2, 0),
        ("127.0.0.1", 2, 1),
    ] {
        let url = format!("http://{host}:{port}/keys?a=b");
        asked(&client, post(&url)).await.expect("an answer");
        client.settle().await;
        let requests = [&server, &proxy].map(|one| one.requests().len());
        assert_eq!(requests, [asked_server, asked_proxy], "{host}");
    }
    // One connection to each.
    assert_eq!([server.connections(), proxy.connections()], [1, 1]);
    let head = server.requests().concat();
    assert!(!head.contains("proxy-authorization"), "{head}");
    let head = proxy.requests().concat();
    let start = format!("POST http://127.0.0.1:{port}/keys?a=b HTTP/1.1\r\n");
    assert!(head.starts_with(&start), "{head}");
    let credentials = "proxy-authorization: Basic dXNlcjo=\r\n";
    assert!(head.contains(credentials), "{head}");
}

#[tokio::test]
async fn tunnel_that_a_proxy_does_not_open_names_the_cause_and_no_credentials() {
    let endless = format!("HTTP/1.1 200 OK\r\nx: {}", "y".repeat(1 << 14));
    for (answer, then, cause) in [
        ("", Then::Close, "the proxy closed the connection"),
        (
            "HTTP/1.1 200 OK\r\n",
            Then::Close,
            "the proxy closed the connection",
        ),
        (
            "HTTP/1.1 403 No\r\n\r\n",
            Then::Wait,
            "the proxy opened no tunnel (403)",
        ),
        (
            "HTTP/1.1 302 No\r\nlocation: http://b/\r\n\r\n",
            Then::Wait,
            "the proxy opened no tunnel (302)",
        ),
        (
            "HTTP/1.1 407 No\r\n\r\n",
            Then::Wait,
            "the proxy demands credentials (407)",
        ),
        (
            "SSH-2.0-OpenSSH\r\n\r\n",
            Then::Wait,
            "the proxy does not speak HTTP/1.1",
        ),
        (
            &*endless,
            Then::Wait,
            "the proxy answers with a head without an end",
        ),
    ] {
        let proxy = RawServer::answering(answer, then).await;
        let named = format!("http://user:password@{}", proxy.address);
        let client = HttpClient::with_proxy(&named, "");
        let error = asked(&client, post("https://[2001:db8::1]/keys?a=b"))
            .await
            .expect_err(cause);
        assert_eq!(error.to_string(), cause);
        assert!(
            error.is_connect() && error.problem() == ConnectionProblem::Proxy,
            "{cause}"
        );
        let request = proxy.requests().concat();
        let start = "CONNECT [2001:db8::1]:443 HTTP/1.1\r\nHost: [2001:db8::1]:443\r\n";
        assert!(request.starts_with(start), "{request}");
        let credentials = "Proxy-Authorization: Basic dXNlcjpwYXNzd29yZA==\r\n";
        assert!(
            request.contains(credentials) && !request.contains("keys"),
            "{request}"
        );
    }
}
