//! A transmitter of security events, as configured: its keys, the issuers that it speaks for, and the
//! effects of its events.

use std::collections::HashMap;
use std::sync::Arc;

use crate::runtime::ssf::counters::SsfCounters;
use crate::runtime::ssf::poll_record::Polling;
use crate::runtime::ssf::seen_tokens::SeenTokens;
use crate::runtime::ssf::subject_mapper::DynSubjectMapper;
use crate::server::decide::issuer_authority::IssuerAuthority;
use crate::server::settings::ssf::{EventEffect, EventHook};
use crate::verify::crypto::secret::SecretHash;
use crate::verify::policy::issuer_policy::IssuerPolicy;
use crate::verify::ssf::event_type::EventType;

pub(in crate::server) struct Transmitter {
    /// The exact `iss` of its tokens.
    pub(in crate::server) issuer: Arc<str>,
    pub(in crate::server) authority: Arc<IssuerAuthority>,
    pub(in crate::server) audiences: Vec<Box<str>>,
    /// The issuers whose tokens it may end.
    pub(in crate::server) spoken_for: Vec<Arc<IssuerPolicy>>,
    /// Values of `Authorization`; empty where none is demanded.
    pub(in crate::server) push_secrets: Vec<SecretHash>,
    /// Those of the settings, before the default table.
    pub(in crate::server) effects: HashMap<EventType, EventEffect>,
    pub(in crate::server) mapper: Option<Arc<dyn DynSubjectMapper>>,
    pub(in crate::server) hooks: Vec<EventHook>,
    /// A replacement of the transmitter takes these two over.
    pub(in crate::server) seen: Arc<SeenTokens>,
    pub(in crate::server) counters: Arc<SsfCounters>,
    pub(in crate::server) polling: Option<Polling>,
}

impl Transmitter {
    /// What an event of this type does.
    pub(in crate::server) fn effect_of(&self, event_type: &EventType) -> EventEffect {
        let own = self.effects.get(event_type).copied();
        own.unwrap_or_else(|| default_effect(event_type))
    }

    /// The policy of this issuer, where the transmitter speaks for it.
    pub(in crate::server) fn spoken_for(&self, issuer: &str) -> Option<&Arc<IssuerPolicy>> {
        let mut all = self.spoken_for.iter();
        all.find(|policy| policy.is_named(issuer))
    }

    /// Whether a push with this `Authorization` may be the transmitter's. Every secret is compared.
    pub(in crate::server) fn accepts(&self, shown: &SecretHash) -> bool {
        let all = self.push_secrets.iter();
        all.fold(false, |found, secret| found | secret.matches(shown))
    }
}

/// The table at [`EventEffect`].
fn default_effect(event_type: &EventType) -> EventEffect {
    let table = [
        (EventType::SESSION_REVOKED, EventEffect::RevokeSession),
        (EventType::TOKEN_CLAIMS_CHANGE, EventEffect::RevokeSession),
        (
            EventType::ASSURANCE_LEVEL_CHANGE,
            EventEffect::RevokeSessionIfDecreased,
        ),
        (EventType::CREDENTIAL_CHANGE, EventEffect::RevokeSubject),
        (EventType::ACCOUNT_DISABLED, EventEffect::RevokeSubject),
        (EventType::ACCOUNT_PURGED, EventEffect::RevokeSubject),
        (EventType::SESSIONS_REVOKED, EventEffect::RevokeSubject),
    ];
    let known = table.into_iter().find(|(own, _)| own == event_type);
    known.map_or(EventEffect::Ignore, |(_, effect)| effect)
}
