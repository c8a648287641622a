//! Settings of an issuer about sessions: how its tokens name them, and which logout tokens end them.

use std::time::Duration;

use crate::model::claim_path::ClaimPath;
use crate::server::settings::issuer::value::Issuer;

/// So long a logout token without `exp` is good: what section 4 of the specification recommends at
/// most for those that have one.
const LOGOUT_LIFE: Duration = Duration::from_secs(120);

/// Sessions.
impl Issuer {
    /// The claim that names the session of a token, as an array of names where it is nested:
    /// Supabase writes `session_id`. [`Revocation::session`](crate::revocation::Revocation::session),
    /// [`AccessToken::session_ids`](crate::AccessToken::session_ids) and
    /// [back-channel logout](crate::ResourceServer::backchannel_logout) go by it, and by `sid`,
    /// which OpenID Connect defines, as before. A value that is no text is refused, 401, since it
    /// would hide the token from a revocation. Default: `origin_jti`, as Cognito writes it.
    ///
    /// Without this setting a revocation of such a session is accepted and concerns no token: the
    /// library cannot know which claims an issuer writes.
    ///
    /// ```
    /// use portcullis::{Issuer, ResourceServer};
    ///
    /// let issuer = Issuer::oidc("https://abc.supabase.example/auth/v1")
    ///     .audience("authenticated")
    ///     .session_claim("session_id");
    /// assert!(ResourceServer::builder("https://api.example.com").issuer(issuer).build().is_ok());
    /// ```
    pub fn session_claim(mut self, claim: impl Into<ClaimPath>) -> Self {
        self.session_claim = Some(claim.into());
        self
    }

    /// Takes logout tokens without `exp` for 2 minutes and the [`leeway`](Self::leeway) from their
    /// `iat`: Back-Channel Logout 1.0 section 2.4 requires `exp`, and older drafts did not. One
    /// that states `exp` is held to it all the same. Default: refused, 400, as the specification
    /// says.
    pub fn logout_tokens_without_exp(mut self) -> Self {
        self.logout_life_without_exp = Some(LOGOUT_LIFE);
        self
    }
}
