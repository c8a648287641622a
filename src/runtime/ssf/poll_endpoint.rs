//! The endpoint that SETs are polled from (RFC 8936): one request and its answer.
//!
//! 1. A POST of JSON with what is acknowledged, what is refused, and how many SETs may come.
//! 2. Only `200` with one strict JSON object is an answer. It is bounded in bytes, in the number of SETs
//!    and in time, and no redirect is followed.
//! 3. SETs beyond the bound are left out; they are not acknowledged, so they come again.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;
use serde_json::{Map, json};

use crate::model::ids::MAX_FOREIGN_ID_BYTES;
use crate::runtime::clock::Clock;
use crate::runtime::directory::LookupError;
use crate::runtime::http::client::{Fetcher, HttpRequest, RequestBody};
use crate::runtime::http::tls::HttpOptions;
use crate::runtime::util::catch_panic::catch_panic_of;
use crate::runtime::util::excerpt::excerpt;
use crate::runtime::util::select::{Either, race};
use crate::verify::json::object::{Object, Value};
use crate::verify::ssf::error_code::SetErrorCode;

/// The most bytes of an answer, whatever the number of SETs.
const MOST_BYTES: usize = 16 << 20;

/// What an answer holds beside its SETs.
const OVERHEAD: usize = 64 << 10;

/// Time beyond the long poll for the answer to arrive.
const ANSWER_TIME: Duration = Duration::from_secs(5);

/// How long the application may take for the bearer token.
const BEARER_TIME: Duration = Duration::from_secs(10);

/// Longest text of an error, in characters.
const MAX_ERROR_CHARS: usize = 160;

type BearerFuture = Pin<Box<dyn Future<Output = Result<String, LookupError>> + Send>>;

/// The bearer token of the requests.
#[derive(Clone)]
pub(crate) enum PollBearer {
    Absent,
    Fixed(String),
    Computed(Arc<dyn Fn() -> BearerFuture + Send + Sync>),
}

/// Where and how a transmitter is polled.
#[derive(Clone)]
pub(crate) struct PollConfig {
    pub(crate) url: String,
    pub(crate) bearer: PollBearer,
    pub(crate) most_events: usize,
    /// How long the transmitter may hold a request back; zero for an answer at once.
    pub(crate) wait: Duration,
    /// The pause after an answer without SETs.
    pub(crate) interval: Duration,
}

pub(crate) struct PollEndpoint {
    pub(crate) config: PollConfig,
    fetcher: Fetcher,
}

/// What the next request reports.
#[derive(Default)]
pub(crate) struct PollReport {
    pub(crate) accepted: Vec<String>,
    /// With the error of each.
    pub(crate) refused: Vec<(String, SetErrorCode, String)>,
}

/// The answer to a poll.
#[derive(Debug)]
pub(crate) struct PolledSets {
    /// By `jti`, as the answer states it.
    pub(crate) sets: Vec<(String, String)>,
}

/// Why a poll failed.
#[derive(Debug)]
pub(crate) struct PollError {
    pub(crate) text: String,
    pub(crate) retry_after: Option<Duration>,
}

impl PollError {
    fn new(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            retry_after: None,
        }
    }
}

impl fmt::Display for PollError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl PollEndpoint {
    /// `set_bytes` is the most bytes of one SET.
    pub(crate) fn new(
        config: PollConfig,
        set_bytes: usize,
        http_options: &HttpOptions,
    ) -> Result<Self, String> {
        let bytes = config.most_events.saturating_mul(set_bytes);
        let bytes = bytes.saturating_add(OVERHEAD).min(MOST_BYTES);
        let fetcher = Fetcher::for_lookups(http_options)?
            .with_limit(bytes)
            .with_total_time(config.wait.saturating_add(ANSWER_TIME));
        Ok(Self { config, fetcher })
    }

    /// One request.
    pub(crate) async fn poll(
        &self,
        report: &PollReport,
        clock: &dyn Clock,
    ) -> Result<PolledSets, PollError> {
        let request = HttpRequest {
            url: &self.config.url,
            accept: "application/json",
            authorization: self.authorization(clock).await?,
            body: Some(RequestBody::Json(self.question(report))),
        };
        let response = self.fetcher.send(request).await;
        let response = response.map_err(|error| PollError::new(error.to_string()))?;
        if response.status != 200 {
            return Err(PollError {
                text: format!("the poll endpoint answered {}", response.status),
                retry_after: response.retry_after,
            });
        }
        read_sets(&response.body, self.config.most_events).map_err(PollError::new)
    }

    async fn authorization(&self, clock: &dyn Clock) -> Result<Option<HeaderValue>, PollError> {
        let token = match &self.config.bearer {
            PollBearer::Absent => return Ok(None),
            PollBearer::Fixed(token) => token.clone(),
            PollBearer::Computed(token) => {
                let end = clock.monotonic().saturating_add(BEARER_TIME);
                let token = catch_panic_of(async { token().await });
                let why = match race(token, clock.sleep_until(end)).await {
                    Either::First(Some(Ok(token))) => Ok(token),
                    Either::First(Some(Err(error))) => {
                        Err(excerpt(&error.to_string(), MAX_ERROR_CHARS))
                    }
                    Either::First(None) => Err("its function panics".to_owned()),
                    Either::Second(()) => Err("its function takes longer than 10 s".to_owned()),
                };
                why.map_err(|why| {
                    PollError::new(format!("there is no bearer token for the poll: {why}"))
                })?
            }
        };
        let mut value = HeaderValue::from_str(&format!("Bearer {token}"))
            .map_err(|_| PollError::new("the bearer token fits into no header field"))?;
        value.set_sensitive(true);
        Ok(Some(value))
    }

    /// RFC 8936 s2.4.
    fn question(&self, report: &PollReport) -> String {
        let mut question = Map::new();
        question.insert("maxEvents".into(), self.config.most_events.into());
        let at_once = self.config.wait.is_zero();
        question.insert("returnImmediately".into(), at_once.into());
        if !report.accepted.is_empty() {
            question.insert("ack".into(), json!(report.accepted));
        }
        if !report.refused.is_empty() {
            let errors = report.refused.iter().map(|(id, code, why)| {
                let error = json!({ "err": code.as_str(), "description": why });
                (id.clone(), error)
            });
            question.insert("setErrs".into(), errors.collect::<Map<_, _>>().into());
        }
        serde_json::Value::Object(question).to_string()
    }
}

/// RFC 8936 s2.3: `sets`, an object of SETs by their ids, and `moreAvailable`.
fn read_sets(body: &[u8], most: usize) -> Result<PolledSets, &'static str> {
    let answer = Object::parse(body).map_err(|_| "the answer is not one strict JSON object")?;
    let sets = match answer.get("sets") {
        Some(Value::Object(sets)) => {
            Object::parse_str(sets).map_err(|_| "`sets` of the answer is malformed")?
        }
        _ => return Err("the answer has no object `sets`"),
    };
    // Its value is of no use: polls follow each other while new tokens come.
    if !matches!(answer.get("moreAvailable"), None | Some(Value::Bool(_))) {
        return Err("`moreAvailable` of the answer is no boolean");
    }
    let mut all = Vec::new();
    for (id, set) in sets.members() {
        let Some(set) = set.as_text() else {
            return Err("`sets` of the answer has a value that is no string");
        };
        if id.is_empty() || id.len() > MAX_FOREIGN_ID_BYTES {
            return Err("`sets` of the answer has an id that is empty or too long");
        }
        if all.len() == most {
            break;
        }
        all.push((id.into_owned(), set.into_owned()));
    }
    Ok(PolledSets { sets: all })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answer_is_read_strictly_and_bounded() {
        let read = |text: &str| read_sets(text.as_bytes(), 2);
        let sets = read(r#"{"sets":{"a":"x.y.z","b":"u"},"moreAvailable":true}"#).unwrap();
        assert_eq!(
            sets.sets,
            [("a".into(), "x.y.z".into()), ("b".into(), "u".into())]
        );
        let sets = read(r#"{"sets":{"a":"1","b":"2","c":"3"}}"#).unwrap();
        assert_eq!(sets.sets.len(), 2);
        let empty = read(r#"{"sets":{}}"#).unwrap();
        assert!(empty.sets.is_empty());
        for bad in [
            "",
            "[]",
            "{}",
            r#"{"sets":[]}"#,
            r#"{"sets":{"a":1}}"#,
            r#"{"sets":{"a":"1","a":"2"}}"#,
            r#"{"sets":{"":"1"}}"#,
            r#"{"sets":{},"moreAvailable":"yes"}"#,
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
