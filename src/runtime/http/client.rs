//! One bounded HTTP exchange: a document that is fetched, or a question with a secret in it.
//!
//! 1. The address passes [`url::check`]; redirects are never followed, so no server can send
//!    us elsewhere (CVE-2026-49478).
//! 2. The whole exchange, its one retry included, takes at most 5 s of real time.
//! 3. At most 256 KiB of body are read, of a key set as much as its issuer's settings say, counted
//!    as they come: the announced length is not believed, and nothing is decompressed.
//! 4. Only `200`, and `304` where validators were sent, are answers. The content type is not
//!    looked at: issuers get it wrong, and the bytes are parsed strictly anyway.
//! 5. Certificates are checked by the system's roots, and by those that were given for this issuer.
//!    Proxies that the environment names are used where that was asked for.
//! 6. A fault says where and what, and never quotes a body or a query.
//! 7. A question is sent once. It may hold a token and our credentials, which belong in no second
//!    request that nobody decided on.

use std::borrow::Cow;
use std::error::Error as _;
use std::fmt;
use std::io;
use std::time::Duration;

use http::header::{
    ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, ETAG,
    IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED, RETRY_AFTER,
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use crate::model::url;
use crate::runtime::http::cache_control::{delta_seconds, max_age};
use crate::runtime::util::excerpt::excerpt;
use crate::verify::json::object::Object;

/// An issuer that does not answer the handshake in this time is down.
const CONNECT_TIME: Duration = Duration::from_secs(2);

/// The whole exchange. A slow sender of single bytes gets no more than this.
const TOTAL_TIME: Duration = Duration::from_secs(5);

/// Fifty times a large key set; a bound on memory.
const MAX_BODY_BYTES: usize = 256 * 1024;

/// Questions come close together, and then need no handshake each. A server that keeps a
/// connection open keeps it longer than this, so that none is closed under a question.
const QUESTIONS_APART: Duration = Duration::from_secs(1);

/// Connections that are kept between questions.
const MOST_IDLE: usize = 32;

/// A validator longer than this is not kept.
const MAX_VALIDATOR_BYTES: usize = 1024;

/// Longest text of a cause that goes into an error.
const MAX_CAUSE_CHARS: usize = 160;

const USER_AGENT: &str = concat!("portcullis/", env!("CARGO_PKG_VERSION"));

/// Makes the requests. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Fetcher {
    client: reqwest::Client,
    plain_http_anywhere: bool,
    most_bytes: usize,
}

/// How an issuer is reached.
#[derive(Clone, Debug, Default)]
pub(crate) struct HttpOptions {
    /// Allows plain http off loopback.
    pub(crate) plain_http: bool,
    /// Trusted beside the system's.
    pub(crate) roots: Vec<RootCertificate>,
    /// Whether the proxies that the environment names are used.
    pub(crate) proxied: bool,
}

/// A certificate authority.
#[derive(Clone, Debug)]
pub(crate) struct RootCertificate(reqwest::Certificate);

impl RootCertificate {
    /// The certificates of a PEM bundle. The fault is a phrase that follows "it".
    pub(crate) fn bundle(pem: &str) -> Result<Vec<Self>, &'static str> {
        const BROKEN: &str = "holds a certificate that cannot be read";
        let roots: Vec<Self> = reqwest::Certificate::from_pem_bundle(pem.as_bytes())
            .map_err(|_| BROKEN)?
            .into_iter()
            .map(Self)
            .collect();
        if roots.is_empty() {
            return Err("holds no certificate");
        }
        // A client that trusts nothing else reads each of them, and says nothing of the system.
        reqwest::Client::builder()
            .tls_backend_rustls()
            .tls_certs_only(roots.iter().map(|root| root.0.clone()))
            .build()
            .map(|_| roots)
            .map_err(|_| BROKEN)
    }
}

/// What the server gave us to ask "has it changed?" with (RFC 9110 section 8.8).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Validators {
    pub(crate) etag: Option<String>,
    pub(crate) last_modified: Option<String>,
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fetched {
    /// `304`: what was fetched before still holds.
    Unchanged { max_age: Option<Duration> },
    /// `200`.
    Body {
        bytes: Vec<u8>,
        max_age: Option<Duration>,
        validators: Validators,
    },
}

/// A question. It is sent by POST where it has a form, else by GET.
pub(crate) struct HttpQuestion<'q> {
    pub(crate) url: &'q str,
    pub(crate) accept: &'static str,
    /// Marked as sensitive.
    pub(crate) authorization: Option<HeaderValue>,
    pub(crate) form: Option<String>,
}

/// What was answered to a question.
pub(crate) struct RawResponse {
    pub(crate) status: u16,
    /// Without parameters, in lower case.
    pub(crate) media_type: Option<String>,
    pub(crate) retry_after: Option<Duration>,
    /// Empty unless the status is 200.
    pub(crate) body: Vec<u8>,
    /// The `error` of an answer of 400 in JSON (RFC 6749 section 5.2).
    pub(crate) error: Option<String>,
}

/// Why there is no answer, for the operator.
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
    Timeout,
    Status(u16),
    Encoded,
    /// More than so many bytes.
    TooLarge(usize),
}

impl Fetcher {
    /// A fetcher. Reads the environment here, and never again.
    pub(crate) fn new(reach: &HttpOptions) -> Result<Self, String> {
        // Minutes lie between requests; an idle connection is only one that has died.
        Self::with(reach, |client| client.pool_max_idle_per_host(0))
    }

    /// A fetcher that asks questions, many at a time.
    pub(crate) fn for_questions(reach: &HttpOptions) -> Result<Self, String> {
        Self::with(reach, |client| {
            client
                .pool_max_idle_per_host(MOST_IDLE)
                .pool_idle_timeout(QUESTIONS_APART)
        })
    }

    fn with(
        reach: &HttpOptions,
        pool: impl FnOnce(reqwest::ClientBuilder) -> reqwest::ClientBuilder,
    ) -> Result<Self, String> {
        // Said outright, because another crate of the application can switch on any feature of
        // `reqwest`, and this one must not change with it.
        let mut client = reqwest::Client::builder()
            .tls_backend_rustls()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .no_gzip()
            .no_brotli()
            .no_zstd()
            .no_deflate()
            .connect_timeout(CONNECT_TIME)
            .referer(false)
            .user_agent(USER_AGENT);
        client = pool(client);
        if !reach.proxied {
            // A proxy named in the environment would see, and could answer, plain requests.
            client = client.no_proxy();
        }
        if !reach.roots.is_empty() {
            client = client.tls_certs_merge(reach.roots.iter().map(|root| root.0.clone()));
        }
        Ok(Self {
            client: client.build().map_err(|error| cause_of(&error))?,
            plain_http_anywhere: reach.plain_http,
            most_bytes: MAX_BODY_BYTES,
        })
    }

    /// Reads bodies of so many bytes.
    pub(in crate::runtime) const fn reading(mut self, most_bytes: usize) -> Self {
        self.most_bytes = most_bytes;
        self
    }

    /// Asks for `url` once, and once more if the connection failed.
    pub(crate) async fn get(
        &self,
        url: &str,
        validators: &Validators,
    ) -> Result<Fetched, FetchError> {
        let twice = async {
            match self.attempt(url, validators).await {
                Err(fault) if fault.is_passing() => self.attempt(url, validators).await,
                ended => ended,
            }
        };
        tokio::time::timeout(TOTAL_TIME, twice)
            .await
            .unwrap_or(Err(Fault::Timeout))
            .map_err(|fault| FetchError {
                url: url::shown(url),
                fault,
            })
    }

    /// Asks a question once. A status other than 200 is an answer too, without a body.
    pub(crate) async fn ask(&self, question: HttpQuestion<'_>) -> Result<RawResponse, FetchError> {
        let shown = url::shown(question.url);
        tokio::time::timeout(TOTAL_TIME, self.asked(question))
            .await
            .unwrap_or(Err(Fault::Timeout))
            .map_err(|fault| FetchError { url: shown, fault })
    }

    async fn asked(&self, question: HttpQuestion<'_>) -> Result<RawResponse, Fault> {
        url::check(question.url, self.plain_http_anywhere).map_err(Fault::Url)?;
        let mut request = match question.form {
            None => self.client.get(question.url),
            Some(form) => self
                .client
                .post(question.url)
                .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
                .body(form),
        };
        request = request
            .header(ACCEPT, question.accept)
            .header(ACCEPT_ENCODING, "identity");
        if let Some(credentials) = question.authorization {
            request = request.header(AUTHORIZATION, credentials);
        }
        let response = request.send().await.map_err(|error| fault_of(&error))?;
        let text = |name| response.headers().get(name)?.to_str().ok();
        let essence = |text: &str| {
            let essence = text.split(';').next().unwrap_or_default();
            essence.trim().to_ascii_lowercase()
        };
        let media_type = text(CONTENT_TYPE).map(essence);
        let mut told = RawResponse {
            status: response.status().as_u16(),
            // RFC 9110 s10.2.3: seconds. A date would be by a clock that we do not know.
            retry_after: text(RETRY_AFTER)
                .and_then(|text| delta_seconds(text.trim()))
                .map(Duration::from_secs),
            body: Vec::new(),
            error: None,
            media_type,
        };
        match response.status() {
            StatusCode::OK => told.body = read(response, self.most_bytes).await?,
            StatusCode::BAD_REQUEST if told.media_type.as_deref() == Some("application/json") => {
                // The status stands, whatever becomes of the body.
                let body = read(response, self.most_bytes).await.unwrap_or_default();
                told.error = Object::parse(&body)
                    .ok()
                    .and_then(|body| body.get("error")?.as_text().map(Cow::into_owned));
            }
            _ => {}
        }
        Ok(told)
    }

    async fn attempt(&self, url: &str, validators: &Validators) -> Result<Fetched, Fault> {
        url::check(url, self.plain_http_anywhere).map_err(Fault::Url)?;
        let mut request = self
            .client
            .get(url)
            .header(ACCEPT, "application/json, */*;q=0.1")
            .header(ACCEPT_ENCODING, "identity");
        let mut conditional = false;
        let conditions = [
            (IF_NONE_MATCH, &validators.etag),
            (IF_MODIFIED_SINCE, &validators.last_modified),
        ];
        for (name, value) in conditions {
            let value = value.as_deref().map(HeaderValue::from_str);
            if let Some(Ok(value)) = value {
                request = request.header(name, value);
                conditional = true;
            }
        }
        let response = request.send().await.map_err(|error| fault_of(&error))?;
        let max_age = max_age(response.headers());
        match response.status() {
            StatusCode::OK => Ok(Fetched::Body {
                max_age,
                validators: Validators::of(response.headers()),
                bytes: read(response, self.most_bytes).await?,
            }),
            // RFC 9110 s15.4.5: an answer to a conditional request alone.
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
    /// An answer that does not count, for its status.
    pub(crate) fn of_status(url: &str, status: u16) -> Self {
        Self {
            url: url::shown(url),
            fault: Fault::Status(status),
        }
    }

    /// There was no answer at all.
    pub(crate) const fn is_no_answer(&self) -> bool {
        matches!(
            self.fault,
            Fault::Connect(_) | Fault::Broken(_) | Fault::Timeout
        )
    }

    pub(in crate::runtime) const fn is_too_large(&self) -> bool {
        matches!(self.fault, Fault::TooLarge(_))
    }

    /// The server answered, and what it said is that there is nothing here.
    pub(crate) const fn is_status(&self) -> bool {
        matches!(self.fault, Fault::Status(_))
    }
}

impl Fault {
    /// Whether asking again at once may help.
    const fn is_passing(&self) -> bool {
        match self {
            Self::Connect(_) | Self::Broken(_) => true,
            // A server that says 5xx has enough to do; the schedule asks again.
            Self::Status(_) | Self::Url(_) | Self::Timeout | Self::Encoded | Self::TooLarge(_) => {
                false
            }
        }
    }
}

impl fmt::Display for FetchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let url = &self.url;
        match &self.fault {
            // Not quoted: a refused address may hold a password.
            Fault::Url(phrase) => write!(f, "the address {phrase}"),
            Fault::Connect(cause) => write!(f, "`{url}` cannot be reached: {cause}"),
            Fault::Broken(cause) => write!(f, "`{url}` broke off: {cause}"),
            Fault::Timeout => write!(f, "`{url}` did not answer in full within 5 s"),
            Fault::Status(status @ 300..=399) => {
                write!(f, "`{url}` answered {status}; redirects are not followed")
            }
            Fault::Status(status) => write!(f, "`{url}` answered {status}"),
            Fault::Encoded => write!(f, "`{url}` answered with a content encoding"),
            Fault::TooLarge(most) => write!(f, "`{url}` answered with more than {most} bytes"),
        }
    }
}

impl std::error::Error for FetchError {}

async fn read(mut response: reqwest::Response, most: usize) -> Result<Vec<u8>, Fault> {
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

fn fault_of(error: &reqwest::Error) -> Fault {
    let cause = cause_of(error);
    if error.is_connect() {
        Fault::Connect(cause)
    } else {
        Fault::Broken(cause)
    }
}

/// The innermost cause in words: what the operator can act on.
fn cause_of(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "no answer in time".to_owned();
    }
    let Some(mut cause) = error.source() else {
        return "the request could not be made".to_owned();
    };
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    let text = match cause.downcast_ref::<io::Error>() {
        Some(io) => match io.get_ref() {
            Some(inner) => inner.to_string(),
            None => io.kind().to_string(),
        },
        None => cause.to_string(),
    };
    // Certificates contain text that others chose.
    excerpt(&text, MAX_CAUSE_CHARS)
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
