//! The certificate of a request's client.
//!
//! 1. A certificate-bound token holds the SHA-256 digest of the certificate's DER (RFC 8705
//!    section 3.1). The digest is computed once for each connection, when the value is made.
//! 2. X.509 is not parsed: the binding needs the digest alone, and the validity of the chain is
//!    decided in the TLS handshake.

use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::model::error::rejection_detail::Problem;
use crate::verify::crypto::sha256::sha256;

/// The certificate that a client has presented in its TLS handshake, as a request extension.
///
/// The server that accepts the TLS connection puts it into the extensions of each request of the
/// connection. A token whose claim `cnf` has the member `x5t#S256` is compared with it (RFC 8705
/// section 3).
///
/// Make it from the certificate of the end entity alone, which stands first in the chain, and only
/// after the handshake: the handshake proves that the client has the private key.
///
/// ```
/// use portcullis::binding::ClientCertificate;
///
/// # let peer_certificate = [0x30, 0x00];
/// let certificate = ClientCertificate::from_der(peer_certificate);
/// assert_eq!(certificate.to_x5t_s256().len(), 43);
///
/// let mut request = http::Request::new(());
/// request.extensions_mut().insert(certificate.clone()); // clones share one allocation
/// ```
#[derive(Clone)]
#[must_use]
pub struct ClientCertificate(Arc<Contents>);

struct Contents {
    thumbprint: [u8; 32],
    der: Option<Box<[u8]>>,
}

impl ClientCertificate {
    /// The certificate with this DER, as a TLS library returns it. The bytes are hashed here, and
    /// not parsed: they come from a handshake that has succeeded.
    pub fn from_der(der: impl Into<Vec<u8>>) -> Self {
        let der = der.into();
        Self(Arc::new(Contents {
            thumbprint: sha256(&der),
            der: Some(der.into_boxed_slice()),
        }))
    }

    /// A certificate of which a proxy sends the digest alone.
    pub(in crate::verify) fn from_thumbprint(thumbprint: [u8; 32]) -> Self {
        Self(Arc::new(Contents {
            thumbprint,
            der: None,
        }))
    }

    /// The SHA-256 digest of the certificate's DER.
    #[must_use]
    pub fn thumbprint(&self) -> &[u8; 32] {
        &self.0.thumbprint
    }

    /// The digest as `x5t#S256` writes it (RFC 8705 section 3.1): base64url without padding, 43
    /// characters.
    #[must_use]
    pub fn to_x5t_s256(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0.thumbprint)
    }

    /// The DER of the certificate. `None` where a proxy has sent the digest alone.
    #[must_use]
    pub fn der(&self) -> Option<&[u8]> {
        self.0.der.as_deref()
    }
}

/// Without its contents.
impl fmt::Debug for ClientCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientCertificate").finish_non_exhaustive()
    }
}

/// Why the header field of a proxy describes no certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CertificateHeaderFault {
    /// The field occurs more than once.
    SeveralFields,
    /// The field is longer than the limit.
    TooLong,
    /// The field does not have the form that the proxy's documents state.
    Malformed,
    /// One certificate is expected, and the field describes several.
    SeveralCertificates,
    /// The parts of the field describe different certificates.
    Contradicts,
}

impl CertificateHeaderFault {
    /// The kind of problem, for operators.
    pub(crate) const fn problem(self) -> Problem {
        match self {
            Self::SeveralFields | Self::SeveralCertificates | Self::Contradicts => {
                Problem::Contradicts
            }
            Self::TooLong => Problem::TooLong,
            Self::Malformed => Problem::Malformed,
        }
    }

    /// What is expected instead, for operators.
    pub(crate) const fn expected(self) -> &'static str {
        match self {
            Self::SeveralFields => "one field",
            Self::TooLong => "at most 16 KiB",
            Self::Malformed => "a certificate in the configured form",
            Self::SeveralCertificates => "one certificate, of one proxy",
            Self::Contradicts => "one certificate in all parts of the field",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thumbprint_is_the_digest_of_the_der_and_debug_shows_nothing_of_it() {
        // FIPS 180-4, example: SHA-256 of "abc".
        let certificate = ClientCertificate::from_der(*b"abc");
        assert_eq!(certificate.thumbprint()[..4], [0xba, 0x78, 0x16, 0xbf]);
        assert_eq!(
            certificate.to_x5t_s256(),
            "ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0"
        );
        assert_eq!(certificate.der(), Some(&b"abc"[..]));
        assert_eq!(format!("{certificate:?}"), "ClientCertificate { .. }");
        let digest_alone = ClientCertificate::from_thumbprint(*certificate.thumbprint());
        assert_eq!(digest_alone.to_x5t_s256(), certificate.to_x5t_s256());
        assert_eq!(digest_alone.der(), None);
    }
}
