//! The place where an issuer is asked about tokens, and what counts as its answer.
//!
//! 1. A token goes to this place alone, in the body of a POST, encoded once; in a query only
//!    where the dialect says so. No redirect is followed and nothing is sent twice.
//! 2. `200` is an answer; a status that the dialect knows is about the token; all else is about
//!    the issuer or about us, and no verdict.
//! 3. Where signed answers are expected, another media type is none (RFC 9701 section 5).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::Mutex;

use super::client_authentication::Credentials;
use super::discovery::{Discovered, RefreshError, Wanted};
use super::fetch::{FetchError, Fetcher, Question, Reach, Told};
use super::form::push_pair;
use super::token_information::TokenInformation;
use crate::model::rejection::Outage;
use crate::model::time::UnixTime;
use crate::verify::answer::SIGNED_MEDIA_TYPE;

/// Longest rest that an endpoint may ask for.
const LONGEST_REST: Duration = Duration::from_secs(60);

/// One question with everything in it, discovery included. Real time.
const WHOLE_TIME: Duration = Duration::from_secs(10);

/// Where the endpoint is.
#[derive(Clone, Debug)]
pub(crate) enum Place {
    At(String),
    /// In the first of these documents that is about the issuer.
    Discovered(Vec<String>),
}

/// What an endpoint is made of.
pub(crate) struct EndpointConfig {
    /// The exact `iss`, which a discovery document must name.
    pub(crate) issuer: Arc<str>,
    pub(crate) place: Place,
    pub(crate) dialect: TokenInformation,
    pub(crate) credentials: Option<Credentials>,
    /// Whether answers are signed.
    pub(crate) signed: bool,
    pub(crate) reach: Reach,
}

pub(crate) struct Endpoint {
    config: EndpointConfig,
    fetcher: Fetcher,
    /// Held over a look-up, which all who need it share.
    discovered: Mutex<Option<Discovered>>,
    was_located: AtomicBool,
}

/// When a question was asked, by both hands of the server's clock.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AskedAt {
    pub(crate) wall: UnixTime,
    pub(crate) monotonic: Duration,
}

/// What the endpoint said.
pub(crate) enum Said {
    Answer(Vec<u8>),
    /// By its status.
    BadToken,
}

/// Why there is no verdict. Never the caller's fault.
#[derive(Clone, Debug)]
pub(crate) struct Trouble {
    pub(crate) outage: Outage,
    /// For the operator; names addresses without their query, and quotes no body.
    pub(crate) reason: Arc<str>,
    /// How long the endpoint wants to be left alone.
    pub(crate) rest: Option<Duration>,
}

impl Trouble {
    pub(crate) fn failed(reason: impl Into<Arc<str>>) -> Self {
        Self {
            outage: Outage::IntrospectionFailed,
            reason: reason.into(),
            rest: None,
        }
    }
}

impl Endpoint {
    pub(crate) fn new(config: EndpointConfig) -> Result<Self, String> {
        Ok(Self {
            fetcher: Fetcher::for_questions(&config.reach)?,
            config,
            discovered: Mutex::new(None),
            was_located: AtomicBool::new(false),
        })
    }

    /// Asks about a token.
    pub(super) async fn ask(&self, token: &str, asked: AskedAt) -> Result<Said, Trouble> {
        let whole = async {
            let place = self
                .place(asked.monotonic)
                .await
                .map_err(|error| Trouble::failed(error.to_string()))?;
            let said = self.ask_at(&place, token, asked.wall).await;
            let failed = |trouble: &Trouble| trouble.outage == Outage::IntrospectionFailed;
            if said.as_ref().is_err_and(failed) && self.is_discovered() {
                // The address may have moved.
                *self.discovered.lock().await = None;
            }
            said
        };
        tokio::time::timeout(WHOLE_TIME, whole)
            .await
            .unwrap_or_else(|_| Err(Trouble::failed("no answer within 10 s")))
    }

    /// The address of the endpoint; discovered now, where it is not known.
    pub(super) async fn place(&self, now: Duration) -> Result<String, RefreshError> {
        let candidates = match &self.config.place {
            Place::At(url) => return Ok(url.clone()),
            Place::Discovered(candidates) => candidates,
        };
        let mut discovered = self.discovered.lock().await;
        if let Some(url) = discovered.as_ref().and_then(|known| known.url(now)) {
            return Ok(url.to_owned());
        }
        let wanted = Wanted {
            member: "introspection_endpoint",
            is_named: &|found| found == &*self.config.issuer,
            plain_http: self.config.reach.plain_http,
        };
        let url = wanted.find(&self.fetcher, candidates).await?;
        *discovered = Some(Discovered::new(url.clone(), now));
        self.was_located.store(true, Ordering::Relaxed);
        Ok(url)
    }

    /// Whether the address has to be looked up.
    pub(crate) const fn is_discovered(&self) -> bool {
        matches!(self.config.place, Place::Discovered(_))
    }

    /// Whether the address is known, or was once.
    pub(crate) fn is_located(&self) -> bool {
        !self.is_discovered() || self.was_located.load(Ordering::Relaxed)
    }

    pub(crate) const fn issuer(&self) -> &Arc<str> {
        &self.config.issuer
    }

    async fn ask_at(&self, place: &str, token: &str, now: UnixTime) -> Result<Said, Trouble> {
        let (dialect, credentials) = (&self.config.dialect, &self.config.credentials);
        let mut form = String::new();
        push_pair(&mut form, &dialect.field, token);
        let query = dialect.in_query.then(|| {
            let mark = if place.contains('?') { '&' } else { '?' };
            format!("{place}{mark}{form}")
        });
        if let Some(credentials) = credentials {
            credentials
                .fill(&mut form, now)
                .ok_or_else(|| Trouble::failed("the system gives no randomness"))?;
        }
        let question = Question {
            url: query.as_deref().unwrap_or(place),
            accept: if self.config.signed {
                SIGNED_MEDIA_TYPE
            } else {
                "application/json"
            },
            authorization: credentials.as_ref().and_then(Credentials::header),
            form: query.is_none().then_some(form),
        };
        let told = self.fetcher.ask(question).await;
        self.weigh(
            place,
            told.map_err(|error| Trouble::failed(error.to_string()))?,
        )
    }

    fn weigh(&self, place: &str, told: Told) -> Result<Said, Trouble> {
        let trouble = |outage| Trouble {
            outage,
            reason: FetchError::of_status(place, told.status).to_string().into(),
            rest: told.retry_after.map(|rest| rest.min(LONGEST_REST)),
        };
        match told.status {
            200 if self.config.signed && told.media_type.as_deref() != Some(SIGNED_MEDIA_TYPE) => {
                Err(Trouble::failed("the answer is not a signed one"))
            }
            200 => Ok(Said::Answer(told.body)),
            status if self.config.dialect.bad_token.contains(&status) => Ok(Said::BadToken),
            // RFC 7662 s2.3: these are about our own credentials.
            401 | 403 => Err(trouble(Outage::IntrospectionRefusedUs)),
            429 => Err(trouble(Outage::IntrospectionBusy)),
            _ => Err(trouble(Outage::IntrospectionFailed)),
        }
    }
}
