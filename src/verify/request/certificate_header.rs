//! Header fields in which a proxy that terminates TLS sends the client's certificate.
//!
//! | proxy | field | form | source |
//! |---|---|---|---|
//! | HAProxy, Cloudflare, any | `Client-Cert` | `:base64 of the DER:`, one field | RFC 9440 sections 2.1 and 2.2; RFC 8941 section 4.2.7 |
//! | Envoy, Istio | `X-Forwarded-Client-Cert` | see `forwarded_client_cert` | Envoy: configuration, HTTP connection manager, HTTP headers; `source/common/http/conn_manager_utility.cc` |
//! | nginx | the operator's choice | `$ssl_client_escaped_cert`: PEM, every character escaped except the unreserved ones | nginx: `ngx_http_ssl_module`; `ngx_ssl_get_escaped_certificate` with `NGX_ESCAPE_URI_COMPONENT` |
//! | AWS ALB, passthrough | `X-Amzn-Mtls-Clientcert` | the chain in PEM, leaf first, URL-encoded with `+=/` left as they are | AWS: Elastic Load Balancing, mutual authentication with TLS, HTTP headers and certificate order |
//! | AWS ALB, verify | `X-Amzn-Mtls-Clientcert-Leaf` | one certificate, likewise | the same |
//!
//! 1. A field that occurs twice, is longer than 16 KiB or has anything before or behind the
//!    certificate is a fault. Nothing is repaired: a proxy writes exactly its form.
//! 2. An absent field and an empty one are no certificate. nginx does not send a field whose value
//!    is empty, other proxies do.
//! 3. Only the field of the configured form is read.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use http::header::{AUTHORIZATION, COOKIE, HOST, HeaderMap, HeaderName};

use crate::verify::crypto::pem::is_one_sequence;
use crate::verify::request::certificate_pem::{first_certificate, one_certificate};
use crate::verify::request::client_certificate::{CertificateHeaderFault, ClientCertificate};
use crate::verify::request::forwarded_client_cert;

/// The most bytes of the field that are read.
const MAX_BYTES: usize = 16 * 1024;

static CLIENT_CERT: HeaderName = HeaderName::from_static("client-cert");
static CLIENT_CERT_CHAIN: HeaderName = HeaderName::from_static("client-cert-chain");
static FORWARDED_CLIENT_CERT: HeaderName = HeaderName::from_static("x-forwarded-client-cert");
static AWS_CHAIN: HeaderName = HeaderName::from_static("x-amzn-mtls-clientcert");
static AWS_LEAF: HeaderName = HeaderName::from_static("x-amzn-mtls-clientcert-leaf");
static AWS_SERIAL: HeaderName = HeaderName::from_static("x-amzn-mtls-clientcert-serial-number");
static AWS_ISSUER: HeaderName = HeaderName::from_static("x-amzn-mtls-clientcert-issuer");
static AWS_SUBJECT: HeaderName = HeaderName::from_static("x-amzn-mtls-clientcert-subject");
static AWS_VALIDITY: HeaderName = HeaderName::from_static("x-amzn-mtls-clientcert-validity");

/// RFC 8941 section 4.2.7: absent padding and pad bits that are not zero are accepted.
const BYTE_SEQUENCE: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// The header field in which a proxy that terminates TLS sends the certificate of the client.
///
/// The setting is
/// [`client_certificate_header`](crate::layer::DangerousLayer::client_certificate_header). The field
/// occurs once and has at most 16 KiB. An absent or empty field means that the client has presented
/// no certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClientCertificateHeader {
    /// `Client-Cert` of RFC 9440: the DER as a byte sequence, `:MIIB...:`. HAProxy and Cloudflare
    /// can send it.
    Rfc9440,
    /// `X-Forwarded-Client-Cert` of Envoy and Istio: exactly one element, so the proxy has to
    /// replace what clients send (`SANITIZE_SET`). It describes the certificate by `Cert`, `Chain`
    /// or `Hash`; where several are present, they have to agree.
    Envoy,
    /// `$ssl_client_escaped_cert` of nginx in the field of this name, such as `X-SSL-Client-Cert`:
    /// one certificate in URL-encoded PEM. It also fits other proxies that send this form.
    NginxEscaped(HeaderName),
    /// `X-Amzn-Mtls-Clientcert` of an AWS Application Load Balancer in passthrough mode: the chain
    /// in URL-encoded PEM, the certificate of the client first. In this mode the load balancer does
    /// not check the chain; the binding of the token to the certificate does not need it.
    AwsPassthrough,
    /// `X-Amzn-Mtls-Clientcert-Leaf` of an AWS Application Load Balancer in verify mode: one
    /// certificate in URL-encoded PEM.
    AwsVerify,
}

impl ClientCertificateHeader {
    /// The certificate that the request's field describes. `None`: absent or empty.
    pub(crate) fn read(
        &self,
        headers: &HeaderMap,
    ) -> Result<Option<ClientCertificate>, CertificateHeaderFault> {
        let Some(value) = sole_value(headers, self.field())? else {
            return Ok(None);
        };
        let der = match self {
            Self::Envoy => return forwarded_client_cert::certificate(value).map(Some),
            Self::Rfc9440 => byte_sequence(value),
            Self::NginxEscaped(_) | Self::AwsVerify => one_certificate(value),
            Self::AwsPassthrough => first_certificate(value),
        };
        Ok(Some(ClientCertificate::from_der(der?)))
    }

    /// Removes the field, and the others that the proxy sends about the certificate.
    pub(crate) fn remove_from(&self, headers: &mut HeaderMap) {
        headers.remove(self.field());
        let others: &[&HeaderName] = match self {
            Self::Rfc9440 => &[&CLIENT_CERT_CHAIN],
            Self::Envoy | Self::NginxEscaped(_) => &[],
            Self::AwsPassthrough | Self::AwsVerify => &[
                &AWS_CHAIN,
                &AWS_LEAF,
                &AWS_SERIAL,
                &AWS_ISSUER,
                &AWS_SUBJECT,
                &AWS_VALIDITY,
            ],
        };
        for name in others {
            headers.remove(*name);
        }
    }

    /// Whether the field may hold a certificate: not one that requests need for another purpose.
    pub(crate) fn is_usable(&self) -> bool {
        ![AUTHORIZATION, COOKIE, HOST].contains(self.field())
    }

    /// The field that is read.
    pub(crate) fn field(&self) -> &HeaderName {
        match self {
            Self::Rfc9440 => &CLIENT_CERT,
            Self::Envoy => &FORWARDED_CLIENT_CERT,
            Self::NginxEscaped(name) => name,
            Self::AwsPassthrough => &AWS_CHAIN,
            Self::AwsVerify => &AWS_LEAF,
        }
    }
}

/// The value of the only field of this name, without spaces at its ends. `None`: absent or empty.
fn sole_value<'r>(
    headers: &'r HeaderMap,
    name: &HeaderName,
) -> Result<Option<&'r str>, CertificateHeaderFault> {
    let mut fields = headers.get_all(name).iter();
    let Some(field) = fields.next() else {
        return Ok(None);
    };
    if fields.next().is_some() {
        return Err(CertificateHeaderFault::SeveralFields);
    }
    if field.len() > MAX_BYTES {
        return Err(CertificateHeaderFault::TooLong);
    }
    let value = field
        .to_str()
        .map_err(|_| CertificateHeaderFault::Malformed)?
        .trim_matches([' ', '\t']);
    Ok((!value.is_empty()).then_some(value))
}

/// The content of an RFC 8941 byte sequence that is one DER SEQUENCE.
fn byte_sequence(value: &str) -> Result<Vec<u8>, CertificateHeaderFault> {
    value
        .strip_prefix(':')
        .and_then(|rest| rest.strip_suffix(':'))
        .and_then(|base64| BYTE_SEQUENCE.decode(base64).ok())
        .filter(|der| is_one_sequence(der))
        .ok_or(CertificateHeaderFault::Malformed)
}

#[cfg(test)]
mod tests;
