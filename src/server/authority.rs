//! What one `iss` leads to: rules and keys, and the signature check with them.

use std::sync::Arc;

#[cfg(feature = "jwks")]
use super::verdict::Verdict;
use crate::model::rejection::{Rejection, TokenFault};
#[cfg(feature = "jwks")]
use crate::source::introspection::{self, NotAsked};
#[cfg(feature = "jwks")]
use crate::source::jwks::{Miss, RemoteKeys, Searched, Ticket};
use crate::source::verified::Basis;
#[cfg(feature = "jwks")]
use crate::source::verified::Digest;
use crate::verify::jws::Unverified;
use crate::verify::keyset::KeySet;
use crate::verify::rules::Rules;
use crate::verify::signature::{KeyProblem, Signed};

/// What one `iss` leads to.
pub(super) struct Authority {
    pub(super) rules: Arc<Rules>,
    pub(super) keys: Keys,
}

/// A source of keys. Clones are the same source.
#[derive(Clone)]
pub(super) enum Keys {
    Static(Arc<KeySet>),
    #[cfg(feature = "jwks")]
    Remote(Arc<RemoteKeys>),
}

/// What must be known before a request can be judged.
#[cfg(feature = "jwks")]
pub(crate) enum Question {
    /// A key of the issuer.
    Key {
        keys: Arc<RemoteKeys>,
        ticket: Ticket,
    },
    /// The issuer's word on this very token.
    Token {
        digest: Digest,
        ticket: introspection::Ticket<Verdict>,
    },
}

/// A question that was asked and waited for.
#[cfg(feature = "jwks")]
pub(crate) enum Answered {
    Key(Ticket),
    Token(Digest, Result<Verdict, NotAsked>),
}

#[cfg(feature = "jwks")]
impl Question {
    pub(crate) async fn wait(self) -> Answered {
        match self {
            Self::Key { keys, ticket } => {
                keys.wait(&ticket).await;
                Answered::Key(ticket)
            }
            Self::Token { digest, ticket } => Answered::Token(digest, ticket.wait().await),
        }
    }
}

/// Without fetched key sets nothing is ever waited for.
#[cfg(not(feature = "jwks"))]
pub(crate) enum Answered {}

/// Why a token could not be verified.
pub(super) enum Stop {
    Refused(Rejection),
    #[cfg(feature = "jwks")]
    Wait(Question),
}

impl Stop {
    /// Names the issuer whose rules stopped the token.
    pub(super) fn by(self, issuer: &Arc<str>) -> Self {
        match self {
            Self::Refused(rejection) => Self::Refused(rejection.by(issuer)),
            #[cfg(feature = "jwks")]
            Self::Wait(question) => Self::Wait(question),
        }
    }
}

impl<F: Into<Rejection>> From<F> for Stop {
    fn from(fault: F) -> Self {
        Self::Refused(fault.into())
    }
}

#[cfg(feature = "jwks")]
impl From<NotAsked> for Rejection {
    fn from(not_asked: NotAsked) -> Self {
        Self::unavailable(not_asked.outage, not_asked.retry_after)
    }
}

impl Keys {
    pub(super) fn ready(&self) -> bool {
        match self {
            Self::Static(_) => true,
            #[cfg(feature = "jwks")]
            Self::Remote(keys) => keys.ready(),
        }
    }

    /// Verifies the signature with this issuer's keys, and says what that stands on.
    #[cfg_attr(not(feature = "jwks"), allow(clippy::needless_pass_by_value))]
    pub(super) fn check<'c>(
        &self,
        unverified: Unverified<'c>,
        rules: &Rules,
        answered: Option<Answered>,
    ) -> Result<(Signed<'c>, Basis), Stop> {
        // RFC 8725 s3.1: what the issuer may not use is not worth a look at the keys.
        if !rules.algorithms.contains(unverified.algorithm()) {
            return Err(TokenFault::Algorithm.into());
        }
        match self {
            // Static keys cause no questions, so there is no answer to look at.
            Self::Static(keys) => {
                let _ = answered;
                Signed::verify(unverified, keys, rules.algorithms)
                    .map(|signed| (signed, Basis::lasting()))
                    .map_err(|(problem, _)| final_fault(&problem).into())
            }
            #[cfg(feature = "jwks")]
            Self::Remote(keys) => {
                let Ok(loaded) = keys.current() else {
                    let problem = KeyProblem::UnknownKey;
                    return Err(ask(keys, rules, None, &unverified, &problem, answered));
                };
                match Signed::verify(unverified, &loaded, rules.algorithms) {
                    Ok(signed) => {
                        let basis = loaded.basis(signed.named_key());
                        Ok((signed, basis))
                    }
                    Err((KeyProblem::Fault(fault), _)) => Err(fault.into()),
                    Err((problem, unverified)) => {
                        let searched = Some(loaded.searched());
                        Err(ask(keys, rules, searched, &unverified, &problem, answered))
                    }
                }
            }
        }
    }
}

/// What a key problem means when no newer key set can come.
const fn final_fault(problem: &KeyProblem) -> TokenFault {
    match problem {
        KeyProblem::Fault(fault) => *fault,
        KeyProblem::UnknownKey => TokenFault::UnknownKey,
        KeyProblem::NoKeyVerifies => TokenFault::Signature,
    }
}

/// Whether the issuer may be asked, must not be, or has answered already.
#[cfg(feature = "jwks")]
#[cfg_attr(not(feature = "tracing"), allow(unused_variables))]
fn ask(
    keys: &Arc<RemoteKeys>,
    rules: &Rules,
    searched: Option<Searched>,
    unverified: &Unverified<'_>,
    problem: &KeyProblem,
    answered: Option<Answered>,
) -> Stop {
    #[cfg(feature = "tracing")]
    if let Some(id) = unverified.key_id() {
        // Escaped: the id is a stranger's text.
        tracing::debug!(issuer = %rules.realm, key = %id.escape_debug(), "key not found");
    }
    let ticket = match answered {
        Some(Answered::Key(ticket)) => Some(ticket),
        Some(Answered::Token(..)) | None => None,
    };
    match keys.miss(searched, unverified.key_id(), ticket) {
        Miss::Unknown => final_fault(problem).into(),
        Miss::Wait(ticket) => Stop::Wait(Question::Key {
            keys: Arc::clone(keys),
            ticket,
        }),
        Miss::Unavailable {
            outage,
            retry_after,
        } => Rejection::unavailable(outage, retry_after).into(),
    }
}
