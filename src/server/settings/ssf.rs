//! Settings of a transmitter of security events (Shared Signals Framework 1.0).

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use crate::model::algorithm::Algorithm;
use crate::model::repeated_settings::RepeatedSettings;
use crate::runtime::directory::LookupError;
use crate::runtime::ssf::poll_endpoint::PollBearer;
use crate::runtime::ssf::subject_mapper::{DynSubjectMapper, SubjectMapper};
use crate::server::settings::issuer::value::{Issuer, IssuerKind};
use crate::verify::crypto::secret::SecretHash;
use crate::verify::ssf::event::SecurityEvent;
use crate::verify::ssf::event_type::EventType;

/// The application's own hook for events.
pub(in crate::server) type EventHook = Arc<dyn Fn(&SecurityEvent) + Send + Sync>;

/// What an event does here. A revocation reaches up to the
/// [time of the event](crate::ssf::SecurityEvent::occurred_at); tokens and sessions are revoked for good.
///
/// | type of event | by default |
/// |---|---|
/// | `session-revoked` | [`RevokeSession`](Self::RevokeSession) |
/// | `token-claims-change` | [`RevokeSession`](Self::RevokeSession) |
/// | `assurance-level-change` | [`RevokeSessionIfDecreased`](Self::RevokeSessionIfDecreased) |
/// | `credential-change` | [`RevokeSubject`](Self::RevokeSubject) |
/// | `account-disabled`, `account-purged`, `sessions-revoked` (RISC) | [`RevokeSubject`](Self::RevokeSubject) |
/// | `verification`, `stream-updated` | the status of the transmitter remembers them; no setting changes that |
/// | every other one | [`Ignore`](Self::Ignore) |
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EventEffect {
    /// Nothing is revoked. The event is counted, and [`on_event`](SsfTransmitter::on_event) sees it.
    Ignore,
    /// Revokes what the subject names most closely: a token, or a session with those tokens of the
    /// subject that name no session, or the subject.
    RevokeSession,
    /// Revokes the subject, all its sessions included, where one is named; otherwise what
    /// [`RevokeSession`](Self::RevokeSession) revokes.
    RevokeSubject,
    /// [`RevokeSession`](Self::RevokeSession) where the event's `change_direction` is `decrease`,
    /// otherwise nothing.
    RevokeSessionIfDecreased,
}

/// A transmitter of security events, such as `session-revoked`, which become revocations here
/// (OpenID Shared Signals Framework 1.0, CAEP 1.0, RISC 1.0).
///
/// Events are pushed to [`ResourceServer::ssf_push`](crate::ResourceServer::ssf_push), or
/// [polled](Self::poll). The stream itself is made with the transmitter's own tools; see
/// [the manual](crate::manual::shared_signals).
///
/// Nothing is checked before [`build()`](crate::ResourceServerBuilder::build), which finds every mistake.
///
/// ```
/// use portcullis::ssf::{EventEffect, EventType, SsfTransmitter};
/// use portcullis::{Issuer, ResourceServer};
///
/// let server = ResourceServer::builder("https://api.example.com")
///     .issuer(Issuer::oidc("https://idp.example.com"))
///     .ssf_transmitter(
///         SsfTransmitter::new("https://idp.example.com")
///             .audience("https://api.example.com/ssf")
///             .push_authorization("Bearer a-long-random-secret")
///             .on(EventType::CREDENTIAL_COMPROMISE, EventEffect::RevokeSubject),
///     )
///     .build()?;
/// # let _ = server;
/// # Ok::<(), portcullis::ConfigError>(())
/// ```
#[doc(alias("shared_signals", "CAEP", "RISC", "security_events"))]
#[derive(Clone)]
#[must_use]
pub struct SsfTransmitter {
    pub(in crate::server) issuer: String,
    /// The source of keys, as an issuer's.
    pub(in crate::server) keys: Issuer,
    pub(in crate::server) audiences: Vec<String>,
    pub(in crate::server) speaks_for: Vec<String>,
    pub(in crate::server) push_authorizations: Vec<String>,
    pub(in crate::server) effects: Vec<(EventType, EventEffect)>,
    pub(in crate::server) mapper: Option<Arc<dyn DynSubjectMapper>>,
    pub(in crate::server) hooks: Vec<EventHook>,
    pub(in crate::server) remembered_events: usize,
    pub(in crate::server) poll: PollSettings,
    /// The settings that hold one value.
    pub(in crate::server) once: RepeatedSettings,
}

/// How a transmitter is polled.
#[derive(Clone)]
pub(in crate::server) struct PollSettings {
    /// `None`: it is not.
    pub(in crate::server) url: Option<String>,
    pub(in crate::server) bearer: PollBearer,
    pub(in crate::server) most_events: usize,
    pub(in crate::server) wait: Duration,
    pub(in crate::server) interval: Duration,
}

impl SsfTransmitter {
    /// The transmitter of this issuer identifier: an https URL, the exact `iss` of its Security Event
    /// Tokens. Its keys are found by its configuration document, `/.well-known/ssf-configuration` between
    /// host and path (SSF 1.0 section 7.2), whose `issuer` must be the identifier byte for byte.
    pub fn new(issuer: impl Into<String>) -> Self {
        let issuer = issuer.into();
        Self {
            keys: Issuer::new(IssuerKind::Oidc {
                issuer: issuer.clone(),
            }),
            issuer,
            audiences: Vec::new(),
            speaks_for: Vec::new(),
            push_authorizations: Vec::new(),
            effects: Vec::new(),
            mapper: None,
            hooks: Vec::new(),
            remembered_events: 100_000,
            poll: PollSettings {
                url: None,
                bearer: PollBearer::Absent,
                most_events: 100,
                wait: Duration::ZERO,
                interval: Duration::from_secs(10),
            },
            once: RepeatedSettings::default(),
        }
    }

    /// Accepts tokens with this `aud`: the one of the stream, as the transmitter has it. Call it once
    /// for each; a token must have one of them. Default: none, which is a mistake.
    pub fn audience(mut self, audience: impl Into<String>) -> Self {
        self.audiences.push(audience.into());
        self
    }

    /// Lets the transmitter end tokens of this configured issuer, beside those of the issuer that
    /// has the transmitter's own identifier; call it once for each. A subject of every other issuer is
    /// not acted on, and is counted and reported. Default: none, so that a transmitter speaks for itself.
    pub fn speaks_for(mut self, issuer: impl Into<String>) -> Self {
        self.speaks_for.push(issuer.into());
        self
    }

    /// What events of this type do. Default: the table of [`EventEffect`].
    pub fn on(mut self, event_type: EventType, effect: EventEffect) -> Self {
        let key = event_type.as_str();
        self.once.set_for("on", key, &effect);
        self.effects.push((event_type, effect));
        self
    }

    /// Maps an event to revocations with the application's code, before the default table. It may take the server's
    /// [`lookup_timeout`](crate::ResourceServerBuilder::lookup_timeout); where it fails or panics, the
    /// transmitter sends the event again. Default: the default table alone.
    pub fn map_subjects(mut self, mapper: impl SubjectMapper) -> Self {
        self.once.set_opaque("map_subjects");
        self.mapper = Some(Arc::new(mapper));
        self
    }

    /// Calls this with each verified event of a token that was not seen before, after its revocations
    /// are in force; several are called in their order. It runs while the transmitter waits, so it must
    /// neither block nor take long. A function that panics keeps the event from no other one. Default:
    /// none.
    pub fn on_event(mut self, hook: impl Fn(&SecurityEvent) + Send + Sync + 'static) -> Self {
        self.hooks.push(Arc::new(hook));
        self
    }

    /// How many ids of tokens are remembered, so that a token that comes again is acknowledged without
    /// effect: 1 to 10,000,000, about 50 bytes each. The oldest is forgotten first; a token that comes
    /// again later has its effect again, up to its own time. Default: 100,000.
    pub fn remembered_events(mut self, ids: usize) -> Self {
        self.once.set("remembered_events", &ids);
        self.remembered_events = ids;
        self
    }
}

/// Push (RFC 8935).
impl SsfTransmitter {
    /// Demands this value of the `Authorization` field of pushes, whole, such as `Bearer <secret>`: the
    /// `authorization_header` of the stream (SSF 1.0 section 6.1.1). It is compared in constant time.
    /// Call it twice while the secret is changed: each of up to two is accepted. Default: none is
    /// demanded; the signature alone proves the sender.
    pub fn push_authorization(mut self, value: impl Into<String>) -> Self {
        let value = value.into();
        if !self.push_authorizations.contains(&value) {
            self.push_authorizations.push(value);
        }
        self
    }
}

/// Poll (RFC 8936).
impl SsfTransmitter {
    /// Polls events from this URL, the `endpoint_url` of the stream; from
    /// [`connect()`](crate::ResourceServer::connect) on. Redirects are not followed. Default: nothing is
    /// polled.
    pub fn poll(mut self, url: impl Into<String>) -> Self {
        let url = url.into();
        self.once.set("poll", &url);
        self.poll.url = Some(url);
        self
    }

    /// Sends this bearer token with each poll. Default: none.
    pub fn poll_bearer(mut self, token: impl Into<String>) -> Self {
        let token = token.into();
        self.once.set("poll_bearer", &token);
        self.poll.bearer = PollBearer::Fixed(token);
        self
    }

    /// Calls this function for the bearer token of each poll, such as one that your OAuth client
    /// obtains and renews. Where it fails, panics or takes longer than 10 s by the server's clock, the
    /// poll counts as failed and is tried again. Default: none.
    pub fn poll_bearer_fn<F, A>(mut self, token: F) -> Self
    where
        F: Fn() -> A + Send + Sync + 'static,
        A: Future<Output = Result<String, LookupError>> + Send + 'static,
    {
        self.once.set_opaque("poll_bearer");
        self.poll.bearer = PollBearer::Computed(Arc::new(move || Box::pin(token())));
        self
    }

    /// How many events one answer may have: 1 to 1,000. Default: 100.
    pub fn poll_max_events(mut self, events: usize) -> Self {
        self.once.set("poll_max_events", &events);
        self.poll.most_events = events;
        self
    }

    /// The pause after an answer without events: 100 ms to 1 hour, by the server's clock. After a failed
    /// poll the pause doubles from 1 s to 60 s. Default: 10 s.
    pub fn poll_interval(mut self, interval: Duration) -> Self {
        self.once.set("poll_interval", &interval);
        self.poll.interval = interval;
        self
    }

    /// Lets the transmitter hold a poll back until there are events, for at most this long (long
    /// polling, RFC 8936 section 2.2): up to 5 minutes, in whole seconds. Default: zero, which demands an answer
    /// at once (`returnImmediately`).
    pub fn poll_wait(mut self, wait: Duration) -> Self {
        self.once.set("poll_wait", &wait);
        self.poll.wait = wait;
        self
    }
}

/// Keys: see the settings of the same names of [`Issuer`](crate::Issuer).
impl SsfTransmitter {
    /// Fetches the configuration document from this URL, such as the older
    /// `/.well-known/risc-configuration`. Default: `/.well-known/ssf-configuration` between host and
    /// path of the identifier.
    pub fn configuration_url(mut self, url: impl Into<String>) -> Self {
        self.keys = self.keys.discovery_url(url);
        self
    }

    /// Fetches the key set from this URL, without a configuration document. Default: the document's `jwks_uri`.
    pub fn key_set_url(mut self, url: impl Into<String>) -> Self {
        self.keys = self.keys.key_set_url(url);
        self
    }

    /// Uses the keys of this JWK Set and fetches nothing. Default: keys are fetched.
    pub fn key_set(mut self, json: impl Into<Vec<u8>>) -> Self {
        self.keys = self.keys.key_set(json);
        self
    }

    /// Accepts exactly these algorithms. Default: [`Algorithm::DEFAULTS`], RS256 among them, which
    /// the CAEP Interoperability Profile demands.
    pub fn algorithms(mut self, algorithms: impl IntoIterator<Item = Algorithm>) -> Self {
        self.keys = self.keys.algorithms(algorithms);
        self
    }

    /// How far the transmitter's clock may be off, for `iat`: at most 5 minutes.
    /// Default: as for [issuers](crate::Issuer::leeway).
    pub fn leeway(mut self, leeway: Duration) -> Self {
        self.keys = self.keys.leeway(leeway);
        self
    }

    /// Trusts the certificates of this PEM for the documents and the poll endpoint of this
    /// transmitter, beside the system's. Default: the system's alone.
    pub fn root_certificate(mut self, pem: impl Into<String>) -> Self {
        self.keys = self.keys.root_certificate(pem);
        self
    }

    /// Uses the proxies that the environment names. Default: no proxy.
    pub fn proxy_from_environment(mut self) -> Self {
        self.keys = self.keys.proxy_from_environment();
        self
    }
}

impl SsfTransmitter {
    /// Whether both are the same transmitter with the same settings. Functions are the same where they are
    /// one value. Secrets are compared by their hashes, in constant time.
    pub(in crate::server) fn is_same(&self, other: &Self) -> bool {
        let Self {
            issuer,
            keys,
            audiences,
            speaks_for,
            push_authorizations,
            effects,
            mapper,
            hooks,
            remembered_events,
            poll:
                PollSettings {
                    url,
                    bearer,
                    most_events,
                    wait,
                    interval,
                },
            once: _,
        } = self;
        let secrets = |all: &[String]| SecretHash::of(format!("{all:?}").as_bytes());
        let same_mapper = match (mapper, &other.mapper) {
            (Some(one), Some(other)) => is_one(one, other),
            (None, None) => true,
            _ => false,
        };
        let mut pairs = hooks.iter().zip(&other.hooks);
        let same_hooks =
            hooks.len() == other.hooks.len() && pairs.all(|(one, other)| is_one(one, other));
        *issuer == other.issuer
            && keys.differences(&other.keys).is_empty()
            && *audiences == other.audiences
            && *speaks_for == other.speaks_for
            && secrets(push_authorizations).matches(&secrets(&other.push_authorizations))
            && *effects == other.effects
            && same_mapper
            && same_hooks
            && *remembered_events == other.remembered_events
            && *url == other.poll.url
            && is_same_bearer(bearer, &other.poll.bearer)
            && *most_events == other.poll.most_events
            && *wait == other.poll.wait
            && *interval == other.poll.interval
    }
}

fn is_same_bearer(one: &PollBearer, other: &PollBearer) -> bool {
    let hash = |token: &String| SecretHash::of(token.as_bytes());
    match (one, other) {
        (PollBearer::Absent, PollBearer::Absent) => true,
        (PollBearer::Fixed(one), PollBearer::Fixed(other)) => hash(one).matches(&hash(other)),
        (PollBearer::Computed(one), PollBearer::Computed(other)) => is_one(one, other),
        _ => false,
    }
}

/// Whether both handles lead to one value.
fn is_one<T: ?Sized>(one: &Arc<T>, other: &Arc<T>) -> bool {
    std::ptr::addr_eq(Arc::as_ptr(one), Arc::as_ptr(other))
}

/// Without secrets.
impl fmt::Debug for SsfTransmitter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SsfTransmitter")
            .field("issuer", &self.issuer)
            .field("audiences", &self.audiences)
            .field("speaks_for", &self.speaks_for)
            .finish_non_exhaustive()
    }
}
