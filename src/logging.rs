//! The one place where events become log records, by `tracing`. Without that feature it is empty.
//!
//! 1. Levels, targets, messages and names of fields are those that operators filter by, so they
//!    are stable. Targets are written out, and do not change with the place of a call.
//! 2. An event never contains a token, a claim's value or a key; the names of callers only where the
//!    server's setting asks for them, escaped and cut.

#[cfg(feature = "tracing")]
mod operation;
#[cfg(feature = "tracing")]
mod requests;
#[cfg(feature = "tracing")]
mod security_events;

#[cfg(feature = "tracing")]
use operation::{observed, runtime, server};
#[cfg(feature = "tracing")]
use requests::{admitted, decided, refused, summarized};
#[cfg(feature = "tracing")]
use security_events::{logout, security_event};

use crate::model::decision::event::Event;

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
    tracing::enabled!(target: requests::DECISIONS, tracing::Level::INFO)
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
