//! The one place where events become log records, by `tracing`. Without that feature it is empty.
//!
//! 1. Levels, targets, messages and names of fields are those that operators filter by, so they
//!    are stable. Targets are written out, and do not change with the place of a call.
//! 2. An event never contains a token, a claim's value or a key; the names of callers only where the
//!    server's setting asks for them, escaped and cut.

use crate::model::event::Event;

/// Whether anything listens to events. A caller asks first where an event takes work to make.
#[cfg(feature = "tracing")]
pub(crate) fn is_enabled() -> bool {
    use tracing::level_filters::LevelFilter;

    LevelFilter::current() != LevelFilter::OFF
}

#[cfg(not(feature = "tracing"))]
pub(crate) const fn is_enabled() -> bool {
    false
}

/// Whether anything listens to summaries of refusals, which are `info` and `warn`.
#[cfg(feature = "tracing")]
pub(crate) fn wants_summaries() -> bool {
    use tracing::level_filters::LevelFilter;

    LevelFilter::current() >= LevelFilter::WARN
}

#[cfg(not(feature = "tracing"))]
pub(crate) const fn wants_summaries() -> bool {
    false
}

/// Whether anything listens to decision records.
#[cfg(feature = "tracing")]
pub(crate) fn wants_decisions() -> bool {
    tracing::enabled!(target: records::DECISIONS, tracing::Level::INFO)
}

#[cfg(not(feature = "tracing"))]
pub(crate) const fn wants_decisions() -> bool {
    false
}

#[cfg(not(feature = "tracing"))]
pub(crate) const fn emit(_: Event<'_>) {}

/// Writes an event down. A span that the application declared with fields such as `auth.issuer`
/// gets them filled.
#[cfg(feature = "tracing")]
pub(crate) fn emit(event: Event<'_>) {
    match event {
        Event::NothingSent | Event::TokenAdmitted { .. } => admitted(event),
        Event::RequestRefused { rejection, names } => refused(rejection, names),
        Event::RefusalsSummarized {
            last,
            issuer,
            count,
            faults,
        } => summarized(last, issuer, count, faults),
        Event::RequestDecided { record } => decided(record),
        Event::DecisionSinkFailed { .. }
        | Event::ObserveOnly { .. }
        | Event::RefusalsObserved { .. } => observed(event),
        Event::LogoutRefused { .. }
        | Event::SignedLogoutRefused { .. }
        | Event::LogoutUnavailable { .. } => logout(event),
        Event::SecurityEventUnmapped { .. }
        | Event::SecurityEventRefused { .. }
        | Event::SecurityEventUnavailable { .. }
        | Event::StreamUpdated { .. }
        | Event::PollFailed { .. }
        | Event::PollRecovered { .. } => security_event(event),
        Event::LookupFailed { .. }
        | Event::LookupRecovered { .. }
        | Event::KeySetRefreshed { .. }
        | Event::KeySetNotRefreshed { .. }
        | Event::KeySetCopyUsed { .. }
        | Event::KeySetCopyFailed { .. }
        | Event::KeySkipped { .. }
        | Event::DirectoryFailed { .. }
        | Event::SharingRestored
        | Event::SharingFailed { .. }
        | Event::StreamRenewed => runtime(event),
        #[cfg(feature = "status-list")]
        Event::StatusListNotRefreshed { .. } => runtime(event),
        other => server(other),
    }
}

#[cfg(feature = "tracing")]
use records::{
    admitted, decided, logout, observed, refused, runtime, security_event, server, summarized,
};

#[cfg(feature = "tracing")]
mod records {
    use crate::model::decision_record::DecisionRecord;
    use crate::model::error::rejection::{Rejection, RejectionKind};
    use crate::model::error::rejection_detail::{Problem, RejectionDetail};
    use crate::model::event::{CallerNames, Event};
    use crate::runtime::util::excerpt::excerpt;

    pub(super) fn admitted(event: Event<'_>) {
        const TARGET: &str = "portcullis::middleware::authenticate::service";
        let Event::TokenAdmitted {
            issuer,
            caller,
            binding,
            names,
        } = event
        else {
            tracing::trace!(target: TARGET, "no token was sent; the layer is optional");
            return;
        };
        tracing::Span::current()
            .record("auth.issuer", issuer)
            .record("auth.caller", caller)
            .record("auth.binding", binding);
        let names = ShownNames::of(names);
        names.record();
        tracing::trace!(
            target: TARGET,
            issuer,
            caller,
            binding,
            subject = names.subject,
            client = names.client,
            actor = names.actor,
            actor_issuer = names.actor_issuer,
            "token admitted"
        );
    }

    /// The names of a caller as they are logged: escaped, and at most so many characters of each.
    #[derive(Default)]
    struct ShownNames {
        subject: Option<String>,
        client: Option<String>,
        actor: Option<String>,
        actor_issuer: Option<String>,
    }

    impl ShownNames {
        fn of(names: Option<CallerNames<'_>>) -> Self {
            let shown = |text: &str| excerpt(text, 256);
            names.map_or_else(Self::default, |names| Self {
                subject: names.subject.map(shown),
                client: names.client.map(shown),
                actor: names.actor.map(|(id, _)| shown(id)),
                actor_issuer: names.actor.map(|(_, issuer)| shown(issuer)),
            })
        }

        /// Fills the fields of the application's span that have these names.
        fn record(&self) {
            let span = tracing::Span::current();
            for (field, name) in [
                ("auth.subject", &self.subject),
                ("auth.client", &self.client),
                ("auth.actor", &self.actor),
                ("auth.actor_issuer", &self.actor_issuer),
            ] {
                if let Some(name) = name {
                    span.record(field, name.as_str());
                }
            }
        }
    }

    const REFUSALS: &str = "portcullis::middleware::response::refusal_log::events";

    pub(super) fn refused(rejection: &Rejection, names: Option<CallerNames<'_>>) {
        let (kind, issuer) = (rejection.kind().as_str(), rejection.issuer());
        tracing::Span::current()
            .record("auth.refusal", kind)
            .record("auth.issuer", issuer);
        let names = ShownNames::of(names);
        names.record();
        let detail = rejection.detail();
        tracing::debug!(
            target: REFUSALS,
            kind,
            fault = rejection.cause(),
            issuer,
            claim = detail.and_then(RejectionDetail::claim),
            problem = detail.and_then(RejectionDetail::problem).map(Problem::as_str),
            setting = detail.and_then(RejectionDetail::setting),
            expected = detail.and_then(RejectionDetail::expected),
            found = detail.and_then(RejectionDetail::found),
            subject = names.subject,
            client = names.client,
            actor = names.actor,
            actor_issuer = names.actor_issuer,
            reason = %rejection,
            "request refused"
        );
    }

    pub(super) fn summarized(last: &Rejection, issuer: Option<&str>, count: u64, faults: &str) {
        let detail = last.detail();
        macro_rules! summary {
            ($level:ident) => {
                tracing::$level!(
                    target: REFUSALS,
                    kind = last.kind().as_str(),
                    issuer,
                    count,
                    faults,
                    claim = detail.and_then(RejectionDetail::claim),
                    problem = detail.and_then(RejectionDetail::problem).map(Problem::as_str),
                    setting = detail.and_then(RejectionDetail::setting),
                    expected = detail.and_then(RejectionDetail::expected),
                    found = detail.and_then(RejectionDetail::found),
                    reason = %last,
                    "requests refused; the last in detail, the next summary in a minute at the earliest"
                )
            };
        }
        match last.kind() {
            RejectionKind::Misconfigured(_) | RejectionKind::NotAuthenticated => summary!(warn),
            _ => summary!(info),
        }
    }

    pub(super) const DECISIONS: &str = "portcullis::decision";

    pub(super) fn decided(record: &DecisionRecord) {
        let shown = |text: Option<&str>| text.map(|text| excerpt(text, 256));
        tracing::info!(
            target: DECISIONS,
            outcome = record.outcome().as_str(),
            stage = record.stage().as_str(),
            kind = record.kind(),
            fault = record.reason(),
            claim = record.claim(),
            problem = record.problem(),
            setting = record.setting(),
            expected = record.expected(),
            found = record.found(),
            issuer = record.issuer(),
            caller = record.caller(),
            subject = shown(record.subject()),
            client = shown(record.client()),
            actor = shown(record.actor()),
            actor_issuer = shown(record.actor_issuer()),
            account = shown(record.account()),
            workspace = shown(record.workspace()),
            token_id = shown(record.token_id()),
            token_fingerprint = record.token_fingerprint(),
            resource = record.resource(),
            revision = record.revision(),
            check_micros = record.check_micros(),
            "request decided"
        );
    }

    pub(super) fn observed(event: Event<'_>) {
        const TARGET: &str = "portcullis::server::observe";
        match event {
            Event::DecisionSinkFailed { error } => tracing::warn!(
                target: TARGET,
                error,
                "a decision record was not written, and is lost"
            ),
            Event::ObserveOnly {
                resource,
                until,
                is_observing: true,
            } => tracing::warn!(
                target: TARGET,
                resource,
                until = until.as_secs(),
                "a layer only observes: requests go on that it would refuse"
            ),
            Event::ObserveOnly {
                resource,
                until,
                is_observing: false,
            } => tracing::warn!(
                target: TARGET,
                resource,
                until = until.as_secs(),
                "a layer that was to observe enforces: its end is over, or more than 90 days away"
            ),
            Event::RefusalsObserved {
                resource,
                until,
                passed,
            } => tracing::warn!(
                target: TARGET,
                resource,
                until = until.as_secs(),
                passed,
                "a layer only observes: requests went on that it would have refused"
            ),
            _ => {}
        }
    }

    pub(super) fn logout(event: Event<'_>) {
        const TARGET: &str = "portcullis::middleware::services::backchannel_logout";
        match event {
            Event::SignedLogoutRefused { why } => tracing::warn!(
                target: TARGET,
                why,
                "a logout token of the issuer was refused, and its session goes on"
            ),
            Event::LogoutUnavailable { why } => {
                tracing::warn!(target: TARGET, why, "a logout could not be judged or kept");
            }
            Event::LogoutRefused { why } => {
                tracing::debug!(target: TARGET, why, "a logout token was refused");
            }
            _ => {}
        }
    }

    pub(super) fn security_event(event: Event<'_>) {
        const TARGET: &str = "portcullis::server::operate::ssf";
        match event {
            Event::SecurityEventUnmapped {
                transmitter,
                event_type,
                is_foreign: false,
            } => tracing::warn!(
                target: TARGET,
                transmitter,
                event_type,
                "a security event ends nothing, or not all: nothing maps its subject; extend the table with `map_subjects`"
            ),
            Event::SecurityEventUnmapped {
                transmitter,
                event_type,
                is_foreign: true,
            } => tracing::warn!(
                target: TARGET,
                transmitter,
                event_type,
                "a security event ends nothing, or not all: its transmitter does not speak for the subject's issuer; name that with `speaks_for`"
            ),
            Event::SecurityEventRefused {
                transmitter,
                code,
                why,
                is_warning: true,
            } => tracing::warn!(
                target: TARGET,
                transmitter,
                code,
                why,
                "a security event that its transmitter has signed was refused"
            ),
            Event::SecurityEventRefused {
                transmitter,
                code,
                why,
                is_warning: false,
            } => {
                tracing::debug!(target: TARGET, transmitter, code, why, "a security event was refused");
            }
            Event::SecurityEventUnavailable { transmitter, why } => tracing::warn!(
                target: TARGET,
                transmitter,
                why,
                "a security event could not be judged or stored; its transmitter sends it again"
            ),
            Event::StreamUpdated {
                transmitter,
                status,
            } => tracing::warn!(
                target: TARGET,
                transmitter,
                status,
                "the transmitter has changed the status of its stream"
            ),
            Event::PollFailed { transmitter, error } => {
                tracing::warn!(target: TARGET, transmitter, error, "security events cannot be polled");
            }
            Event::PollRecovered { transmitter } => {
                tracing::info!(target: TARGET, transmitter, "security events are polled again");
            }
            _ => {}
        }
    }

    pub(super) fn server(event: Event<'_>) {
        match event {
            Event::ConfigurationReplaced {
                revision,
                difference,
            } => tracing::info!(
                target: "portcullis::server::replace",
                revision,
                difference = %difference,
                "configuration replaced"
            ),
            Event::NotConnected => tracing::error!(
                target: "portcullis::server::authenticate",
                "`connect()` was never called, so no keys are fetched and no revocations are loaded; call `server.connect().await` before the server takes requests"
            ),
            Event::UpgradeWithoutLease => tracing::warn!(
                target: "portcullis::middleware::lease",
                "a connection was upgraded without a lease, so it does not end with its token; use `Lease::web_socket` or `Lease::io`"
            ),
            Event::KeyNotFound { issuer, key } => tracing::debug!(
                target: "portcullis::server::decide::issuer_authority",
                issuer = %issuer,
                key = %key,
                "key not found"
            ),
            Event::UnsupportedTokenType { issuer } => tracing::warn!(
                target: "portcullis::server::decide::introspected",
                issuer,
                "the endpoint does not judge tokens of this type; if they are jwts, verify them here"
            ),
            Event::UserInfoUnusable { issuer, error } => tracing::warn!(
                target: "portcullis::server::userinfo",
                issuer,
                error,
                "userinfo cannot be used"
            ),
            Event::Revoked { issuer, kind } => tracing::info!(
                target: "portcullis::server::operate::revocations",
                issuer,
                kind,
                "revoked"
            ),
            Event::RevocationsNotLoaded { error, again_in } => tracing::warn!(
                target: "portcullis::server::operate::revocation_loader",
                %error,
                again_in = again_in.as_secs(),
                "what was revoked before could not be loaded"
            ),
            _ => {}
        }
    }

    pub(super) fn runtime(event: Event<'_>) {
        const LOOKUPS: &str = "portcullis::runtime::lookup::status";
        const KEY_SETS: &str = "portcullis::runtime::jwks::refresh_event";
        const COPIES: &str = "portcullis::runtime::jwks::copy_file";
        const SHARING: &str = "portcullis::runtime::shared::sync";
        match event {
            Event::LookupFailed {
                issuer,
                error,
                kind,
                message,
            } => tracing::warn!(target: LOOKUPS, issuer, error, kind, "{message}"),
            Event::LookupRecovered { issuer, message } => {
                tracing::info!(target: LOOKUPS, issuer, "{message}");
            }
            Event::KeySetRefreshed {
                issuer,
                keys,
                skipped,
                changed,
            } => tracing::debug!(
                target: KEY_SETS,
                issuer,
                keys,
                skipped,
                changed,
                "the key set is fresh"
            ),
            Event::KeySetNotRefreshed { issuer, error } => tracing::warn!(
                target: KEY_SETS,
                issuer,
                error = %error,
                "the key set could not be refreshed"
            ),
            Event::KeySetCopyUsed { issuer, keys, age } => tracing::warn!(
                target: COPIES,
                issuer,
                keys,
                age = age.as_secs(),
                "the issuer gives no keys; those of a stored copy are used"
            ),
            Event::KeySetCopyFailed {
                issuer,
                action,
                problem,
                error,
            } => tracing::warn!(
                target: COPIES,
                issuer,
                action,
                problem,
                error,
                "a stored copy of a key set is not used, or was not stored"
            ),
            #[cfg(feature = "status-list")]
            Event::StatusListNotRefreshed { issuer, error } => tracing::warn!(
                target: "portcullis::runtime::status_list",
                issuer,
                error,
                "a status list could not be refreshed"
            ),
            Event::KeySkipped {
                issuer,
                index,
                reason,
                is_fetched,
            } => {
                macro_rules! skipped {
                    ($target:expr) => {
                        tracing::warn!(
                            target: $target,
                            issuer,
                            index,
                            reason,
                            "an entry of the key set cannot be used"
                        )
                    };
                }
                if is_fetched {
                    skipped!(KEY_SETS);
                } else {
                    skipped!("portcullis::server::compile::key_source");
                }
            }
            Event::DirectoryFailed { error } => tracing::warn!(
                target: "portcullis::runtime::directory",
                %error,
                "the application's directory failed"
            ),
            Event::SharingRestored => tracing::info!(target: SHARING, "revocations are shared"),
            Event::SharingFailed { error } => {
                tracing::warn!(target: SHARING, error = %error, "revocations are not shared");
            }
            Event::StreamRenewed => tracing::warn!(
                target: SHARING,
                "the stream of revocations took no more entries, and a new one was begun"
            ),
            _ => {}
        }
    }
}
