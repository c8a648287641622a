//! What an operator wants to know of a request: the status, the server's clock, why there is no
//! response.

use std::error::Error;
use std::io;

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
    /// By the texts of the causes: the crates behind them are not part of this one, and their texts are
    /// tested here. A cause that is not known is `Other`.
    pub(super) fn of(error: &(dyn Error + 'static)) -> Self {
        let mut cause = Some(error);
        let mut found = Self::Other;
        while let Some(error) = cause {
            let text = error.to_string();
            let has = |part: &str| text.contains(part);
            let by_kind = error
                .downcast_ref::<io::Error>()
                .map(|error| match error.kind() {
                    io::ErrorKind::ConnectionRefused => Self::Refused,
                    io::ErrorKind::TimedOut => Self::TimedOut,
                    _ => Self::Other,
                });
            let problem = if has("UnknownIssuer") {
                Self::UnknownRoot
            } else if has("not valid for name") || has("NotValidForName") {
                Self::CertificateName
            } else if has("certificate expired") || has("certificate not valid yet") {
                Self::CertificateTime
            } else if has("invalid peer certificate")
                || has("fatal alert")
                || has("corrupt message")
            {
                Self::Tls
            } else if has("dns error") {
                Self::Dns
            } else if has("tunnel") || has("proxy") {
                Self::Proxy
            } else {
                by_kind.unwrap_or(Self::Other)
            };
            if problem != Self::Other {
                found = problem;
            }
            cause = error.source();
        }
        found
    }

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
