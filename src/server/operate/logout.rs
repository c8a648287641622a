//! Logout tokens: verified like access tokens, with their own claims, and then revocations.

use std::time::Duration;

use crate::model::error::rejection::{Rejection, TokenFault};
use crate::server::decide::decision::Decision;
use crate::server::decide::issuer_authority::IssuerAuthority;
use crate::server::operate::revocations::RevocationError;
use crate::server::resource_server::ResourceServer;
use crate::server::settings::error::ConfigError;
use crate::verify::claims::logout_token::LogoutToken;
use crate::verify::jose::jws::{Compact, Unverified};
use crate::verify::jose::scratch::Scratch;
use crate::verify::jose::signature::Signed;
use crate::verify::request::credential::Credential;

/// The `Retry-After` of a logout token that does not fit into the full revocation list.
const RETRY_AFTER: Duration = Duration::from_secs(60);

/// Why a logout token changes nothing.
pub(crate) enum LogoutRefusal {
    /// The token is not valid.
    Invalid {
        why: String,
        /// Whether a key of its issuer verifies it, so that forged tokens cause
        /// no warning.
        is_verified: bool,
    },
    /// The token cannot be verified, or its revocations cannot be stored.
    Unavailable { why: String, retry_after: Duration },
}

impl ResourceServer {
    /// Whether some issuer's logout tokens have an audience here.
    pub(crate) fn check_logout(&self) -> Result<(), ConfigError> {
        let registry = self.0.registry.load();
        let mut authorities = registry.authorities.values();
        if authorities.any(|authority| !authority.rules.logout_clients.is_empty()) {
            return Ok(());
        }
        Err(ConfigError::missing(
            "logout_client",
            "no issuer's logout tokens have a client here; name the client that signs users in with `logout_client(..)`",
        ))
    }

    /// Verifies a logout token, after look-ups of its key where they are needed, and revokes what
    /// it names.
    pub(crate) async fn log_out(&self, token: &[u8]) -> Result<(), LogoutRefusal> {
        // In a statement of its own, so that nothing of the parser lives across the await.
        let decision = self.verify_logout(token);
        let outcome = match decision {
            Ok(decision) => decision.finish().await,
            Err(rejection) => Err(rejection),
        };
        match outcome {
            Ok(revoked) => revoked,
            Err(rejection) => Err(unverified(&rejection)),
        }
    }

    fn verify_logout(
        &self,
        token: &[u8],
    ) -> Result<Decision<Result<(), LogoutRefusal>>, Rejection> {
        let Scratch { parts, members } = &mut Scratch::default();
        let compact = Compact::decode(Credential::bare(token)?, self.0.max_token_bytes, parts)?;
        let unverified = Unverified::read(&compact, members)?;
        let issuer = unverified.claimed_issuer().ok_or(TokenFault::Claims)?;
        let registry = self.0.registry.load();
        let authority = registry.authorities.get(issuer);
        let authority = authority.ok_or(TokenFault::UnknownIssuer)?;
        let server = self.clone();
        let decision = authority.verify(unverified, move |authority, signed, _| {
            server.revoke_sessions(authority, signed)
        });
        self.check_connection(authority, decision)
    }

    /// Checks the claims of a signed logout token, and revokes what it names.
    fn revoke_sessions(
        &self,
        authority: &IssuerAuthority,
        signed: &Signed<'_>,
    ) -> Result<Result<(), LogoutRefusal>, Rejection> {
        let policy = &*authority.rules;
        let now = self.0.clock.now();
        self.0.check_clock(now)?;
        let logout = match LogoutToken::check(signed, policy, now) {
            Ok(logout) => logout,
            Err(fault) => return Ok(Err(verified(fault.to_string()))),
        };
        let list = self.revocations();
        for revocation in logout.revocations(&policy.realm) {
            // As of the token's own time, so that the same token again changes nothing.
            match list.revoke_as_of(revocation, logout.issued_at()) {
                Ok(()) => {}
                Err(error @ RevocationError::Full { .. }) => {
                    return Ok(Err(LogoutRefusal::Unavailable {
                        why: error.to_string(),
                        retry_after: RETRY_AFTER,
                    }));
                }
                Err(error) => return Ok(Err(verified(error.to_string()))),
            }
        }
        Ok(Ok(()))
    }
}

const fn verified(why: String) -> LogoutRefusal {
    LogoutRefusal::Invalid {
        why,
        is_verified: true,
    }
}

fn unverified(rejection: &Rejection) -> LogoutRefusal {
    let why = rejection.to_string();
    match rejection.retry_after() {
        Some(retry_after) => LogoutRefusal::Unavailable { why, retry_after },
        None => LogoutRefusal::Invalid {
            why,
            is_verified: false,
        },
    }
}
