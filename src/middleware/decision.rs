//! One decision for each request, from its layer and every guard together.
//!
//! 1. A layer that refuses decides at once. One that admits leaves a cell in the request's extensions:
//!    guards note their refusals there, and the decision is made when the head of the response is known
//!    or the request's future is dropped.
//! 2. A refusal that a handler does not answer with decides nothing: the response says so by its
//!    [`RejectionKind`] or its status.
//! 3. The innermost layer of a server decides, so its decision replaces that of an outer one, also where layers
//!    of other servers lie between them. It is told when the outermost one ends: of a request that is repeated
//!    between two layers, the last decision that was answered.
//! 4. Where nothing listens there is no cell.

mod opening;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::{Response, StatusCode};

use self::opening::DecisionFacts;
pub(super) use self::opening::{DecisionSource, DecisionStart};
use crate::model::decision::record::{DecisionOutcome, DecisionStage};
use crate::model::error::rejection::{Outage, Rejection, RejectionKind};
use crate::runtime::util::striped::StripedArcHandle;
use crate::server::observe::record_writer::RecordPlace;

/// The most refusals of one request that are kept.
const MOST_REFUSALS: usize = 16;

/// The decision on a request that its layer passed on.
pub(super) struct DecisionCell {
    source: StripedArcHandle<DecisionSource>,
    /// That of the next layer of the same server further outside.
    outer: Option<Arc<DecisionCell>>,
    /// That of the next layer further outside, of another server.
    around: Option<Arc<DecisionCell>>,
    state: Mutex<CellState>,
}

#[derive(Default)]
struct CellState {
    facts: DecisionFacts,
    refusals: Vec<NotedRefusal>,
    /// Of the outermost layer alone.
    place: RecordPlace,
    is_over: bool,
    inner: InnerDecisions,
}

/// What layers further inside have decided.
#[derive(Default)]
struct InnerDecisions {
    /// How many requests are with them.
    open: usize,
    last: Option<MadeDecision>,
    /// Whether this layer has ended before them, so that the next one is told at once.
    is_awaited: bool,
}

/// A decision that is made and not told yet.
struct MadeDecision {
    source: StripedArcHandle<DecisionSource>,
    facts: DecisionFacts,
    outcome: DecisionOutcome,
    stage: DecisionStage,
    rejection: Option<Rejection>,
    /// Whether the request was answered, and not dropped.
    is_answered: bool,
}

impl MadeDecision {
    fn tell(self, place: RecordPlace) {
        let decided = (self.outcome, self.stage, self.rejection.as_ref());
        self.source.tell(decided, &self.facts, place);
    }
}

struct NotedRefusal {
    stage: DecisionStage,
    rejection: Rejection,
    /// The request went on all the same: its layer only observes.
    is_passed: bool,
}

impl DecisionCell {
    /// See [`DecisionSource::open`].
    fn open(
        source: StripedArcHandle<DecisionSource>,
        start: &DecisionStart,
        facts: DecisionFacts,
        passed: Option<&Rejection>,
    ) -> Result<Arc<Self>, Outage> {
        let outer = start.outer_of(&source.server).map(Arc::clone);
        let place = match &outer {
            Some(outer) => {
                outer.state().inner.open += 1;
                RecordPlace::default()
            }
            None => source.server.listeners().reserve()?,
        };
        // The cell of the same server knows of those further outside.
        let is_outer = |next: &&Arc<Self>| outer.as_ref().is_some_and(|it| Arc::ptr_eq(it, next));
        let around = start.outer.as_ref().filter(|next| !is_outer(next)).cloned();
        let cell = Arc::new(Self {
            source,
            outer,
            around,
            state: Mutex::new(CellState {
                facts,
                place,
                ..CellState::default()
            }),
        });
        if let Some(rejection) = passed {
            cell.note(DecisionStage::Layer, rejection);
            cell.pass();
        }
        Ok(cell)
    }

    /// A guard or the application refuses.
    pub(super) fn note(&self, stage: DecisionStage, rejection: &Rejection) {
        let refusals = &mut self.state().refusals;
        if refusals.len() < MOST_REFUSALS {
            refusals.push(NotedRefusal {
                stage,
                rejection: rejection.clone(),
                is_passed: false,
            });
        }
    }

    /// The request goes on although it was refused last.
    pub(super) fn pass(&self) {
        if let Some(last) = self.state().refusals.last_mut() {
            last.is_passed = true;
        }
    }

    /// Decides, once. What a layer further inside has decided counts in place of it.
    fn close(&self, answer: Option<(StatusCode, Option<RejectionKind>)>) {
        let (facts, refusals, place, inner) = {
            let mut state = self.state();
            if std::mem::replace(&mut state.is_over, true) {
                return;
            }
            let inner = state.inner.last.take();
            if inner.is_none() && state.inner.open > 0 {
                // They have gone on without this layer, and one of them decides.
                state.inner.is_awaited = true;
                return;
            }
            let place = std::mem::take(&mut state.place);
            let facts = std::mem::take(&mut state.facts);
            (facts, std::mem::take(&mut state.refusals), place, inner)
        };
        if let Some(made) = inner {
            self.pass_on(made, place);
            return;
        }
        let (outcome, stage, rejection) = own_decision(&facts, &refusals, answer);
        if self.outer.is_none() {
            self.source.tell((outcome, stage, rejection), &facts, place);
            return;
        }
        let rejection = rejection.cloned();
        let made = MadeDecision {
            source: self.source.clone(),
            facts,
            outcome,
            stage,
            rejection,
            is_answered: answer.is_some(),
        };
        self.pass_on(made, place);
    }

    /// Tells of a decision, or leaves it to the layer outside.
    fn pass_on(&self, made: MadeDecision, place: RecordPlace) {
        match &self.outer {
            Some(outer) => {
                {
                    let open = &mut outer.state().inner.open;
                    *open = open.saturating_sub(1);
                }
                outer.inner_decided(made);
            }
            None => made.tell(place),
        }
    }

    /// A layer further inside has decided. Of several decisions the last one counts that was answered.
    fn inner_decided(&self, made: MadeDecision) {
        let place = {
            let mut state = self.state();
            if !state.is_over {
                let last = &mut state.inner.last;
                if made.is_answered || last.as_ref().is_none_or(|last| !last.is_answered) {
                    *last = Some(made);
                }
                return;
            }
            // Told already, unless this layer has ended before.
            if !std::mem::take(&mut state.inner.is_awaited) {
                return;
            }
            std::mem::take(&mut state.place)
        };
        self.pass_on(made, place);
    }

    fn state(&self) -> MutexGuard<'_, CellState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a layer decides where no layer further inside has.
fn own_decision<'r>(
    facts: &DecisionFacts,
    refusals: &'r [NotedRefusal],
    answer: Option<(StatusCode, Option<RejectionKind>)>,
) -> (DecisionOutcome, DecisionStage, Option<&'r Rejection>) {
    match decisive(refusals, answer) {
        Some((noted, is_enforced)) => {
            let outcome = if is_enforced {
                outcome_of(&noted.rejection)
            } else {
                DecisionOutcome::Observed
            };
            (outcome, noted.stage, Some(&noted.rejection))
        }
        None if facts.verified.is_some() => (DecisionOutcome::Admitted, DecisionStage::Layer, None),
        None => (DecisionOutcome::Anonymous, DecisionStage::Layer, None),
    }
}

/// The refusal that decides, and whether the request was answered with one.
fn decisive(
    refusals: &[NotedRefusal],
    answer: Option<(StatusCode, Option<RejectionKind>)>,
) -> Option<(&NotedRefusal, bool)> {
    let passed = refusals.iter().find(|noted| noted.is_passed);
    let enforced = refusals.iter().find(|noted| !noted.is_passed);
    let answered = match answer {
        Some((_, Some(kind))) => {
            let same = |noted: &&NotedRefusal| !noted.is_passed && noted.rejection.kind() == kind;
            refusals.iter().find(same).or(enforced)
        }
        Some((status, None)) if status.is_client_error() || status.is_server_error() => enforced,
        // The handler did not answer with it.
        Some(_) => None,
        // The request ended without a response.
        None => enforced,
    };
    match (passed, answered) {
        // What the layer would have refused first is the cause of what is missing further inside.
        (Some(passed), Some(_)) => Some((passed, true)),
        (None, Some(answered)) => Some((answered, true)),
        (Some(passed), None) => Some((passed, false)),
        (None, None) => None,
    }
}

fn outcome_of(rejection: &Rejection) -> DecisionOutcome {
    match rejection.kind() {
        RejectionKind::Unavailable(_) => DecisionOutcome::Unavailable,
        _ => DecisionOutcome::Refused,
    }
}

/// The future of a request that a layer passed on. When it ends, the decision is made.
#[must_use]
pub(super) struct DecisionGuard(pub(super) Arc<DecisionCell>);

impl DecisionGuard {
    /// The head of the response is known.
    pub(super) fn answered<B>(&self, response: &Response<B>) {
        let kind = response.extensions().get::<RejectionKind>().copied();
        self.0.close(Some((response.status(), kind)));
    }
}

impl Drop for DecisionGuard {
    fn drop(&mut self) {
        self.0.close(None);
    }
}
