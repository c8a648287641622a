//! The metadata document of an authorization server, and the address of an endpoint in it.
//!
//! 1. A document counts only if its `issuer` is the configured one, byte for byte (RFC 8414
//!    section 3.3, OpenID Connect Discovery section 4.3); another one ends the search.
//! 2. A discovered address is cached for an hour, by both readings of the clock.
//! 3. A member that is null or an empty string counts as absent.

use std::time::Duration;

use crate::model::url;
use crate::runtime::clock::{Deadline, Now};
use crate::runtime::http::client::{Fetched, Fetcher, Validators};
use crate::runtime::util::excerpt::excerpt;
use crate::verify::json::object::{Object, Value};

/// How long a discovered address is cached.
const DISCOVERY_TIME: Duration = Duration::from_secs(60 * 60);

/// Longest foreign text that goes into an error.
const MAX_FOUND_CHARS: usize = 128;

/// Why an issuer's metadata or keys could not be fetched.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RefreshError {
    /// The name is an excerpt. This is a mistake in the configuration and no retry helps.
    #[error("the discovery document names another issuer: `{found}`")]
    IssuerMismatch { found: String },
    #[error("{0}")]
    Failed(String),
    #[error("the refresh task does not run; call `connect()` on a tokio runtime with time and I/O")]
    NotRunning,
}

/// A discovered address, and until when it is cached.
pub(crate) struct Discovered {
    url: String,
    end: Deadline,
}

impl Discovered {
    pub(in crate::runtime) fn new(url: String, now: Now) -> Self {
        let end = Deadline::after(now, DISCOVERY_TIME);
        Self { url, end }
    }

    /// The address, while it is cached.
    pub(in crate::runtime) fn url(&self, now: Now) -> Option<&str> {
        (!self.end.has_passed(now)).then_some(&self.url)
    }
}

/// A query for one endpoint.
pub(in crate::runtime) struct MetadataQuery<'w> {
    /// The member of the document that names the endpoint.
    pub(in crate::runtime) member: &'static str,
    /// Whether a document with this `issuer` is about the configured one.
    pub(in crate::runtime) is_named: &'w (dyn Fn(&str) -> bool + Sync),
    pub(in crate::runtime) plain_http: bool,
}

impl MetadataQuery<'_> {
    /// The address in the first of these documents that is about the issuer.
    pub(in crate::runtime) async fn find(
        &self,
        fetcher: &Fetcher,
        candidates: &[String],
    ) -> Result<String, RefreshError> {
        let mut first_error: Option<(RefreshError, bool)> = None;
        for candidate in candidates {
            let (error, absent) = match fetcher.get(candidate, &Validators::default()).await {
                Ok(Fetched::Body { bytes, .. }) => match self.find_in(&bytes) {
                    Ok(url) => return Ok(url),
                    Err(error @ RefreshError::IssuerMismatch { .. }) => return Err(error),
                    Err(error) => (error, false),
                },
                Ok(Fetched::Unchanged { .. }) => continue,
                Err(error) => {
                    let absent = error.is_status();
                    (RefreshError::Failed(error.to_string()), absent)
                }
            };
            // A status such as 404 is the least informative error.
            if first_error
                .as_ref()
                .is_none_or(|(_, kept)| *kept && !absent)
            {
                first_error = Some((error, absent));
            }
        }
        Err(first_error.map_or_else(
            || RefreshError::Failed("there is no discovery document".to_owned()),
            |(error, _)| error,
        ))
    }

    fn find_in(&self, document: &[u8]) -> Result<String, RefreshError> {
        let failed =
            |phrase: &str| RefreshError::Failed(format!("the discovery document {phrase}"));
        let document = Object::parse(document)
            .map_err(|_| failed("is not one json object of distinct members"))?;
        let text = |name| {
            let text = document.get(name).and_then(Value::as_text);
            text.filter(|text| !text.is_empty())
        };
        let issuer = text("issuer").ok_or_else(|| failed("has no string `issuer`"))?;
        // RFC 8414 s3.3: identical, or the metadata must not be used.
        if !(self.is_named)(&issuer) {
            let found = excerpt(&issuer, MAX_FOUND_CHARS);
            return Err(RefreshError::IssuerMismatch { found });
        }
        let member = self.member;
        let url = text(member).ok_or_else(|| failed(&format!("has no string `{member}`")))?;
        url::check(&url, self.plain_http)
            .map_err(|phrase| failed(&format!("has a `{member}` that {phrase}")))?;
        Ok(url.into_owned())
    }
}
