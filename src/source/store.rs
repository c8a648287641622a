//! The store that instances share: Redis or Valkey, asked for little and believed in nothing.
//!
//! 1. Off loopback the connection is encrypted and the server's certificate checked, unless the
//!    application says otherwise.
//! 2. Everything has a bounded time of its own, by real time.
//! 3. An answer of another form than expected is an error, never a guess.
//! 4. An error names the store's host and port, and never a password or what is stored.

use std::fmt;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, Client, Cmd, ConnectionAddr, IntoConnectionInfo as _, RedisError, Value,
};

use crate::model::url::is_loopback;

/// A store that does not answer the handshake in this time is down.
const CONNECT_TIME: Duration = Duration::from_secs(2);

/// Time for one command, a long page of the stream included.
const COMMAND_TIME: Duration = Duration::from_secs(5);

/// Longest text of a cause that goes into an error.
const MAX_CAUSE_CHARS: usize = 160;

/// The one field of an entry of a stream.
const FIELD: &[u8] = b"e";

/// A place in a stream: milliseconds of the store's clock, and a number among equals.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct StreamId {
    millis: u64,
    number: u64,
}

impl StreamId {
    /// Before every entry.
    pub(crate) const START: Self = Self {
        millis: 0,
        number: 0,
    };

    #[cfg(test)]
    pub(crate) const fn at(millis: u64) -> Self {
        Self { millis, number: 0 }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (millis, number) = text.split_once('-')?;
        Some(Self {
            millis: millis.parse().ok()?,
            number: number.parse().ok()?,
        })
    }

    /// The next place; nothing lies between the two.
    pub(crate) const fn next(self) -> Self {
        Self {
            millis: self.millis,
            number: self.number.saturating_add(1),
        }
    }
}

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.millis, self.number)
    }
}

/// An entry of a stream; without bytes where it has not the one field that ours have.
pub(crate) type Entry = (StreamId, Option<Vec<u8>>);

/// Why the store did not do what it was asked, for the operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StoreError {
    store: String,
    cause: String,
    /// Whether the store itself said so.
    is_refusal: bool,
}

impl StoreError {
    /// Whether the store answered, and refused.
    pub(crate) const fn is_refusal(&self) -> bool {
        self.is_refusal
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`: {}", self.store, self.cause)
    }
}

/// Where the store is.
#[derive(Clone)]
pub(crate) struct Address {
    client: Client,
    shown: String,
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl Address {
    /// Reads the URL of a store. The fault is a phrase that follows "it".
    pub(crate) fn parse(url: &str, allow_plain: bool) -> Result<Self, &'static str> {
        let known = ["redis://", "rediss://", "valkey://", "valkeys://"];
        if !known.iter().any(|scheme| url.starts_with(scheme)) {
            return Err(
                "is not a url that begins with `redis://`, `rediss://`, `valkey://` or `valkeys://`",
            );
        }
        // What may stand there would switch the check of the certificate off.
        if url.contains(['?', '#']) {
            return Err("has a query or a fragment");
        }
        let info = url
            .into_connection_info()
            .map_err(|_| "cannot be read; write `rediss://user:password@host:port/database`, the password percent-encoded")?;
        let shown = match info.addr() {
            ConnectionAddr::TcpTls { host, port, .. } => format!("{host}:{port}"),
            ConnectionAddr::Tcp(host, port)
                if allow_plain || is_loopback(host) || is_loopback(&format!("[{host}]")) =>
            {
                format!("{host}:{port}")
            }
            ConnectionAddr::Tcp(..) => return Err("is not encrypted; use `rediss://`"),
            _ => return Err("names no host"),
        };
        let client = Client::open(info).map_err(|_| "cannot be read")?;
        Ok(Self { client, shown })
    }

    /// Opens a connection.
    pub(crate) async fn connect(&self) -> Result<Connection, StoreError> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT_TIME))
            .set_response_timeout(None);
        let client = self.client.clone();
        // In a task of its own: the TLS library panics where the application has compiled it with
        // several backends and chosen none, and that must not end more than this attempt.
        let opening = tokio::spawn(async move {
            let opened = client.get_multiplexed_async_connection_with_config(&config);
            tokio::time::timeout(CONNECT_TIME, opened).await
        });
        match opening.await {
            Ok(Ok(Ok(connection))) => Ok(Connection {
                connection,
                shown: self.shown.clone(),
            }),
            Ok(Ok(Err(error))) => Err(self.error(cause_of(&error))),
            Ok(Err(_)) => Err(self.error("no connection within 2 s")),
            Err(_) => Err(self.error(
                "the connection could not be made; does the application choose a crypto provider for rustls?",
            )),
        }
    }

    fn error(&self, cause: impl Into<String>) -> StoreError {
        StoreError {
            store: self.shown.clone(),
            cause: cause.into(),
            is_refusal: false,
        }
    }
}

/// An open connection. Of one that has failed, a new one must be opened.
#[derive(Clone)]
pub(crate) struct Connection {
    connection: MultiplexedConnection,
    shown: String,
}

impl Connection {
    /// What the store drops when its memory is full. `None` when it does not say.
    pub(crate) async fn eviction_policy(&mut self) -> Result<Option<String>, StoreError> {
        // Managed stores forbid the one, and some users the other.
        let mut asked = redis::cmd("INFO");
        let told = self.permitted(asked.arg("memory")).await?;
        let told = told.as_ref().and_then(text_of).unwrap_or_default();
        let policy = told.lines().find_map(|line| {
            let policy = line.strip_prefix("maxmemory_policy:")?;
            Some(policy.trim().to_owned())
        });
        if policy.is_some() {
            return Ok(policy);
        }
        let mut asked = redis::cmd("CONFIG");
        let told = self.permitted(asked.arg("GET").arg("maxmemory-policy"));
        match told.await? {
            Some(Value::Array(pair)) => Ok(pair.get(1).and_then(text_of)),
            _ => Ok(None),
        }
    }

    /// The answer to a question that the store may refuse to us.
    async fn permitted(&mut self, command: &Cmd) -> Result<Option<Value>, StoreError> {
        match self.query(command, COMMAND_TIME).await {
            Ok(value) => Ok(Some(value)),
            Err(error) if error.is_refusal => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(crate) async fn get(
        &mut self,
        key: &str,
        time: Duration,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        match self.query(redis::cmd("GET").arg(key), time).await? {
            Value::Nil => Ok(None),
            Value::BulkString(bytes) => Ok(Some(bytes)),
            _ => Err(self.odd()),
        }
    }

    /// Keeps a value for so long.
    pub(crate) async fn put(
        &mut self,
        key: &str,
        value: &[u8],
        life: Duration,
        time: Duration,
    ) -> Result<(), StoreError> {
        let mut put = redis::cmd("SET");
        let millis = u64::try_from(life.as_millis()).unwrap_or(u64::MAX).max(1);
        put.arg(key).arg(value).arg("PX").arg(millis);
        self.query(&put, time).await.map(|_| ())
    }

    /// The value of a key that is set once; this one where it has none.
    pub(crate) async fn settle(&mut self, key: &str, value: &str) -> Result<Vec<u8>, StoreError> {
        // Between the two questions a store may be wiped, once.
        for _ in 0..2 {
            let mut set = redis::cmd("SET");
            self.query(set.arg(key).arg(value).arg("NX"), COMMAND_TIME)
                .await?;
            if let Some(settled) = self.get(key, COMMAND_TIME).await? {
                return Ok(settled);
            }
        }
        Err(self.odd())
    }

    /// The last place that the stream has given out; the start where there is no stream.
    pub(crate) async fn last_place(&mut self, stream: &str) -> Result<StreamId, StoreError> {
        let mut asked = redis::cmd("XINFO");
        match self
            .query(asked.arg("STREAM").arg(stream), COMMAND_TIME)
            .await
        {
            Ok(Value::Array(parts)) => last_generated(&parts).ok_or_else(|| self.odd()),
            Ok(_) => Err(self.odd()),
            Err(error) => {
                // Where there is no stream, that is an error too.
                let mut exists = redis::cmd("EXISTS");
                match self.query(exists.arg(stream), COMMAND_TIME).await? {
                    Value::Int(0) => Ok(StreamId::START),
                    _ => Err(error),
                }
            }
        }
    }

    /// Whether the stream holds an entry at this place.
    pub(crate) async fn holds(&mut self, stream: &str, at: StreamId) -> Result<bool, StoreError> {
        let at = at.to_string();
        let mut range = redis::cmd("XRANGE");
        range.arg(stream).arg(&at).arg(&at);
        match self.query(&range, COMMAND_TIME).await? {
            Value::Array(entries) => Ok(!entries.is_empty()),
            _ => Err(self.odd()),
        }
    }

    /// Appends entries, in this order.
    pub(crate) async fn append(
        &mut self,
        stream: &str,
        entries: &[Vec<u8>],
    ) -> Result<(), StoreError> {
        let mut all = redis::pipe();
        for entry in entries {
            all.cmd("XADD")
                .arg(stream)
                .arg("*")
                .arg(FIELD)
                .arg(&entry[..]);
        }
        let sent = all.exec_async(&mut self.connection);
        match tokio::time::timeout(COMMAND_TIME, sent).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(self.refusal(&error)),
            Err(_) => Err(self.late()),
        }
    }

    /// Up to `most` entries behind a place. With `wait`, ends when there is one or the time is over.
    pub(crate) async fn read(
        &mut self,
        stream: &str,
        after: StreamId,
        most: usize,
        wait: Option<Duration>,
    ) -> Result<Vec<Entry>, StoreError> {
        let mut read = redis::cmd("XREAD");
        read.arg("COUNT").arg(most);
        let mut time = COMMAND_TIME;
        if let Some(wait) = wait {
            read.arg("BLOCK")
                .arg(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX));
            time += wait;
        }
        read.arg("STREAMS").arg(stream).arg(after.to_string());
        let answer = self.query(&read, time).await?;
        entries(answer).ok_or_else(|| self.odd())
    }

    /// Drops what lies before this place.
    pub(crate) async fn trim(&mut self, stream: &str, first: StreamId) -> Result<(), StoreError> {
        let mut trim = redis::cmd("XTRIM");
        trim.arg(stream).arg("MINID").arg(first.to_string());
        self.query(&trim, COMMAND_TIME).await.map(|_| ())
    }

    async fn query(&mut self, command: &Cmd, time: Duration) -> Result<Value, StoreError> {
        let answer = command.query_async(&mut self.connection);
        match tokio::time::timeout(time, answer).await {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => Err(self.refusal(&error)),
            Err(_) => Err(self.late()),
        }
    }

    fn refusal(&self, error: &RedisError) -> StoreError {
        StoreError {
            // Only an answer of the store has a code.
            is_refusal: error.code().is_some(),
            ..self.error(cause_of(error))
        }
    }

    fn late(&self) -> StoreError {
        self.error("no answer in time")
    }

    fn odd(&self) -> StoreError {
        self.error("an answer that no store of this kind gives")
    }

    fn error(&self, cause: impl Into<String>) -> StoreError {
        StoreError {
            store: self.shown.clone(),
            cause: cause.into(),
            is_refusal: false,
        }
    }
}

fn last_generated(parts: &[Value]) -> Option<StreamId> {
    parts.chunks_exact(2).find_map(|pair| match pair {
        [name, value] if text_of(name)? == "last-generated-id" => StreamId::parse(&text_of(value)?),
        _ => None,
    })
}

/// The entries in an answer to `XREAD` for one stream.
fn entries(answer: Value) -> Option<Vec<Entry>> {
    let Value::Array(streams) = answer else {
        return (answer == Value::Nil).then(Vec::new);
    };
    let Some(Value::Array(mut pair)) = streams.into_iter().next() else {
        return None;
    };
    let Some(Value::Array(entries)) = pair.pop() else {
        return None;
    };
    entries.into_iter().map(entry).collect()
}

fn entry(value: Value) -> Option<Entry> {
    let Value::Array(pair) = value else {
        return None;
    };
    let mut pair = pair.into_iter();
    let at = StreamId::parse(&text_of(&pair.next()?)?)?;
    // Another field, or several, are none of ours; the place counts all the same.
    let bytes = match pair.next() {
        Some(Value::Array(fields)) => match <[Value; 2]>::try_from(fields) {
            Ok([Value::BulkString(name), Value::BulkString(bytes)]) if name == FIELD => Some(bytes),
            _ => None,
        },
        _ => None,
    };
    Some((at, bytes))
}

fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::BulkString(bytes) => String::from_utf8(bytes.clone()).ok(),
        Value::SimpleString(text) | Value::VerbatimString { text, .. } => Some(text.clone()),
        _ => None,
    }
}

/// The cause in words. A store chooses its own, so they are shortened and escaped.
fn cause_of(error: &RedisError) -> String {
    let text = error.to_string();
    let text = text.chars().take(MAX_CAUSE_CHARS).collect::<String>();
    text.escape_debug().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_off_loopback_is_reached_encrypted_or_because_that_was_allowed() {
        for url in [
            "redis://127.0.0.1:6379/0",
            "redis://localhost",
            "redis://[::1]:6379",
            "valkey://127.0.0.1",
            "rediss://cache.example.com",
            "rediss://user:p%40ss@cache.example.com:6380/2",
            "valkeys://cache.example.com",
        ] {
            assert!(Address::parse(url, false).is_ok(), "{url}");
        }
        let plain = "redis://cache.example.com:6379";
        assert!(Address::parse(plain, false).is_err());
        assert!(Address::parse(plain, true).is_ok(), "allowed");
        for url in [
            "",
            "cache.example.com",
            "http://cache.example.com",
            "unix:///run/redis.sock",
            "rediss://cache.example.com#insecure",
            "rediss://cache.example.com/?protocol=resp3",
            "rediss://cache.example.com/first",
            "rediss://",
        ] {
            assert!(Address::parse(url, false).is_err(), "{url}");
        }
    }

    #[test]
    fn an_address_shows_neither_user_nor_password() {
        let url = "rediss://someone:secret@cache.example.com:6380/2";
        let address = Address::parse(url, false).expect("an address");
        assert_eq!(format!("{address:?}"), "cache.example.com:6380");
    }

    #[test]
    fn places_are_ordered_as_numbers() {
        let places = ["0-0", "9-1", "10-0", "10-9", "10-10"].map(StreamId::parse);
        assert!(places.is_sorted() && places.iter().all(Option::is_some));
        assert_eq!(StreamId::parse("9-1"), Some(StreamId::at(9).next()));
        for text in [
            "",
            "9",
            "-",
            "9-",
            "9-x",
            "-1-1",
            "9-1-1",
            "18446744073709551616-0",
        ] {
            assert_eq!(StreamId::parse(text), None, "{text}");
        }
        assert_eq!(StreamId::at(9).to_string(), "9-0");
    }

    #[test]
    fn an_answer_of_another_form_is_none() {
        let bytes = |text: &str| Value::BulkString(text.as_bytes().to_vec());
        let read = |entry: Value| {
            entries(Value::Array(vec![Value::Array(vec![
                bytes("stream"),
                Value::Array(vec![entry]),
            ])]))
        };
        let fields = |names: &[&str]| Value::Array(names.iter().copied().map(bytes).collect());
        let entry = |names: &[&str]| Value::Array(vec![bytes("5-0"), fields(names)]);
        let at = StreamId::at(5);
        assert_eq!(
            read(entry(&["e", "sealed"])),
            Some(vec![(at, Some(b"sealed".to_vec()))])
        );
        assert_eq!(read(entry(&["x", "sealed"])), Some(vec![(at, None)]));
        assert_eq!(read(entry(&["e", "a", "e", "b"])), Some(vec![(at, None)]));
        assert_eq!(entries(Value::Nil), Some(Vec::new()));
        assert_eq!(
            read(Value::Array(vec![bytes("nonsense"), fields(&[])])),
            None
        );
        assert_eq!(read(Value::Okay), None);
        assert_eq!(entries(Value::Okay), None);
        assert_eq!(entries(Value::Array(Vec::new())), None);
    }
}
