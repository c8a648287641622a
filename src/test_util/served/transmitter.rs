//! A served issuer as a transmitter of security events.

use serde_json::Value;

use super::fault::Endpoint;
use super::serve::ServedIssuer;
use crate::ssf::SsfTransmitter;
use crate::test_util::issuer::MockIssuer;

/// A transmitter of security events (Shared Signals Framework 1.0).
impl ServedIssuer {
    /// How a server receives its events: keys are found by the configuration document that it serves.
    /// Add [`poll`](SsfTransmitter::poll) with the URL of [`Endpoint::SsfPoll`] to poll it.
    pub fn transmitter(&self) -> SsfTransmitter {
        SsfTransmitter::new(self.issuer())
            .audience(MockIssuer::SSF_AUDIENCE)
            .configuration_url(self.url_of(Endpoint::SsfConfiguration))
    }

    /// Queues a Security Event Token for the poll endpoint, under its `jti`.
    pub fn queue_security_event(&self, set: impl Into<String>) {
        use base64::Engine as _;
        use base64::engine::general_purpose::URL_SAFE_NO_PAD;

        let set = set.into();
        let payload = set.split('.').nth(1).unwrap_or_default();
        let payload = URL_SAFE_NO_PAD.decode(payload).unwrap_or_default();
        let claims: Value = serde_json::from_slice(&payload).unwrap_or_default();
        let id = claims.get("jti").and_then(Value::as_str);
        let id = id.unwrap_or("unknown").to_owned();
        self.queue_security_event_as(id, set);
    }

    /// The same under another id, or of what is no token at all.
    pub fn queue_security_event_as(&self, id: impl Into<String>, set: impl Into<String>) {
        let mut settings = self.desk.site.settings();
        settings.events.waiting.push((id.into(), set.into()));
    }

    /// How many tokens are in the queue, neither acknowledged nor refused.
    #[must_use]
    pub fn queued_security_events(&self) -> usize {
        self.desk.site.settings().events.waiting.len()
    }

    /// The ids of the tokens that were acknowledged, in their order.
    #[must_use]
    pub fn acknowledged_security_events(&self) -> Vec<String> {
        self.desk.site.settings().events.acknowledged.clone()
    }

    /// The ids of the tokens that were refused (`setErrs`), each with its error code.
    #[must_use]
    pub fn refused_security_events(&self) -> Vec<(String, String)> {
        self.desk.site.settings().events.errors.clone()
    }

    /// The last request to the poll endpoint, as JSON.
    #[must_use]
    pub fn last_security_event_poll(&self) -> Option<String> {
        self.desk.site.settings().events.last_question.clone()
    }

    /// Answers 401 to polls without this bearer token. Default: everyone may poll.
    pub fn require_poll_token(&self, token: impl Into<String>) {
        self.desk.site.settings().events.token = Some(token.into());
    }

    /// Delivers tokens again that were acknowledged or refused, as a faulty transmitter does.
    pub fn redeliver_security_events(&self) {
        self.desk.site.settings().events.redelivers = true;
    }
}
