//! The HTTP client: bounded requests without surprises.
//!
//! 1. The address passes [`url::check`]. Redirects are never followed, so that no server can send a
//!    request elsewhere (CVE-2026-49478).
//! 2. A whole exchange, its one retry included, takes at most 5 s of real time.
//! 3. At most 256 KiB of body are read; of a key set as many as its issuer's settings say. Bytes are
//!    counted as they arrive: `Content-Length` is not trusted, and nothing is decompressed.
//! 4. Only `200` is a success, and `304` where validators were sent. The content type of documents is
//!    ignored: issuers get it wrong, and the bytes are parsed strictly anyway.
//! 5. Certificates are checked by the system's roots and by those of the issuer's settings and files. Proxies
//!    of the environment are used only where the settings say so.
//! 6. Errors name the address and the cause, and never quote a body or a query.
//! 7. Requests of [`Fetcher::send`] are sent once: they may hold a token and our credentials, which a
//!    retry would send a second time.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::header::{
    ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, DATE, ETAG,
    IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED, RETRY_AFTER,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode};

use crate::model::url;
use crate::runtime::http::bearer_file::BearerFile;
use crate::runtime::http::cache_control::{delta_seconds, max_age};
use crate::runtime::http::client_source::{ClientSource, Pool};
use crate::runtime::http::date::http_date;
use crate::runtime::http::probe::{ConnectionProblem, ProbeError, ProbeResponse};
use crate::runtime::http::tls::HttpOptions;
use crate::runtime::http::transport::http_client::HttpClient;
use crate::runtime::http::transport::http_response::HttpResponse;
use crate::runtime::http::transport::transport_error::TransportError;
use crate::verify::json::object::Object;

/// Time for a whole exchange, so that a server that sends single bytes holds nothing up.
const TOTAL_TIME: Duration = Duration::from_secs(5);

/// The bound on a body by default: fifty times a large key set.
const MAX_BODY_BYTES: usize = 256 * 1024;

/// A longer validator is not kept.
const MAX_VALIDATOR_BYTES: usize = 1024;

/// The client. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Fetcher {
    client: ClientSource,
    /// Sent with requests for documents.
    bearer: Option<Arc<BearerFile>>,
    plain_http_anywhere: bool,
    most_bytes: usize,
    /// For a whole exchange.
    total_time: Duration,
}

/// Validators of a conditional request (RFC 9110 section 8.8).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Validators {
    pub(crate) etag: Option<String>,
    pub(crate) last_modified: Option<String>,
}

/// The result of a fetch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fetched {
    /// `304`: the body that was fetched before is current.
    Unchanged { max_age: Option<Duration> },
    /// `200`.
    Body {
        bytes: Vec<u8>,
        max_age: Option<Duration>,
        validators: Validators,
    },
}

/// A request: POST where it has a body, otherwise GET.
pub(crate) struct HttpRequest<'r> {
    pub(crate) url: &'r str,
    pub(crate) accept: &'static str,
    /// Marked as sensitive.
    pub(crate) authorization: Option<HeaderValue>,
    pub(crate) body: Option<RequestBody>,
}

/// The body of a POST.
pub(crate) enum RequestBody {
    Form(String),
    #[cfg(feature = "ssf")]
    Json(String),
}

impl RequestBody {
    fn into_parts(self) -> (&'static str, String) {
        match self {
            Self::Form(form) => ("application/x-www-form-urlencoded", form),
            #[cfg(feature = "ssf")]
            Self::Json(json) => ("application/json", json),
        }
    }
}

/// A response of any status.
pub(crate) struct RawResponse {
    pub(crate) status: u16,
    /// Without parameters, in lower case.
    pub(crate) media_type: Option<String>,
    pub(crate) retry_after: Option<Duration>,
    /// Empty except where the status is 200.
    pub(crate) body: Vec<u8>,
    /// The `error` member of a 400 in JSON (RFC 6749 section 5.2).
    pub(crate) error: Option<String>,
}

/// Why a request failed, for the operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FetchError {
    /// Without its query.
    url: String,
    fault: Fault,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Fault {
    Url(&'static str),
    Connect(String),
    Broken(String),
    /// After so long.
    Timeout(Duration),
    Status(u16),
    Encoded,
    /// A file of the settings cannot be used: a sentence that names it.
    File(String),
    /// More than so many bytes.
    TooLarge(usize),
}

impl fmt::Debug for Fetcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fetcher")
            .field("most_bytes", &self.most_bytes)
            .field("total_time", &self.total_time)
            .finish_non_exhaustive()
    }
}

impl Fetcher {
    /// A client for documents, without a connection pool. It reads the environment once, here.
    pub(crate) fn new(options: &HttpOptions) -> Result<Self, String> {
        // Minutes lie between requests; an idle connection is only one that has died.
        Self::with(options, Pool::None)
    }

    /// A client for look-ups, many at a time, with a connection pool.
    pub(crate) fn for_lookups(options: &HttpOptions) -> Result<Self, String> {
        Self::with(options, Pool::Kept)
    }

    fn with(options: &HttpOptions, pool: Pool) -> Result<Self, String> {
        Ok(Self {
            client: ClientSource::new(options, pool)?,
            bearer: None,
            plain_http_anywhere: options.plain_http,
            most_bytes: MAX_BODY_BYTES,
            total_time: TOTAL_TIME,
        })
    }

    /// The same with a bearer token for documents.
    pub(in crate::runtime) fn with_bearer(mut self, bearer: Option<Arc<BearerFile>>) -> Self {
        self.bearer = bearer;
        self
    }

    /// The same with another bound on bodies.
    pub(in crate::runtime) const fn with_limit(mut self, most_bytes: usize) -> Self {
        self.most_bytes = most_bytes;
        self
    }

    /// The same with another bound on the time of a whole exchange, for servers that answer late on
    /// purpose.
    #[cfg(feature = "ssf")]
    pub(in crate::runtime) const fn with_total_time(mut self, total_time: Duration) -> Self {
        self.total_time = total_time;
        self
    }

    /// Gets a document. Retries once, if the connection failed.
    pub(crate) async fn get(
        &self,
        url: &str,
        validators: &Validators,
    ) -> Result<Fetched, FetchError> {
        let attempts = async {
            // On the heap: each issuer's task has room for what it awaits, and awaits this for moments.
            match Box::pin(self.attempt(url, validators)).await {
                Err(fault) if fault.is_transient() => Box::pin(self.attempt(url, validators)).await,
                ended => ended,
            }
        };
        tokio::time::timeout(self.total_time, attempts)
            .await
            .unwrap_or(Err(Fault::Timeout(self.total_time)))
            .map_err(|fault| FetchError {
                url: url::shown(url),
                fault,
            })
    }

    /// Sends a request once. A status other than 200 is a response too, without its body.
    pub(crate) async fn send(&self, request: HttpRequest<'_>) -> Result<RawResponse, FetchError> {
        let shown = url::shown(request.url);
        tokio::time::timeout(self.total_time, self.exchange(request))
            .await
            .unwrap_or(Err(Fault::Timeout(self.total_time)))
            .map_err(|fault| FetchError { url: shown, fault })
    }

    /// Gets a document once, and tells what an operator wants to know of the outcome.
    pub(crate) async fn probe(&self, url: &str) -> Result<ProbeResponse, ProbeError> {
        let shown = url::shown(url);
        let failed = |problem, fault| ProbeError {
            problem,
            text: FetchError {
                url: shown.clone(),
                fault,
            }
            .to_string(),
        };
        if let Err(phrase) = url::check(url, self.plain_http_anywhere) {
            return Err(failed(ConnectionProblem::Address, Fault::Url(phrase)));
        }
        let exchange = async {
            let request = self.document(url).await;
            let (client, request) =
                request.map_err(|fault| failed(ConnectionProblem::Other, fault))?;
            let sent = client.send(request).await;
            let response = sent.map_err(|error| failed(error.problem(), fault_of(&error)))?;
            let status = response.status();
            let date = response.headers().get(DATE);
            let date = date.and_then(|date| http_date(date.to_str().ok()?));
            let body = if status == StatusCode::OK {
                let read = read(response, self.most_bytes).await;
                read.map_err(|fault| match fault {
                    Fault::TooLarge(_) => failed(ConnectionProblem::TooLarge, fault),
                    fault => failed(ConnectionProblem::Other, fault),
                })?
            } else {
                Vec::new()
            };
            let status = status.as_u16();
            Ok(ProbeResponse { status, date, body })
        };
        let timed_out = failed(ConnectionProblem::TimedOut, Fault::Timeout(self.total_time));
        let ended = tokio::time::timeout(self.total_time, exchange).await;
        ended.unwrap_or(Err(timed_out))
    }

    async fn exchange(&self, request: HttpRequest<'_>) -> Result<RawResponse, Fault> {
        url::check(request.url, self.plain_http_anywhere).map_err(Fault::Url)?;
        let client = self.client.get().await.map_err(Fault::File)?;
        let builder = Request::builder()
            .uri(request.url)
            .header(ACCEPT, request.accept)
            .header(ACCEPT_ENCODING, "identity");
        let (mut builder, body) = match request.body {
            None => (builder, String::new()),
            Some(body) => {
                let (content_type, body) = body.into_parts();
                let post = builder.method(Method::POST);
                (post.header(CONTENT_TYPE, content_type), body)
            }
        };
        if let Some(credentials) = request.authorization {
            builder = builder.header(AUTHORIZATION, credentials);
        }
        let built = builder.body(body).map_err(|_| Fault::unsendable())?;
        let sent = client.send(built).await;
        let response = sent.map_err(|error| self.fault_of_connection(&error))?;
        let text = |name| response.headers().get(name)?.to_str().ok();
        let essence = |text: &str| {
            let essence = text.split(';').next().unwrap_or_default();
            essence.trim().to_ascii_lowercase()
        };
        let media_type = text(CONTENT_TYPE).map(essence);
        let mut raw = RawResponse {
            status: response.status().as_u16(),
            // RFC 9110 s10.2.3: seconds only; a date would be by the server's clock.
            retry_after: text(RETRY_AFTER)
                .and_then(|text| delta_seconds(text.trim()))
                .map(Duration::from_secs),
            body: Vec::new(),
            error: None,
            media_type,
        };
        match response.status() {
            StatusCode::OK => raw.body = read(response, self.most_bytes).await?,
            StatusCode::BAD_REQUEST if raw.media_type.as_deref() == Some("application/json") => {
                // The status counts, also where the body cannot be read.
                let body = read(response, self.most_bytes).await.unwrap_or_default();
                raw.error = Object::parse(&body)
                    .ok()
                    .and_then(|body| body.get("error")?.as_text().map(Cow::into_owned));
            }
            _ => {}
        }
        Ok(raw)
    }

    fn fault_of_connection(&self, error: &TransportError) -> Fault {
        if error.is_connect() {
            self.client.failed();
        }
        fault_of(error)
    }

    /// A request for a document, with the bearer token of the settings, and the client for it.
    async fn document(&self, url: &str) -> Result<(HttpClient, Request<String>), Fault> {
        let client = self.client.get().await.map_err(Fault::File)?;
        let mut request = Request::builder()
            .uri(url)
            .header(ACCEPT, "application/json, */*;q=0.1")
            .header(ACCEPT_ENCODING, "identity");
        if let Some(bearer) = &self.bearer {
            let authorization = bearer.authorization(url).await.map_err(Fault::File)?;
            if let Some(authorization) = authorization {
                request = request.header(AUTHORIZATION, authorization);
            }
        }
        let request = request.body(String::new());
        Ok((client, request.map_err(|_| Fault::unsendable())?))
    }

    async fn attempt(&self, url: &str, validators: &Validators) -> Result<Fetched, Fault> {
        url::check(url, self.plain_http_anywhere).map_err(Fault::Url)?;
        let (client, mut request) = self.document(url).await?;
        let mut conditional = false;
        let conditions = [
            (IF_NONE_MATCH, &validators.etag),
            (IF_MODIFIED_SINCE, &validators.last_modified),
        ];
        for (name, value) in conditions {
            let value = value.as_deref().map(HeaderValue::from_str);
            if let Some(Ok(value)) = value {
                request.headers_mut().insert(name, value);
                conditional = true;
            }
        }
        let sent = client.send(request).await;
        let response = sent.map_err(|error| self.fault_of_connection(&error))?;
        let max_age = max_age(response.headers());
        match response.status() {
            StatusCode::OK => Ok(Fetched::Body {
                max_age,
                validators: Validators::of(response.headers()),
                bytes: read(response, self.most_bytes).await?,
            }),
            // RFC 9110 s15.4.5: only in response to a conditional request.
            StatusCode::NOT_MODIFIED if conditional => Ok(Fetched::Unchanged { max_age }),
            status => Err(Fault::Status(status.as_u16())),
        }
    }
}

impl Validators {
    fn of(headers: &HeaderMap) -> Self {
        let text = |name: HeaderName| {
            let value = headers.get(name)?.to_str().ok()?;
            (value.len() <= MAX_VALIDATOR_BYTES).then(|| value.to_owned())
        };
        Self {
            etag: text(ETAG),
            last_modified: text(LAST_MODIFIED),
        }
    }
}

impl FetchError {
    /// A response whose status is a failure.
    pub(crate) fn of_status(url: &str, status: u16) -> Self {
        Self {
            url: url::shown(url),
            fault: Fault::Status(status),
        }
    }

    /// Whether there was no response.
    pub(crate) const fn is_no_answer(&self) -> bool {
        matches!(
            self.fault,
            Fault::Connect(_) | Fault::Broken(_) | Fault::Timeout(_)
        )
    }

    pub(in crate::runtime) const fn is_too_large(&self) -> bool {
        matches!(self.fault, Fault::TooLarge(_))
    }

    /// Whether there was a response whose status is a failure.
    pub(crate) const fn is_status(&self) -> bool {
        matches!(self.fault, Fault::Status(_))
    }
}

impl Fault {
    /// INVARIANT: not reached; what [`url::check`] accepts is a URI.
    fn unsendable() -> Self {
        Self::Url("is not an absolute url")
    }

    /// Whether an immediate retry may help.
    const fn is_transient(&self) -> bool {
        match self {
            Self::Connect(_) | Self::Broken(_) => true,
            // A 5xx is not retried at once: the server is overloaded, and the schedule retries.
            Self::Status(_)
            | Self::Url(_)
            | Self::Timeout(_)
            | Self::Encoded
            | Self::File(_)
            | Self::TooLarge(_) => false,
        }
    }
}

impl fmt::Display for FetchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let url = &self.url;
        match &self.fault {
            // The address is not quoted: it may contain a password.
            Fault::Url(phrase) => write!(f, "the address {phrase}"),
            Fault::Connect(cause) => write!(f, "`{url}` cannot be reached: {cause}"),
            Fault::Broken(cause) => write!(f, "`{url}` broke off: {cause}"),
            Fault::Timeout(limit) => {
                let seconds = limit.as_secs();
                write!(f, "`{url}` did not answer in full within {seconds} s")
            }
            Fault::Status(status @ 300..=399) => {
                write!(f, "`{url}` answered {status}; redirects are not followed")
            }
            Fault::Status(status) => write!(f, "`{url}` answered {status}"),
            Fault::File(problem) => write!(f, "`{url}` was not asked: {problem}"),
            Fault::Encoded => write!(f, "`{url}` answered with a content encoding"),
            Fault::TooLarge(most) => write!(f, "`{url}` answered with more than {most} bytes"),
        }
    }
}

impl std::error::Error for FetchError {}

async fn read(mut response: HttpResponse, most: usize) -> Result<Vec<u8>, Fault> {
    let encoded = |value: &HeaderValue| !value.as_bytes().eq_ignore_ascii_case(b"identity");
    if response
        .headers()
        .get_all(CONTENT_ENCODING)
        .iter()
        .any(encoded)
    {
        return Err(Fault::Encoded);
    }
    let announced = response.content_length().unwrap_or_default();
    if usize::try_from(announced).map_or(true, |length| length > most) {
        return Err(Fault::TooLarge(most));
    }
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| fault_of(&error))? {
        if chunk.len() > most.saturating_sub(bytes.len()) {
            return Err(Fault::TooLarge(most));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

fn fault_of(error: &TransportError) -> Fault {
    let cause = error.to_string();
    if error.is_connect() {
        Fault::Connect(cause)
    } else {
        Fault::Broken(cause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_names_the_address_without_its_query() {
        let error = FetchError {
            url: url::shown("https://issuer.example.com/jwks?key=secret"),
            fault: Fault::Status(302),
        };
        assert_eq!(
            error.to_string(),
            "`https://issuer.example.com/jwks` answered 302; redirects are not followed"
        );
    }

    #[tokio::test]
    async fn a_refused_address_is_never_asked() {
        let fetcher = Fetcher::new(&HttpOptions::default()).expect("a fetcher");
        let refused = fetcher
            .get("http://issuer.example.com/jwks", &Validators::default())
            .await;
        assert_eq!(
            refused.expect_err("plain http").to_string(),
            "the address is plain http; use https"
        );
    }
}
