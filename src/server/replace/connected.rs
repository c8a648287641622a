//! Waiting for what a replacement fetches for the first time.

use std::time::Duration;

use tokio::task::JoinSet;

use crate::runtime::jwks::key_store::FirstAttemptError;
use crate::runtime::util::current_runtime::boxed_task;
use crate::server::operate::connect::{ConnectError, lasting};
use crate::server::replace::report::Replacement;

/// How long it waits, as `connect()` does.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

impl Replacement {
    /// Waits until every issuer that was added, or whose keys come from another place, has been asked once:
    /// at most 5 seconds. At once where the server is not [connected](crate::ResourceServer::connect).
    ///
    /// An issuer that is down is no error, as with `connect()`: see
    /// [`key_set_status()`](crate::ResourceServer::key_set_status).
    ///
    /// # Errors
    ///
    /// * [`ConnectError::NoRuntime`]: no tokio runtime is running.
    /// * [`ConnectError::IssuerMismatch`]: a discovery document names another issuer. The replacement is in
    ///   force all the same.
    pub async fn connected(&self) -> Result<(), ConnectError> {
        if tokio::runtime::Handle::try_current().is_err() {
            return Err(ConnectError::NoRuntime);
        }
        let mut attempts = JoinSet::new();
        let keys = self.fresh.keys.iter();
        for keys in keys.filter_map(std::sync::Weak::upgrade) {
            if !keys.is_lazy() {
                attempts.spawn(boxed_task(async move {
                    keys.first_attempt().await.map_err(lasting)
                }));
            }
        }
        let introspector = self.fresh.introspector.as_ref();
        if let Some(introspector) = introspector.and_then(std::sync::Weak::upgrade) {
            attempts.spawn(boxed_task(async move {
                let configured = introspector.endpoint().issuer().to_string();
                let located = introspector.resolve().await;
                located.map_err(|error| lasting(FirstAttemptError::of(error, configured)))
            }));
        }
        let all = async {
            while let Some(attempt) = attempts.join_next().await {
                if let Ok(Err(Some(error))) = attempt {
                    return Err(error);
                }
            }
            Ok(())
        };
        let outcome = tokio::time::timeout(CONNECT_TIMEOUT, all).await;
        // An issuer that does not answer in time is down, which is a status and no error.
        outcome.unwrap_or(Ok(()))
    }
}
