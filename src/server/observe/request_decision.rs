//! The decision on one request, as observers see it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::model::decision::record::{DecisionOutcome, DecisionStage};
use crate::model::error::rejection::{Rejection, RejectionKind};
use crate::model::error::rejection_detail::RejectionDetail;
use crate::model::ids::{AccountId, ClientId, SubjectId, WorkspaceId};
use crate::server::decide::verified_request::VerifiedRequest;
use crate::verify::identity::kinds::Identity;

/// The decision on one request, by its layer and every guard together.
///
/// Nothing is copied: an [`Observer`](crate::observe::Observer) reads what it needs. Names of callers are
/// as the token states them: escape them before they go into a line of text, and never use them as labels
/// of a metric.
#[derive(Clone, Copy)]
pub struct RequestDecision<'d> {
    pub(crate) outcome: DecisionOutcome,
    pub(crate) stage: DecisionStage,
    pub(crate) rejection: Option<&'d Rejection>,
    pub(crate) verified: Option<&'d VerifiedRequest>,
    pub(crate) resource: &'d Arc<str>,
    pub(crate) revision: u64,
    pub(crate) check_time: Option<Duration>,
    pub(crate) fingerprint: Option<&'d str>,
}

impl<'d> RequestDecision<'d> {
    /// How the request was decided.
    #[must_use]
    pub const fn outcome(&self) -> DecisionOutcome {
        self.outcome
    }

    /// Which part decided.
    #[must_use]
    pub const fn stage(&self) -> DecisionStage {
        self.stage
    }

    /// Why the request was refused, or would have been; absent where it was not.
    #[must_use]
    pub const fn rejection(&self) -> Option<&'d Rejection> {
        self.rejection
    }

    /// The kind of refusal; absent where there was none.
    #[must_use]
    pub fn kind(&self) -> Option<RejectionKind> {
        self.rejection.map(Rejection::kind)
    }

    /// A stable name of the reason: the [cause](Rejection::cause) of the refusal, else its
    /// [kind](RejectionKind::as_str). Empty where there was none. Fit for a metric's label.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        self.rejection.map_or("", |rejection| {
            rejection
                .cause()
                .unwrap_or_else(|| rejection.kind().as_str())
        })
    }

    /// The cause of the refusal in detail.
    #[must_use]
    pub fn detail(&self) -> Option<&'d RejectionDetail> {
        self.rejection?.detail()
    }

    /// Whether the request went on although it would have been refused, since its layer only
    /// [observes](crate::layer::DangerousLayer::observe_only_until).
    #[must_use]
    pub const fn would_refuse(&self) -> bool {
        matches!(self.outcome, DecisionOutcome::Observed)
    }

    /// The configured issuer; absent where no token led to one. Fit for a metric's label.
    #[must_use]
    pub fn issuer(&self) -> Option<&'d str> {
        match (self.verified, self.rejection) {
            (Some(verified), _) => Some(verified.realm()),
            (None, Some(rejection)) => rejection.issuer(),
            (None, None) => None,
        }
    }

    /// The identifier of the layer's resource, as configured. Fit for a metric's label.
    #[must_use]
    pub fn resource(&self) -> &'d str {
        self.resource
    }

    /// The revision of the configuration: 1 after `build()`.
    #[must_use]
    pub const fn revision(&self) -> u64 {
        self.revision
    }

    /// How long the check of a token took that was not in the cache, in real time, look-ups included.
    /// Absent where the token was in the cache, and where none was sent.
    #[must_use]
    pub const fn check_time(&self) -> Option<Duration> {
        self.check_time
    }

    /// The kind of caller: `user`, `principal`, `client` or `subject`; absent without a verified token.
    #[must_use]
    pub fn caller(&self) -> Option<&'static str> {
        self.verified.map(VerifiedRequest::caller_kind)
    }

    /// The subject of a verified token.
    #[must_use]
    pub fn subject(&self) -> Option<&'d SubjectId> {
        self.verified?.token.subject()
    }

    /// The client that a verified token was issued to.
    #[must_use]
    pub fn client(&self) -> Option<&'d ClientId> {
        self.verified?.token.client_id()
    }

    /// The outermost actor of a verified token and its issuer (RFC 8693 section 4.1).
    #[must_use]
    pub fn actor(&self) -> Option<(&'d str, &'d str)> {
        let actor = self.verified?.token.actor()?;
        Some((actor.id(), actor.issuer()))
    }

    /// The caller's account; absent where it has none, and for principals, which may reach several.
    #[must_use]
    pub fn account(&self) -> Option<&'d AccountId> {
        match self.verified?.identity() {
            Identity::User(user) => user.account(),
            Identity::Client(client) => client.account(),
            Identity::Principal(_) | Identity::Subject(_) => None,
        }
    }

    /// The caller's workspace; absent where it has none.
    #[must_use]
    pub fn workspace(&self) -> Option<&'d WorkspaceId> {
        match self.verified?.identity() {
            Identity::User(user) => Some(user.workspace()),
            Identity::Client(client) => client.workspace(),
            Identity::Principal(_) | Identity::Subject(_) => None,
        }
    }

    /// The `jti` of a verified token.
    #[must_use]
    pub fn token_id(&self) -> Option<&'d str> {
        self.verified?.token.id()
    }

    /// A keyed fingerprint of the token's bytes where there is no [`token_id`](Self::token_id); present
    /// where the server writes [decision records](crate::observe::DecisionRecords).
    #[must_use]
    pub const fn token_fingerprint(&self) -> Option<&'d str> {
        self.fingerprint
    }
}

impl fmt::Debug for RequestDecision<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestDecision")
            .field("outcome", &self.outcome)
            .field("stage", &self.stage)
            .field("reason", &self.reason())
            .field("issuer", &self.issuer())
            .field("resource", &self.resource)
            .finish_non_exhaustive()
    }
}
