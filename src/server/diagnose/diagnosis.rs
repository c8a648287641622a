//! A diagnosis: what was found at each issuer, as text and as data.

use std::borrow::Cow;
use std::fmt;

use serde::Serialize;

/// What is wrong with the issuers of a server, and what is in order. Made by
/// [`ResourceServer::diagnose`](crate::ResourceServer::diagnose).
///
/// It is for operators; `Display` writes a line for each finding. It serializes as an object with the
/// list `findings`; their names are stable, the texts are not. It has no secret, and addresses are
/// without their query.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[must_use]
pub struct Diagnosis {
    pub(super) findings: Vec<Finding>,
}

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Severity {
    /// In order.
    Good,
    /// Works, and may not for all tokens, or not for long.
    Warning,
    /// Tokens of the issuer are refused or answered 503.
    Error,
}

impl Severity {
    /// A stable name: `good`, `warning` or `error`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// One finding of a [`Diagnosis`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    pub(super) severity: Severity,
    pub(super) name: Cow<'static, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) issuer: Option<String>,
    pub(super) text: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) setting: Option<&'static str>,
}

impl Diagnosis {
    /// Every finding: issuer by issuer in the order of configuration, and in the order in which they
    /// were made.
    #[must_use]
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// The same without the findings of this name, such as `not_connected` where a program only looks at a
    /// configuration and never calls [`connect`](crate::ResourceServer::connect).
    pub fn without(mut self, name: &str) -> Self {
        self.findings.retain(|finding| finding.name != name);
        self
    }

    /// The worst of them; [`Severity::Good`] where there are none.
    #[must_use]
    pub fn severity(&self) -> Severity {
        let all = self.findings.iter().map(|finding| finding.severity);
        all.max().unwrap_or(Severity::Good)
    }

    /// Those that are not good.
    pub fn problems(&self) -> impl Iterator<Item = &Finding> {
        let all = self.findings.iter();
        all.filter(|finding| finding.severity > Severity::Good)
    }
}

impl Finding {
    /// How bad it is.
    #[must_use]
    pub const fn severity(&self) -> Severity {
        self.severity
    }

    /// A stable name, such as `issuer_mismatch.slash` or `key_set.connection_refused`; the chapter
    /// [explain](crate::manual::explain#what-doctor-finds) lists them.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The configured issuer that it is about; absent where it concerns the whole server.
    #[must_use]
    pub fn issuer(&self) -> Option<&str> {
        self.issuer.as_deref()
    }

    /// What was found, and what to do.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The setting of this library to look at, by the name of its method.
    #[must_use]
    pub const fn setting(&self) -> Option<&'static str> {
        self.setting
    }
}

impl fmt::Display for Diagnosis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut last: Option<&str> = None;
        for finding in &self.findings {
            let issuer = finding.issuer().unwrap_or("the server");
            if last != Some(issuer) {
                writeln!(f, "{issuer}")?;
                last = Some(issuer);
            }
            writeln!(f, "  {finding}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (severity, name, text) = (self.severity.as_str(), &self.name, &self.text);
        write!(f, "{severity:<8} {name}: {text}")?;
        match self.setting {
            Some(setting) => write!(f, " (setting `{setting}`)"),
            None => Ok(()),
        }
    }
}

/// Findings about one issuer, while they are made.
#[derive(Debug, Default)]
pub(super) struct IssuerFindings {
    issuer: Option<String>,
    pub(super) findings: Vec<Finding>,
}

impl IssuerFindings {
    pub(super) fn of(issuer: &str) -> Self {
        Self {
            issuer: Some(issuer.to_owned()),
            findings: Vec::new(),
        }
    }

    pub(super) fn of_server() -> Self {
        Self::default()
    }

    pub(super) fn add(
        &mut self,
        severity: Severity,
        name: impl Into<Cow<'static, str>>,
        text: impl Into<String>,
        setting: Option<&'static str>,
    ) {
        self.findings.push(Finding {
            severity,
            name: name.into(),
            issuer: self.issuer.clone(),
            text: text.into(),
            setting,
        });
    }

    pub(super) fn good(&mut self, name: &'static str, text: impl Into<String>) {
        self.add(Severity::Good, name, text, None);
    }

    pub(super) fn warn(
        &mut self,
        name: impl Into<Cow<'static, str>>,
        text: impl Into<String>,
        setting: Option<&'static str>,
    ) {
        self.add(Severity::Warning, name, text, setting);
    }

    pub(super) fn error(
        &mut self,
        name: impl Into<Cow<'static, str>>,
        text: impl Into<String>,
        setting: Option<&'static str>,
    ) {
        self.add(Severity::Error, name, text, setting);
    }
}
