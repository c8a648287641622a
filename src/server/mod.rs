//! Floor 4: the house itself. `judge` is the whole request, in order, in one function.

pub(crate) mod mistake;

pub(crate) mod issuer;

mod identifiers;

pub(crate) mod authority;

mod compile;

pub(crate) mod state;

pub(crate) mod builder;

#[cfg(feature = "jwks")]
pub(crate) mod operate;

use std::sync::Arc;

use http::{HeaderMap, Method};

#[cfg(feature = "jwks")]
use crate::model::rejection::Outage;
use crate::model::rejection::{Rejection, RejectionKind, TokenFault};
use crate::verify::claims::AccessToken;
use crate::verify::credential::Credential;
use crate::verify::identify::{Identified, Identity, identify};
use crate::verify::jws::{Compact, Unverified};
use crate::verify::rules::Rules;
use crate::verify::sources::Sources;
#[cfg(feature = "jwks")]
use authority::Question;
use authority::{Answered, Stop};
use state::ResourceServer;

/// What a layer knows of an admitted request: the token, and who is calling.
#[derive(Debug)]
pub(crate) struct Admission {
    pub(crate) token: AccessToken,
    pub(crate) identified: Identified,
}

/// The outcome of [`ResourceServer::judge`].
pub(crate) enum Judgement {
    Admitted(Arc<Admission>),
    /// None of the layer's sources was sent.
    NothingSent,
    Refused(Rejection),
    /// Only the issuer knows; ask, wait a bounded time, and judge again.
    #[cfg(feature = "jwks")]
    Wait(Question),
}

impl ResourceServer {
    /// Judges a request. Synchronous and without I/O; without a lock, but where a key is unknown.
    ///
    /// In this order: the single credential; its size and syntax; the issuer, whose rules and
    /// keys alone count from here; the signature; the claims; who is calling. What may be
    /// remembered between requests happens in `verify`, what must not in `admit`.
    pub(crate) fn judge(
        &self,
        sources: &Sources,
        method: &Method,
        headers: &HeaderMap,
        answered: Option<Answered>,
    ) -> Judgement {
        let credential = match Credential::find(sources, method, headers) {
            Ok(Some(credential)) => credential,
            Ok(None) => return Judgement::NothingSent,
            Err(kind) => return Judgement::Refused(kind.into()),
        };
        let outcome = self
            .verify(credential, answered)
            .and_then(|(admission, rules)| self.admit(admission, rules));
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
    ) -> Result<(Arc<Admission>, &Rules), Stop> {
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
        let rules = &*authority.rules;
        authority
            .keys
            .check(unverified, rules, answered)
            .and_then(|signed| {
                let token = AccessToken::check(&signed, rules)?;
                let identified = identify(&token, signed.claims(), rules);
                Ok((Arc::new(Admission { token, identified }), rules))
            })
            .map_err(|stop| stop.by(&rules.realm))
    }

    /// Phase two: what is decided anew on every request.
    fn admit(&self, admission: Arc<Admission>, rules: &Rules) -> Result<Arc<Admission>, Stop> {
        let now = self.0.clock.now();
        match admission.token.check_time(now, rules.leeway) {
            Ok(()) => Ok(admission),
            Err(fault) => Err(Stop::from(fault).by(&rules.realm)),
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

/// What is answered when a request has waited as often as it may.
#[cfg(feature = "jwks")]
pub(crate) const fn waited_enough() -> Rejection {
    Rejection::unavailable(Outage::KeyUnconfirmed, std::time::Duration::from_secs(1))
}
