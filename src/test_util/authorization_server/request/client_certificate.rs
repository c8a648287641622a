//! The certificate of a client (RFC 8705 section 2).

use http::request::Parts;

use crate::binding::ClientCertificate;
use crate::test_util::authorization_server::accounts::TestClient;

/// The certificate of the connection, where it is the client's.
pub(super) fn own_certificate<'h>(
    client: &TestClient,
    head: &'h Parts,
) -> Option<&'h ClientCertificate> {
    let shown = head.extensions.get::<ClientCertificate>()?;
    let own = client.certificate_thumbprint.as_deref()?;
    (own == shown.to_x5t_s256()).then_some(shown)
}
