//! What operators read about refusals.
//!
//! 1. At `debug` one event for each refusal, with its cause in detail: which claim, what is wrong
//!    with it, which setting expects what. No token, no claim value.
//! 2. At `info` a summary for each kind and issuer, at most one a minute: how many, by fault, and
//!    the last of them in detail. Where the application is wired wrongly it is a `warn`.
//! 3. So a stranger causes no line of a production log by each request. Summaries come with
//!    refusals, by the server's clock; there is no timer.

use crate::model::error::rejection::Rejection;
use crate::server::resource_server::ResourceServer;

#[cfg(feature = "tracing")]
pub(in crate::middleware) fn trace_refused(rejection: &Rejection, server: &ResourceServer) {
    if crate::middleware::response::challenge::nobody_listens() {
        return;
    }
    events::refused(rejection);
    if events::wants_summaries() {
        let counts = &server.refusals().counts;
        events::summaries(&counts.count(rejection, server.monotonic()));
    }
}

/// A refusal where no layer is, and so no server that counts.
#[cfg(feature = "tracing")]
pub(in crate::middleware) fn trace_unlayered(rejection: &Rejection) {
    use std::sync::LazyLock;

    use crate::runtime::clock::{Clock as _, SystemClock};
    use crate::server::refusal_counters::RefusalCounts;

    static UNLAYERED: LazyLock<(RefusalCounts, SystemClock)> = LazyLock::new(Default::default);

    if crate::middleware::response::challenge::nobody_listens() {
        return;
    }
    events::refused(rejection);
    if events::wants_summaries() {
        let (counts, clock) = &*UNLAYERED;
        events::summaries(&counts.count(rejection, clock.monotonic()));
    }
}

#[cfg(not(feature = "tracing"))]
pub(in crate::middleware) const fn trace_refused(_: &Rejection, _: &ResourceServer) {}

#[cfg(not(feature = "tracing"))]
pub(in crate::middleware) const fn trace_unlayered(_: &Rejection) {}

#[cfg(feature = "tracing")]
mod events {
    use tracing::level_filters::LevelFilter;

    use crate::model::error::rejection::{Rejection, RejectionKind};
    use crate::model::error::rejection_detail::{Problem, RejectionDetail};
    use crate::server::refusal_counters::RefusalSummary;

    pub(in crate::middleware) fn refused(rejection: &Rejection) {
        let (kind, issuer) = (rejection.kind().as_str(), rejection.issuer());
        // A span that the application declared with these fields gets them filled.
        tracing::Span::current()
            .record("auth.refusal", kind)
            .record("auth.issuer", issuer);
        let detail = rejection.detail();
        tracing::debug!(
            kind,
            fault = rejection.cause(),
            issuer,
            claim = detail.and_then(RejectionDetail::claim),
            problem = detail.and_then(RejectionDetail::problem).map(Problem::as_str),
            setting = detail.and_then(RejectionDetail::setting),
            expected = detail.and_then(RejectionDetail::expected),
            found = detail.and_then(RejectionDetail::found),
            reason = %rejection,
            "request refused"
        );
    }

    pub(in crate::middleware) fn wants_summaries() -> bool {
        LevelFilter::current() >= LevelFilter::WARN
    }

    pub(in crate::middleware) fn summaries(summaries: &[RefusalSummary]) {
        for summary in summaries {
            let last = &summary.last;
            let detail = last.detail();
            macro_rules! summarise {
                ($level:ident) => {
                    tracing::$level!(
                        kind = last.kind().as_str(),
                        issuer = summary.issuer.as_deref(),
                        count = summary.count,
                        faults = summary.faults,
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
                RejectionKind::Misconfigured(_) | RejectionKind::NotAuthenticated => {
                    summarise!(warn);
                }
                _ => summarise!(info),
            }
        }
    }
}
