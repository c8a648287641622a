//! What the tokens of a request are bound to: the key of a DPoP proof (RFC 9449), or the certificate of the
//! connection (RFC 8705).
//!
//! 1. With a proof the tokens are bound to its key. Without one they are bound to the certificate of a client
//!    that has one.
//! 2. A certificate is known by its thumbprint. Whether a chain leads from it to an authority is decided in the TLS
//!    handshake.

use http::request::Parts;
use serde_json::Value;

use super::client_authentication::AuthenticatedClient;
use super::client_certificate::own_certificate;
use super::oauth_error::OAuthError;
use crate::binding::ClientCertificate;
use crate::test_util::authorization_server::state::{Confirmation, ProofFault, Server};

/// What the tokens of this request are bound to; absent for bearer tokens.
pub(in crate::test_util) fn confirmation(
    server: &Server,
    client: &AuthenticatedClient,
    head: &Parts,
) -> Result<Option<Confirmation>, OAuthError> {
    let proved = server.proofs.proved(head, None, server.now());
    if let Some(jkt) = proved.map_err(|fault| refused(&fault))? {
        return Ok(Some(Confirmation::DpopKey(jkt)));
    }
    // RFC 9449 s5.2.
    if client.require_dpop {
        return Err(OAuthError::invalid_request(
            "the client is registered for tokens that are bound to a DPoP key, and the request has no proof",
        ));
    }
    // RFC 8705 s3, s4.
    let shown = own_certificate(client, head);
    Ok(shown.map(|shown| Confirmation::Certificate(shown.to_x5t_s256().into())))
}

/// Whether a request with an access token proves what the token is bound to, by its `cnf` (RFC 9449 section 7.1,
/// RFC 8705 section 3). The error is that of RFC 6750 section 3 and its description.
pub(in crate::test_util) fn check_possession(
    server: &Server,
    head: &Parts,
    (scheme, token): (&str, &str),
    confirmation: Option<&Value>,
) -> Result<(), OAuthError> {
    let stated = |name| confirmation.and_then(|keys| keys.get(name)?.as_str());
    let is_dpop = scheme.eq_ignore_ascii_case("dpop");
    let jkt = stated("jkt");
    // RFC 9449 s7.2: no bound token under `Bearer`, and no other under `DPoP`.
    if is_dpop != jkt.is_some() {
        return Err(OAuthError::new(
            "invalid_token",
            "the scheme is not that of the token",
        ));
    }
    if jkt.is_some() {
        let proved = server.proofs.proved(head, Some(token), server.now());
        if proved.map_err(|fault| refused(&fault))?.as_deref() != jkt {
            return Err(OAuthError::new(
                "invalid_token",
                "the token is bound to another key",
            ));
        }
    }
    if let Some(thumbprint) = stated("x5t#S256") {
        let shown = head.extensions.get::<ClientCertificate>();
        if shown.map(ClientCertificate::to_x5t_s256).as_deref() != Some(thumbprint) {
            return Err(OAuthError::new(
                "invalid_token",
                "the token is bound to another certificate",
            ));
        }
    }
    Ok(())
}

/// RFC 9449 s5, s8.
fn refused(fault: &ProofFault) -> OAuthError {
    match fault {
        ProofFault::Nonce(problem) => OAuthError::new("use_dpop_nonce", *problem),
        ProofFault::Wrong(Some(fault)) => {
            OAuthError::new("invalid_dpop_proof", fault.to_string().replace('`', ""))
        }
        ProofFault::Wrong(None) => OAuthError::new("invalid_dpop_proof", "the proof is wrong"),
    }
}
