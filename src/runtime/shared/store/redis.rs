//! Commands to the store that instances share: Redis or Valkey.
//!
//! 1. Every command has a timeout of its own, in real time.
//! 2. A reply of an unexpected form is an error, never a guess.
//! 3. An error names the store's host and port, and never a password or a stored value.

use std::fmt;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Cmd, ConnectionAddr, ErrorKind, RedisError, Value};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::runtime::shared::store::address::Address;
use crate::runtime::shared::store::stream::{
    Entry, FIELD, StreamId, entries, last_generated, text_of,
};
use crate::runtime::shared::store::tls;
use crate::runtime::util::excerpt::excerpt;

/// Time for connecting and the handshake.
const CONNECT_TIME: Duration = Duration::from_secs(2);

/// Time for one command, a long page of the stream included.
const COMMAND_TIME: Duration = Duration::from_secs(5);

/// Longest text of a cause that goes into an error.
const MAX_CAUSE_CHARS: usize = 160;

/// Why a command failed, for the operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StoreError {
    store: String,
    cause: String,
    /// The error code of the store's reply; `None` where there was no reply.
    code: Option<String>,
}

impl StoreError {
    fn of(store: &str, cause: impl Into<String>) -> Self {
        Self {
            store: store.to_owned(),
            cause: cause.into(),
            code: None,
        }
    }

    /// Whether the store replied with an error.
    pub(crate) const fn is_refusal(&self) -> bool {
        self.code.is_some()
    }

    /// Whether the key holds a value of another type than ours.
    pub(crate) fn is_wrong_type(&self) -> bool {
        self.code.as_deref() == Some("WRONGTYPE")
    }

    /// Whether the store is a node of a cluster.
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

/// An open connection. It does not reconnect: after a failure a new one is opened.
#[derive(Clone)]
pub(crate) struct Connection {
    connection: MultiplexedConnection,
    shown: String,
}

impl Connection {
    /// Opens a connection.
    pub(crate) async fn open(address: &Address) -> Result<Self, StoreError> {
        match tokio::time::timeout(CONNECT_TIME, connect(address)).await {
            Ok(Ok(connection)) => Ok(Self {
                connection,
                shown: address.shown.clone(),
            }),
            Ok(Err(cause)) => Err(StoreError::of(&address.shown, cause)),
            Err(_) => Err(StoreError::of(&address.shown, "no connection within 2 s")),
        }
    }

    /// The mode of the server: `standalone`, `sentinel` or `cluster`. `None` where the server does not state it.
    pub(crate) async fn mode(&mut self) -> Result<Option<String>, StoreError> {
        let mut command = redis::cmd("INFO");
        let reply = self.permitted(command.arg("server")).await?;
        let reply = reply.as_ref().and_then(text_of).unwrap_or_default();
        // Valkey states it under a second name too.
        Ok(reply.lines().find_map(|line| {
            let mode = line.strip_prefix("redis_mode:");
            let mode = mode.or_else(|| line.strip_prefix("server_mode:"))?;
            Some(mode.trim().to_owned())
        }))
    }

    /// The store's clock, in milliseconds. `None` where the command is not permitted.
    pub(crate) async fn time(&mut self) -> Result<Option<u64>, StoreError> {
        let reply = self.permitted(&redis::cmd("TIME")).await?;
        let Some(Value::Array(parts)) = reply else {
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

    /// `maxmemory-policy`: what the store evicts when its memory is full. `None` where the server does not state it.
    pub(crate) async fn eviction_policy(&mut self) -> Result<Option<String>, StoreError> {
        // Managed stores forbid `CONFIG`, and ACLs may forbid `INFO`.
        let mut command = redis::cmd("INFO");
        let reply = self.permitted(command.arg("memory")).await?;
        let reply = reply.as_ref().and_then(text_of).unwrap_or_default();
        let policy = reply.lines().find_map(|line| {
            let policy = line.strip_prefix("maxmemory_policy:")?;
            Some(policy.trim().to_owned())
        });
        if policy.is_some() {
            return Ok(policy);
        }
        let mut command = redis::cmd("CONFIG");
        let reply = self.permitted(command.arg("GET").arg("maxmemory-policy"));
        match reply.await? {
            Some(Value::Array(pair)) => Ok(pair.get(1).and_then(text_of)),
            _ => Ok(None),
        }
    }

    /// The reply to a command that the store may refuse; `None` where it does.
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
            _ => Err(self.unexpected_reply()),
        }
    }

    /// Sets a value that expires after `life`.
    pub(crate) async fn put(
        &mut self,
        key: &str,
        value: &[u8],
        life: Duration,
        time: Duration,
    ) -> Result<(), StoreError> {
        let mut put = redis::cmd("SET");
        put.arg(key).arg(value).arg("PX").arg(millis(life));
        self.query(&put, time).await.map(|_| ())
    }

    /// Sets a key that does not exist, for this life (`SET NX PX`). Whether it did not exist.
    pub(crate) async fn record(
        &mut self,
        key: &str,
        life: Duration,
        time: Duration,
    ) -> Result<bool, StoreError> {
        let mut set = redis::cmd("SET");
        set.arg(key).arg(1).arg("NX").arg("PX").arg(millis(life));
        match self.query(&set, time).await? {
            Value::Okay => Ok(true),
            Value::Nil => Ok(false),
            _ => Err(self.unexpected_reply()),
        }
    }

    /// The value of a key, set to `value` first where it has none (`SET NX`). Empty where it has
    /// none and the store accepts no writes. `GET` comes first: a store that is full, cannot save
    /// or is read-only refuses `SET NX` even where the key exists.
    pub(crate) async fn set_if_absent(
        &mut self,
        key: &str,
        value: &str,
    ) -> Result<Vec<u8>, StoreError> {
        // Between the commands the store may be wiped, once.
        for _ in 0..2 {
            match self.get(key, COMMAND_TIME).await {
                Ok(Some(settled)) => return Ok(settled),
                Ok(None) => {}
                // A value of another type would stay there permanently.
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
            None => Err(self.unexpected_reply()),
        }
    }

    /// Sets a key, whatever value or type it has.
    pub(crate) async fn set(&mut self, key: &str, value: &str) -> Result<(), StoreError> {
        let mut set = redis::cmd("SET");
        let outcome = self.query(set.arg(key).arg(value), COMMAND_TIME).await;
        outcome.map(|_| ())
    }

    /// The last id that the stream has given out; [`StreamId::START`] where there is no stream.
    pub(crate) async fn last_id(&mut self, stream: &str) -> Result<StreamId, StoreError> {
        let mut command = redis::cmd("XINFO");
        match self
            .query(command.arg("STREAM").arg(stream), COMMAND_TIME)
            .await
        {
            Ok(Value::Array(parts)) => {
                last_generated(&parts).ok_or_else(|| self.unexpected_reply())
            }
            Ok(_) => Err(self.unexpected_reply()),
            Err(error) => {
                // A stream that does not exist is an error too.
                let mut exists = redis::cmd("EXISTS");
                match self.query(exists.arg(stream), COMMAND_TIME).await? {
                    Value::Int(0) => Ok(StreamId::START),
                    _ => Err(error),
                }
            }
        }
    }

    /// Whether the stream holds an entry with this id.
    pub(crate) async fn holds(&mut self, stream: &str, at: StreamId) -> Result<bool, StoreError> {
        let at = at.to_string();
        let mut range = redis::cmd("XRANGE");
        range.arg(stream).arg(&at).arg(&at);
        match self.query(&range, COMMAND_TIME).await? {
            Value::Array(entries) => Ok(!entries.is_empty()),
            _ => Err(self.unexpected_reply()),
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
            Err(_) => Err(self.timed_out()),
        }
    }

    /// Up to `most` entries behind an id.
    pub(crate) async fn read(
        &mut self,
        stream: &str,
        after: StreamId,
        most: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        let mut read = redis::cmd("XREAD");
        read.arg("COUNT").arg(most);
        read.arg("STREAMS").arg(stream).arg(after.to_string());
        let answer = self.query(&read, COMMAND_TIME).await?;
        entries(answer).ok_or_else(|| self.unexpected_reply())
    }

    /// Blocks until one of these streams has an entry behind its id, or the time is over.
    pub(crate) async fn wait_for_entry(
        &mut self,
        cursors: &[(String, StreamId)],
        wait: Duration,
    ) -> Result<(), StoreError> {
        let mut read = redis::cmd("XREAD");
        read.arg("COUNT").arg(1).arg("BLOCK").arg(millis(wait));
        read.arg("STREAMS");
        for (stream, _) in cursors {
            read.arg(stream);
        }
        for (_, after) in cursors {
            read.arg(after.to_string());
        }
        match self.query(&read, COMMAND_TIME.saturating_add(wait)).await? {
            Value::Nil | Value::Array(_) => Ok(()),
            _ => Err(self.unexpected_reply()),
        }
    }

    /// Drops the entries before this id.
    pub(crate) async fn trim(&mut self, stream: &str, first: StreamId) -> Result<(), StoreError> {
        let mut trim = redis::cmd("XTRIM");
        trim.arg(stream).arg("MINID").arg(first.to_string());
        self.query(&trim, COMMAND_TIME).await.map(|_| ())
    }

    /// Deletes the entries with these ids, as far as they exist.
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
            Err(_) => Err(self.timed_out()),
        }
    }

    fn refusal(&self, error: &RedisError) -> StoreError {
        StoreError {
            // Only a reply has a code; that of a pipeline may not be known.
            code: match error.kind() {
                ErrorKind::Server(_) | ErrorKind::Extension => {
                    Some(error.code().unwrap_or("ERR").to_owned())
                }
                _ => error.code().map(ToOwned::to_owned),
            },
            ..self.error(cause_of(error))
        }
    }

    fn timed_out(&self) -> StoreError {
        self.error("no answer in time")
    }

    fn unexpected_reply(&self) -> StoreError {
        self.error("an answer that no store of this kind gives")
    }

    fn error(&self, cause: impl Into<String>) -> StoreError {
        StoreError::of(&self.shown, cause)
    }
}

async fn connect(address: &Address) -> Result<MultiplexedConnection, String> {
    match address.info.addr() {
        ConnectionAddr::TcpTls { host, port, .. } => {
            let stream = tls::connect(host, *port).await;
            let stream = stream.map_err(|cause| excerpt(&cause, MAX_CAUSE_CHARS))?;
            handshake(address, stream).await
        }
        ConnectionAddr::Tcp(host, port) => {
            let stream = tls::open(host, *port).await;
            let stream = stream.map_err(|error| excerpt(&error.to_string(), MAX_CAUSE_CHARS))?;
            handshake(address, stream).await
        }
        _ => Err("no host".to_owned()),
    }
}

async fn handshake<S>(address: &Address, stream: S) -> Result<MultiplexedConnection, String>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let config = AsyncConnectionConfig::new().set_response_timeout(None);
    let settings = address.info.redis_settings();
    let opened = MultiplexedConnection::new_with_config(settings, stream, config).await;
    let (connection, driver) = opened.map_err(|error| cause_of(&error))?;
    // The driver ends with the last handle of the connection.
    tokio::spawn(driver);
    Ok(connection)
}

/// At least 1, which is the least that the store accepts.
fn millis(life: Duration) -> u64 {
    u64::try_from(life.as_millis()).unwrap_or(u64::MAX).max(1)
}

/// The cause in words. A server chooses its error texts, so they are cut and escaped.
fn cause_of(error: &RedisError) -> String {
    excerpt(&error.to_string(), MAX_CAUSE_CHARS)
}
