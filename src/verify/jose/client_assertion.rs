//! A JWT that authenticates this server's own client (RFC 7523 sections 2.2 and 3).
//!
//! 1. Issuer and subject are the client id. It has one audience, a life of one minute and a unique
//!    `jti`, so that a stolen one is of no use elsewhere.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;

use crate::model::time::UnixTime;
use crate::verify::crypto::private_key::PrivateKey;
use crate::verify::crypto::random::random_bytes;
use crate::verify::jose::sign::sign_jwt;

/// The life of an assertion, in seconds: longer than one request to the issuer takes.
const LIFE: i64 = 60;

/// How far the issuer's clock may be behind, in seconds.
const DRIFT: i64 = 10;

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    sub: &'a str,
    aud: &'a str,
    jti: &'a str,
    iat: i64,
    exp: i64,
}

/// The client, the audience and the key id of an assertion.
pub(crate) struct ClientAssertion<'a> {
    pub(crate) client_id: &'a str,
    pub(crate) audience: &'a str,
    pub(crate) key_id: Option<&'a str>,
}

impl ClientAssertion<'_> {
    /// Signs it. `None` when the system has no randomness.
    pub(crate) fn sign(&self, key: &PrivateKey, now: UnixTime) -> Option<String> {
        let claims = Claims {
            iss: self.client_id,
            sub: self.client_id,
            aud: self.audience,
            jti: &URL_SAFE_NO_PAD.encode(random_bytes::<16>()?),
            iat: now.as_secs().saturating_sub(DRIFT),
            exp: now.as_secs().saturating_add(LIFE),
        };
        sign_jwt(key, self.key_id, &serde_json::to_vec(&claims).ok()?)
    }
}
