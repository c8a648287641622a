//! What an operator wants to know of a request: the status, the server's clock, why there is no
//! response.

use crate::model::time::UnixTime;

/// A response of any status.
pub(crate) struct ProbeResponse {
    pub(crate) status: u16,
    /// The server's clock.
    pub(crate) date: Option<UnixTime>,
    /// Empty except where the status is 200.
    pub(crate) body: Vec<u8>,
}

/// Why there is no response, or none that can be read.
#[derive(Clone, Debug)]
pub(crate) struct ProbeError {
    pub(crate) problem: ConnectionProblem,
    /// For the operator; names the address without its query.
    pub(crate) text: String,
}

/// What keeps a server from being reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ConnectionProblem {
    Address,
    Dns,
    Refused,
    TimedOut,
    Proxy,
    /// The certificate is not signed by a root that is trusted.
    UnknownRoot,
    /// It is for another name.
    CertificateName,
    /// It has expired, or is not valid yet.
    CertificateTime,
    /// Another fault of TLS or of the certificate.
    Tls,
    TooLarge,
    Other,
}

impl ConnectionProblem {
    /// A stable name.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Address => "address",
            Self::Dns => "dns",
            Self::Refused => "connection_refused",
            Self::TimedOut => "timeout",
            Self::Proxy => "proxy",
            Self::UnknownRoot => "tls_unknown_root",
            Self::CertificateName => "tls_wrong_name",
            Self::CertificateTime => "tls_certificate_time",
            Self::Tls => "tls",
            Self::TooLarge => "too_large",
            Self::Other => "unreachable",
        }
    }
}
