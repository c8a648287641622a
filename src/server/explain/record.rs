//! The record of checks while an explanation is made.

use std::borrow::Cow;

use crate::model::decision::explained_check::Check;
use crate::model::error::rejection::Rejection;
use crate::model::time::UnixTime;
use crate::runtime::util::excerpt::excerpt;
use crate::server::explain::explanation::{Conclusion, Explanation, StandIn, Step, StepOutcome};
use crate::verify::claims::inspection::InspectedClaims;

/// How much of a value is shown, in characters before they are escaped.
const MAX_SHOWN: usize = 200;

/// The steps so far, and the conclusion once one is reached.
///
/// INVARIANT: conclusions are offered in the order of the decision on a request; the first counts.
#[derive(Default)]
pub(crate) struct Record {
    steps: Vec<Step>,
    conclusion: Option<Conclusion>,
    issuer: Option<String>,
    stand_in: Option<StandIn>,
    is_unverified: bool,
}

impl Step {
    fn new(check: Check, outcome: StepOutcome) -> Self {
        Self {
            check,
            outcome,
            reason: None,
            claim: None,
            found: None,
            expected: None,
            setting: None,
            is_unverified: false,
        }
    }

    pub(crate) fn passed(check: Check) -> Self {
        Self::new(check, StepOutcome::Passed)
    }

    #[cfg(feature = "jwks")]
    pub(crate) fn pending(check: Check, reason: impl Into<Cow<'static, str>>) -> Self {
        Self::new(check, StepOutcome::Pending).because(reason)
    }

    pub(crate) fn skipped(check: Check, reason: &'static str) -> Self {
        Self::new(check, StepOutcome::Skipped).because(reason)
    }

    pub(crate) fn noted(check: Check) -> Self {
        Self::new(check, StepOutcome::Noted)
    }

    /// A failed check, with what the rejection says of it.
    pub(crate) fn failed(check: Check, rejection: &Rejection) -> Self {
        let step = Self::new(check, StepOutcome::Failed).because(rejection.to_string());
        step.detailed(rejection)
    }

    /// Adds the detail of a rejection.
    pub(crate) fn detailed(mut self, rejection: &Rejection) -> Self {
        let Some(detail) = rejection.detail() else {
            return self;
        };
        if let Some(problem) = detail.problem() {
            let reason = self.reason.take().unwrap_or_default();
            self.reason = Some(format!("{reason} ({problem})").into());
        }
        self.claim = detail.claim().map(ToOwned::to_owned).or(self.claim);
        self.expected = detail.expected().map(ToOwned::to_owned).or(self.expected);
        // It is escaped already.
        self.found = detail.found().map(ToOwned::to_owned).or(self.found);
        self.setting = detail.setting().or(self.setting);
        self
    }

    pub(crate) fn because(mut self, reason: impl Into<Cow<'static, str>>) -> Self {
        self.reason = Some(reason.into());
        self
    }

    pub(crate) fn about(mut self, claim: impl Into<String>) -> Self {
        self.claim = Some(claim.into());
        self
    }

    /// Foreign text: it is cut and escaped.
    pub(crate) fn finding(mut self, found: &str) -> Self {
        self.found = Some(excerpt(found, MAX_SHOWN));
        self
    }

    pub(crate) fn expecting(mut self, expected: impl Into<String>) -> Self {
        self.expected = Some(expected.into());
        self
    }

    pub(crate) fn by_setting(mut self, setting: &'static str) -> Self {
        self.setting = Some(setting);
        self
    }
}

impl Record {
    pub(crate) fn push(&mut self, mut step: Step) {
        step.is_unverified = self.is_unverified && step.found.is_some();
        self.steps.push(step);
    }

    /// A check that refuses the request, unless another did before.
    pub(crate) fn refuse(&mut self, check: Check, rejection: Rejection) {
        self.push(Step::failed(check, &rejection));
        self.conclude(Conclusion::Refused(rejection));
    }

    /// The same as a step with more to say.
    pub(crate) fn refuse_at(&mut self, step: Step, rejection: Rejection) {
        self.push(step);
        self.conclude(Conclusion::Refused(rejection));
    }

    /// A check that only a look-up ends.
    #[cfg(feature = "jwks")]
    pub(crate) fn await_lookup(&mut self, check: Check, reason: impl Into<Cow<'static, str>>) {
        self.push(Step::pending(check, reason));
        self.conclude(Conclusion::Pending);
    }

    pub(crate) fn skip(&mut self, checks: &[Check], reason: &'static str) {
        let skipped = checks.iter().map(|check| Step::skipped(*check, reason));
        self.steps.extend(skipped);
    }

    /// The first conclusion counts.
    pub(crate) fn conclude(&mut self, conclusion: Conclusion) {
        self.conclusion.get_or_insert(conclusion);
    }

    pub(crate) const fn is_open(&self) -> bool {
        self.conclusion.is_none()
    }

    /// Names the issuer whose rules are applied, and why where the token does not name it.
    pub(super) fn apply_rules_of(&mut self, issuer: &str, stand_in: Option<StandIn>) {
        self.issuer = Some(issuer.to_owned());
        self.stand_in = stand_in;
    }

    /// From now on what is found comes from a token whose signature is not verified, or is.
    pub(crate) const fn set_unverified(&mut self, is_unverified: bool) {
        self.is_unverified = is_unverified;
    }

    /// Adds a check of claims; the first that fails refuses the request.
    pub(crate) fn inspect(&mut self, inspected: InspectedClaims, by: &std::sync::Arc<str>) {
        let mut step = match &inspected.outcome {
            Ok(()) => Step::passed(inspected.check),
            Err(error) => {
                let rejection = Rejection::from(error.clone());
                Step::failed(inspected.check, &rejection)
            }
        };
        let has_failed = inspected.outcome.is_err();
        // The value says more than its type, which the detail of a refusal has.
        let of_claim = step.claim.is_none() || step.claim == inspected.claim;
        if let Some(found) = inspected.found.filter(|_| of_claim) {
            step = step.finding(&found);
        }
        step.claim = step.claim.or(inspected.claim);
        step.expected = step.expected.or(inspected.expected);
        step.setting = step.setting.or(inspected.setting.filter(|_| has_failed));
        self.push(step);
        if let Err(error) = inspected.outcome {
            self.conclude(Conclusion::Refused(Rejection::from(error).by(by)));
        }
    }

    /// The explanation. A request that nothing refuses is admitted.
    pub(crate) fn finish(self, at: UnixTime, resource: &str) -> Explanation {
        Explanation {
            conclusion: self.conclusion.unwrap_or(Conclusion::Admitted),
            at,
            resource: resource.to_owned(),
            issuer: self.issuer,
            stand_in: self.stand_in,
            steps: self.steps,
        }
    }
}
