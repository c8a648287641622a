//! Why an exchange failed: in words for the operator, and as a kind for the diagnosis.

use std::error::Error;
use std::{fmt, io};

use tokio_rustls::rustls::{CertificateError, Error as TlsError};

use crate::runtime::http::probe::ConnectionProblem;
use crate::runtime::util::excerpt::excerpt;

/// Longest text of a cause that goes into an error.
const MAX_CAUSE_CHARS: usize = 160;

/// A failed exchange. Displayed as its innermost cause, which the operator can act on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TransportError {
    is_connect: bool,
    problem: ConnectionProblem,
    cause: String,
}

impl TransportError {
    /// A connection that was not made.
    pub(super) fn connect(error: &(dyn Error + 'static)) -> Self {
        Self::of(true, problem_of(error), &text_of(error))
    }

    /// A connection that was not made, for a reason that is known.
    pub(super) fn connect_because(problem: ConnectionProblem, cause: &str) -> Self {
        Self::of(true, problem, cause)
    }

    /// The same of a connection to a proxy.
    pub(super) fn of_proxy(self) -> Self {
        Self {
            problem: ConnectionProblem::Proxy,
            cause: format!("the proxy cannot be reached: {}", self.cause),
            ..self
        }
    }

    /// An exchange that broke off on its connection.
    pub(super) fn broken(error: &(dyn Error + 'static)) -> Self {
        Self::of(false, problem_of(error), &text_of(error))
    }

    /// A request that cannot be sent.
    pub(super) fn unsendable() -> Self {
        Self::of(
            false,
            ConnectionProblem::Other,
            "the request could not be made",
        )
    }

    fn of(is_connect: bool, problem: ConnectionProblem, cause: &str) -> Self {
        Self {
            is_connect,
            problem,
            // Certificates contain foreign text.
            cause: excerpt(cause, MAX_CAUSE_CHARS),
        }
    }

    /// Whether no connection was made.
    pub(in crate::runtime::http) const fn is_connect(&self) -> bool {
        self.is_connect
    }

    /// What keeps the server from being reached.
    pub(in crate::runtime::http) const fn problem(&self) -> ConnectionProblem {
        self.problem
    }
}

impl fmt::Display for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.cause)
    }
}

impl Error for TransportError {}

/// An `io::Error` leaves the error that it wraps out of its chain of sources.
fn innermost<'e>(error: &'e (dyn Error + 'static)) -> &'e (dyn Error + 'static) {
    let mut cause = error;
    loop {
        let io = cause.downcast_ref::<io::Error>();
        let deeper = match io.and_then(io::Error::get_ref) {
            Some(wrapped) => Some(wrapped as &(dyn Error + 'static)),
            None => cause.source(),
        };
        let Some(deeper) = deeper else {
            return cause;
        };
        cause = deeper;
    }
}

fn text_of(error: &(dyn Error + 'static)) -> String {
    let cause = innermost(error);
    match cause.downcast_ref::<io::Error>() {
        // Without the number of the system's error.
        Some(io) => io.kind().to_string(),
        None => cause.to_string(),
    }
}

fn problem_of(error: &(dyn Error + 'static)) -> ConnectionProblem {
    let cause = innermost(error);
    if let Some(io) = cause.downcast_ref::<io::Error>() {
        return match io.kind() {
            io::ErrorKind::ConnectionRefused => ConnectionProblem::Refused,
            io::ErrorKind::TimedOut => ConnectionProblem::TimedOut,
            _ => ConnectionProblem::Other,
        };
    }
    match cause.downcast_ref::<TlsError>() {
        Some(TlsError::InvalidCertificate(certificate)) => problem_of_certificate(certificate),
        Some(_) => ConnectionProblem::Tls,
        None => ConnectionProblem::Other,
    }
}

const fn problem_of_certificate(error: &CertificateError) -> ConnectionProblem {
    match error {
        CertificateError::UnknownIssuer => ConnectionProblem::UnknownRoot,
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            ConnectionProblem::CertificateName
        }
        CertificateError::Expired
        | CertificateError::ExpiredContext { .. }
        | CertificateError::NotValidYet
        | CertificateError::NotValidYetContext { .. } => ConnectionProblem::CertificateTime,
        _ => ConnectionProblem::Tls,
    }
}
