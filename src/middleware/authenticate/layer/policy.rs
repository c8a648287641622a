//! What a layer's settings make of it.

use std::sync::Arc;

use super::AuthenticateLayer;
use crate::middleware::authenticate::layer_policy::{LayerPolicy, SettingFault};
use crate::middleware::decision::DecisionSource;
use crate::middleware::response::challenge::{ChallengeText, OfferedSchemes};
use crate::middleware::response::drain_body::ReadBounds;
use crate::middleware::response::respond::{ChallengePolicy, ServedMetadata};
use crate::model::error::rejection_detail::Problem;
use crate::model::requirement::resource_set::ResourceSet;
use crate::model::scope::add_tokens;
use crate::runtime::util::striped::StripedArc;
use crate::server::settings::error::is_quotable;
use crate::server::settings::path_parameters::PathParameters;

impl<M, E> AuthenticateLayer<M, E> {
    pub(in crate::middleware) fn policy(&self) -> LayerPolicy {
        let settings = &self.settings;
        let resource = self.server.resource_at(self.resource);
        let resource_metadata = settings.resource_metadata.as_ref();
        let standard = ReadBounds::default();
        let mut known_scope = settings.known_scope.clone();
        for token in settings.scope.iter().chain(&resource.scopes) {
            add_tokens(&mut known_scope, token);
        }
        let servers = self.server.path_parameters();
        let workspace = settings.workspace_parameter.as_ref();
        let account = settings.account_parameter.as_ref();
        let path = PathParameters {
            workspace: workspace.unwrap_or(&servers.workspace).clone(),
            account: account.unwrap_or(&servers.account).clone(),
        };
        let one_name_for_both = (path.workspace == path.account).then_some(SettingFault {
            setting: "workspace_parameter",
            problem: Problem::Contradicts,
        });
        let required_bindings = settings.required_bindings.and(resource.required_bindings);
        LayerPolicy {
            path,
            challenge: Arc::new(ChallengePolicy::new(
                ChallengeText {
                    realm: settings
                        .realm
                        .clone()
                        .unwrap_or_else(|| Arc::clone(&resource.identifier)),
                    // What no header can hold is not for one; the layer answers 500 then.
                    resource_metadata: resource_metadata
                        .filter(|url| is_quotable(url))
                        .or_else(|| self.server.metadata_elsewhere(self.resource))
                        .cloned(),
                    scope: (!settings.scope.is_empty()).then(|| settings.scope.join(" ").into()),
                    descriptions: settings.descriptions,
                    schemes: OfferedSchemes {
                        bearer: !required_bindings
                            .and(self.server.required_bindings())
                            .demands_dpop(),
                        dpop: self.server.dpop_challenge(),
                    },
                },
                resource.document.as_ref().map(|document| {
                    ServedMetadata::new(self.server.clone(), Arc::clone(&document.address))
                }),
                self.renderer.clone(),
                self.server.has_dpop_nonces().then(|| self.server.clone()),
            )),
            required_bindings,
            resource: ResourceSet::only(self.resource),
            resource_place: self.resource,
            wiring_fault: self
                .server
                .wiring_fault(settings.context.as_deref(), settings.admits.principals),
            server: self.server.clone(),
            admits: settings.admits,
            context: settings.context.clone(),
            grpc: settings.grpc,
            sources: self.sources.clone(),
            certificate_proxy: settings.certificate_proxy.clone(),
            known_scope,
            read_bounds: ReadBounds {
                bytes: settings.refused_body_bytes.unwrap_or(standard.bytes),
                time: settings.refused_body_time.unwrap_or(standard.time),
            },
            setting_fault: self.setting_fault.or(one_name_for_both),
            decisions: self.server.listeners().is_on().then(|| {
                StripedArc::new(DecisionSource {
                    server: self.server.clone(),
                    resource_place: self.resource,
                    sources: self.sources.clone(),
                })
            }),
            observe_only: settings.observe_only.clone(),
        }
    }
}
