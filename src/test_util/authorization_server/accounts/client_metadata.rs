//! Client metadata (RFC 7591 section 2), of clients that register themselves or publish a document.
//!
//! 1. Members that are not known are ignored, as section 2 demands. Members that are known must have their type.
//! 2. A client gets no more than one that was prepared: each is checked by the same rules.

use serde_json::{Map, Value, json};

use super::client::{AUTHENTICATION_METHODS, AUTHORIZATION_CODE, GRANT_TYPES, TestClient};

/// What is wrong with metadata.
#[derive(Debug)]
pub(in crate::test_util) struct MetadataError {
    /// `invalid_redirect_uri` or `invalid_client_metadata` (RFC 7591 section 3.2.2).
    pub(in crate::test_util) code: &'static str,
    pub(in crate::test_util) description: String,
}

/// A client with this metadata and id. `secret` makes a secret for the methods that need one; `method` is how
/// a client authenticates whose metadata does not say it.
pub(in crate::test_util) fn client_of(
    metadata: &Map<String, Value>,
    id: String,
    method: &str,
    secret: impl FnOnce() -> Option<String>,
) -> Result<TestClient, MetadataError> {
    let method = text(metadata, "token_endpoint_auth_method")?.unwrap_or(method);
    let secret = method.starts_with("client_secret").then(secret).flatten();
    let mut client = match secret {
        Some(secret) => TestClient::confidential(id, secret),
        None => TestClient::public(id),
    };
    client = client.token_endpoint_auth_method(method);
    // RFC 7591 s2: the default.
    let grants = list(metadata, "grant_types")?.unwrap_or_else(|| vec![AUTHORIZATION_CODE]);
    let uses_code = grants.contains(&AUTHORIZATION_CODE);
    client = client.grant_types(grants);
    if let Some(name) = text(metadata, "client_name")? {
        client = client.name(name);
    }
    let redirect_uris = list(metadata, "redirect_uris").map_err(|error| MetadataError {
        code: "invalid_redirect_uri",
        ..error
    })?;
    for uri in redirect_uris.unwrap_or_default() {
        client = client.redirect_uri(uri);
    }
    for uri in list(metadata, "post_logout_redirect_uris")?.unwrap_or_default() {
        client = client.post_logout_redirect_uri(uri);
    }
    if let Some(uri) = text(metadata, "backchannel_logout_uri")? {
        client = client.backchannel_logout_uri(uri);
    }
    if let Some(scope) = text(metadata, "scope")? {
        client = client.scopes(scope.split(' ').filter(|one| !one.is_empty()));
    }
    match metadata.get("dpop_bound_access_tokens") {
        None | Some(Value::Bool(false)) => {}
        Some(Value::Bool(true)) => client = client.require_dpop(),
        Some(_) => return Err(wrong("dpop_bound_access_tokens", "must be true or false")),
    }
    match metadata.get("jwks") {
        None => {}
        Some(Value::Object(keys)) => client = client.jwks(keys),
        Some(_) => return Err(wrong("jwks", "must be a JWK Set")),
    }
    if metadata.contains_key("jwks_uri") {
        return Err(wrong(
            "jwks_uri",
            "is not supported; give the keys in `jwks`",
        ));
    }
    let responses = list(metadata, "response_types")?.unwrap_or_else(|| vec!["code"]);
    if responses.iter().any(|one| *one != "code") {
        return Err(wrong("response_types", "may have `code` and nothing else"));
    }
    if uses_code && client.redirect_uris.is_empty() {
        return Err(MetadataError {
            code: "invalid_redirect_uri",
            description: "`redirect_uris` is missing; `authorization_code` needs one".into(),
        });
    }
    client.check().map_err(|(member, problem)| {
        let is_redirect = member == "redirect_uris";
        MetadataError {
            code: if is_redirect {
                "invalid_redirect_uri"
            } else {
                "invalid_client_metadata"
            },
            description: format!("`{member}`: {problem}"),
        }
    })?;
    Ok(client)
}

/// The metadata of a client as it is registered (RFC 7591 section 3.2.1), without its secret.
pub(in crate::test_util) fn metadata_of(client: &TestClient) -> Map<String, Value> {
    let mut metadata = Map::new();
    let mut add = |name: &str, value: Value| {
        let is_empty = value.is_null() || value.as_array().is_some_and(Vec::is_empty);
        if !is_empty {
            metadata.insert(name.to_owned(), value);
        }
    };
    let grants = GRANT_TYPES.iter().filter(|grant| client.may_use(grant));
    let mut methods = AUTHENTICATION_METHODS.iter();
    add("client_id", json!(client.id));
    add("client_name", json!(client.name));
    add("redirect_uris", json!(client.redirect_uris));
    add(
        "post_logout_redirect_uris",
        json!(client.post_logout_redirect_uris),
    );
    add(
        "backchannel_logout_uri",
        json!(client.backchannel_logout_uri),
    );
    add("grant_types", grants.copied().collect::<Vec<_>>().into());
    add(
        "response_types",
        client
            .may_use(AUTHORIZATION_CODE)
            .then(|| json!(["code"]))
            .into(),
    );
    add(
        "token_endpoint_auth_method",
        json!(methods.find(|one| client.authenticates_by(one))),
    );
    add(
        "scope",
        (!client.scopes.is_empty())
            .then(|| client.scopes.join(" "))
            .into(),
    );
    add("jwks", json!(client.jwks));
    add(
        "dpop_bound_access_tokens",
        client.require_dpop.then_some(true).into(),
    );
    metadata
}

fn text<'m>(
    metadata: &'m Map<String, Value>,
    name: &str,
) -> Result<Option<&'m str>, MetadataError> {
    match metadata.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(wrong(name, "must be a string")),
    }
}

fn list<'m>(
    metadata: &'m Map<String, Value>,
    name: &str,
) -> Result<Option<Vec<&'m str>>, MetadataError> {
    let Some(value) = metadata.get(name).filter(|value| !value.is_null()) else {
        return Ok(None);
    };
    let all = value
        .as_array()
        .map(|all| all.iter().map(Value::as_str).collect());
    match all {
        Some(Some(texts)) => Ok(Some(texts)),
        _ => Err(wrong(name, "must be a list of strings")),
    }
}

fn wrong(member: &str, problem: &str) -> MetadataError {
    MetadataError {
        code: "invalid_client_metadata",
        description: format!("`{member}` {problem}"),
    }
}
