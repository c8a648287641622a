//! Types of security events: the URIs of CAEP 1.0, RISC 1.0 and SSF 1.0.

use std::borrow::Cow;
use std::fmt;

/// The type of a security event: its URI, the member of `events` in a Security Event Token
/// ([RFC 8417 section 2.2](https://www.rfc-editor.org/rfc/rfc8417#section-2.2)). Types are compared byte
/// for byte.
///
/// ```
/// use portcullis::ssf::EventType;
///
/// let known = EventType::SESSION_REVOKED;
/// assert_eq!(known.as_str(), "https://schemas.openid.net/secevent/caep/event-type/session-revoked");
/// assert_eq!(EventType::new(known.as_str()), known);
/// const OWN: EventType = EventType::from_static("https://idp.example.com/events/badge-lost");
/// # let _ = OWN;
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct EventType(Cow<'static, str>);

macro_rules! caep {
    ($name:literal) => {
        EventType::from_static(concat!(
            "https://schemas.openid.net/secevent/caep/event-type/",
            $name
        ))
    };
}

macro_rules! risc {
    ($name:literal) => {
        EventType::from_static(concat!(
            "https://schemas.openid.net/secevent/risc/event-type/",
            $name
        ))
    };
}

macro_rules! ssf {
    ($name:literal) => {
        EventType::from_static(concat!(
            "https://schemas.openid.net/secevent/ssf/event-type/",
            $name
        ))
    };
}

impl EventType {
    /// CAEP 1.0: a session was revoked.
    pub const SESSION_REVOKED: Self = caep!("session-revoked");

    /// CAEP 1.0: a claim of a token has another value now.
    pub const TOKEN_CLAIMS_CHANGE: Self = caep!("token-claims-change");

    /// CAEP 1.0: a credential was created, changed, revoked or deleted.
    pub const CREDENTIAL_CHANGE: Self = caep!("credential-change");

    /// CAEP 1.0: the assurance level of a session's authentication has changed.
    pub const ASSURANCE_LEVEL_CHANGE: Self = caep!("assurance-level-change");

    /// CAEP 1.0: a device began or ceased to be compliant.
    pub const DEVICE_COMPLIANCE_CHANGE: Self = caep!("device-compliance-change");

    /// CAEP 1.0: a session was established.
    pub const SESSION_ESTABLISHED: Self = caep!("session-established");

    /// CAEP 1.0: a session was seen.
    pub const SESSION_PRESENTED: Self = caep!("session-presented");

    /// CAEP 1.0: the risk level of a subject has changed.
    pub const RISK_LEVEL_CHANGE: Self = caep!("risk-level-change");

    /// RISC 1.0: the user must change a credential.
    pub const ACCOUNT_CREDENTIAL_CHANGE_REQUIRED: Self =
        risc!("account-credential-change-required");

    /// RISC 1.0: the account was deleted for good.
    pub const ACCOUNT_PURGED: Self = risc!("account-purged");

    /// RISC 1.0: the account was disabled.
    pub const ACCOUNT_DISABLED: Self = risc!("account-disabled");

    /// RISC 1.0: the account was enabled.
    pub const ACCOUNT_ENABLED: Self = risc!("account-enabled");

    /// RISC 1.0: an identifier of the account, such as its address, has changed.
    pub const IDENTIFIER_CHANGED: Self = risc!("identifier-changed");

    /// RISC 1.0: an identifier belongs to another account now.
    pub const IDENTIFIER_RECYCLED: Self = risc!("identifier-recycled");

    /// RISC 1.0: a credential of the account is in foreign hands.
    pub const CREDENTIAL_COMPROMISE: Self = risc!("credential-compromise");

    /// RISC 1.0, deprecated there in favor of [`SESSION_REVOKED`](Self::SESSION_REVOKED): all
    /// sessions of the account were revoked.
    pub const SESSIONS_REVOKED: Self = risc!("sessions-revoked");

    /// SSF 1.0 section 8.1.4.1: the transmitter checks the stream.
    pub const VERIFICATION: Self = ssf!("verification");

    /// SSF 1.0 section 8.1.5: the transmitter has changed the status of the stream.
    pub const STREAM_UPDATED: Self = ssf!("stream-updated");

    /// The type of this URI, in a constant.
    #[must_use]
    pub const fn from_static(uri: &'static str) -> Self {
        Self(Cow::Borrowed(uri))
    }

    /// The type of this URI.
    #[must_use]
    pub fn new(uri: impl Into<String>) -> Self {
        Self(Cow::Owned(uri.into()))
    }

    /// The URI.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for EventType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for EventType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EventType({:?})", self.as_str())
    }
}
