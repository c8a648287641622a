//! The mock issuer on a real socket, and its ways to fail.
//!
//! 1. HTTP/1.1 on loopback, one request for each connection, answered by hand: what goes wrong
//!    must go wrong exactly as ordered.
//! 2. A request is counted when it has arrived, whatever becomes of it.
//! 3. A request that hangs is answered when the fault is lifted.
//! 4. Dropping the handle ends the server and every connection.

use std::fmt;
use std::io;
use std::ops::Deref;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::StatusCode;
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use super::issuer::MockIssuer;
use crate::Issuer;

/// A [`MockIssuer`] on a free port of 127.0.0.1. It stops when this handle is dropped.
///
/// It answers `/.well-known/openid-configuration` and `/.well-known/oauth-authorization-server`
/// with its metadata, `/jwks.json` and every path that ends in `/.well-known/jwks.json` with
/// its key set. It dereferences to the issuer, so tokens come from it too.
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
    site: Arc<Site>,
    task: JoinHandle<()>,
}

/// A way to fail.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// The connection is closed without an answer.
    Refuse,
    /// No answer comes until the fault is lifted or replaced; then the request is answered as
    /// the issuer stands at that moment.
    Hang,
    /// This status code with an empty body. Codes outside 100 to 999 become 500.
    Status(u16),
    /// 200 with this body.
    Body(Vec<u8>),
    /// 200 with the right body, one byte at a time with this pause before each, in real time.
    SlowBody(Duration),
    /// 200 with the right length, and the connection is closed after half of the body.
    CutBody,
    /// A redirect (302) to this URL.
    Redirect(String),
}

struct Site {
    issuer: MockIssuer,
    url: String,
    faults: watch::Sender<Faults>,
    counts: watch::Sender<Counts>,
    caching: Mutex<Caching>,
}

#[derive(Clone, Default)]
struct Faults {
    key_set: Option<Fault>,
    discovery: Option<Fault>,
}

#[derive(Clone, Copy, Default)]
struct Counts {
    key_set: usize,
    discovery: usize,
    not_modified: usize,
}

#[derive(Clone, Copy, Default)]
struct Caching {
    max_age: Option<Duration>,
    entity_tags: bool,
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
        let site = Arc::new(Site {
            issuer,
            url,
            faults: watch::Sender::new(Faults::default()),
            counts: watch::Sender::new(Counts::default()),
            caching: Mutex::default(),
        });
        let task = tokio::spawn(accept(listener, Arc::clone(&site)));
        Self { site, task }
    }

    /// The base URL, `http://127.0.0.1:<port>`, without a slash at its end.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.site.url
    }

    /// The URL of the key set.
    #[must_use]
    pub fn key_set_url(&self) -> String {
        format!("{}/jwks.json", self.url())
    }

    /// The URL of the OpenID Provider metadata.
    #[must_use]
    pub fn discovery_url(&self) -> String {
        format!("{}/.well-known/openid-configuration", self.url())
    }

    /// The metadata as it is served: `issuer`, `jwks_uri` and what OpenID Connect Discovery
    /// requires beside. Change it and serve it with [`Fault::Body`].
    #[must_use]
    pub fn discovery_document(&self) -> String {
        self.site.discovery_document()
    }

    /// How a resource server trusts it: keys are fetched from here, through discovery, or for
    /// Cognito from the key set's URL. [`MockIssuer::trusted`] is the form without a network.
    pub fn trusted(&self) -> Issuer {
        let issuer = self.site.issuer.untied();
        if self.site.issuer.is_cognito() {
            issuer.key_set_url(self.key_set_url())
        } else if self.site.issuer.issuer() == self.url() {
            issuer
        } else {
            issuer.discovery_url(self.discovery_url())
        }
    }

    /// Fails every request like this from now on.
    pub fn break_with(&self, fault: Fault) {
        self.site.faults.send_replace(Faults {
            key_set: Some(fault.clone()),
            discovery: Some(fault),
        });
    }

    /// Fails requests for the key set like this; metadata is served as before.
    pub fn break_key_set_with(&self, fault: Fault) {
        self.site
            .faults
            .send_modify(|faults| faults.key_set = Some(fault));
    }

    /// Fails requests for metadata like this; the key set is served as before.
    pub fn break_discovery_with(&self, fault: Fault) {
        self.site
            .faults
            .send_modify(|faults| faults.discovery = Some(fault));
    }

    /// Ends every fault; requests that hang are answered.
    pub fn recover(&self) {
        self.site.faults.send_replace(Faults::default());
    }

    /// How many requests for the key set have come, failed ones included.
    #[must_use]
    pub fn fetches(&self) -> usize {
        self.site.counts.borrow().key_set
    }

    /// How many requests for metadata have come, failed ones included.
    #[must_use]
    pub fn discovery_fetches(&self) -> usize {
        self.site.counts.borrow().discovery
    }

    /// How many requests for the key set were answered with 304, not modified.
    #[must_use]
    pub fn not_modified(&self) -> usize {
        self.site.counts.borrow().not_modified
    }

    /// Ends when at least `count` requests for the key set have come since the start. The last
    /// of them may still be under way. Without a time limit of its own.
    pub async fn await_fetches(&self, count: usize) {
        self.await_counts(|counts| counts.key_set >= count).await;
    }

    /// Ends when at least `count` requests for metadata have come since the start.
    pub async fn await_discovery_fetches(&self, count: usize) {
        self.await_counts(|counts| counts.discovery >= count).await;
    }

    /// States this `max-age` in `Cache-Control` with the key set, in whole seconds.
    /// Default: none is stated.
    pub fn max_age(&self, age: Option<Duration>) {
        self.site.caching().max_age = age;
    }

    /// Sends an `ETag` with the key set, and answers 304 to who has that set.
    /// Default: none is sent.
    pub fn offer_etag(&self) {
        self.site.caching().entity_tags = true;
    }

    /// Sends no `ETag`, and compares none.
    pub fn withhold_etag(&self) {
        self.site.caching().entity_tags = false;
    }

    async fn await_counts(&self, enough: impl FnMut(&Counts) -> bool) {
        // The sender lives as long as `self`, so the only end is success.
        let _ = self.site.counts.subscribe().wait_for(enough).await;
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
        &self.site.issuer
    }
}

impl fmt::Debug for ServedIssuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServedIssuer")
            .field("url", &self.site.url)
            .field("issuer", &self.site.issuer)
            .finish_non_exhaustive()
    }
}

/// What a path leads to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Page {
    KeySet,
    Discovery,
}

impl Page {
    fn at(target: &str) -> Option<Self> {
        let path = target.split_once('?').map_or(target, |(path, _)| path);
        let metadata = path.ends_with("/.well-known/openid-configuration")
            || path.starts_with("/.well-known/oauth-authorization-server");
        if path == "/jwks.json" || path.ends_with("/.well-known/jwks.json") {
            Some(Self::KeySet)
        } else {
            metadata.then_some(Self::Discovery)
        }
    }
}

struct Answer {
    status: u16,
    fields: String,
    body: Vec<u8>,
}

impl Answer {
    fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self {
            status,
            fields: String::new(),
            body: body.into(),
        }
    }

    fn field(mut self, name: &str, value: &str) -> Self {
        self.fields.extend([name, ": ", value, "\r\n"]);
        self
    }

    fn head(&self) -> String {
        let code = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let reason = code.canonical_reason().unwrap_or("Unknown");
        let length = match code {
            StatusCode::NOT_MODIFIED | StatusCode::NO_CONTENT => String::new(),
            _ => format!("content-length: {}\r\n", self.body.len()),
        };
        format!(
            "HTTP/1.1 {} {reason}\r\nconnection: close\r\n{length}{}\r\n",
            code.as_str(),
            self.fields
        )
    }
}

impl Site {
    fn caching(&self) -> MutexGuard<'_, Caching> {
        // No code that could panic runs under this lock.
        self.caching.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn discovery_document(&self) -> String {
        let url = &self.url;
        json!({
            "issuer": self.issuer.issuer(),
            "jwks_uri": format!("{url}/jwks.json"),
            "authorization_endpoint": format!("{url}/authorize"),
            "token_endpoint": format!("{url}/token"),
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
        })
        .to_string()
    }

    /// The right answer.
    fn answer(&self, page: Page, known_tag: Option<&str>) -> Answer {
        if page == Page::Discovery {
            return Answer::new(200, self.discovery_document())
                .field("content-type", "application/json");
        }
        let caching = *self.caching();
        // The ids name the set: no two keys of an issuer share one.
        let (tag, body) = (
            format!("\"{}\"", self.issuer.key_ids().join(".")),
            self.issuer.key_set(),
        );
        let mut answer = if caching.entity_tags && known_tag == Some(&*tag) {
            self.counts.send_modify(|counts| counts.not_modified += 1);
            Answer::new(304, "")
        } else {
            Answer::new(200, body).field("content-type", "application/jwk-set+json")
        };
        if caching.entity_tags {
            answer = answer.field("etag", &tag);
        }
        if let Some(age) = caching.max_age {
            answer = answer.field(
                "cache-control",
                &format!("public, max-age={}", age.as_secs()),
            );
        }
        answer
    }

    /// The fault of this page as soon as it is another than to hang.
    async fn fault(&self, page: Page) -> Option<Fault> {
        let of_page = |faults: &Faults| match page {
            Page::KeySet => faults.key_set.clone(),
            Page::Discovery => faults.discovery.clone(),
        };
        let mut faults = self.faults.subscribe();
        let settled = faults
            .wait_for(|faults| of_page(faults) != Some(Fault::Hang))
            .await;
        settled.ok().and_then(|faults| of_page(&faults))
    }
}

async fn accept(listener: TcpListener, site: Arc<Site>) {
    let mut connections = JoinSet::new(); // Dropped with this task, and aborted by that.
    loop {
        if let Ok((stream, _)) = listener.accept().await {
            let site = Arc::clone(&site);
            connections.spawn(async move {
                // A client that goes away is its own affair.
                let _ = converse(&stream, &site).await;
            });
        }
        while connections.try_join_next().is_some() {}
    }
}

async fn converse(stream: &TcpStream, site: &Site) -> io::Result<()> {
    let head = read_head(stream).await?;
    let mut request_line = head.lines().next().unwrap_or_default().split(' ');
    let (method, target) = (request_line.next(), request_line.next().unwrap_or_default());
    let Some(page) = Page::at(target) else {
        return write(stream, Answer::new(404, "")).await;
    };
    if method != Some("GET") {
        return write(stream, Answer::new(405, "").field("allow", "GET")).await;
    }
    site.counts.send_modify(|counts| match page {
        Page::KeySet => counts.key_set += 1,
        Page::Discovery => counts.discovery += 1,
    });
    let known_tag = head.lines().skip(1).find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("if-none-match")
            .then_some(value.trim())
    });
    match site.fault(page).await {
        None | Some(Fault::Hang) => write(stream, site.answer(page, known_tag)).await,
        Some(Fault::Refuse) => Ok(()),
        Some(Fault::Status(status)) => write(stream, Answer::new(status, "")).await,
        Some(Fault::Body(body)) => {
            write(
                stream,
                Answer::new(200, body).field("content-type", "application/json"),
            )
            .await
        }
        Some(Fault::Redirect(url)) => {
            write(stream, Answer::new(302, "").field("location", &url)).await
        }
        Some(Fault::CutBody) => {
            let answer = site.answer(page, None);
            let (half, _) = answer.body.split_at(answer.body.len() / 2);
            write_all(stream, answer.head().as_bytes()).await?;
            write_all(stream, half).await
        }
        Some(Fault::SlowBody(pause)) => {
            let answer = site.answer(page, None);
            write_all(stream, answer.head().as_bytes()).await?;
            for byte in answer.body {
                tokio::time::sleep(pause).await;
                write_all(stream, &[byte]).await?;
            }
            Ok(())
        }
    }
}

/// More than any client of ours sends.
const MAX_HEAD_BYTES: usize = 64 * 1024;

async fn read_head(stream: &TcpStream) -> io::Result<String> {
    let mut head = Vec::new();
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        stream.readable().await?;
        let mut piece = Vec::with_capacity(4096);
        match stream.try_read_buf(&mut piece) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(_) => head.append(&mut piece),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
        if head.len() > MAX_HEAD_BYTES {
            return Err(io::ErrorKind::InvalidData.into());
        }
    }
    Ok(String::from_utf8_lossy(&head).into_owned())
}

async fn write(stream: &TcpStream, answer: Answer) -> io::Result<()> {
    let bytes = [answer.head().into_bytes(), answer.body].concat();
    write_all(stream, &bytes).await
}

async fn write_all(stream: &TcpStream, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        stream.writable().await?;
        match stream.try_write(bytes) {
            Ok(written) => bytes = bytes.get(written..).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
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
