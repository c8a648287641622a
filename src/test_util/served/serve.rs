//! The mock issuer on a real socket, and its ways to fail.
//!
//! 1. HTTP/1.1 on loopback, one request for each connection, answered by hand: what goes wrong
//!    must go wrong exactly as ordered.
//! 2. A request is counted when it has arrived, whatever becomes of it.
//! 3. A request that hangs is answered when the fault is lifted.
//! 4. Dropping the handle ends the server and every connection.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use super::endpoints::Site;
use super::fault::{Endpoint, Fault, Faults};
use super::wire::{Answer, Request, write_all};
use crate::Issuer;
use crate::test_util::issuer::MockIssuer;

/// A [`MockIssuer`] on a free port of 127.0.0.1. It stops when this handle is dropped.
///
/// | it answers | with |
/// |---|---|
/// | `/.well-known/openid-configuration`, `/.well-known/oauth-authorization-server` | its metadata |
/// | `/jwks.json`, and every path that ends as that of a vendor's key set | its key set |
/// | `/introspect` | introspection (RFC 7662), signed on request (RFC 9701) |
/// | `/api/oauth/tokeninfo` | token information as Axway API Gateway has it |
/// | `/userinfo` | userinfo (OpenID Connect Core section 5.3) |
/// | `/revoke` | revocation (RFC 7009) |
/// | below `/statuslists/` | Token Status Lists, with the feature `status-list` |
/// | `/.well-known/ssf-configuration` | the configuration of a transmitter (SSF 1.0 section 7) |
/// | `/ssf/poll` | security events that a test has queued (RFC 8936); with the feature `ssf` |
///
/// Introspection and revocation want a client, [`MockIssuer::RESOURCE_SERVER_ID`] with
/// [`MockIssuer::RESOURCE_SERVER_SECRET`], by Basic or in the form. The server knows the tokens
/// that [`sign`](crate::test_util::TokenBuilder::sign) and [`issue`](crate::test_util::TokenBuilder::issue) made.
/// It dereferences to the issuer, so tokens come from it too.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// use portcullis::test_util::{Fault, MockIssuer};
///
/// let issuer = MockIssuer::new().serve().await;
/// assert_eq!(issuer.issuer(), issuer.url());
/// issuer.break_with(Fault::Status(500));
/// // ... what the application does while its issuer is down ...
/// issuer.recover();
/// # }
/// ```
pub struct ServedIssuer {
    pub(super) desk: Arc<Desk>,
    task: JoinHandle<()>,
}

/// The pages, their injected faults, and the record of requests.
pub(super) struct Desk {
    pub(super) site: Site,
    faults: watch::Sender<Faults>,
    counts: watch::Sender<Counts>,
}

#[derive(Default)]
struct Counts {
    requests: BTreeMap<Endpoint, usize>,
    not_modified: usize,
}

impl MockIssuer {
    /// Serves its metadata and keys over HTTP on a free port of 127.0.0.1, until the handle is
    /// dropped. An issuer of [`new`](Self::new) takes the base URL as its name: make tokens
    /// after this call.
    ///
    /// # Panics
    ///
    /// Outside a Tokio runtime with I/O enabled, and where no port can be bound.
    pub async fn serve(&self) -> ServedIssuer {
        ServedIssuer::start(self.clone()).await
    }
}

impl ServedIssuer {
    #[allow(clippy::expect_used)] // Documented at `MockIssuer::serve`.
    async fn start(issuer: MockIssuer) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await;
        let listener = listener.expect("a free port on 127.0.0.1");
        let address = listener
            .local_addr()
            .expect("the address of a bound socket");
        let url = format!("http://{address}");
        issuer.moved_to(&url);
        let desk = Arc::new(Desk {
            site: Site::new(issuer, url),
            faults: watch::Sender::new(Faults::default()),
            counts: watch::Sender::new(Counts::default()),
        });
        let task = tokio::spawn(accept(listener, Arc::clone(&desk)));
        Self { desk, task }
    }

    /// The base URL, `http://127.0.0.1:<port>`, without a slash at its end.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.desk.site.url
    }

    /// The URL of an endpoint.
    #[must_use]
    pub fn url_of(&self, endpoint: Endpoint) -> String {
        self.desk.site.url_of(endpoint)
    }

    /// The URL of the key set.
    #[must_use]
    pub fn key_set_url(&self) -> String {
        self.url_of(Endpoint::KeySet)
    }

    /// The URL of a status list of the issuer.
    #[cfg(feature = "status-list")]
    #[must_use]
    pub fn status_list_url(&self, name: &str) -> String {
        format!("{}{name}", self.url_of(Endpoint::StatusList))
    }

    /// The URL of the OpenID Provider metadata.
    #[must_use]
    pub fn discovery_url(&self) -> String {
        self.url_of(Endpoint::Discovery)
    }

    /// The metadata as it is served: `issuer`, `jwks_uri`, the other endpoints, and what OpenID
    /// Connect Discovery requires beside. Change it and serve it with [`Fault::Body`].
    #[must_use]
    pub fn discovery_document(&self) -> String {
        self.desk.site.discovery_document()
    }

    /// How a resource server trusts it: keys are fetched from here, through discovery, or for
    /// Cognito from the key set's URL. [`MockIssuer::trusted`] is the form without a network.
    pub fn trusted(&self) -> Issuer {
        let issuer = self.untied();
        if self.is_cognito() {
            issuer.key_set_url(self.key_set_url())
        } else if self.issuer() == self.url() {
            issuer
        } else {
            issuer.discovery_url(self.discovery_url())
        }
    }

    /// How a resource server trusts it to judge its tokens, opaque ones, by introspection. What
    /// [`trusted`](Self::trusted) is for JWTs this is for all others; a server may have both.
    ///
    /// For Cognito, whose tokens name no audience, clients count as in
    /// [`MockIssuer::trusted`]. Tenant rules are not set.
    pub fn introspected(&self) -> Issuer {
        self.introspected_at(self.url_of(Endpoint::Introspection))
    }

    /// The same by its token information service, as Axway API Gateway has it.
    pub fn token_information(&self) -> Issuer {
        crate::presets::axway(self.url_of(Endpoint::TokenInformation)).identified_as(self.issuer())
    }

    /// Fails every request like this from now on.
    #[allow(clippy::needless_pass_by_value)] // like its neighbours
    pub fn break_with(&self, fault: Fault) {
        self.desk.faults.send_replace(Faults::everywhere(&fault));
    }

    /// Fails requests to one endpoint like this; the others answer as before.
    pub fn break_endpoint_with(&self, endpoint: Endpoint, fault: Fault) {
        self.desk
            .faults
            .send_modify(|faults| faults.set(endpoint, fault));
    }

    /// Fails requests for the key set like this; metadata is served as before.
    pub fn break_key_set_with(&self, fault: Fault) {
        self.break_endpoint_with(Endpoint::KeySet, fault);
    }

    /// Fails requests for metadata like this; the key set is served as before.
    pub fn break_discovery_with(&self, fault: Fault) {
        self.break_endpoint_with(Endpoint::Discovery, fault);
    }

    /// Ends every fault; requests that hang are answered.
    pub fn recover(&self) {
        self.desk.faults.send_replace(Faults::default());
    }

    /// How many requests have come to an endpoint, failed ones included.
    #[must_use]
    pub fn requests(&self, endpoint: Endpoint) -> usize {
        self.desk.counts.borrow().of(endpoint)
    }

    /// How many requests for the key set have come, failed ones included.
    #[must_use]
    pub fn fetches(&self) -> usize {
        self.requests(Endpoint::KeySet)
    }

    /// How many requests for metadata have come, failed ones included.
    #[must_use]
    pub fn discovery_fetches(&self) -> usize {
        self.requests(Endpoint::Discovery)
    }

    /// How many requests for the key set were answered with 304, not modified.
    #[must_use]
    pub fn not_modified(&self) -> usize {
        self.desk.counts.borrow().not_modified
    }

    /// Ends when at least `count` requests have come to an endpoint since the start. The last of
    /// them may still be under way. Without a time limit of its own.
    pub async fn await_requests(&self, endpoint: Endpoint, count: usize) {
        let mut counts = self.desk.counts.subscribe();
        // The sender lives as long as `self`, so the only end is success.
        let _ = counts.wait_for(|counts| counts.of(endpoint) >= count).await;
    }

    /// Ends when at least `count` requests for the key set have come since the start. The last
    /// of them may still be under way. Without a time limit of its own.
    pub async fn await_fetches(&self, count: usize) {
        self.await_requests(Endpoint::KeySet, count).await;
    }

    /// Ends when at least `count` requests for metadata have come since the start.
    pub async fn await_discovery_fetches(&self, count: usize) {
        self.await_requests(Endpoint::Discovery, count).await;
    }

    /// States this `max-age` in `Cache-Control` with the key set, in whole seconds.
    /// Default: none is stated.
    pub fn max_age(&self, age: Option<Duration>) {
        self.desk.site.settings().max_age = age;
    }

    /// Sends an `ETag` with the key set, and answers 304 to a client that has that set.
    /// Default: none is sent.
    pub fn offer_etag(&self) {
        self.desk.site.settings().entity_tags = true;
    }

    /// Sends no `ETag`, and compares none.
    pub fn withhold_etag(&self) {
        self.desk.site.settings().entity_tags = false;
    }

    /// Signs userinfo from now on: `application/jwt`, with `iss`, and in `aud` the client that
    /// the token was issued to (OpenID Connect Core section 5.3.2). Default: JSON.
    pub fn sign_user_info(&self) {
        self.desk.site.settings().signs_user_info = true;
    }

    /// Takes tokens in the query of the token information service too, as old versions of Axway
    /// API Gateway do. Default: in a form alone.
    pub fn accept_token_in_query(&self) {
        self.desk.site.settings().token_in_query = true;
    }

    /// Knows [`MockIssuer::RESOURCE_SERVER_ID`] by this bearer token too, when it introspects or
    /// revokes (RFC 7662 section 2.1). Default: by its secret alone.
    pub fn accept_client_token(&self, token: impl Into<String>) {
        self.desk.site.settings().client_token = Some(token.into());
    }
}

impl Drop for ServedIssuer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Deref for ServedIssuer {
    type Target = MockIssuer;

    fn deref(&self) -> &MockIssuer {
        &self.desk.site.issuer
    }
}

impl fmt::Debug for ServedIssuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServedIssuer")
            .field("url", &self.desk.site.url)
            .field("issuer", &self.desk.site.issuer)
            .finish_non_exhaustive()
    }
}

impl Counts {
    fn of(&self, endpoint: Endpoint) -> usize {
        self.requests.get(&endpoint).copied().unwrap_or_default()
    }
}

impl Desk {
    /// The right answer.
    fn answer(&self, endpoint: Endpoint, request: &Request) -> Answer {
        let answer = self.site.answer(endpoint, request);
        if answer.is_not_modified() {
            self.counts.send_modify(|counts| counts.not_modified += 1);
        }
        answer
    }

    /// The fault of this endpoint as soon as it is another than to hang.
    async fn fault(&self, endpoint: Endpoint) -> Option<Fault> {
        let mut faults = self.faults.subscribe();
        let settled = faults
            .wait_for(|faults| faults.at(endpoint) != Some(&Fault::Hang))
            .await;
        settled.ok().and_then(|faults| faults.at(endpoint).cloned())
    }
}

async fn accept(listener: TcpListener, desk: Arc<Desk>) {
    let mut connections = JoinSet::new(); // Dropped with this task, and aborted by that.
    loop {
        if let Ok((stream, _)) = listener.accept().await {
            let desk = Arc::clone(&desk);
            connections.spawn(async move {
                // A client that goes away is its own affair.
                let _ = converse(&stream, &desk).await;
            });
        }
        while connections.try_join_next().is_some() {}
    }
}

async fn converse(stream: &TcpStream, desk: &Desk) -> io::Result<()> {
    let request = Request::read(stream).await?;
    let Some(endpoint) = Endpoint::at(request.path()) else {
        return Answer::new(404, "").send(stream).await;
    };
    desk.counts
        .send_modify(|counts| *counts.requests.entry(endpoint).or_default() += 1);
    let answer = match desk.fault(endpoint).await {
        None | Some(Fault::Hang) => desk.answer(endpoint, &request),
        Some(Fault::Refuse) => return Ok(()),
        Some(Fault::Status(status)) => Answer::new(status, ""),
        Some(Fault::TooManyRequests(pause)) => {
            Answer::new(429, "").field("retry-after", &pause.as_secs().to_string())
        }
        Some(Fault::Body(body)) => Answer::of_type("application/json", body),
        Some(Fault::BodyOfType(media_type, body)) => Answer::of_type(&media_type, body),
        Some(Fault::Redirect(url)) => Answer::new(302, "").field("location", &url),
        Some(Fault::CutBody) => {
            let answer = desk.answer(endpoint, &request);
            let (half, _) = answer.body.split_at(answer.body.len() / 2);
            write_all(stream, answer.head().as_bytes()).await?;
            return write_all(stream, half).await;
        }
        Some(Fault::SlowBody(pause)) => {
            let answer = desk.answer(endpoint, &request);
            write_all(stream, answer.head().as_bytes()).await?;
            for byte in answer.body {
                tokio::time::sleep(pause).await;
                write_all(stream, &[byte]).await?;
            }
            return Ok(());
        }
    };
    answer.send(stream).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Algorithm;

    /// One request by hand, so that no client library judges the answer.
    async fn get(issuer: &ServedIssuer, path: &str, fields: &str) -> String {
        let address = issuer.url().strip_prefix("http://").unwrap();
        let stream = TcpStream::connect(address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\n{fields}\r\n");
        write_all(&stream, request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        loop {
            stream.readable().await.unwrap();
            match stream.try_read_buf(&mut answer) {
                Ok(0) => return String::from_utf8(answer).unwrap(),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => panic!("{error}"),
            }
        }
    }

    async fn small() -> ServedIssuer {
        MockIssuer::new()
            .with_algorithms([Algorithm::ES256])
            .serve()
            .await
    }

    #[tokio::test]
    async fn it_serves_metadata_and_keys_and_counts() {
        let issuer = small().await;
        assert_eq!(issuer.issuer(), issuer.url());
        let metadata = get(&issuer, "/.well-known/openid-configuration", "").await;
        assert!(metadata.starts_with("HTTP/1.1 200 OK\r\n"));
        assert!(metadata.ends_with(&issuer.discovery_document()));
        issuer.max_age(Some(Duration::from_secs(300)));
        issuer.offer_etag();
        let keys = get(&issuer, "/jwks.json", "").await;
        assert!(keys.ends_with(&issuer.key_set()), "{keys}");
        assert!(
            keys.contains("\r\netag: \"key-1\"\r\ncache-control: public, max-age=300\r\n"),
            "{keys}"
        );
        let again = get(&issuer, "/jwks.json", "If-None-Match: \"key-1\"\r\n").await;
        assert!(again.starts_with("HTTP/1.1 304 "), "{again}");
        issuer.rotate();
        let rotated = get(
            &issuer,
            "/pool/.well-known/jwks.json",
            "If-None-Match: \"key-1\"\r\n",
        )
        .await;
        assert!(rotated.contains("\"key-2\""), "{rotated}");
        assert!(get(&issuer, "/", "").await.starts_with("HTTP/1.1 404 "));
        assert_eq!(
            (
                issuer.fetches(),
                issuer.discovery_fetches(),
                issuer.not_modified()
            ),
            (3, 1, 1)
        );
        issuer.await_fetches(3).await;
    }

    #[tokio::test]
    async fn it_fails_as_ordered() {
        let issuer = small().await;
        issuer.break_with(Fault::Refuse);
        assert_eq!(get(&issuer, "/jwks.json", "").await, "");
        issuer.break_key_set_with(Fault::Status(503));
        assert!(
            get(&issuer, "/jwks.json", "")
                .await
                .starts_with("HTTP/1.1 503 ")
        );
        issuer.break_key_set_with(Fault::Body(b"<html>".to_vec()));
        assert!(
            get(&issuer, "/jwks.json", "")
                .await
                .ends_with("\r\n\r\n<html>")
        );
        issuer.break_key_set_with(Fault::CutBody);
        assert!(!get(&issuer, "/jwks.json", "").await.ends_with('}'));
        issuer.break_key_set_with(Fault::SlowBody(Duration::ZERO));
        assert!(
            get(&issuer, "/jwks.json", "")
                .await
                .ends_with(&issuer.key_set())
        );
        issuer.break_key_set_with(Fault::Redirect("https://other.example/".into()));
        assert!(
            get(&issuer, "/jwks.json", "")
                .await
                .contains("\r\nlocation: https://other.example/\r\n")
        );
        assert_eq!(
            get(&issuer, "/.well-known/openid-configuration", "").await,
            "",
            "still refused"
        );
        let pause = Duration::from_secs(7);
        issuer.break_endpoint_with(Endpoint::UserInfo, Fault::TooManyRequests(pause));
        let busy = get(&issuer, "/userinfo", "").await;
        assert!(busy.starts_with("HTTP/1.1 429 ") && busy.contains("\r\nretry-after: 7\r\n"));
        let html = Fault::BodyOfType("text/html".into(), b"<html>".to_vec());
        issuer.break_endpoint_with(Endpoint::Introspection, html);
        let page = get(&issuer, "/introspect", "").await;
        assert!(page.contains("\r\ncontent-type: text/html\r\n"), "{page}");
        assert_eq!(issuer.requests(Endpoint::Introspection), 1);
        issuer.await_requests(Endpoint::UserInfo, 1).await;
        issuer.recover();
        assert!(
            get(&issuer, "/.well-known/openid-configuration", "")
                .await
                .starts_with("HTTP/1.1 200 ")
        );
    }

    #[tokio::test]
    async fn who_hangs_is_answered_when_the_fault_is_lifted() {
        let issuer = small().await;
        issuer.break_with(Fault::Hang);
        let (answer, ()) = tokio::join!(get(&issuer, "/jwks.json", ""), async {
            issuer.await_fetches(1).await;
            issuer.recover();
        });
        assert!(answer.starts_with("HTTP/1.1 200 "));
    }

    #[tokio::test]
    async fn it_stops_with_its_handle() {
        let issuer = small().await;
        let address = issuer.url().strip_prefix("http://").unwrap().to_owned();
        drop(issuer);
        tokio::task::yield_now().await;
        assert!(TcpStream::connect(address).await.is_err());
    }
}
