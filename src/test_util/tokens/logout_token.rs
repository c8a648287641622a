//! Logout tokens, as a provider sends them to its clients.

use serde_json::{Map, json};

use super::token_builder::TokenBuilder;
use crate::test_util::issuer::MockIssuer;
use crate::test_util::issuer::profile::Kind;
use crate::time::UnixTime;

impl MockIssuer {
    /// A logout token (OpenID Connect Back-Channel Logout 1.0 section 2.4) for the client
    /// [`CLIENT_ID`](Self::CLIENT_ID) and the subject [`SUBJECT`](Self::SUBJECT), good for two
    /// minutes. Name a session with `.claim("sid", ..)`. Send it to
    /// [`backchannel_logout`](crate::ResourceServer::backchannel_logout) as the field
    /// `logout_token` of a form.
    pub fn logout_token(&self) -> TokenBuilder {
        const LIFE: i64 = 120;
        let now = self.now();
        let expires_at = UnixTime::from_secs(now.as_secs().saturating_add(LIFE));
        let claims = json!({
            "iss": self.issuer(),
            "aud": Self::CLIENT_ID,
            "sub": Self::SUBJECT,
            "iat": now.as_secs(),
            "exp": expires_at.as_secs(),
            "jti": "logout-1",
            "events": { "http://schemas.openid.net/event/backchannel-logout": {} },
        });
        let claims: Map<_, _> = claims.as_object().cloned().unwrap_or_default();
        TokenBuilder::new(self.clone(), Kind::Id, now, Some("logout+jwt"), claims)
    }
}
