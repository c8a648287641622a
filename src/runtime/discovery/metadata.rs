//! An address that an issuer's metadata gives.
//!
//! 1. A discovery document counts only if its `issuer` is ours, byte for byte (RFC 8414
//!    section 3.3, OpenID Connect Discovery section 4.3); another one ends the search.
//! 2. A discovered address is remembered for an hour, by both readings of the clock.
//! 3. A member that is null or an empty text is one that is not there.

use std::time::Duration;

use crate::model::url;
use crate::runtime::clock::{Deadline, Now};
use crate::runtime::http::client::{Fetched, Fetcher, Validators};
use crate::runtime::util::excerpt::excerpt;
use crate::verify::json::object::{Object, Value};

/// A discovered address is looked up again after this time.
const DISCOVERY_TIME: Duration = Duration::from_secs(60 * 60);

/// Longest foreign text that goes into an error.
const MAX_FOUND_CHARS: usize = 128;

/// Why an issuer's document or keys could not be had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RefreshError {
    /// Escaped and cut short. This never becomes right by itself.
    #[error("the discovery document names another issuer: `{found}`")]
    IssuerMismatch { found: String },
    #[error("{0}")]
    Failed(String),
    #[error("the refresh task does not run; call `connect()` on a tokio runtime with time and I/O")]
    NotRunning,
}

/// An address that a discovery document gave, and when.
pub(crate) struct Discovered {
    url: String,
    end: Deadline,
}

impl Discovered {
    pub(in crate::runtime) fn new(url: String, now: Now) -> Self {
        let end = Deadline::after(now, DISCOVERY_TIME);
        Self { url, end }
    }

    /// The address, unless it is to be looked up again.
    pub(in crate::runtime) fn url(&self, now: Now) -> Option<&str> {
        (!self.end.has_passed(now)).then_some(&self.url)
    }
}

/// What is looked for.
pub(in crate::runtime) struct MetadataQuery<'w> {
    /// The member of the document that has it.
    pub(in crate::runtime) member: &'static str,
    /// Whether a document that names this issuer is about ours.
    pub(in crate::runtime) is_named: &'w (dyn Fn(&str) -> bool + Sync),
    pub(in crate::runtime) plain_http: bool,
}

impl MetadataQuery<'_> {
    /// The address in the first of these documents that is about our issuer.
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
            // "Not here" says less than anything else.
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
        let fault = |phrase: &str| RefreshError::Failed(format!("the discovery document {phrase}"));
        let document = Object::parse(document)
            .map_err(|_| fault("is not one json object of distinct members"))?;
        let text = |name| {
            let text = document.get(name).and_then(Value::as_text);
            text.filter(|text| !text.is_empty())
        };
        let issuer = text("issuer").ok_or_else(|| fault("has no string `issuer`"))?;
        // RFC 8414 s3.3: identical, or the metadata must not be used.
        if !(self.is_named)(&issuer) {
            let found = excerpt(&issuer, MAX_FOUND_CHARS);
            return Err(RefreshError::IssuerMismatch { found });
        }
        let member = self.member;
        let url = text(member).ok_or_else(|| fault(&format!("has no string `{member}`")))?;
        url::check(&url, self.plain_http)
            .map_err(|phrase| fault(&format!("has a `{member}` that {phrase}")))?;
        Ok(url.into_owned())
    }
}
