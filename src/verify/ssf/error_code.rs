//! The registered error codes of the delivery of SETs (RFC 8935 section 2.4).

/// Why a SET is refused, as the transmitter is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SetErrorCode {
    /// It cannot be parsed as a SET, or an event does not conform to its definition.
    InvalidRequest,
    /// The key that signed it is unknown or not acceptable, or the signature does not verify.
    InvalidKey,
    InvalidIssuer,
    InvalidAudience,
    /// The transmitter did not authenticate.
    AuthenticationFailed,
    /// The transmitter authenticated and may not send this SET.
    AccessDenied,
}

impl SetErrorCode {
    pub(crate) const ALL: [Self; 6] = [
        Self::InvalidRequest,
        Self::InvalidKey,
        Self::InvalidIssuer,
        Self::InvalidAudience,
        Self::AuthenticationFailed,
        Self::AccessDenied,
    ];

    /// The registered name.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::InvalidRequest => "invalid_request",
            Self::InvalidKey => "invalid_key",
            Self::InvalidIssuer => "invalid_issuer",
            Self::InvalidAudience => "invalid_audience",
            Self::AuthenticationFailed => "authentication_failed",
            Self::AccessDenied => "access_denied",
        }
    }
}
