//! What operators read about refusals.
//!
//! 1. At `debug` one event for each refusal, with its cause in detail: which claim, what is wrong
//!    with it, which setting expects what. No token, no claim value, except the names of callers where
//!    a setting of the server asks for them.
//! 2. At `info` a summary for each kind and issuer, at most one a minute: how many, by fault, and
//!    the last of them in detail. Where the application is wired wrongly it is a `warn`.
//! 3. So the lines of a production log are bounded, whatever strangers send. Summaries come with
//!    refusals, by the server's clock; there is no timer.

use std::sync::LazyLock;
use std::time::Duration;

use crate::logging;
use crate::model::decision::event::{CallerNames, Event};
use crate::model::error::rejection::Rejection;
use crate::runtime::clock::{Clock as _, SystemClock};
use crate::server::decide::verified_request::VerifiedRequest;
use crate::server::refusal_counters::RefusalCounts;
use crate::server::resource_server::ResourceServer;

/// Logs the refusal of a request without a good token.
pub(in crate::middleware) fn log_refusal(rejection: &Rejection, server: &ResourceServer) {
    log_refusal_of(rejection, server, None);
}

/// Logs the refusal of a request, of this token where it is good.
pub(in crate::middleware) fn log_refusal_of(
    rejection: &Rejection,
    server: &ResourceServer,
    verified: Option<&VerifiedRequest>,
) {
    if logging::is_enabled() {
        let names = verified.filter(|_| server.logs_callers());
        let names = names.map(VerifiedRequest::caller_names);
        let counts = &server.refusals().counts;
        log(rejection, names, counts, || server.monotonic());
    }
}

/// A refusal where no layer is, and so no server that counts.
pub(in crate::middleware) fn log_unlayered(rejection: &Rejection) {
    static UNLAYERED: LazyLock<(RefusalCounts, SystemClock)> = LazyLock::new(Default::default);

    if logging::is_enabled() {
        let (counts, clock) = &*UNLAYERED;
        log(rejection, None, counts, || clock.monotonic());
    }
}

fn log(
    rejection: &Rejection,
    names: Option<CallerNames<'_>>,
    counts: &RefusalCounts,
    now: impl FnOnce() -> Duration,
) {
    logging::emit(Event::RequestRefused { rejection, names });
    if !logging::wants_summaries() {
        return;
    }
    for summary in counts.count(rejection, now()) {
        logging::emit(Event::RefusalsSummarized {
            last: &summary.last,
            issuer: summary.issuer.as_deref(),
            count: summary.count,
            faults: &summary.faults,
        });
    }
}
