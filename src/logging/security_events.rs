//! Records of logouts and of security events.

use crate::model::decision::event::Event;

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
