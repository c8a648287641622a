//! Records of requests: admitted, refused, summarized and decided.

use crate::model::decision::event::{CallerNames, Event};
use crate::model::decision::record::DecisionRecord;
use crate::model::error::rejection::{Rejection, RejectionKind};
use crate::model::error::rejection_detail::{Problem, RejectionDetail};
use crate::runtime::util::excerpt::excerpt;

const REFUSALS: &str = "portcullis::middleware::response::refusal_log::events";

/// The target of decision records.
pub(super) const DECISIONS: &str = "portcullis::decision";

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
