//! HTTP/1.1 by hand, so that what goes wrong goes wrong exactly as ordered.
//!
//! 1. One request for each connection, with a body of announced length.
//! 2. Nothing is judged here but what would make the reader run on for ever.

use std::io;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::StatusCode;
use tokio::net::TcpStream;

/// More than any client of ours sends.
const MAX_HEAD_BYTES: usize = 64 * 1024;

/// A form with a token in it, percent-encoded, and much more.
const MAX_BODY_BYTES: usize = 1024 * 1024;

pub(super) struct Request {
    head: String,
    body: Vec<u8>,
}

impl Request {
    #[cfg(test)]
    pub(super) fn of(head: &str, body: &str) -> Self {
        Self {
            head: head.into(),
            body: body.into(),
        }
    }

    pub(super) async fn read(stream: &TcpStream) -> io::Result<Self> {
        let mut bytes = Vec::new();
        let end = loop {
            if let Some(end) = bytes.windows(4).position(|end| end == b"\r\n\r\n") {
                break end + 4;
            }
            if bytes.len() > MAX_HEAD_BYTES {
                return Err(io::ErrorKind::InvalidData.into());
            }
            read_some(stream, &mut bytes).await?;
        };
        let body = bytes.split_off(end);
        let mut request = Self {
            head: String::from_utf8_lossy(&bytes).into_owned(),
            body,
        };
        let length = request.field("content-length").map(str::parse);
        let length = length.transpose().unwrap_or(None).unwrap_or(0);
        if length > MAX_BODY_BYTES {
            return Err(io::ErrorKind::InvalidData.into());
        }
        while request.body.len() < length {
            read_some(stream, &mut request.body).await?;
        }
        Ok(request)
    }

    pub(super) fn method(&self) -> &str {
        self.request_line(0)
    }

    pub(super) fn path(&self) -> &str {
        let target = self.request_line(1);
        target.split_once('?').map_or(target, |(path, _)| path)
    }

    #[cfg(feature = "ssf")]
    pub(super) fn body(&self) -> &[u8] {
        &self.body
    }

    /// The value of a field; of several the first.
    pub(super) fn field(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then_some(value.trim())
        })
    }

    /// The parameters of the query.
    pub(super) fn query(&self) -> Form {
        let target = self.request_line(1);
        Form::read(target.split_once('?').map_or("", |(_, query)| query))
    }

    /// The parameters of the body, where it is a form.
    pub(super) fn form(&self) -> Option<Form> {
        let media_type = self.field("content-type")?.split(';').next()?;
        media_type
            .trim()
            .eq_ignore_ascii_case("application/x-www-form-urlencoded")
            .then(|| Form::read(&String::from_utf8_lossy(&self.body)))
    }

    /// The token of `Authorization: Bearer` (RFC 6750 section 2.1).
    pub(super) fn bearer(&self) -> Option<&str> {
        self.credentials("bearer")
    }

    /// The client of `Authorization: Basic`, its id and secret decoded (RFC 6749 section 2.3.1).
    pub(super) fn basic(&self) -> Option<(String, String)> {
        let pair = STANDARD.decode(self.credentials("basic")?).ok()?;
        let pair = String::from_utf8(pair).ok()?;
        let (id, secret) = pair.split_once(':')?;
        Some((decoded(id), decoded(secret)))
    }

    fn credentials(&self, scheme: &str) -> Option<&str> {
        let (found, rest) = self.field("authorization")?.split_once(' ')?;
        found.eq_ignore_ascii_case(scheme).then(|| rest.trim())
    }

    fn request_line(&self, place: usize) -> &str {
        let line = self.head.lines().next().unwrap_or_default();
        line.split(' ').nth(place).unwrap_or_default()
    }
}

/// Parameters, `application/x-www-form-urlencoded`.
pub(super) struct Form(Vec<(String, String)>);

impl Form {
    fn read(text: &str) -> Self {
        let pairs = text.split('&').filter(|pair| !pair.is_empty());
        let pairs = pairs.map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decoded(name), decoded(value))
        });
        Self(pairs.collect())
    }

    /// The value of a parameter. RFC 6749 s3.1: one that stands there twice is a mistake.
    pub(super) fn one(&self, name: &str) -> Option<&str> {
        let mut found = self.0.iter().filter(|(found, _)| found == name);
        match (found.next(), found.next()) {
            (Some((_, value)), None) => Some(value),
            _ => None,
        }
    }
}

pub(super) struct Answer {
    status: u16,
    fields: String,
    pub(super) body: Vec<u8>,
}

impl Answer {
    pub(super) fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self {
            status,
            fields: String::new(),
            body: body.into(),
        }
    }

    pub(super) fn of_type(media_type: &str, body: impl Into<Vec<u8>>) -> Self {
        Self::new(200, body).field("content-type", media_type)
    }

    pub(super) fn field(mut self, name: &str, value: &str) -> Self {
        self.fields.extend([name, ": ", value, "\r\n"]);
        self
    }

    #[cfg(test)]
    pub(super) const fn status(&self) -> u16 {
        self.status
    }

    pub(super) const fn is_not_modified(&self) -> bool {
        self.status == 304
    }

    pub(super) fn head(&self) -> String {
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

    pub(super) async fn send(self, stream: &TcpStream) -> io::Result<()> {
        let bytes = [self.head().into_bytes(), self.body].concat();
        write_all(stream, &bytes).await
    }
}

pub(super) async fn write_all(stream: &TcpStream, mut bytes: &[u8]) -> io::Result<()> {
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

async fn read_some(stream: &TcpStream, bytes: &mut Vec<u8>) -> io::Result<()> {
    loop {
        stream.readable().await?;
        let mut piece = Vec::with_capacity(4096);
        match stream.try_read_buf(&mut piece) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(_) => {
                bytes.append(&mut piece);
                return Ok(());
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
}

/// Percent-decoded, `+` as a blank. What is no escape stands for itself.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let escape = after
            .first_chunk::<2>()
            .filter(|digits| *first == b'%' && digits.iter().all(u8::is_ascii_hexdigit))
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        rest = if let Some(byte) = escape {
            bytes.push(byte);
            after.get(2..).unwrap_or_default()
        } else {
            bytes.push(if *first == b'+' { b' ' } else { *first });
            after
        };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_decoded_once_and_a_parameter_stands_there_once() {
        let form = Form::read("token=a%2Bb%2526c&empty=&lone&twice=1&twice=2&x+y=%zz%4");
        assert_eq!(form.one("token"), Some("a+b%26c"));
        assert_eq!(form.one("empty"), Some(""));
        assert_eq!(form.one("lone"), Some(""));
        assert_eq!(form.one("twice"), None);
        assert_eq!(form.one("x y"), Some("%zz%4"));
        assert_eq!(form.one("absent"), None);
    }

    #[test]
    fn credentials_are_read_by_their_scheme() {
        let request = |fields: &str| {
            let head = format!("POST /introspect?a=b HTTP/1.1\r\n{fields}\r\n\r\n");
            Request::of(&head, "token=t")
        };
        let basic = STANDARD.encode("api%3A1:a+secret%25");
        let with_basic = request(&format!("authorization: basic {basic}"));
        assert_eq!(
            with_basic.basic(),
            Some(("api:1".to_owned(), "a secret%".to_owned()))
        );
        assert_eq!(with_basic.bearer(), None);
        let with_bearer = request("Authorization: Bearer t0ken");
        assert_eq!(with_bearer.bearer(), Some("t0ken"));
        assert_eq!(with_bearer.basic(), None);
        assert!(with_bearer.form().is_none(), "not said to be a form");
        let form = request("content-type: application/x-www-form-urlencoded; charset=utf-8");
        assert_eq!(form.form().unwrap().one("token"), Some("t"));
        assert_eq!(form.query().one("a"), Some("b"));
        assert_eq!((form.method(), form.path()), ("POST", "/introspect"));
    }
}
