//! Security Event Tokens, as a transmitter of the Shared Signals Framework sends them.

use serde_json::{Map, json};

use super::token_builder::TokenBuilder;
use crate::ssf::{EventType, SsfTransmitter};
use crate::test_util::issuer::MockIssuer;
use crate::test_util::issuer::profile::Kind;
use crate::test_util::keys::random_text;

impl MockIssuer {
    /// The audience of its Security Event Tokens: `https://api.example.com/ssf`.
    pub const SSF_AUDIENCE: &'static str = "https://api.example.com/ssf";

    /// A Security Event Token (RFC 8417) with one event of this type, about the subject
    /// [`SUBJECT`](Self::SUBJECT) of this issuer (`iss_sub`), for [`SSF_AUDIENCE`](Self::SSF_AUDIENCE),
    /// with an id of its own. Name another subject with `.claim("sub_id", ..)` and members of the event
    /// with [`event`](TokenBuilder::event). Every fault of a token can be ordered of the builder.
    ///
    /// ```
    /// use portcullis::ssf::EventType;
    /// use portcullis::test_util::MockIssuer;
    ///
    /// let issuer = MockIssuer::new();
    /// let set = issuer.security_event(&EventType::SESSION_REVOKED).sign();
    /// let forged = issuer.security_event(&EventType::SESSION_REVOKED).sign_with_wrong_key();
    /// # let _ = (set, forged);
    /// ```
    pub fn security_event(&self, event_type: &EventType) -> TokenBuilder {
        let now = self.now();
        let claims = json!({
            "iss": self.issuer(),
            "aud": Self::SSF_AUDIENCE,
            "iat": now.as_secs(),
            "jti": random_text(16),
            "txn": random_text(16),
            "sub_id": { "format": "iss_sub", "iss": self.issuer(), "sub": Self::SUBJECT },
            "events": { event_type.as_str(): {} },
        });
        let claims: Map<_, _> = claims.as_object().cloned().unwrap_or_default();
        TokenBuilder::new(self.clone(), Kind::Id, now, Some("secevent+jwt"), claims)
    }

    /// How a server receives its events: with the keys that it publishes at this moment and no network.
    pub fn transmitter(&self) -> SsfTransmitter {
        let transmitter = SsfTransmitter::new(self.issuer()).audience(Self::SSF_AUDIENCE);
        transmitter.key_set(self.key_set())
    }
}
