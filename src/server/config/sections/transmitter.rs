//! Members of a transmitter of security events.

use crate::server::config::duration_text::DurationText;
use crate::server::config::error::NodeError;
use crate::server::config::place::{PublicText, Secret};
use crate::server::config::section::section;
use crate::server::config::setting::{AlgorithmName, Setting, Several, names};
use crate::server::settings::ssf::{EventEffect, SsfTransmitter};
use crate::verify::ssf::event_type::EventType;

section! {
    /// A transmitter of security events (Shared Signals Framework 1.0).
    TransmitterTable makes SsfTransmitter;

    /// Its issuer identifier: an https URL.
    make issuer: String = SsfTransmitter::new;
    /// Audiences of its tokens: those of the stream.
    each audience: String;
    /// Configured issuers whose tokens it may end, beside those of its own identifier.
    each speaks_for: String;
    /// What events of a type do.
    each on: EventRule = |transmitter, rule: (EventType, EventEffect)| transmitter.on(rule.0, rule.1);
    /// How many ids of tokens are remembered: 1 to 10000000. Default: 100000.
    one remembered_events: usize;
    /// Values of the `Authorization` field of pushes, at most two.
    each push_authorization: Secret;
    /// The URL that is polled.
    one poll: String;
    /// The bearer token of polls.
    one poll_bearer: Secret;
    /// How many events one answer may have: 1 to 1000. Default: 100.
    one poll_max_events: usize;
    /// The pause after an answer without events: 100 ms to 1 h. Default: 10 s.
    one poll_interval: DurationText;
    /// How long a poll may be held back: at most 5 min. Default: 0 s.
    one poll_wait: DurationText;
    /// The URL of its configuration document.
    one configuration_url: String;
    /// The URL of its key set.
    one key_set_url: String;
    /// Its keys as a JWK Set.
    each key_set: PublicText;
    /// Its algorithms. Default: RS, PS and ES of all lengths, EdDSA, Ed25519.
    one algorithms: Several<AlgorithmName>;
    /// How far its clock may be off: at most 5 min. Default: 30 s.
    one leeway: DurationText;
    /// Root certificates in PEM, beside the system's.
    each root_certificate: PublicText;
    /// Uses the proxies that the environment names.
    flag proxy_from_environment;
}

/// What events of one type do.
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table with `event` and `effect`")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(in crate::server::config) struct EventRule {
    /// The URI of the event's type.
    event: String,
    effect: EffectName,
}

names! {
    /// What an event does.
    EffectName: EventEffect {
        /// Nothing is revoked.
        Ignore = "ignore" => EventEffect::Ignore,
        /// Revokes what the subject names most closely.
        RevokeSession = "revoke_session" => EventEffect::RevokeSession,
        /// Revokes the subject, all its sessions included.
        RevokeSubject = "revoke_subject" => EventEffect::RevokeSubject,
        /// Revokes the session where the assurance level has decreased.
        RevokeSessionIfDecreased = "revoke_session_if_decreased" => EventEffect::RevokeSessionIfDecreased,
    }
}

impl Setting for EventRule {
    type Value = (EventType, EventEffect);

    fn value(self) -> Result<Self::Value, NodeError> {
        Ok((EventType::new(self.event), self.effect.value()?))
    }
}
