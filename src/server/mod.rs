//! Floor 4: the house itself. `judge` is the whole request, in order, in one function.

pub(crate) mod issuer;

pub(crate) mod builder;

#[cfg(feature = "jwks")]
pub(crate) mod operate;

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use http::HeaderMap;

#[cfg(feature = "jwks")]
use crate::model::rejection::Outage;
use crate::model::rejection::{Rejection, RejectionKind, TokenFault, WiringFault};
use crate::source::clock::Clock;
#[cfg(feature = "jwks")]
use crate::source::jwks::{Miss, RemoteKeys, Ticket};
use crate::verify::claims::AccessToken;
use crate::verify::credential::Credential;
use crate::verify::identify::{Identified, Identity, identify};
use crate::verify::jws::{Compact, Unverified};
use crate::verify::keyset::KeySet;
use crate::verify::rules::Rules;
use crate::verify::signature::{KeyProblem, Signed};
use builder::{Builder, Realm};

/// A configured resource server: which issuers it trusts, by which rules, with which keys.
///
/// Cloning is cheap; clones share keys. Background refreshes end with the last clone, layers
/// and services included.
///
/// ```
/// use portcullis::{Issuer, ResourceServer};
///
/// let server = ResourceServer::builder("https://api.example.com")
///     .issuer(Issuer::oidc("https://id.example.com"))
///     .build()?;
/// assert_eq!(server.resource(), "https://api.example.com");
///
/// let mistake = ResourceServer::builder("https://api.example.com").build().unwrap_err();
/// assert_eq!(mistake.setting(), "issuer");
/// # Ok::<(), portcullis::ConfigError>(())
/// ```
#[derive(Clone)]
pub struct ResourceServer(Arc<Inner>);

struct Inner {
    resource: Arc<str>,
    resource_metadata: Option<Arc<str>>,
    max_token_bytes: usize,
    clock: Arc<dyn Clock>,
    /// By exact `iss`.
    authorities: HashMap<Box<str>, Arc<Authority>>,
    realms: Vec<Realm>,
    has_contexts: bool,
}

/// What one `iss` leads to.
struct Authority {
    rules: Arc<Rules>,
    keys: Keys,
}

enum Keys {
    Static(Box<KeySet>),
    #[cfg(feature = "jwks")]
    Remote(Arc<RemoteKeys>),
}

/// What a layer knows of an admitted request: the token, and who is calling.
#[derive(Debug)]
pub(crate) struct Admission {
    pub(crate) token: AccessToken,
    pub(crate) identified: Identified,
}

/// The outcome of [`ResourceServer::judge`].
pub(crate) enum Judgement {
    Admitted(Arc<Admission>),
    /// No `Authorization` field was sent.
    NothingSent,
    Refused(Rejection),
    /// Only the issuer knows; ask, wait a bounded time, and judge again.
    #[cfg(feature = "jwks")]
    Wait(Question),
}

/// What must be known before a request can be judged.
#[cfg(feature = "jwks")]
pub(crate) struct Question {
    keys: Arc<RemoteKeys>,
    ticket: Ticket,
}

/// A question that was asked and waited for.
#[cfg(feature = "jwks")]
pub(crate) struct Answered(Ticket);

#[cfg(feature = "jwks")]
impl Question {
    pub(crate) async fn wait(self) -> Answered {
        self.keys.wait(&self.ticket).await;
        Answered(self.ticket)
    }
}

/// Without fetched key sets nothing is ever waited for.
#[cfg(not(feature = "jwks"))]
pub(crate) enum Answered {}

/// Why a token could not be verified.
enum Stop {
    Refused(Rejection),
    #[cfg(feature = "jwks")]
    Wait(Question),
}

impl<F: Into<Rejection>> From<F> for Stop {
    fn from(fault: F) -> Self {
        Self::Refused(fault.into())
    }
}

impl ResourceServer {
    /// Starts the configuration of a server for this resource: the identifier that access
    /// tokens for it have as audience, usually its https URL (RFC 8707 section 2). It is also
    /// the default realm of challenges.
    pub fn builder(resource: impl Into<String>) -> Builder {
        Builder::new(resource.into())
    }

    /// The resource's identifier.
    #[must_use]
    pub fn resource(&self) -> &str {
        &self.0.resource
    }

    /// Whether every request can be judged: each issuer has keys that are young enough. An
    /// issuer form that is loaded on its first token counts from then on.
    #[must_use]
    pub fn ready(&self) -> bool {
        self.0
            .authorities
            .values()
            .all(|authority| authority.keys.ready())
    }

    /// Judges a request. Synchronous, without I/O and without a lock.
    ///
    /// In this order: the single credential; its size and syntax; the issuer, whose rules and
    /// keys alone count from here; the signature; the claims; who is calling. What may be
    /// remembered between requests happens in `verify`, what must not in `admit`.
    pub(crate) fn judge(&self, headers: &HeaderMap, answered: Option<Answered>) -> Judgement {
        let credential = match Credential::find(headers) {
            Ok(Some(credential)) => credential,
            Ok(None) => return Judgement::NothingSent,
            Err(kind) => return Judgement::Refused(kind.into()),
        };
        let outcome = self
            .verify(credential, answered)
            .and_then(|(admission, rules)| self.admit(admission, &rules));
        match outcome {
            Ok(admission) => Judgement::Admitted(admission),
            Err(Stop::Refused(rejection)) => Judgement::Refused(rejection),
            #[cfg(feature = "jwks")]
            Err(Stop::Wait(question)) => Judgement::Wait(question),
        }
    }

    /// Phase one: everything about a token that stays true while its key and our rules do.
    fn verify(
        &self,
        credential: Credential<'_>,
        answered: Option<Answered>,
    ) -> Result<(Arc<Admission>, Arc<Rules>), Stop> {
        let compact = Compact::decode(credential, self.0.max_token_bytes)?;
        let unverified = Unverified::read(&compact)?;
        // RFC 8725 s3.8: the issuer chooses rules and keys, by exact comparison. An unknown
        // one causes no request.
        let issuer = unverified.claimed_issuer().ok_or(TokenFault::Claims)?;
        let authority = self
            .0
            .authorities
            .get(&*issuer)
            .ok_or(TokenFault::UnknownIssuer)?;
        let signed = authority
            .keys
            .check(unverified, &authority.rules, answered)?;
        let token = AccessToken::check(&signed, &authority.rules)?;
        let identified = identify(&token, signed.claims(), &authority.rules);
        let admission = Arc::new(Admission { token, identified });
        Ok((admission, Arc::clone(&authority.rules)))
    }

    /// Phase two: what is decided anew on every request.
    fn admit(&self, admission: Arc<Admission>, rules: &Rules) -> Result<Arc<Admission>, Stop> {
        admission
            .token
            .check_time(self.0.clock.now(), rules.leeway)?;
        Ok(admission)
    }

    pub(crate) fn resource_metadata(&self) -> Option<&Arc<str>> {
        self.0.resource_metadata.as_ref()
    }

    /// What is wrong with a layer that names this context, as far as tenant guards care.
    pub(crate) fn wiring_fault(&self, context: Option<&str>) -> Option<WiringFault> {
        let knows = |name: &str| {
            let mut members = self.0.realms.iter().flat_map(|(_, members)| members);
            members.any(|member| {
                let tenant = member.rules.tenant.as_ref();
                tenant.is_some_and(|rules| rules.knows_context(name))
            })
        };
        match context {
            None if self.0.has_contexts => Some(WiringFault::NoContext),
            Some(name) if !knows(name) => Some(WiringFault::UnknownContext),
            _ => None,
        }
    }
}

impl Admission {
    /// A token of one API context is never good for another. Tokens that state none, and
    /// issuers whose rules know none, are for the guards to judge.
    pub(crate) fn check_context(&self, context: Option<&str>) -> Result<(), RejectionKind> {
        match (&self.identified.context, context) {
            (Some(stated), Some(named)) if stated.as_str() != named => {
                Err(RejectionKind::WrongCaller)
            }
            _ => Ok(()),
        }
    }

    #[cfg_attr(not(feature = "axum"), allow(dead_code))]
    pub(crate) const fn identity(&self) -> &Identity {
        &self.identified.identity
    }

    /// The kind of caller, as a word for an event.
    #[cfg(feature = "tracing")]
    pub(crate) const fn caller_kind(&self) -> &'static str {
        match self.identified.identity {
            Identity::User(_) => "user",
            Identity::Principal(_) => "principal",
            Identity::Client(_) => "client",
            Identity::Subject(_) => "subject",
        }
    }
}

impl Keys {
    fn ready(&self) -> bool {
        match self {
            Self::Static(_) => true,
            #[cfg(feature = "jwks")]
            Self::Remote(keys) => keys.ready(),
        }
    }

    /// Verifies the signature with this issuer's keys.
    #[cfg_attr(not(feature = "jwks"), allow(clippy::needless_pass_by_value))]
    fn check<'c>(
        &self,
        unverified: Unverified<'c>,
        rules: &Rules,
        answered: Option<Answered>,
    ) -> Result<Signed<'c>, Stop> {
        // RFC 8725 s3.1: what the issuer may not use is not worth a look at the keys.
        if !rules.algorithms.contains(unverified.algorithm()) {
            return Err(TokenFault::Algorithm.into());
        }
        match self {
            // Static keys cause no questions, so there is no answer to look at.
            Self::Static(keys) => {
                let _ = answered;
                Signed::verify(unverified, keys, rules.algorithms)
                    .map_err(|(problem, _)| final_fault(&problem).into())
            }
            #[cfg(feature = "jwks")]
            Self::Remote(keys) => {
                let (problem, unverified) = match keys.current() {
                    Ok(loaded) => match Signed::verify(unverified, &loaded, rules.algorithms) {
                        Ok(signed) => return Ok(signed),
                        Err((KeyProblem::Fault(fault), _)) => return Err(fault.into()),
                        Err((problem, unverified)) => (problem, unverified),
                    },
                    Err(_) => (KeyProblem::UnknownKey, unverified),
                };
                Err(ask(keys, &unverified, &problem, answered))
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

#[cfg(feature = "jwks")]
fn ask(
    keys: &Arc<RemoteKeys>,
    unverified: &Unverified<'_>,
    problem: &KeyProblem,
    answered: Option<Answered>,
) -> Stop {
    let ticket = answered.map(|Answered(ticket)| ticket);
    match keys.miss(unverified.key_id(), ticket) {
        Miss::Unknown => final_fault(problem).into(),
        Miss::Wait(ticket) => Stop::Wait(Question {
            keys: Arc::clone(keys),
            ticket,
        }),
        Miss::Unavailable {
            outage,
            retry_after,
        } => Rejection::unavailable(outage, retry_after).into(),
    }
}

/// What is answered when a request has waited as often as it may.
#[cfg(feature = "jwks")]
pub(crate) const fn waited_enough() -> Rejection {
    Rejection::unavailable(Outage::KeyUnconfirmed, std::time::Duration::from_secs(1))
}

impl fmt::Debug for ResourceServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let issuers: Vec<&str> = self.0.realms.iter().map(|(realm, _)| &**realm).collect();
        f.debug_struct("ResourceServer")
            .field("resource", &self.0.resource)
            .field("issuers", &issuers)
            .finish_non_exhaustive()
    }
}
