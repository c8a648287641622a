//! The record of one decision, as a value that outlives its request.
//!
//! 1. It has the fields that are listed here and nothing else of the request: no token, no other claim.
//! 2. Texts of a token are as the token states them. What writes them as a line of text escapes them.

use serde::Serialize;

use crate::model::time::UnixTime;

/// How a request was decided, by the layer and by every guard behind it together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum DecisionOutcome {
    /// The token is good, and no guard refused it.
    Admitted,
    /// An [optional](crate::AuthenticateLayer::optional) layer let a request without a token through.
    Anonymous,
    /// The layer, a guard or the application refused the request: 400, 401, 403, or 500 where the
    /// application is wired wrongly.
    Refused,
    /// The token could not be judged: 503.
    Unavailable,
    /// The request went on although it would have been refused: its layer only
    /// [observes](crate::layer::DangerousLayer::observe_only_until).
    Observed,
}

impl DecisionOutcome {
    /// A stable name, fit for a metric's label.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Admitted => "admitted",
            Self::Anonymous => "anonymous",
            Self::Refused => "refused",
            Self::Unavailable => "unavailable",
            Self::Observed => "observed",
        }
    }
}

/// Which part decided a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum DecisionStage {
    /// The authentication layer, [checks](crate::ResourceServerBuilder::check) of the application's own
    /// included. What is admitted was decided here too.
    Layer,
    /// A guard: an extractor, a layer that requires something, or the layer for MCP.
    Guard,
    /// The application itself, by a [`Refuser`](crate::extract::Refuser).
    Application,
}

impl DecisionStage {
    /// A stable name, fit for a metric's label.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Layer => "layer",
            Self::Guard => "guard",
            Self::Application => "application",
        }
    }
}

/// The record of one request's decision: what [`DecisionRecords`](crate::observe::DecisionRecords) writes.
///
/// It serializes as one flat object with the names of the methods; what is absent is left out. `jti`,
/// subject, client and tenant come from a token that was verified. Of a token that was refused before
/// that, nothing is known but its [fingerprint](Self::token_fingerprint).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DecisionRecord {
    pub(crate) time: UnixTime,
    pub(crate) outcome: DecisionOutcome,
    pub(crate) stage: DecisionStage,
    pub(crate) resource: Box<str>,
    pub(crate) revision: u64,
    #[serde(flatten)]
    pub(crate) refusal: RecordedRefusal,
    #[serde(flatten)]
    pub(crate) caller: RecordedCaller,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) token_fingerprint: Option<Box<str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) check_micros: Option<u64>,
}

/// Why a request was refused.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct RecordedRefusal {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) kind: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) claim: Option<Box<str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) problem: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) setting: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) expected: Option<Box<str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) found: Option<Box<str>>,
}

/// Who called.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct RecordedCaller {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) issuer: Option<Box<str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) caller: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) subject: Option<Box<str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) client: Option<Box<str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) actor: Option<Box<str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) actor_issuer: Option<Box<str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) account: Option<Box<str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) workspace: Option<Box<str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) token_id: Option<Box<str>>,
}

impl DecisionRecord {
    /// When the request was decided, by the server's [`Clock`](crate::time::Clock).
    #[must_use]
    pub const fn time(&self) -> UnixTime {
        self.time
    }

    /// How it was decided.
    #[must_use]
    pub const fn outcome(&self) -> DecisionOutcome {
        self.outcome
    }

    /// Which part decided.
    #[must_use]
    pub const fn stage(&self) -> DecisionStage {
        self.stage
    }

    /// The identifier of the layer's resource, as configured.
    #[must_use]
    pub fn resource(&self) -> &str {
        &self.resource
    }

    /// The revision of the configuration: 1 after `build()`.
    #[must_use]
    pub const fn revision(&self) -> u64 {
        self.revision
    }

    /// The [kind](crate::RejectionKind::as_str) of refusal; absent where there was none.
    #[must_use]
    pub const fn kind(&self) -> Option<&'static str> {
        self.refusal.kind
    }

    /// The [cause](crate::error::Rejection::cause) of the refusal, such as `expired`; absent where its
    /// kind says everything.
    #[must_use]
    pub const fn reason(&self) -> Option<&'static str> {
        self.refusal.reason
    }

    /// The claim or header parameter at fault; see [`RejectionDetail`](crate::error::RejectionDetail).
    #[must_use]
    pub fn claim(&self) -> Option<&str> {
        self.refusal.claim.as_deref()
    }

    /// What is wrong with it; see [`Problem`](crate::error::Problem).
    #[must_use]
    pub const fn problem(&self) -> Option<&'static str> {
        self.refusal.problem
    }

    /// The setting of this library that requires it.
    #[must_use]
    pub const fn setting(&self) -> Option<&'static str> {
        self.refusal.setting
    }

    /// The value that the configuration requires.
    #[must_use]
    pub fn expected(&self) -> Option<&str> {
        self.refusal.expected.as_deref()
    }

    /// What was found instead: bounded and escaped.
    #[must_use]
    pub fn found(&self) -> Option<&str> {
        self.refusal.found.as_deref()
    }

    /// The configured issuer; absent where no token led to one.
    #[must_use]
    pub fn issuer(&self) -> Option<&str> {
        self.caller.issuer.as_deref()
    }

    /// The kind of caller: `user`, `principal`, `client` or `subject`.
    #[must_use]
    pub const fn caller(&self) -> Option<&'static str> {
        self.caller.caller
    }

    /// The token's subject, as [`SubjectIds`](crate::observe::SubjectIds) says.
    #[must_use]
    pub fn subject(&self) -> Option<&str> {
        self.caller.subject.as_deref()
    }

    /// The client that the token was issued to.
    #[must_use]
    pub fn client(&self) -> Option<&str> {
        self.caller.client.as_deref()
    }

    /// The outermost actor (RFC 8693 section 4.1), as [`SubjectIds`](crate::observe::SubjectIds) says.
    #[must_use]
    pub fn actor(&self) -> Option<&str> {
        self.caller.actor.as_deref()
    }

    /// The issuer of the actor.
    #[must_use]
    pub fn actor_issuer(&self) -> Option<&str> {
        self.caller.actor_issuer.as_deref()
    }

    /// The caller's account; absent where it has none, and for principals, which may reach several.
    #[must_use]
    pub fn account(&self) -> Option<&str> {
        self.caller.account.as_deref()
    }

    /// The caller's workspace; absent where it has none.
    #[must_use]
    pub fn workspace(&self) -> Option<&str> {
        self.caller.workspace.as_deref()
    }

    /// The `jti` of a verified token; absent where it has none.
    #[must_use]
    pub fn token_id(&self) -> Option<&str> {
        self.caller.token_id.as_deref()
    }

    /// A keyed fingerprint of the token's bytes where there is no [`token_id`](Self::token_id): 32
    /// hexadecimal digits, equal for equal tokens under one
    /// [key](crate::observe::DecisionRecords::fingerprint_key).
    #[must_use]
    pub fn token_fingerprint(&self) -> Option<&str> {
        self.token_fingerprint.as_deref()
    }

    /// How long the check of a token took that was not in the cache, in microseconds of real time,
    /// look-ups included. Absent where the token was in the cache, and where none was sent.
    #[must_use]
    pub const fn check_micros(&self) -> Option<u64> {
        self.check_micros
    }
}
