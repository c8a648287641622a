#!/usr/bin/env bash
# openidconnect 4.1.0 (crates.io).
#
# Behaviour: a development provider on loopback serves this crate by plain HTTP, but for revocation.
# 1. Provider metadata has no field for `revocation_endpoint`: RFC 8414 defines it, OpenID Connect
#    Discovery does not. `CoreProviderMetadata` drops it, as it drops `introspection_endpoint`. The
#    application declares it by `AdditionalProviderMetadata`, or sets the address itself.
# 2. The requests for a token, introspection and userinfo go to `http` addresses. `revoke_token` refuses
#    one with ConfigurationError::InsecureUrl. There is no switch, and no exception for loopback.
#    (RFC 7009 section 2 demands that clients check; RFC 6749 section 3.2 demands TLS of the token endpoint
#    as well, and there the crate does not check.)
#
# Output:
#   endpoints in the metadata: authorization token userinfo
#   token: POST http://127.0.0.1:9400/token
#   introspection: POST http://127.0.0.1:9400/introspect
#   userinfo: GET http://127.0.0.1:9400/userinfo
#   revocation: InsecureUrl("revocation")
#
# Fails where the output differs. Needs a Rust toolchain and crates.io; leaves nothing behind.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
mkdir "$folder/src"
cat >"$folder/Cargo.toml" <<'TOML'
[package]
name = "try"
version = "0.0.0"
edition = "2024"

[dependencies]
oauth2 = { version = "=5.0.0", default-features = false }
openidconnect = { version = "=4.1.0", default-features = false }
serde_json = "1"

[profile.dev]
debug = false
TOML

# The transport is a function, so no port is used.
cat >"$folder/src/main.rs" <<'RUST'
use std::cell::RefCell;
use std::error::Error;

use openidconnect::core::{CoreClient, CoreProviderMetadata, CoreUserInfoClaims};
use openidconnect::{
    AccessToken, ClientId, ClientSecret, HttpRequest, HttpResponse, IntrospectionUrl, RevocationUrl, http,
};

const METADATA: &str = r#"{
    "issuer": "http://127.0.0.1:9400",
    "authorization_endpoint": "http://127.0.0.1:9400/authorize",
    "token_endpoint": "http://127.0.0.1:9400/token",
    "userinfo_endpoint": "http://127.0.0.1:9400/userinfo",
    "introspection_endpoint": "http://127.0.0.1:9400/introspect",
    "revocation_endpoint": "http://127.0.0.1:9400/revoke",
    "jwks_uri": "http://127.0.0.1:9400/jwks",
    "response_types_supported": ["code"],
    "subject_types_supported": ["public"],
    "id_token_signing_alg_values_supported": ["RS256"]
}"#;

fn main() -> Result<(), Box<dyn Error>> {
    let metadata: CoreProviderMetadata = serde_json::from_str(METADATA)?;
    let fields = serde_json::to_value(&metadata)?;
    let names = fields.as_object().ok_or("no object")?.keys();
    let mut names: Vec<_> = names.filter_map(|name| name.strip_suffix("_endpoint")).collect();
    names.sort();
    println!("endpoints in the metadata: {}", names.join(" "));

    let last = RefCell::new(String::new());
    let transport = |request: HttpRequest| -> Result<HttpResponse, http::Error> {
        *last.borrow_mut() = format!("{} {}", request.method(), request.uri());
        let body = match request.uri().path() {
            "/token" => r#"{"access_token":"a-token","token_type":"Bearer"}"#,
            "/introspect" => r#"{"active":true}"#,
            _ => r#"{"sub":"a-user"}"#,
        };
        let answer = http::Response::builder().header("content-type", "application/json");
        answer.body(body.into())
    };
    let secret = Some(ClientSecret::new("secret".into()));
    let client = CoreClient::from_provider_metadata(metadata, ClientId::new("machine".into()), secret)
        .set_introspection_url(IntrospectionUrl::new("http://127.0.0.1:9400/introspect".into())?)
        .set_revocation_url(RevocationUrl::new("http://127.0.0.1:9400/revoke".into())?);

    client.exchange_client_credentials()?.request(&transport)?;
    println!("token: {}", last.borrow());
    let token = AccessToken::new("a-token".into());
    client.introspect(&token).request(&transport)?;
    println!("introspection: {}", last.borrow());
    let _: CoreUserInfoClaims = client.user_info(token.clone(), None)?.request(&transport)?;
    println!("userinfo: {}", last.borrow());
    match client.revoke_token(token.into()) {
        Ok(_) => println!("revocation: accepted"),
        Err(error) => println!("revocation: {error:?}"),
    }
    Ok(())
}
RUST

cargo run --quiet --manifest-path "$folder/Cargo.toml" --target-dir "$folder/target" | tee "$folder/output"
diff <(sed -n 's/^#   \([a-z ]*: \(auth\|POST\|GET\|Insecure\).*\)/\1/p' "$0") "$folder/output"
