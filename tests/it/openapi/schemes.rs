//! The security schemes of servers.

use portcullis::openapi::SecuritySchemes;
use portcullis::test_util::{Fault, MockIssuer};
use portcullis::{Issuer, Resource, ResourceServer};
use serde_json::Value;
use utoipa::Modify as _;

use crate::support::{API, trusting};

fn written(schemes: &SecuritySchemes) -> Value {
    let mut document = utoipa::openapi::OpenApi::default();
    schemes.modify(&mut document);
    let document = serde_json::to_value(document).expect("JSON");
    document["components"]["securitySchemes"].clone()
}

fn names(schemes: &Value) -> Vec<&str> {
    let schemes = schemes.as_object().expect("an object");
    let mut names: Vec<&str> = schemes.keys().map(String::as_str).collect();
    names.sort_unstable();
    names
}

#[test]
fn an_openid_provider_is_known_by_its_discovery_document() {
    let issuer = Issuer::oidc("https://id.example.com/realms/main");
    let schemes = written(&trusting([issuer]).security_schemes());
    assert_eq!(names(&schemes), ["openIdConnect"]);
    assert_eq!(
        schemes["openIdConnect"]["openIdConnectUrl"],
        "https://id.example.com/realms/main/.well-known/openid-configuration"
    );
    assert!(schemes["openIdConnect"]["x-resource-metadata"].is_null());
}

#[test]
fn a_discovery_url_that_is_set_is_the_one_that_is_named() {
    let url = "https://id.example.com/other/.well-known/openid-configuration";
    let issuer = Issuer::oidc("https://id.example.com").discovery_url(url);
    let schemes = written(&trusting([issuer]).security_schemes());
    assert_eq!(schemes["openIdConnect"]["openIdConnectUrl"], url);
}

#[test]
fn issuers_that_are_no_urls_have_the_scheme_of_http() {
    let key_set = MockIssuer::new().key_set();
    let issuer = Issuer::oidc("our-issuer").key_set(key_set);
    let schemes = written(&trusting([issuer]).security_schemes());
    assert_eq!(names(&schemes), ["bearer"]);
    assert_eq!(schemes["bearer"]["scheme"], "bearer");
}

#[test]
fn several_issuers_have_schemes_of_their_own() {
    let server = trusting([
        Issuer::oidc("https://id.example.com/realms/main"),
        Issuer::rfc9068("https://as.example.org"),
    ]);
    let schemes = server
        .security_schemes()
        .token_endpoint("https://as.example.org", "https://as.example.org/token")
        .expect("a known issuer");
    let schemes = written(&schemes);
    assert_eq!(
        names(&schemes),
        [
            "oauth2-as.example.org",
            "openIdConnect-id.example.com-realms-main"
        ]
    );
    let flows = &schemes["oauth2-as.example.org"]["flows"];
    assert_eq!(
        flows["clientCredentials"]["tokenUrl"],
        "https://as.example.org/token"
    );
    assert!(flows["authorizationCode"].is_null());
}

#[test]
fn settings_of_unknown_issuers_and_bad_addresses_are_mistakes() {
    let server = trusting([Issuer::oidc("https://id.example.com")]);
    let endpoint = "https://id.example.com/x";
    let of = |issuer, authorization, token| {
        let schemes = server.security_schemes();
        schemes.endpoints(issuer, authorization, token).err()
    };
    assert_eq!(of("https://id.example.com", endpoint, endpoint), None);
    for (issuer, authorization, token, setting) in [
        ("https://other.example.com", endpoint, endpoint, "endpoints"),
        (
            "https://id.example.com",
            "http://id.example.com/x",
            endpoint,
            "authorization_endpoint",
        ),
        (
            "https://id.example.com",
            endpoint,
            "nowhere",
            "token_endpoint",
        ),
    ] {
        let mistake = of(issuer, authorization, token).expect(setting);
        assert_eq!(mistake.setting(), setting, "{mistake}");
    }
}

#[test]
fn each_resource_has_its_scopes_and_its_metadata() {
    portcullis::scopes! { Read = "read"; Call = "call"; }
    let server = ResourceServer::builder(Resource::new(API).scopes::<Read>())
        .resource(Resource::new("https://api.example.com/mcp").scopes::<Call>())
        .issuer(MockIssuer::new().trusted())
        .build()
        .expect("sound");
    let _ = server.metadata();
    let issuer = MockIssuer::new();
    let of = |schemes: SecuritySchemes| {
        let schemes = schemes.token_endpoint(&issuer.issuer(), "https://id.example.com/token");
        written(&schemes.expect("a known issuer"))["oauth2"].clone()
    };
    let first = of(server.security_schemes());
    let mcp = of(server
        .security_schemes_for("https://api.example.com/mcp")
        .expect("known"));
    assert!(first["flows"]["clientCredentials"]["scopes"]["read"].is_string());
    assert!(mcp["flows"]["clientCredentials"]["scopes"]["read"].is_null());
    assert!(mcp["flows"]["clientCredentials"]["scopes"]["call"].is_string());
    assert_eq!(
        mcp["x-resource-metadata"],
        "https://api.example.com/.well-known/oauth-protected-resource/mcp"
    );
    let unknown = server.security_schemes_for("https://api.example.com/x");
    assert!(unknown.is_err_and(|error| error.to_string().contains("https://api.example.com/x")));
}

#[tokio::test]
async fn endpoints_are_discovered_and_an_issuer_that_is_down_takes_nothing_away() {
    let issuer = MockIssuer::new().serve().await;
    let server = trusting([issuer.trusted()]);
    let mut schemes = server.security_schemes();
    issuer.break_with(Fault::Refuse);
    let error = schemes.discover().await.expect_err("it is down");
    assert_eq!(error.issuers().collect::<Vec<_>>(), [issuer.issuer()]);
    assert_eq!(names(&written(&schemes)), ["openIdConnect"]);
    issuer.recover();
    schemes.discover().await.expect("it is up");
    let flows = written(&schemes)["oauth2"]["flows"].clone();
    assert!(
        flows["clientCredentials"]["tokenUrl"].is_string(),
        "{flows}"
    );
}
