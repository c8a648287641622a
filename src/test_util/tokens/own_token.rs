//! The signed tokens that an issuer gets back.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use crate::test_util::issuer::MockIssuer;

impl MockIssuer {
    /// The claims of a JWT that this issuer signed, whatever kind it is and however old; absent for every
    /// other text. Retired keys count.
    pub(in crate::test_util) fn signed_claims(&self, token: &str) -> Option<Map<String, Value>> {
        let (input, signature) = token.rsplit_once('.')?;
        let (header, payload) = input.split_once('.')?;
        let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).ok();
        let header: Map<String, Value> = serde_json::from_slice(&decode(header)?).ok()?;
        let key = self.key(header.get("kid")?.as_str()?)?;
        // RFC 8725 s3.1: the algorithm is the key's.
        let is_its_own = header.get("alg")?.as_str()? == key.algorithm().as_str();
        let is_signed = is_its_own && key.verifies(input.as_bytes(), &decode(signature)?);
        let claims: Map<String, Value> = serde_json::from_slice(&decode(payload)?).ok()?;
        let is_from_here = claims.get("iss")?.as_str()? == self.issuer();
        (is_signed && is_from_here).then_some(claims)
    }

    /// The claims of an ID token of this issuer, however old. Of what else it signs, access tokens name a client or
    /// a scope, logout tokens have `events`, and introspection responses `token_introspection`.
    pub(in crate::test_util) fn id_token_claims(&self, token: &str) -> Option<Map<String, Value>> {
        const OF_OTHERS: [&str; 6] = [
            "client_id",
            "cid",
            "scope",
            "scp",
            "events",
            "token_introspection",
        ];
        let claims = self.signed_claims(token)?;
        let is_other = OF_OTHERS.iter().any(|name| claims.contains_key(*name));
        (!is_other).then_some(claims)
    }
}
