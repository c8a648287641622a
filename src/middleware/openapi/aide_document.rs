//! Guards and schemes in the types of aide.

#![allow(clippy::default_trait_access)] // The crate of aide's maps is no dependency.

use std::collections::BTreeSet;

use aide::openapi::{
    Components, Header, HeaderStyle, OAuth2Flow, OAuth2Flows, OpenApi, Operation, Parameter,
    ParameterData, ParameterSchemaOrContent, PathItem, ReferenceOr, Response, SchemaObject,
    SecurityRequirement, SecurityScheme, StatusCode,
};
use aide::transform::TransformOpenApi;

use crate::middleware::openapi::answers::{Answer, DPOP_HEADER, answers};
use crate::middleware::openapi::demand::{
    Demand, Demands, DocumentedBinding, EXTENSION, PLACEHOLDER,
};
use crate::middleware::openapi::security_schemes::{
    Flow, RESOURCE_METADATA, Scheme, SchemeKind, SecuritySchemes, names,
};

/// Adds what a guard demands to the operation.
pub(super) fn add_demand(operation: &mut Operation, demand: Demand) {
    let before = demands(operation);
    let mut all = before.clone().unwrap_or_default();
    all.add(demand);
    let extensions = &mut operation.extensions;
    extensions.insert(EXTENSION.to_owned(), all.write());
    write_security(operation, &all, &[PLACEHOLDER], false);
    write_answers(operation, before.as_ref(), &all);
    if all.has_binding(DocumentedBinding::Dpop) {
        add_proof(operation);
    }
}

pub(super) fn demands(operation: &Operation) -> Option<Demands> {
    Demands::read(operation.extensions.get(EXTENSION))
}

fn write_security(
    operation: &mut Operation,
    demands: &Demands,
    schemes: &[&str],
    demands_mutual_tls: bool,
) {
    // A request without a token stays allowed where it was.
    let is_optional = operation.security.iter().any(SecurityRequirement::is_empty);
    let security = demands.security(schemes, demands_mutual_tls).into_iter();
    operation.security = security.map(|one| one.into_iter().collect()).collect();
    if is_optional {
        allow_no_token(operation);
    }
}

/// A request without a token is allowed too.
pub(super) fn allow_no_token(operation: &mut Operation) {
    operation.security.push(Default::default());
}

/// Writes the refusals of all guards; what the handler itself documents stays.
fn write_answers(operation: &mut Operation, before: Option<&Demands>, all: &Demands) {
    let responses = &mut operation.responses.get_or_insert_default().responses;
    let earlier = before.map(answers).into_iter().flatten();
    for answer in earlier {
        let status = StatusCode::Code(answer.status);
        if responses.get(&status) == Some(&ReferenceOr::Item(response(&answer))) {
            responses.shift_remove(&status);
        }
    }
    for answer in answers(all) {
        let written = responses.entry(StatusCode::Code(answer.status));
        written.or_insert_with(|| ReferenceOr::Item(response(&answer)));
    }
}

fn response(answer: &Answer) -> Response {
    let header = answer.header.map(|(name, description)| {
        let header = Header {
            description: Some(description.to_owned()),
            style: HeaderStyle::Simple,
            required: false,
            deprecated: None,
            format: text(),
            example: None,
            examples: Default::default(),
            extensions: Default::default(),
        };
        (name.to_owned(), ReferenceOr::Item(header))
    });
    Response {
        description: answer.description.clone(),
        headers: header.into_iter().collect(),
        ..Response::default()
    }
}

/// The schema of a string.
fn text() -> ParameterSchemaOrContent {
    let schema = serde_json::json!({ "type": "string" }).try_into();
    ParameterSchemaOrContent::Schema(SchemaObject {
        json_schema: schema.unwrap_or_else(|_| true.into()),
        external_docs: None,
        example: None,
    })
}

fn add_proof(operation: &mut Operation) {
    let (name, description) = DPOP_HEADER;
    let is_proof = |one: &ReferenceOr<Parameter>| {
        let parameter = one.as_item();
        parameter.is_some_and(|one| one.parameter_data_ref().name == name)
    };
    if operation.parameters.iter().any(is_proof) {
        return;
    }
    operation
        .parameters
        .push(ReferenceOr::Item(Parameter::Header {
            parameter_data: ParameterData {
                name: name.to_owned(),
                description: Some(description.to_owned()),
                required: true,
                deprecated: None,
                format: text(),
                example: None,
                examples: Default::default(),
                explode: None,
                extensions: Default::default(),
            },
            style: HeaderStyle::Simple,
        }));
}

fn operations(item: &mut ReferenceOr<PathItem>) -> impl Iterator<Item = &mut Operation> {
    let item = match item {
        ReferenceOr::Item(item) => Some(item),
        ReferenceOr::Reference { .. } => None,
    };
    item.into_iter().flat_map(|item| {
        [
            &mut item.get,
            &mut item.put,
            &mut item.post,
            &mut item.delete,
            &mut item.options,
            &mut item.head,
            &mut item.patch,
            &mut item.trace,
        ]
        .into_iter()
        .filter_map(Option::as_mut)
    })
}

impl SecuritySchemes {
    /// Adds the schemes to a document of aide, and to each guarded operation a requirement for each of
    /// them: `router.finish_api_with(&mut document, |api| schemes.document(api))`.
    pub fn document<'t>(&self, mut api: TransformOpenApi<'t>) -> TransformOpenApi<'t> {
        self.write(api.inner_mut());
        api
    }

    fn write(&self, document: &mut OpenApi) {
        let mut scopes = BTreeSet::new();
        let mut uses_certificates = false;
        let paths = &mut document.paths;
        let items = paths.iter_mut().flat_map(|paths| paths.paths.values_mut());
        for operation in items.flat_map(operations) {
            if let Some(demands) = demands(operation) {
                scopes.extend(demands.scope_tokens().map(ToOwned::to_owned));
                uses_certificates |= demands.has_binding(DocumentedBinding::MutualTls);
            }
        }
        let schemes = self.schemes(uses_certificates);
        let names = names(&schemes);
        let items = paths.iter_mut().flat_map(|paths| paths.paths.values_mut());
        for operation in items.flat_map(operations) {
            if let Some(demands) = demands(operation) {
                write_security(operation, &demands, &names, self.demands_mutual_tls);
                if self.demands_dpop {
                    add_proof(operation);
                }
            }
        }
        let scopes: Vec<(String, String)> = self
            .scopes(scopes.iter().map(String::as_str))
            .into_iter()
            .collect();
        let components: &mut Components = document.components.get_or_insert_default();
        for scheme in schemes {
            let name = scheme.name.clone();
            let scheme = self.scheme_of_aide(scheme, &scopes);
            let schemes = &mut components.security_schemes;
            schemes.insert(name, ReferenceOr::Item(scheme));
        }
    }

    fn scheme_of_aide(&self, scheme: Scheme, scopes: &[(String, String)]) -> SecurityScheme {
        let description = Some(scheme.description);
        let metadata = self.resource_metadata();
        let metadata = metadata.map(|address| (RESOURCE_METADATA.to_owned(), address.into()));
        match scheme.kind {
            SchemeKind::OAuth2 {
                flows,
                metadata_url,
            } => {
                // The document is of version 3.1, which does not have `oauth2MetadataUrl`.
                let server = metadata_url
                    .map(|address| ("x-oauth2-metadata-url".to_owned(), address.into()));
                SecurityScheme::OAuth2 {
                    flows: flows_of(flows, scopes),
                    description,
                    extensions: metadata.into_iter().chain(server).collect(),
                }
            }
            SchemeKind::OpenIdConnect(address) => SecurityScheme::OpenIdConnect {
                open_id_connect_url: address,
                description,
                extensions: metadata.into_iter().collect(),
            },
            SchemeKind::Bearer => SecurityScheme::Http {
                scheme: "bearer".to_owned(),
                bearer_format: None,
                description,
                extensions: metadata.into_iter().collect(),
            },
            SchemeKind::MutualTls => SecurityScheme::MutualTls {
                description,
                extensions: Default::default(),
            },
        }
    }
}

fn flows_of(flows: Vec<Flow>, scopes: &[(String, String)]) -> OAuth2Flows {
    let mut all = OAuth2Flows::default();
    // Without a refresh URL aide 0.15 writes `null`, which no document may have. The token endpoint
    // exchanges refresh tokens too (RFC 6749 section 6).
    for flow in flows {
        match flow {
            Flow::AuthorizationCode {
                authorization,
                token,
            } => {
                all.authorization_code = Some(OAuth2Flow::AuthorizationCode {
                    authorization_url: authorization,
                    token_url: token.clone(),
                    refresh_url: Some(token),
                    scopes: scopes.iter().cloned().collect(),
                });
            }
            Flow::ClientCredentials { token } => {
                all.client_credentials = Some(OAuth2Flow::ClientCredentials {
                    token_url: token.clone(),
                    refresh_url: Some(token),
                    scopes: scopes.iter().cloned().collect(),
                });
            }
        }
    }
    all
}
