//! An explanation: what each check looked at, found and expected, as text and as data.

use std::borrow::Cow;
use std::fmt;

use serde::ser::SerializeMap as _;
use serde::{Serialize, Serializer};

use crate::model::decision::explained_check::Check;
use crate::model::error::rejection::Rejection;
use crate::model::time::UnixTime;
use crate::server::explain::times::date_and_time;

/// Why a request is admitted or refused: each check of it, in order. Made by
/// [`AuthenticateLayer::explain`](crate::AuthenticateLayer::explain) and
/// [`ResourceServer::explain`](crate::ResourceServer::explain).
///
/// It is for operators. **Never send it to a client**: it quotes claims and settings, and says more about
/// a token than its holder may know.
///
/// `Display` writes it for people, several lines long. It serializes as an object with `conclusion`, `at`,
/// `resource`, `issuer` and the list `steps`; names of members and of checks are stable, the texts are
/// not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[must_use]
pub struct Explanation {
    pub(super) conclusion: Conclusion,
    pub(super) at: UnixTime,
    pub(super) resource: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) issuer: Option<String>,
    /// Why the rules of this issuer are applied, where the token does not name it.
    #[serde(skip)]
    pub(super) stand_in: Option<StandIn>,
    pub(super) steps: Vec<Step>,
}

/// Why the rules of a configured issuer are applied to a token that does not name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StandIn {
    /// Its name is most alike.
    MostAlike,
    /// There is no other.
    Only,
}

/// What becomes of the request at the layer.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Conclusion {
    /// The layer admits it. Guards and handlers may still refuse it.
    Admitted,
    /// Nothing was sent, and the layer is optional.
    NothingSent,
    /// The layer refuses it, for this reason: the same as the layer's answer.
    Refused(Rejection),
    /// It depends on a look-up that a request would make and an explanation does not: of a key, of the
    /// introspection endpoint, or of a status list. A step says which.
    Pending,
}

impl Conclusion {
    /// A stable name: `admitted`, `nothing_sent`, `refused` or `pending`.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Admitted => "admitted",
            Self::NothingSent => "nothing_sent",
            Self::Refused(_) => "refused",
            Self::Pending => "pending",
        }
    }
}

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum StepOutcome {
    /// It passed.
    Passed,
    /// It failed. Of several that failed, the [`conclusion`](Explanation::conclusion) says which one
    /// refuses the request.
    Failed,
    /// It did not run; the step's [`reason`](Step::reason) says why.
    Skipped,
    /// Only a look-up tells.
    Pending,
    /// It decides nothing here; guards of the route may.
    Noted,
}

impl StepOutcome {
    /// A stable name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
            Self::Pending => "pending",
            Self::Noted => "noted",
        }
    }
}

/// One check of an [`Explanation`].
///
/// Values of claims are cut to 200 characters and escaped. A step of a token whose signature does not
/// verify, or was not checked, is marked as [unverified](Self::is_unverified): anyone can write such a
/// claim.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Step {
    pub(super) check: Check,
    pub(super) outcome: StepOutcome,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reason: Option<Cow<'static, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) claim: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) found: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) expected: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) setting: Option<&'static str>,
    #[serde(rename = "unverified", skip_serializing_if = "std::ops::Not::not")]
    pub(super) is_unverified: bool,
}

impl Explanation {
    /// What becomes of the request at the layer: the same as for a request that is sent now.
    #[must_use]
    pub const fn conclusion(&self) -> &Conclusion {
        &self.conclusion
    }

    /// The configured issuer whose rules were applied; absent where none was found. Where the step
    /// [`Check::Issuer`] failed, it is one that the token does not name: the most alike, or the only one.
    #[must_use]
    pub fn issuer(&self) -> Option<&str> {
        self.issuer.as_deref()
    }

    /// The resource of the layer.
    #[must_use]
    pub fn resource(&self) -> &str {
        &self.resource
    }

    /// The time of the server's clock at which it was made.
    #[must_use]
    pub const fn at(&self) -> UnixTime {
        self.at
    }

    /// Each check, in order.
    #[must_use]
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// The steps that failed, in order. Settling all of them makes the request pass the layer, unless a
    /// check that was skipped then fails.
    pub fn failures(&self) -> impl Iterator<Item = &Step> {
        let steps = self.steps.iter();
        steps.filter(|step| step.outcome == StepOutcome::Failed)
    }
}

impl Step {
    /// The check.
    #[must_use]
    pub const fn check(&self) -> Check {
        self.check
    }

    /// How it ended.
    #[must_use]
    pub const fn outcome(&self) -> StepOutcome {
        self.outcome
    }

    /// Why it failed, was skipped or is pending: one sentence.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        self.reason.as_deref()
    }

    /// The claim or header parameter that it is about.
    #[must_use]
    pub fn claim(&self) -> Option<&str> {
        self.claim.as_deref()
    }

    /// What the request or the token says there, cut and escaped.
    #[must_use]
    pub fn found(&self) -> Option<&str> {
        self.found.as_deref()
    }

    /// What the configuration or a specification expects.
    #[must_use]
    pub fn expected(&self) -> Option<&str> {
        self.expected.as_deref()
    }

    /// The setting of this library that would change the outcome, by the name of its method.
    #[must_use]
    pub const fn setting(&self) -> Option<&'static str> {
        self.setting
    }

    /// Whether what was found comes from a token whose signature is not verified.
    #[must_use]
    pub const fn is_unverified(&self) -> bool {
        self.is_unverified
    }
}

/// `refused invalid_token audience`, or the name alone.
impl fmt::Display for Conclusion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())?;
        if let Self::Refused(rejection) = self {
            write!(f, ": {}", rejection.kind().as_str())?;
            if let Some(cause) = rejection.cause() {
                write!(f, " {cause}")?;
            }
            write!(f, ": {rejection}")?;
        }
        Ok(())
    }
}

impl Serialize for Conclusion {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("outcome", self.as_str())?;
        if let Self::Refused(rejection) = self {
            map.serialize_entry("kind", rejection.kind().as_str())?;
            if let Some(cause) = rejection.cause() {
                map.serialize_entry("cause", cause)?;
            }
            if let Some(detail) = rejection.detail() {
                map.serialize_entry("detail", &detail.to_string())?;
            }
            if let Some(wait) = rejection.retry_after() {
                map.serialize_entry("retry_after_secs", &wait.as_secs())?;
            }
            map.serialize_entry("message", &rejection.to_string())?;
        }
        map.end()
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.conclusion)?;
        let (resource, at) = (&self.resource, date_and_time(self.at));
        writeln!(f, "  resource {resource}, at {at}")?;
        if let Some(issuer) = &self.issuer {
            let remark = match self.stand_in {
                None => "",
                Some(StandIn::MostAlike) => ", the configured issuer that is most alike",
                Some(StandIn::Only) => ", the only configured issuer",
            };
            writeln!(f, "  by the rules of {issuer}{remark}")?;
        }
        self.steps.iter().try_for_each(|step| write!(f, "{step}"))
    }
}

/// A line for the check, and one for each thing that is known of it.
impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (outcome, check) = (self.outcome.as_str(), self.check.as_str());
        writeln!(f, "{outcome:<8} {check:<20} {}", self.check.subject())?;
        let setting = self.setting.map(|name| format!("`{name}`"));
        let lines = [
            ("reason", self.reason.as_deref()),
            ("claim", self.claim.as_deref()),
            ("found", self.found.as_deref()),
            ("expected", self.expected.as_deref()),
            ("setting", setting.as_deref()),
        ];
        // Of a check that passed, only what was found is worth a line.
        let is_good = self.outcome == StepOutcome::Passed;
        for (name, value) in lines {
            let Some(value) = value.filter(|_| !is_good || name == "found") else {
                continue;
            };
            let mark = match name {
                "found" if self.is_unverified => " (unverified)",
                _ => "",
            };
            writeln!(f, "           {name:<9} {value}{mark}")?;
        }
        Ok(())
    }
}
