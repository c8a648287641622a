//! A device that waits for its user (RFC 8628).

use std::sync::Arc;
use std::time::Duration;

use super::grant::Grant;
use crate::test_util::authorization_server::accounts::TestClient;
use crate::time::UnixTime;

/// A device authorization request; the key is the digest of the device code.
pub(in crate::test_util) struct Device {
    pub(in crate::test_util) user_code: String,
    pub(in crate::test_util) client: Arc<TestClient>,
    /// Scope tokens with blanks between.
    pub(in crate::test_util) scope: Box<str>,
    pub(in crate::test_util) resources: Box<[String]>,
    pub(in crate::test_util) expires_at: UnixTime,
    /// The least time between two questions of the device.
    pub(in crate::test_util) interval: Duration,
    /// When the device asked last.
    pub(in crate::test_util) asked_at: Option<UnixTime>,
    pub(in crate::test_util) decision: DeviceDecision,
}

/// What the user has decided.
pub(in crate::test_util) enum DeviceDecision {
    Pending,
    Denied,
    /// The grant; absent once it was used.
    Granted(Option<Box<Grant>>),
}

impl Device {
    /// Whether the user can still decide.
    pub(in crate::test_util) fn is_pending(&self, now: UnixTime) -> bool {
        now < self.expires_at && matches!(self.decision, DeviceDecision::Pending)
    }
}
