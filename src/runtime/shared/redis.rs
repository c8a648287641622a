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
    AsyncConnectionConfig, Cmd, ConnectionAddr, ConnectionInfo, ErrorKind, IntoConnectionInfo as _,
    RedisError, Value,
};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::model::url::is_loopback;
use crate::runtime::shared::tls;
use crate::runtime::util::excerpt::excerpt;

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

    /// The milliseconds of the store's clock.
    pub(crate) const fn millis(self) -> u64 {
        self.millis
    }

    /// Whether a stream that has given out this place can give out no other.
    pub(crate) const fn is_last(self) -> bool {
        self.millis == u64::MAX && self.number == u64::MAX
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
    /// The store's own code, where the store itself said so.
    code: Option<String>,
}

impl StoreError {
    /// Whether the store answered, and refused.
    pub(crate) const fn is_refusal(&self) -> bool {
        self.code.is_some()
    }

    /// Whether the store refused because the key holds something of another type than ours.
    pub(crate) fn is_wrong_type(&self) -> bool {
        self.code.as_deref() == Some("WRONGTYPE")
    }

    /// Whether the store refused because it is one of several that share the keys.
    pub(crate) fn is_of_cluster(&self) -> bool {
        let codes = ["MOVED", "ASK", "CLUSTERDOWN", "CROSSSLOT"];
        self.code
            .as_deref()
            .is_some_and(|code| codes.contains(&code))
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
    info: ConnectionInfo,
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
        Ok(Self { info, shown })
    }

    /// Opens a connection.
    pub(crate) async fn connect(&self) -> Result<Connection, StoreError> {
        match tokio::time::timeout(CONNECT_TIME, self.open()).await {
            Ok(Ok(connection)) => Ok(Connection {
                connection,
                shown: self.shown.clone(),
            }),
            Ok(Err(cause)) => Err(self.error(cause)),
            Err(_) => Err(self.error("no connection within 2 s")),
        }
    }

    async fn open(&self) -> Result<MultiplexedConnection, String> {
        match self.info.addr() {
            ConnectionAddr::TcpTls { host, port, .. } => {
                let stream = tls::connect(host, *port).await;
                self.speak(stream.map_err(|cause| escaped(&cause))?).await
            }
            ConnectionAddr::Tcp(host, port) => {
                let stream = tls::open(host, *port).await;
                let stream = stream.map_err(|error| escaped(&error.to_string()))?;
                self.speak(stream).await
            }
            _ => Err("no host".to_owned()),
        }
    }

    async fn speak<S>(&self, stream: S) -> Result<MultiplexedConnection, String>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let config = AsyncConnectionConfig::new().set_response_timeout(None);
        let settings = self.info.redis_settings();
        let opened = MultiplexedConnection::new_with_config(settings, stream, config).await;
        let (connection, driver) = opened.map_err(|error| cause_of(&error))?;
        // It ends with the last handle of the connection.
        tokio::spawn(driver);
        Ok(connection)
    }

    fn error(&self, cause: impl Into<String>) -> StoreError {
        StoreError {
            store: self.shown.clone(),
            cause: cause.into(),
            code: None,
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
    /// What kind of server it is: `standalone`, `sentinel` or `cluster`. `None` when it does not
    /// say.
    pub(crate) async fn mode(&mut self) -> Result<Option<String>, StoreError> {
        let mut asked = redis::cmd("INFO");
        let told = self.permitted(asked.arg("server")).await?;
        let told = told.as_ref().and_then(text_of).unwrap_or_default();
        // Valkey says it under a name of its own too.
        Ok(told.lines().find_map(|line| {
            let mode = line.strip_prefix("redis_mode:");
            let mode = mode.or_else(|| line.strip_prefix("server_mode:"))?;
            Some(mode.trim().to_owned())
        }))
    }

    /// The store's clock, in milliseconds. `None` when we may not ask.
    pub(crate) async fn time(&mut self) -> Result<Option<u64>, StoreError> {
        let told = self.permitted(&redis::cmd("TIME")).await?;
        let Some(Value::Array(parts)) = told else {
            return Ok(None);
        };
        let number = |part: &Value| text_of(part)?.parse::<u64>().ok();
        let mut parts = parts.iter().map(number);
        Ok(match (parts.next().flatten(), parts.next().flatten()) {
            (Some(secs), Some(micros)) => {
                Some(secs.saturating_mul(1000).saturating_add(micros / 1000))
            }
            _ => None,
        })
    }

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
            Err(error) if error.is_refusal() => Ok(None),
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

    /// The value of a key that is set once; this one where it has none. Empty where it has none and
    /// the store takes no writes. It is read first: a store that is full, fails to save or takes no
    /// writes refuses even to set what is there already.
    pub(crate) async fn settle(&mut self, key: &str, value: &str) -> Result<Vec<u8>, StoreError> {
        // Between the questions a store may be wiped, once.
        for _ in 0..2 {
            match self.get(key, COMMAND_TIME).await {
                Ok(Some(settled)) => return Ok(settled),
                Ok(None) => {}
                // Something of another type in its place would stay there for good.
                Err(error) if error.is_wrong_type() => self.set(key, value).await?,
                Err(error) => return Err(error),
            }
            let mut set = redis::cmd("SET");
            let set = set.arg(key).arg(value).arg("NX");
            match self.query(set, COMMAND_TIME).await {
                Ok(_) => {}
                Err(error) if error.is_refusal() && !error.is_of_cluster() => {
                    return Ok(Vec::new());
                }
                Err(error) => return Err(error),
            }
        }
        match self.get(key, COMMAND_TIME).await? {
            Some(settled) => Ok(settled),
            None => Err(self.odd()),
        }
    }

    /// Sets a key, whatever it holds.
    pub(crate) async fn set(&mut self, key: &str, value: &str) -> Result<(), StoreError> {
        let mut set = redis::cmd("SET");
        let outcome = self.query(set.arg(key).arg(value), COMMAND_TIME).await;
        outcome.map(|_| ())
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

    /// Deletes the entries at these places, as far as they are there.
    pub(crate) async fn delete(
        &mut self,
        stream: &str,
        places: &[StreamId],
    ) -> Result<(), StoreError> {
        let mut delete = redis::cmd("XDEL");
        delete.arg(stream);
        for at in places {
            delete.arg(at.to_string());
        }
        self.query(&delete, COMMAND_TIME).await.map(|_| ())
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
            // Only an answer of the store has a code; of a pipeline it may not be known.
            code: match error.kind() {
                ErrorKind::Server(_) | ErrorKind::Extension => {
                    Some(error.code().unwrap_or("ERR").to_owned())
                }
                _ => error.code().map(ToOwned::to_owned),
            },
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
            code: None,
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
    escaped(&error.to_string())
}

fn escaped(text: &str) -> String {
    excerpt(text, MAX_CAUSE_CHARS)
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
