//! The bodies of answers: of the service, of a refusal, or of the service without what the caller
//! cannot use.
//!
//! 1. Answers to other methods than lists pass frame by frame, unchanged.
//! 2. A list as JSON is read to its end, at most 16 MiB, and cut; as events, event by event.
//! 3. An answer that cannot be read becomes a JSON-RPC error: nothing is shown that might have to be
//!    hidden.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, ETAG, HeaderMap};
use http::{HeaderValue, Response};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use crate::middleware::mcp::access::ListAccess;
use crate::verify::mcp::list_answer::without_hidden;
use crate::verify::mcp::message::{JsonRpcError, MessageFault};

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The longest list, or event of a stream with lists, that is filtered.
const MOST_BYTES: usize = 16 * 1024 * 1024;

pin_project! {
    /// The body of an answer behind an [`McpLayer`](crate::mcp::McpLayer): that of the service, or of
    /// a refusal.
    pub struct McpBody<B> {
        #[pin]
        kind: Kind<B>,
    }
}

pin_project! {
    #[project = KindProjection]
    enum Kind<B> {
        Whole { bytes: Bytes },
        Inner { #[pin] body: B },
        List { #[pin] body: B, list: Box<List> },
    }
}

/// A list on its way to the client.
struct List {
    access: Box<ListAccess>,
    is_stream: bool,
    buffer: BytesMut,
    search: EventSearch,
    has_begun: bool,
    has_ended: bool,
}

impl<B> McpBody<B> {
    pub(super) const fn inner(body: B) -> Self {
        Self {
            kind: Kind::Inner { body },
        }
    }

    /// The answer of the service, without what this caller cannot use.
    pub(super) fn filtered(response: Response<B>, access: Box<ListAccess>) -> Response<Self> {
        let (mut head, body) = response.into_parts();
        let media_type = media_type(&head.headers);
        let is_stream = media_type == "text/event-stream";
        if !head.status.is_success() || !(is_stream || media_type == "application/json") {
            return Response::from_parts(head, Self::inner(body));
        }
        // Of the answer before the cut.
        head.headers.remove(CONTENT_LENGTH);
        head.headers.remove(ETAG);
        if head.headers.remove(CONTENT_ENCODING).is_some() {
            let json = HeaderValue::from_static("application/json");
            head.headers.insert(CONTENT_TYPE, json);
            let body = Self::from(Bytes::from(unreadable()));
            return Response::from_parts(head, body);
        }
        let list = Box::new(List {
            access,
            is_stream,
            buffer: BytesMut::new(),
            search: EventSearch::default(),
            has_begun: false,
            has_ended: false,
        });
        let kind = Kind::List { body, list };
        Response::from_parts(head, Self { kind })
    }
}

fn media_type(headers: &HeaderMap) -> String {
    let value = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let name = value.and_then(|value| value.split(';').next());
    name.unwrap_or_default().trim().to_ascii_lowercase()
}

fn unreadable() -> String {
    MessageFault::new(
        JsonRpcError::Internal,
        "the list of the service cannot be filtered",
    )
    .to_json()
}

impl List {
    fn filter(&self, text: &str) -> String {
        without_hidden(text, &|kind, name| self.access.allows(kind, name))
            .unwrap_or_else(|_| unreadable())
    }

    /// Takes in what the service has sent; what of it may go on.
    fn take(&mut self, data: &[u8]) -> Option<Bytes> {
        self.buffer.extend_from_slice(data);
        if self.buffer.len() > MOST_BYTES && !self.is_stream {
            return Some(self.give_up());
        }
        if !self.is_stream {
            return None;
        }
        if !self.has_begun {
            // Clients skip one byte-order mark, and read a field behind it.
            if self.buffer.len() < BYTE_ORDER_MARK.len()
                && BYTE_ORDER_MARK.starts_with(&self.buffer)
            {
                return None;
            }
            self.has_begun = true;
            if self.buffer.starts_with(BYTE_ORDER_MARK) {
                let _ = self.buffer.split_to(BYTE_ORDER_MARK.len());
            }
        }
        let mut out = String::new();
        while let Some(end) = self.search.end_of_event(&self.buffer) {
            let event = self.buffer.split_to(end);
            match std::str::from_utf8(&event) {
                Ok(event) => out.push_str(&self.filter_event(event)),
                Err(_) => push_data(&mut out, &unreadable()),
            }
        }
        if self.buffer.len() > MOST_BYTES {
            push_data(&mut out, &unreadable());
            out.push('\n');
            self.buffer.clear();
            self.has_ended = true;
        }
        (!out.is_empty()).then(|| out.into())
    }

    /// The service has sent everything. An event without its end is none.
    fn end(&mut self) -> Option<Bytes> {
        self.has_ended = true;
        if self.is_stream || self.buffer.is_empty() {
            return None;
        }
        let text = std::mem::take(&mut self.buffer);
        let answer = match std::str::from_utf8(&text) {
            Ok(text) => self.filter(text),
            Err(_) => unreadable(),
        };
        Some(answer.into())
    }

    fn give_up(&mut self) -> Bytes {
        self.buffer.clear();
        self.has_ended = true;
        unreadable().into()
    }

    /// An event with its blank line.
    fn filter_event(&self, event: &str) -> String {
        let lines = || Lines(event);
        let data: Vec<&str> = lines().filter_map(data_of).collect();
        let data = data.join("\n");
        // An empty event, such as the first one of a stream that can be resumed.
        if !data.trim_start().starts_with(['{', '[']) {
            return event.to_owned();
        }
        let filtered = self.filter(&data);
        if filtered == data {
            return event.to_owned();
        }
        let mut out = String::with_capacity(event.len());
        let mut is_written = false;
        for line in lines() {
            match data_of(line) {
                None => out.push_str(line),
                Some(_) if is_written => {}
                Some(_) => {
                    push_data(&mut out, &filtered);
                    is_written = true;
                }
            }
        }
        out
    }
}

/// The data of a line, where it is one of data.
fn data_of(line: &str) -> Option<&str> {
    let data = line.strip_prefix("data:")?;
    let data = data.strip_prefix(' ').unwrap_or(data);
    Some(data.trim_end_matches(['\n', '\r']))
}

fn push_data(out: &mut String, data: &str) {
    for line in data.split(['\n', '\r']) {
        out.push_str("data: ");
        out.push_str(line);
        out.push('\n');
    }
}

/// The lines of an event with their ends: `\n`, `\r\n` or `\r`.
struct Lines<'e>(&'e str);

impl<'e> Iterator for Lines<'e> {
    type Item = &'e str;

    fn next(&mut self) -> Option<&'e str> {
        let end = match self.0.find(['\n', '\r']) {
            Some(at) => match self.0.as_bytes().get(at..at + 2) {
                Some(b"\r\n") => at + 2,
                _ => at + 1,
            },
            None if self.0.is_empty() => return None,
            None => self.0.len(),
        };
        let (line, rest) = self.0.split_at(end);
        self.0 = rest;
        Some(line)
    }
}

/// Where the search for the end of the first event has come to, so that each byte is looked at once.
struct EventSearch {
    at: usize,
    line_is_empty: bool,
}

impl Default for EventSearch {
    fn default() -> Self {
        Self {
            at: 0,
            line_is_empty: true,
        }
    }
}

impl EventSearch {
    /// Where the first event ends: behind a blank line. Lines end with `\n`, `\r\n` or `\r`.
    fn end_of_event(&mut self, buffer: &[u8]) -> Option<usize> {
        while let Some(byte) = buffer.get(self.at) {
            let mut end = self.at + 1;
            match (byte, buffer.get(end)) {
                (b'\r', Some(b'\n')) => end += 1,
                // The rest of the line's end may still come. Behind a blank line it is one more.
                (b'\r', None) if !self.line_is_empty => return None,
                (b'\n' | b'\r', _) => {}
                _ => {
                    self.at = end;
                    self.line_is_empty = false;
                    continue;
                }
            }
            if self.line_is_empty {
                *self = Self::default();
                return Some(end);
            }
            self.at = end;
            self.line_is_empty = true;
        }
        None
    }
}

impl<B: Body<Data = Bytes>> Body for McpBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        match self.project().kind.project() {
            KindProjection::Inner { body } => body.poll_frame(cx),
            KindProjection::Whole { bytes } => {
                let bytes = std::mem::take(bytes);
                let frame = (!bytes.is_empty()).then(|| Ok(Frame::data(bytes)));
                Poll::Ready(frame)
            }
            KindProjection::List { mut body, list } => loop {
                if list.has_ended {
                    return Poll::Ready(None);
                }
                let out = match ready!(body.as_mut().poll_frame(cx)) {
                    Some(Ok(frame)) => match frame.into_data() {
                        Ok(data) => list.take(&data),
                        Err(_) => None, // trailers are about the answer before the cut
                    },
                    Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                    None => list.end(),
                };
                if let Some(out) = out {
                    return Poll::Ready(Some(Ok(Frame::data(out))));
                }
            },
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Whole { bytes } => bytes.is_empty(),
            Kind::Inner { body } => body.is_end_stream(),
            Kind::List { list, .. } => list.has_ended,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Whole { bytes } => {
                SizeHint::with_exact(u64::try_from(bytes.len()).unwrap_or(u64::MAX))
            }
            Kind::Inner { body } => body.size_hint(),
            Kind::List { .. } => SizeHint::default(),
        }
    }
}

impl<B> Default for McpBody<B> {
    fn default() -> Self {
        Bytes::new().into()
    }
}

impl<B> From<Bytes> for McpBody<B> {
    fn from(bytes: Bytes) -> Self {
        Self {
            kind: Kind::Whole { bytes },
        }
    }
}

impl<B> fmt::Debug for McpBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("McpBody").finish_non_exhaustive()
    }
}
