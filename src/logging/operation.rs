//! Records of the running server: its configuration, what it fetches, shares and asks, and layers that only
//! observe.

use crate::model::decision::event::Event;

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
