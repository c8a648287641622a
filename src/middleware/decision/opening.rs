//! The opening of a decision: the layer that it comes from, and what is known when the layer has looked at a
//! request.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{DecisionCell, MadeDecision, outcome_of};
use crate::model::decision::record::{DecisionOutcome, DecisionStage};
use crate::model::error::rejection::{Outage, Rejection};
use crate::runtime::util::striped::StripedArc;
use crate::server::decide::verified_request::{SharedRequest, VerifiedRequest};
use crate::server::observe::check_time;
use crate::server::observe::record_writer::RecordPlace;
use crate::server::observe::request_decision::RequestDecision;
use crate::server::resource_server::ResourceServer;
use crate::verify::request::credential::Credential;
use crate::verify::request::request_parts::RequestParts;
use crate::verify::request::token_sources::TokenSources;

/// The layer that decisions come from.
pub(in crate::middleware) struct DecisionSource {
    pub(in crate::middleware) server: ResourceServer,
    pub(in crate::middleware) resource_place: usize,
    /// Where tokens are found, for the fingerprint of one.
    pub(in crate::middleware) sources: TokenSources,
}

/// What is known of a request when its layer has looked at it.
#[derive(Default)]
pub(super) struct DecisionFacts {
    pub(super) verified: Option<SharedRequest>,
    pub(super) fingerprint: Option<Box<str>>,
    pub(super) check_time: Option<Duration>,
}

/// The beginning of a layer's decision.
#[derive(Default)]
pub(in crate::middleware) struct DecisionStart {
    /// When the check of a token began that is not in the cache.
    checked_from: Option<Instant>,
    /// The cell of the next layer outside, of any server.
    pub(super) outer: Option<Arc<DecisionCell>>,
}

impl DecisionStart {
    /// The beginning of the decision of a layer inside this one.
    pub(in crate::middleware) fn inside(outer: Option<Arc<DecisionCell>>) -> Self {
        Self {
            checked_from: None,
            outer,
        }
    }

    /// Nothing of an earlier check on this thread counts.
    pub(in crate::middleware) fn forget_checks() {
        let _ = check_time::take_begun();
    }

    /// Reads off the check that has begun since.
    pub(in crate::middleware) fn note_check(&mut self) {
        self.checked_from = check_time::take_begun();
    }

    fn check_time(&self) -> Option<Duration> {
        self.checked_from.map(|from| from.elapsed())
    }

    /// The cell of the next outer layer of the same server.
    pub(super) fn outer_of(&self, server: &ResourceServer) -> Option<&Arc<DecisionCell>> {
        let mut cells = std::iter::successors(self.outer.as_ref(), |cell| {
            cell.around.as_ref().or(cell.outer.as_ref())
        });
        cells.find(|cell| cell.source.server.is(server))
    }

    /// What layers further inside are told of those outside, by a layer with this cell of its own.
    pub(in crate::middleware) fn outer_behind(
        &self,
        own: Option<&Arc<DecisionCell>>,
    ) -> Option<Arc<DecisionCell>> {
        own.is_none().then(|| self.outer.clone()).flatten()
    }
}

impl DecisionSource {
    /// The cell of a request that goes on. `passed` is what the layer would have refused it with.
    ///
    /// # Errors
    ///
    /// No request may go on without a place for its record, and there is none.
    pub(in crate::middleware) fn open(
        source: &StripedArc<Self>,
        request: RequestParts<'_>,
        start: &DecisionStart,
        verified: Option<&SharedRequest>,
        passed: Option<&Rejection>,
    ) -> Result<Arc<DecisionCell>, Outage> {
        let facts = source.facts(request, start, verified.cloned());
        DecisionCell::open(source.share(), start, facts, passed)
    }

    /// A layer refuses, which decides.
    pub(in crate::middleware) fn refuse(
        source: &StripedArc<Self>,
        request: RequestParts<'_>,
        start: &DecisionStart,
        rejection: &Rejection,
        verified: Option<SharedRequest>,
    ) {
        let facts = source.facts(request, start, verified);
        let outcome = outcome_of(rejection);
        let Some(outer) = start.outer_of(&source.server) else {
            let decided = (outcome, DecisionStage::Layer, Some(rejection));
            source.tell(decided, &facts, RecordPlace::default());
            return;
        };
        outer.inner_decided(MadeDecision {
            source: source.share(),
            facts,
            outcome,
            stage: DecisionStage::Layer,
            rejection: Some(rejection.clone()),
            is_answered: true,
        });
    }

    fn facts(
        &self,
        request: RequestParts<'_>,
        start: &DecisionStart,
        verified: Option<SharedRequest>,
    ) -> DecisionFacts {
        // Not before something wants it: the id is memory that nothing else of a layer reads.
        let is_unnamed = || verified.as_ref().is_none_or(|it| it.token.id().is_none());
        let wants_fingerprint = self.server.listeners().wants_fingerprints() && is_unnamed();
        DecisionFacts {
            fingerprint: wants_fingerprint
                .then(|| self.fingerprint(request))
                .flatten(),
            check_time: start.check_time(),
            verified,
        }
    }

    /// The fingerprint of the request's token, where it is recorded.
    fn fingerprint(&self, request: RequestParts<'_>) -> Option<Box<str>> {
        let credential = Credential::find(&self.sources, request).ok()??;
        self.server.listeners().fingerprint(credential.as_bytes())
    }

    #[inline]
    pub(super) fn tell(
        &self,
        (outcome, stage, rejection): (DecisionOutcome, DecisionStage, Option<&Rejection>),
        facts: &DecisionFacts,
        place: RecordPlace,
    ) {
        let verified: Option<&VerifiedRequest> = facts.verified.as_deref().map(|it| &**it);
        let decision = RequestDecision {
            outcome,
            stage,
            rejection,
            verified,
            resource: &self.server.resource_at(self.resource_place).identifier,
            revision: self.server.revision(),
            check_time: facts.check_time,
            fingerprint: facts.fingerprint.as_deref(),
        };
        self.server.listeners().decided(&decision, place);
    }
}
