//! Logout tokens: judged like a request's token, and what follows.

use std::time::Duration;

use crate::model::error::rejection::{Rejection, TokenFault};
use crate::server::decide::issuer_authority::Interrupt;
use crate::server::decide::issuer_authority::LookupResult;
#[cfg(feature = "jwks")]
use crate::server::decide::issuer_authority::PendingLookup;
use crate::server::operate::revocations::RevocationError;
use crate::server::resource_server::ResourceServer;
use crate::server::settings::error::ConfigError;
use crate::verify::claims::logout_token::{LogoutFault, LogoutToken};
use crate::verify::jose::jws::{Compact, Scratch, Unverified};
use crate::verify::request::credential::Credential;

/// When a provider may tell again of a logout that has found no room.
const RETRY_AFTER: Duration = Duration::from_secs(60);

/// The outcome of [`ResourceServer::log_out`].
pub(crate) enum Logout {
    Done,
    /// The token is no good; the operator may hear why.
    Refused {
        why: String,
        /// Whether its issuer's key has verified it, so that no stranger has made it up.
        is_verified: bool,
    },
    /// We cannot judge it, or cannot do what it says.
    Unavailable {
        why: String,
        retry_after: Duration,
    },
    /// Only the issuer knows; ask, wait a bounded time, and judge again.
    #[cfg(feature = "jwks")]
    Wait(PendingLookup),
}

impl ResourceServer {
    /// What is wrong with a server that should take logout tokens.
    pub(crate) fn check_logout(&self) -> Result<(), ConfigError> {
        let mut authorities = self.0.authorities.values();
        if authorities.any(|authority| !authority.rules.logout_clients.is_empty()) {
            return Ok(());
        }
        Err(ConfigError::missing(
            "logout_client",
            "no issuer's logout tokens are for anybody here; name the client that signs users in with `logout_client(..)`",
        ))
    }

    /// Judges a logout token, and revokes what it says. Synchronous and without I/O.
    pub(crate) fn log_out(&self, token: &[u8], answered: Option<LookupResult>) -> Logout {
        match self.judge_logout(token, answered) {
            Ok(()) => Logout::Done,
            Err(ConnectFailure::Fault(fault)) => verified(fault.to_string()),
            Err(ConnectFailure::List(error @ RevocationError::Full { .. })) => {
                Logout::Unavailable {
                    why: error.to_string(),
                    retry_after: RETRY_AFTER,
                }
            }
            Err(ConnectFailure::List(error)) => verified(error.to_string()),
            Err(ConnectFailure::Stop(Interrupt::Refused(rejection))) => {
                let why = rejection.to_string();
                match rejection.retry_after() {
                    Some(retry_after) => Logout::Unavailable { why, retry_after },
                    None => Logout::Refused {
                        why,
                        is_verified: false,
                    },
                }
            }
            #[cfg(feature = "jwks")]
            Err(ConnectFailure::Stop(Interrupt::Wait(question))) => Logout::Wait(question),
        }
    }

    fn judge_logout(
        &self,
        token: &[u8],
        answered: Option<LookupResult>,
    ) -> Result<(), ConnectFailure> {
        let Scratch { parts, members } = &mut Scratch::default();
        let compact = Compact::decode(Credential::bare(token)?, self.0.max_token_bytes, parts)?;
        let unverified = Unverified::read(&compact, members)?;
        let issuer = unverified.claimed_issuer().ok_or(TokenFault::Claims)?;
        let authority = self.0.authorities.get(&*issuer);
        let authority = authority.ok_or(TokenFault::UnknownIssuer)?;
        let rules = &*authority.rules;
        let checked = authority.keys.check(unverified, rules, answered);
        let (signed, _) = checked.map_err(ConnectFailure::Stop)?;
        let now = self.0.clock.now();
        self.0.check_clock(now)?;
        let logout = LogoutToken::check(&signed, rules, now)?;
        let list = self.revocations();
        for revocation in logout.revocations(&rules.realm) {
            // As of the token's own time, so that the same one again changes nothing.
            let revoked = list.revoke_as_of(revocation, logout.issued_at());
            revoked.map_err(ConnectFailure::List)?;
        }
        Ok(())
    }
}

const fn verified(why: String) -> Logout {
    Logout::Refused {
        why,
        is_verified: true,
    }
}

enum ConnectFailure {
    Stop(Interrupt),
    Fault(LogoutFault),
    List(RevocationError),
}

impl<F: Into<Rejection>> From<F> for ConnectFailure {
    fn from(fault: F) -> Self {
        Self::Stop(fault.into().into())
    }
}

impl From<LogoutFault> for ConnectFailure {
    fn from(fault: LogoutFault) -> Self {
        Self::Fault(fault)
    }
}
