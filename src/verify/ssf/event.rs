//! A verified security event, as the application sees it.

use std::fmt;
use std::sync::Arc;

use serde::de::DeserializeOwned;

use crate::model::time::UnixTime;
use crate::verify::json::object::{Object, Value};
use crate::verify::ssf::event_type::EventType;
use crate::verify::ssf::subject::SubjectIdentifier;

/// One event of a Security Event Token
/// ([RFC 8417](https://www.rfc-editor.org/rfc/rfc8417)) whose signature, transmitter and audience were
/// verified. Cheap to clone. `Debug` shows the transmitter and the type, and no value of a claim.
#[derive(Clone)]
#[doc(alias = "SET")]
pub struct SecurityEvent {
    pub(in crate::verify::ssf) token: Arc<EventTokenClaims>,
    pub(in crate::verify::ssf) event_type: EventType,
    pub(in crate::verify::ssf) payload: Arc<str>,
    pub(in crate::verify::ssf) subject: Option<Arc<SubjectIdentifier>>,
    pub(in crate::verify::ssf) occurred_at: UnixTime,
}

/// What all events of a token have in common.
pub(in crate::verify::ssf) struct EventTokenClaims {
    pub(in crate::verify::ssf) transmitter: String,
    pub(in crate::verify::ssf) id: String,
    pub(in crate::verify::ssf) issued_at: UnixTime,
    pub(in crate::verify::ssf) transaction: Option<String>,
}

impl SecurityEvent {
    /// The `iss` of the token: the transmitter.
    #[must_use]
    pub fn transmitter(&self) -> &str {
        &self.token.transmitter
    }

    /// The `jti` of the token, which is unique for its transmitter.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.token.id
    }

    /// The type of the event.
    #[must_use]
    pub const fn event_type(&self) -> &EventType {
        &self.event_type
    }

    /// Who or what the event is about: the claim `sub_id` of the token or, where that is absent, the
    /// member `subject` of the event; absent where the token has neither.
    #[must_use]
    pub fn subject(&self) -> Option<&SubjectIdentifier> {
        self.subject.as_deref()
    }

    /// When the event occurred: the member `event_timestamp` of the event, or the claim `toe`, or
    /// `iat`; the first of them that is present and not more than 5 minutes ahead. Revocations reach
    /// up to this time.
    #[must_use]
    pub const fn occurred_at(&self) -> UnixTime {
        self.occurred_at
    }

    /// The `iat` of the token.
    #[must_use]
    pub fn issued_at(&self) -> UnixTime {
        self.token.issued_at
    }

    /// The `txn` of the token, which relates events to each other.
    #[must_use]
    pub fn transaction(&self) -> Option<&str> {
        self.token.transaction.as_deref()
    }

    /// The event's own object as JSON text, such as `{"event_timestamp":1615304991}`.
    #[must_use]
    pub fn payload(&self) -> &str {
        &self.payload
    }

    /// The event's own object as a value of your type.
    ///
    /// # Errors
    ///
    /// What `serde_json` finds wrong.
    pub fn deserialize<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_str(&self.payload)
    }

    /// A member of the payload, where it is a string.
    pub(crate) fn text(&self, name: &str) -> Option<String> {
        let payload = Object::parse_str(&self.payload).ok()?;
        let text = payload.get(name).and_then(Value::as_text)?;
        Some(text.into_owned())
    }
}

impl fmt::Debug for SecurityEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecurityEvent")
            .field("transmitter", &self.transmitter())
            .field("event_type", &self.event_type)
            .field("subject", &self.subject)
            .finish_non_exhaustive()
    }
}
