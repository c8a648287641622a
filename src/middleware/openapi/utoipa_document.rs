//! Guards and schemes in the types of utoipa.

use std::collections::BTreeSet;

use utoipa::Modify;
use utoipa::openapi::extensions::Extensions;
use utoipa::openapi::header::Header;
use utoipa::openapi::path::{Operation, Parameter, ParameterBuilder, ParameterIn, PathItem, Paths};
use utoipa::openapi::security::{
    AuthorizationCode, ClientCredentials, Flow as UtoipaFlow, Http, HttpAuthScheme, OAuth2,
    OpenIdConnect, Scopes, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::{
    ComponentsBuilder, Object, OpenApi, OpenApiVersion, RefOr, Required, Response, ResponseBuilder,
    Type,
};

use crate::middleware::openapi::answers::{Answer, DPOP_HEADER, answers};
use crate::middleware::openapi::demand::{
    Demand, Demands, DocumentedBinding, EXTENSION, PLACEHOLDER,
};
use crate::middleware::openapi::security_schemes::{
    Flow, RESOURCE_METADATA, Scheme, SchemeKind, SecuritySchemes, names,
};

/// Adds what a guard demands to all operations of these paths.
pub(super) fn add_demand(paths: &mut Paths, demand: &Demand) {
    for operation in paths.paths.values_mut().flat_map(operations) {
        let before = demands(operation);
        let mut all = before.clone().unwrap_or_default();
        all.add(demand.clone());
        let extensions = operation.extensions.get_or_insert_default();
        extensions.insert(EXTENSION.to_owned(), all.write());
        write_security(operation, &all, &[PLACEHOLDER], false);
        write_answers(operation, before.as_ref(), &all);
        if all.has_binding(DocumentedBinding::Dpop) {
            add_proof(operation);
        }
    }
}

/// Declares all operations of these paths public.
pub(super) fn make_public(paths: &mut Paths) {
    for operation in paths.paths.values_mut().flat_map(operations) {
        operation.security = Some(Vec::new());
    }
}

fn demands(operation: &Operation) -> Option<Demands> {
    let extensions = operation.extensions.as_ref();
    Demands::read(extensions.and_then(|all| all.get(EXTENSION)))
}

fn write_security(
    operation: &mut Operation,
    demands: &Demands,
    schemes: &[&str],
    demands_mutual_tls: bool,
) {
    let security = demands.security(schemes, demands_mutual_tls).into_iter();
    let requirements = security.map(|alternative| {
        let empty = SecurityRequirement::default();
        let all = alternative.into_iter();
        all.fold(empty, |one, (scheme, scopes)| one.add(scheme, scopes))
    });
    operation.security = Some(requirements.collect());
}

/// Writes the refusals of all guards; what the handler itself documents stays.
fn write_answers(operation: &mut Operation, before: Option<&Demands>, all: &Demands) {
    let responses = &mut operation.responses.responses;
    let earlier = before.map(answers).into_iter().flatten();
    for answer in earlier {
        let status = answer.status.to_string();
        if responses.get(&status) == Some(&RefOr::T(response(&answer))) {
            responses.remove(&status);
        }
    }
    for answer in answers(all) {
        let status = answer.status.to_string();
        let written = responses.entry(status);
        written.or_insert_with(|| RefOr::T(response(&answer)));
    }
}

fn response(answer: &Answer) -> Response {
    let response = ResponseBuilder::new().description(&answer.description);
    match answer.header {
        Some((name, description)) => {
            let mut header = Header::default();
            header.description = Some(description.to_owned());
            response.header(name, header).build()
        }
        None => response.build(),
    }
}

fn add_proof(operation: &mut Operation) {
    let (name, description) = DPOP_HEADER;
    let parameters = operation.parameters.get_or_insert_default();
    let is_proof = |one: &RefOr<Parameter>| matches!(one, RefOr::T(one) if one.name == name);
    if !parameters.iter().any(is_proof) {
        let parameter = ParameterBuilder::new()
            .name(name)
            .parameter_in(ParameterIn::Header)
            .required(Required::True)
            .description(Some(description))
            .schema(Some(Object::with_type(Type::String)));
        parameters.push(RefOr::T(parameter.build()));
    }
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [
        &mut item.get,
        &mut item.put,
        &mut item.post,
        &mut item.delete,
        &mut item.options,
        &mut item.head,
        &mut item.patch,
        &mut item.trace,
        &mut item.query,
    ]
    .into_iter()
    .filter_map(Option::as_mut)
    .chain(item.additional_operations.values_mut())
}

/// Adds the schemes to the document, and to each guarded operation a requirement for each of them.
impl Modify for SecuritySchemes {
    fn modify(&self, document: &mut OpenApi) {
        let mut scopes = BTreeSet::new();
        let mut uses_certificates = false;
        for operation in document.paths.paths.values_mut().flat_map(operations) {
            if let Some(demands) = demands(operation) {
                scopes.extend(demands.scope_tokens().map(ToOwned::to_owned));
                uses_certificates |= demands.has_binding(DocumentedBinding::MutualTls);
            }
        }
        let schemes = self.schemes(uses_certificates);
        let names = names(&schemes);
        for operation in document.paths.paths.values_mut().flat_map(operations) {
            if let Some(demands) = demands(operation) {
                write_security(operation, &demands, &names, self.demands_mutual_tls);
                if self.demands_dpop {
                    add_proof(operation);
                }
            }
        }
        let scopes = Scopes::from_iter(self.scopes(scopes.iter().map(String::as_str)));
        let is_newest = document.openapi == OpenApiVersion::Version32;
        let components = document
            .components
            .get_or_insert_with(|| ComponentsBuilder::new().build());
        for scheme in schemes {
            let name = scheme.name.clone();
            let scheme = self.security_scheme(scheme, &scopes, is_newest);
            components.security_schemes.insert(name, RefOr::T(scheme));
        }
    }
}

impl SecuritySchemes {
    fn security_scheme(&self, scheme: Scheme, scopes: &Scopes, is_newest: bool) -> SecurityScheme {
        let description = Some(scheme.description);
        let metadata = self.resource_metadata();
        let mut extensions: Extensions = metadata
            .map(|address| (RESOURCE_METADATA, address))
            .into_iter()
            .collect();
        match scheme.kind {
            SchemeKind::OAuth2 {
                flows,
                metadata_url,
            } => {
                let mut oauth2 = OAuth2::new(flows.into_iter().map(|flow| flow_of(flow, scopes)));
                oauth2.description = description;
                if is_newest {
                    oauth2.oauth2_metadata_url = metadata_url;
                } else if let Some(address) = metadata_url {
                    extensions.insert("x-oauth2-metadata-url".to_owned(), address.into());
                }
                oauth2.extensions = Some(extensions);
                SecurityScheme::OAuth2(oauth2)
            }
            SchemeKind::OpenIdConnect(address) => {
                let mut scheme = OpenIdConnect::new(address);
                scheme.description = description;
                scheme.extensions = Some(extensions);
                SecurityScheme::OpenIdConnect(scheme)
            }
            SchemeKind::Bearer => {
                let mut scheme = Http::new(HttpAuthScheme::Bearer);
                scheme.description = description;
                scheme.extensions = Some(extensions);
                SecurityScheme::Http(scheme)
            }
            SchemeKind::MutualTls => SecurityScheme::MutualTls {
                description,
                deprecated: None,
                extensions: None,
            },
        }
    }
}

fn flow_of(flow: Flow, scopes: &Scopes) -> UtoipaFlow {
    match flow {
        // The token endpoint exchanges refresh tokens too (RFC 6749 section 6).
        Flow::AuthorizationCode {
            authorization,
            token,
        } => UtoipaFlow::AuthorizationCode(AuthorizationCode::with_refresh_url(
            authorization,
            token.clone(),
            scopes.clone(),
            token,
        )),
        Flow::ClientCredentials { token } => {
            UtoipaFlow::ClientCredentials(ClientCredentials::new(token, scopes.clone()))
        }
    }
}
