//! Which audience is for which resource, in general and for one issuer.
//!
//! 1. An audience belongs to one resource.
//! 2. An issuer's own audiences replace those of its default resource alone.
//! 3. A token that is accepted without an audience of ours is for the default resource: absence
//!    does not widen its reach.

use std::sync::Arc;

use crate::model::requirement::resource_set::ResourceSet;
use crate::server::settings::error::{ConfigError, Mistakes};
use crate::server::settings::issuer::value::Issuer;
use crate::server::settings::resource::value::Resource;
use crate::verify::policy::issuer_policy::{AudienceRule, Audiences};

/// The audiences of each resource.
pub(in crate::server) struct ResourceAudiences(Vec<(Arc<str>, Vec<Box<str>>)>);

impl ResourceAudiences {
    pub(in crate::server) fn of(resources: &[Resource]) -> Self {
        let audiences = |resource: &Resource| match resource.audiences.as_slice() {
            [] => vec![resource.identifier.as_str().into()],
            named => named.iter().map(|one| one.as_str().into()).collect(),
        };
        Self(
            resources
                .iter()
                .map(|resource| (resource.identifier.as_str().into(), audiences(resource)))
                .collect(),
        )
    }

    /// Every audience, with the place and the identifier of its resource.
    fn iter(&self) -> impl Iterator<Item = (usize, &Arc<str>, &str)> {
        let resources = self.0.iter().enumerate();
        resources.flat_map(|(place, (identifier, audiences))| {
            let audiences = audiences.iter();
            audiences.map(move |audience| (place, identifier, &**audience))
        })
    }

    /// No audience belongs to two resources.
    pub(in crate::server) fn check(&self) -> Result<(), ConfigError> {
        let mut mistakes = Mistakes::default();
        for (place, identifier, audience) in self.iter() {
            let mut before = self.iter().take_while(|(other, ..)| *other < place);
            let other = before.find(|(_, other, same)| *same == audience && *other != identifier);
            if let Some((_, other, _)) = other {
                mistakes.add(ConfigError::repeated(
                    "audience",
                    format!(
                        "`{audience}` is an audience of the resources `{other}` and `{identifier}`; an audience belongs to one, so give one of them an `audience(..)` of its own"
                    ),
                ));
            }
        }
        mistakes.into_result()
    }

    /// The audiences of an issuer's tokens.
    pub(in crate::server) fn for_issuer(&self, issuer: &Issuer) -> Result<Audiences, ConfigError> {
        let default = self.default_of(issuer)?;
        let mut mistakes = Mistakes::default();
        let mut accepted = Vec::new();
        for own in &issuer.audiences {
            let others = self.iter().filter(|(place, ..)| *place != default);
            for (_, identifier, audience) in others {
                if audience == own {
                    mistakes.add(ConfigError::conflict(
                        "audience",
                        format!(
                            "`{own}` is an audience of the resource `{identifier}`, and the issuer's own audiences are those of its default resource; leave it out, or set `default_resource(\"{identifier}\")`"
                        ),
                    ));
                }
            }
            accepted.push((own.as_str().into(), ResourceSet::only(default)));
        }
        for (place, _, audience) in self.iter() {
            if place != default || issuer.audiences.is_empty() {
                accepted.push((audience.into(), ResourceSet::only(place)));
            }
        }
        mistakes.into_result()?;
        Ok(Audiences {
            accepted,
            default: ResourceSet::only(default),
            rule: audience_rule(issuer),
        })
    }

    fn default_of(&self, issuer: &Issuer) -> Result<usize, ConfigError> {
        let Some(named) = &issuer.default_resource else {
            return Ok(0);
        };
        let place = self.0.iter().position(|(id, _)| **id == **named);
        place.ok_or_else(|| {
            ConfigError::new(
                "default_resource",
                format!(
                    "the server has no resource `{named}`; its resources are {}",
                    listed(self.0.iter().map(|(identifier, _)| &**identifier))
                ),
            )
        })
    }
}

/// Identifiers in one line, the first few of many.
pub(in crate::server) fn listed<'i>(identifiers: impl Iterator<Item = &'i str>) -> String {
    const MOST: usize = 8;
    let mut all: Vec<String> = identifiers.map(|id| format!("`{id}`")).collect();
    if let Some(more) = all.len().checked_sub(MOST).filter(|more| *more > 0) {
        all.truncate(MOST);
        all.push(format!("{more} more"));
    }
    all.join(", ")
}

/// What an issuer's tokens must say about their audience.
pub(in crate::server) const fn audience_rule(issuer: &Issuer) -> AudienceRule {
    match issuer.any_audience {
        true => AudienceRule::Waived,
        #[cfg(feature = "jwks")]
        false if !issuer.introspection.needs_audience => AudienceRule::WhereStated,
        false => AudienceRule::Required,
    }
}
