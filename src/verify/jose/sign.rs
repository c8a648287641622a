//! The compact serialization of a JWS that this server signs itself (RFC 7515 section 3.1).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;

use crate::verify::crypto::private_key::PrivateKey;

#[derive(Serialize)]
struct Header<'a> {
    alg: &'a str,
    typ: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    kid: Option<&'a str>,
}

/// Signs these claims, in JSON, as a JWT. `None` when the system has no randomness.
pub(crate) fn sign_jwt(key: &PrivateKey, key_id: Option<&str>, claims: &[u8]) -> Option<String> {
    let header = Header {
        alg: key.algorithm().as_str(),
        typ: "JWT",
        kid: key_id,
    };
    let header = URL_SAFE_NO_PAD.encode(serde_json::to_vec(&header).ok()?);
    let message = format!("{header}.{}", URL_SAFE_NO_PAD.encode(claims));
    let signature = URL_SAFE_NO_PAD.encode(key.sign(message.as_bytes())?);
    Some(format!("{message}.{signature}"))
}
