//! What guards demand of one operation, as a document states it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::model::requirement::binding::Binding;
use crate::model::requirement::route_requirement::RouteRequirement;

/// The extension of an operation that has all demands of its guards; an operation that has it is
/// guarded.
pub(super) const EXTENSION: &str = "x-requirements";

/// The scheme that a guard names, before the server's schemes are known.
pub(super) const PLACEHOLDER: &str = "oauth2";

/// The scheme of a client certificate.
pub(super) const MUTUAL_TLS: &str = "mutualTLS";

/// Alternatives of one operation: each alternative of one guard with each of another.
const MOST_ALTERNATIVES: usize = 64;

/// What one guard demands beside a good token. Lists hold alternatives, except in a scope with
/// several tokens, which are demanded together.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Demand {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) scopes: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) roles_in_place_of_scopes: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) roles: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) groups: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) callers: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) acr_values: Vec<String>,
    /// Seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) max_age: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) binding: Option<DocumentedBinding>,
    /// What is demanded of the actor, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) actor: Option<String>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) tenant: bool,
}

/// A [`Binding`] as documents name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum DocumentedBinding {
    Any,
    Dpop,
    MutualTls,
}

impl From<Binding> for DocumentedBinding {
    fn from(binding: Binding) -> Self {
        match binding {
            Binding::Any => Self::Any,
            Binding::Dpop => Self::Dpop,
            Binding::MutualTls => Self::MutualTls,
        }
    }
}

impl From<RouteRequirement> for Demand {
    fn from(requirement: RouteRequirement) -> Self {
        Self {
            scopes: owned(requirement.scopes()),
            roles_in_place_of_scopes: owned(requirement.roles_in_place_of_scopes()),
            roles: owned(requirement.roles()),
            acr_values: owned(requirement.acr_values()),
            max_age: requirement.max_age().map(|age| age.as_secs()),
            binding: requirement.binding().map(Into::into),
            actor: requirement.actor().map(|actor| actor.to_string()),
            tenant: requirement.needs_tenant(),
            ..Self::default()
        }
    }
}

pub(super) fn owned(texts: &[&str]) -> Vec<String> {
    texts.iter().map(ToString::to_string).collect()
}

/// The demands of one operation, each once, in the order in which its guards were read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Demands(pub(super) Vec<Demand>);

impl Demands {
    /// Those of an operation's extension; `None` for an operation without a guard.
    pub(super) fn read(extension: Option<&Value>) -> Option<Self> {
        let list = extension?.as_array()?;
        let demands = list.iter().map(|one| Demand::deserialize(one).ok());
        demands.collect::<Option<Vec<Demand>>>().map(Self)
    }

    pub(super) fn write(&self) -> Value {
        serde_json::to_value(&self.0).unwrap_or_default()
    }

    pub(super) fn add(&mut self, demand: Demand) {
        if demand != Demand::default() && !self.0.contains(&demand) {
            self.0.push(demand);
        }
    }

    pub(super) fn has_binding(&self, binding: DocumentedBinding) -> bool {
        self.0.iter().any(|demand| demand.binding == Some(binding))
    }

    /// The tokens of all scopes.
    pub(super) fn scope_tokens(&self) -> impl Iterator<Item = &str> {
        let scopes = self.0.iter().flat_map(|demand| &demand.scopes);
        scopes.flat_map(|scope| scope.split(' '))
    }

    /// Sets of scope tokens of which any one suffices; at least one set, which may be empty.
    fn scope_sets(&self) -> Vec<Vec<String>> {
        let mut sets: Vec<Vec<String>> = vec![Vec::new()];
        for demand in self.0.iter().filter(|demand| !demand.scopes.is_empty()) {
            let wider = sets.iter().flat_map(|set| {
                let alternatives = demand.scopes.iter();
                alternatives.map(move |scope| {
                    let mut wider = set.clone();
                    for token in scope.split(' ') {
                        if !wider.iter().any(|known| known == token) {
                            wider.push(token.to_owned());
                        }
                    }
                    wider
                })
            });
            sets = wider.take(MOST_ALTERNATIVES).collect();
        }
        sets
    }

    /// The operation's security requirements, of which any one suffices: each set of scopes under each
    /// scheme.
    pub(super) fn security(
        &self,
        schemes: &[&str],
        demands_mutual_tls: bool,
    ) -> Vec<BTreeMap<String, Vec<String>>> {
        let with_certificate = demands_mutual_tls || self.has_binding(DocumentedBinding::MutualTls);
        let sets = self.scope_sets();
        let pairs = sets
            .iter()
            .flat_map(|set| schemes.iter().map(move |scheme| (scheme, set)));
        pairs
            .map(|(scheme, set)| {
                let mut requirement = BTreeMap::from([((*scheme).to_owned(), set.clone())]);
                if with_certificate {
                    requirement.insert(MUTUAL_TLS.to_owned(), Vec::new());
                }
                requirement
            })
            .collect()
    }
}
