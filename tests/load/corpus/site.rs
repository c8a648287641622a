//! A web site of an issuer on loopback, with every misbehaviour that a case asks for.
//!
//! 1. HTTP/1.1 by hand, one request a connection, so that nothing keeps the answer well-formed.
//! 2. Every request is counted under its path, also those that should not have been made.
//! 3. A question about a token is noted with its form, and answered for that token where there
//!    is an answer of its own.
//! 4. A site that refuses connections holds its port without listening on it.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::GzEncoder;
use tokio::io::{self, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::TlsAcceptor;

use super::data::{Answer, Certificate, Encoding};
use crate::support::certificate::self_signed;
use crate::support::endpoint::field;

/// Where a site is asked about tokens.
pub(super) const INTROSPECTION: &str = "/introspect";

pub(super) struct Site {
    origin: String,
    address: SocketAddr,
    board: Arc<Board>,
    tls: Option<TlsAcceptor>,
    door: tokio::sync::Mutex<Option<Door>>,
}

/// What the site answers, and whose it is.
struct Board {
    answers: Mutex<BTreeMap<String, Arc<Answer>>>,
    is_issuers: bool,
    ledger: Ledger,
    /// Questions about tokens that are not answered yet, and the most of them at a time.
    open: AtomicUsize,
    most_open: AtomicUsize,
}

/// Every request that was made of any site of a world, in order.
#[derive(Clone, Default)]
pub(super) struct Ledger(Arc<watch::Sender<Vec<Visit>>>);

/// One request that was made.
#[derive(Clone)]
pub(super) struct Visit {
    pub(super) path: String,
    pub(super) method: String,
    pub(super) form: String,
    /// In lower case, between spaces.
    pub(super) header_names: String,
    /// Whether an issuer was asked, for something that it has.
    pub(super) is_due: bool,
}

impl Visit {
    /// Whether it was asked about a token, where that may be asked.
    pub(super) fn is_question(&self) -> bool {
        self.is_due && self.path == INTROSPECTION
    }
}

impl Ledger {
    pub(super) fn visits(&self) -> Vec<Visit> {
        self.0.borrow().clone()
    }

    pub(super) fn len(&self) -> usize {
        self.0.borrow().len()
    }

    /// Ends when there are more than so many.
    pub(super) async fn more_than(&self, before: usize) {
        let mut visits = self.0.subscribe();
        let _ = visits.wait_for(|visits| visits.len() > before).await;
    }
}

enum Door {
    Open(JoinHandle<()>),
    Refusing { _socket: TcpSocket },
}

impl Drop for Site {
    fn drop(&mut self) {
        if let Some(Door::Open(task)) = self.door.get_mut() {
            task.abort();
        }
    }
}

impl Site {
    /// A site that knows nothing yet. One that is no issuer's must get no request.
    pub(super) async fn open(
        ledger: &Ledger,
        is_issuers: bool,
        certificate: Option<Certificate>,
    ) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .expect("a free port");
        let address = listener.local_addr().expect("an address");
        let tls = certificate.map(|Certificate::SelfSigned| self_signed());
        let scheme = if tls.is_some() { "https" } else { "http" };
        let board = Arc::new(Board {
            answers: Mutex::default(),
            is_issuers,
            ledger: ledger.clone(),
            open: AtomicUsize::default(),
            most_open: AtomicUsize::default(),
        });
        let task = tokio::spawn(serve(listener, Arc::clone(&board), tls.clone()));
        Self {
            origin: format!("{scheme}://{address}"),
            address,
            board,
            tls,
            door: tokio::sync::Mutex::new(Some(Door::Open(task))),
        }
    }

    /// `http://127.0.0.1:...`, without a slash at the end.
    pub(super) fn origin(&self) -> &str {
        &self.origin
    }

    /// Answers requests for a path from now on.
    pub(super) async fn answer(&self, path: &str, answer: Answer) {
        let refuse = answer.refuse;
        lock(&self.board.answers).insert(path.to_owned(), Arc::new(answer));
        let mut door = self.door.lock().await;
        *door = match door.take() {
            Some(Door::Open(task)) if refuse => {
                task.abort();
                let _ = task.await;
                Some(Door::Refusing {
                    _socket: self.bound(),
                })
            }
            Some(Door::Refusing { _socket: socket }) if !refuse => {
                let listener = socket.listen(128).expect("the port is ours");
                let served = serve(listener, Arc::clone(&self.board), self.tls.clone());
                Some(Door::Open(tokio::spawn(served)))
            }
            same => same,
        };
    }

    /// Whether an answer was set for the path.
    pub(super) fn knows(&self, path: &str) -> bool {
        lock(&self.board.answers).contains_key(path)
    }

    /// The answer for one token from now on.
    pub(super) fn answer_for(&self, token: &str, answer: Answer) {
        lock(&self.board.answers).insert(place_of(token), Arc::new(answer));
    }

    /// The most questions about tokens that were open at a time.
    pub(super) fn most_open(&self) -> usize {
        self.board.most_open.load(Ordering::SeqCst)
    }

    fn bound(&self) -> TcpSocket {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.set_reuseaddr(true).expect("an option");
        socket.bind(self.address).expect("the port is ours");
        socket
    }
}

/// Where the answer for one token stands; no request has this path.
fn place_of(token: &str) -> String {
    format!("{INTROSPECTION} {token}")
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn serve(listener: TcpListener, board: Arc<Board>, tls: Option<TlsAcceptor>) {
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        let Ok((stream, _)) = listener.accept().await else {
            return;
        };
        let board = Arc::clone(&board);
        match tls.clone() {
            None => {
                connections.spawn(async move {
                    let _ = plain(stream, &board).await;
                });
            }
            Some(tls) => {
                connections.spawn(async move {
                    // The client hangs up where it does not trust the certificate.
                    if let Ok(stream) = tls.accept(stream).await {
                        let _ = converse(stream, &board).await;
                    }
                });
            }
        }
    }
}

async fn plain(stream: TcpStream, board: &Board) -> io::Result<()> {
    let (mut stream, answer) = hear(stream, board).await?;
    let open = Open::count(board);
    match answer {
        Some(answer) if answer.reset => {
            stream.write_all(&head(&answer, Some(1 << 20))).await?;
            // Unsent data is thrown away and the client gets a reset.
            stream.set_zero_linger()
        }
        answer => speak(stream, answer.as_deref(), Some(open)).await,
    }
}

async fn converse<S: AsyncRead + AsyncWrite + Unpin>(stream: S, board: &Board) -> io::Result<()> {
    let (stream, answer) = hear(stream, board).await?;
    speak(stream, answer.as_deref(), None).await
}

/// An exchange that has begun.
struct Open<'b>(&'b Board);

impl<'b> Open<'b> {
    fn count(board: &'b Board) -> Self {
        let open = board.open.fetch_add(1, Ordering::SeqCst) + 1;
        board.most_open.fetch_max(open, Ordering::SeqCst);
        Self(board)
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Reads the request and notes it.
async fn hear<S: AsyncRead + Unpin>(
    mut stream: S,
    board: &Board,
) -> io::Result<(S, Option<Arc<Answer>>)> {
    const MOST: usize = 64 * 1024;
    let mut request = Vec::new();
    let end = loop {
        let end = request.windows(4).position(|four| four == b"\r\n\r\n");
        if let Some(end) = end.or_else(|| (request.len() >= MOST).then_some(MOST - 4)) {
            break end + 4;
        }
        if stream.read_buf(&mut request).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    };
    let mut form = request.split_off(end);
    let text = String::from_utf8_lossy(&request);
    let mut lines = text.lines();
    let mut first = lines.next().unwrap_or_default().split(' ');
    let mut word = || first.next().unwrap_or_default().to_owned();
    let (method, path) = (word(), word());
    let fields: Vec<(String, &str)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim()))
        .collect();
    let length = fields.iter().find(|(name, _)| name == "content-length");
    let length = length.and_then(|(_, value)| value.parse().ok());
    let length: usize = length.unwrap_or(0);
    while form.len() < length.min(MOST) {
        if stream.read_buf(&mut form).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    let form = String::from_utf8_lossy(&form).into_owned();
    // In one piece: there are many visits, and the memory that is measured is the server's.
    let header_names: Vec<_> = fields.into_iter().map(|(name, _)| name).collect();
    let header_names = header_names.join(" ");
    let answer = {
        let answers = lock(&board.answers);
        let token = field(&form, "token").filter(|_| path == INTROSPECTION);
        let own = token.and_then(|token| answers.get(&place_of(&token)));
        own.or_else(|| answers.get(&path)).cloned()
    };
    let visit = Visit {
        path,
        method,
        form,
        header_names,
        is_due: board.is_issuers && answer.is_some(),
    };
    board.ledger.0.send_modify(|visits| visits.push(visit));
    Ok((stream, answer))
}

async fn speak<S: AsyncWrite + Unpin>(
    mut stream: S,
    answer: Option<&Answer>,
    open: Option<Open<'_>>,
) -> io::Result<()> {
    let Some(answer) = answer else {
        stream
            .write_all(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
            .await?;
        return stream.shutdown().await;
    };
    tokio::time::sleep(Duration::from_millis(answer.delay_ms)).await;
    let parts = body(answer);
    let length = (parts.iter())
        .map(|(text, count)| text.len() * count)
        .sum::<usize>();
    let announced = (!answer.endless && answer.status != 304).then_some(length);
    // Who has the last byte may ask the next question before this task goes on.
    let is_quick = !answer.hang_after_headers && !answer.endless;
    let open = open.filter(|_| !is_quick || answer.trickle_bytes_per_s.is_some());
    stream.write_all(&head(answer, announced)).await?;
    if answer.hang_after_headers {
        return std::future::pending().await;
    }
    if let Some(pace) = answer.trickle_bytes_per_s {
        for byte in parts.iter().flat_map(|(text, count)| text.repeat(*count)) {
            stream.write_all(&[byte]).await?;
            stream.flush().await?;
            tokio::time::sleep(Duration::from_secs(1) / pace).await;
        }
        return stream.shutdown().await;
    }
    loop {
        for (text, count) in &parts {
            repeat(&mut stream, text, *count).await?;
        }
        if !answer.endless {
            drop(open);
            return stream.shutdown().await;
        }
    }
}

fn head(answer: &Answer, length: Option<usize>) -> Vec<u8> {
    let mut lines = vec![format!("HTTP/1.1 {} Said", answer.status)];
    lines.extend((answer.headers.iter()).map(|(name, value)| format!("{name}: {value}")));
    lines.extend(length.map(|length| format!("Content-Length: {length}")));
    lines.push("Connection: close\r\n\r\n".to_owned());
    lines.join("\r\n").into_bytes()
}

/// Writes a text many times, some of them at once.
async fn repeat<S: AsyncWrite + Unpin>(
    stream: &mut S,
    text: &[u8],
    mut count: usize,
) -> io::Result<()> {
    const AT_ONCE: usize = 64 * 1024;
    let step = (AT_ONCE / text.len().max(1)).clamp(1, count.max(1));
    let many = text.repeat(step);
    while count > 0 {
        let now = count.min(step);
        stream.write_all(&many[..now * text.len()]).await?;
        count -= now;
    }
    Ok(())
}

type Parts = Vec<(Vec<u8>, usize)>;

fn body(answer: &Answer) -> Parts {
    let parts: Parts = match (&answer.body, &answer.body_parts, &answer.body_b64) {
        (Some(text), None, None) => vec![(text.clone().into_bytes(), 1)],
        (None, Some(parts), None) => parts
            .iter()
            .map(|(text, count)| (text.clone().into_bytes(), *count))
            .collect(),
        (None, None, Some(text)) => vec![(STANDARD.decode(text).expect("base64"), 1)],
        (None, None, None) => Vec::new(),
        _ => panic!("an answer has one body"),
    };
    match answer.encode {
        None => parts,
        Some(Encoding::Gzip) => vec![(gzip(&parts), 1)],
    }
}

fn gzip(parts: &Parts) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    for (text, count) in parts {
        let many = text.repeat(*count);
        encoder.write_all(&many).expect("memory takes everything");
    }
    encoder.finish().expect("memory takes everything")
}
