//! The documents, byte for byte, as `documents.golden.txt` has them.

use std::fmt::Write as _;
use std::time::Duration;

use axum::Router;
use portcullis::binding::{Binding, Dpop};
use portcullis::config::ClientAuthentication;
use portcullis::test_util::{ManualClock, MockIssuer};
use portcullis::{Algorithm, Issuer, Resource, ResourceServer, ResourceServerBuilder};
use serde_json::{Value, json};

use crate::support::golden::assert_golden;
use crate::support::{API, Requests as _};

portcullis::scopes! {
    Missions = "missions:read" | "missions:write missions:read" | role "Admin";
    Tools = "mcp:tools";
}
portcullis::requirements! {
    Launch { scope: "missions:launch", role: "commander", max_age: Duration::from_secs(60) }
    Nothing { role: "commander" }
}

const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";

/// The document of the resource with this path.
pub(super) async fn document(server: &ResourceServer, path: &str) -> String {
    let app: Router = Router::new().merge(server.metadata());
    let response = app.send(&format!("{WELL_KNOWN}{path}"), &[]).await;
    assert_eq!(response.status, 200, "{path}");
    response.body
}

fn id() -> Issuer {
    Issuer::oidc("https://id.example.com")
}

fn introspected(url: &str) -> Issuer {
    Issuer::introspected(url).client_authentication(ClientAuthentication::basic("api", "s3cr3t"))
}

fn of(resource: impl Into<Resource>) -> ResourceServerBuilder {
    ResourceServer::builder(resource)
}

fn documents() -> Vec<(&'static str, ResourceServerBuilder, &'static [&'static str])> {
    let mcp = "https://api.example.com/mcp";
    vec![
        ("an identifier alone", of(API).issuer(id()), &[""]),
        (
            "every setting, and a second resource",
            of(Resource::new(API)
                .audience("api")
                .scopes::<Missions>()
                .scopes::<Launch>()
                .scopes::<Nothing>()
                .name("Missions")
                .localized_name("fr-CA", "Missions spatiales \"A\"")
                .localized_name("de", "Einsätze")
                .documentation("https://docs.example.com")
                .policy("https://example.com/policy")
                .terms_of_service("https://example.com/terms")
                .jwks_uri("https://api.example.com/keys")
                .accepts_certificate_bound_tokens()
                .member("resource_signing_alg_values_supported", ["ES256"])
                .member("x_empty", json!([]))
                .member("x_null", ())
                .member("x_limits", json!({"per_minute": 60})))
            .resource(Resource::new(mcp).scopes::<Tools>())
            .issuer(id()),
            &["", "/mcp"],
        ),
        (
            "issuers of every kind",
            of("https://api.example.com/a/b%20c")
                .issuer(id())
                .issuer(Issuer::cognito("eu-west-1", "eu-west-1_AbCdEf").client_id("c"))
                .issuer(
                    Issuer::oidc_tenants("https://login.example.com/{t}/v2.0", "tid", ["t1", "t2"])
                        .key_set_url("https://login.example.com/keys"),
                )
                .issuer(
                    Issuer::rfc9068("urn:example:issuer")
                        .key_set_url("https://keys.example.com/keys"),
                )
                .issuer(Issuer::oidc("http://127.0.0.1:9000").also_named("https://old.example"))
                .issuer(introspected("https://as.example.com/introspect")),
            &["/a/b%20c"],
        ),
        (
            "an introspected issuer with a name",
            of(API).issuer(
                introspected("https://as.example.com/introspect")
                    .identified_as("https://as.example.com"),
            ),
            &[""],
        ),
        (
            "authorization servers of the resource's own",
            of(Resource::new(API)
                .authorization_server("https://as.example.com")
                .authorization_server("https://as2.example.com/x"))
            .issuer(id()),
            &[""],
        ),
        (
            "DPoP is accepted and advertised",
            of(API)
                .issuer(id())
                .dpop(Dpop::accepted().algorithms([Algorithm::ES256, Algorithm::EdDSA])),
            &[""],
        ),
        (
            "DPoP is demanded by the server",
            of(API)
                .issuer(id())
                .dpop(Dpop::accepted().algorithms([Algorithm::ES256]))
                .require_binding(Binding::Dpop),
            &[""],
        ),
        (
            "bindings are demanded by a resource, and by one of two issuers",
            of(Resource::new(API).require_binding(Binding::MutualTls))
                .resource(Resource::new(mcp).require_binding(Binding::Dpop))
                .issuer(id().require_binding(Binding::Dpop))
                .issuer(Issuer::oidc("https://id2.example.com"))
                .dpop(Dpop::accepted().algorithms([Algorithm::ES256])),
            &["", "/mcp"],
        ),
    ]
}

#[tokio::test]
async fn documents_are_those_of_the_golden_file() {
    let mut found = String::new();
    for (name, builder, paths) in documents() {
        let server = builder.clock(ManualClock::new()).build();
        let server = server.unwrap_or_else(|error| panic!("{name}: {error}"));
        let _ = writeln!(found, "== {name}");
        for path in paths {
            let text = document(&server, path).await;
            let json: Value = serde_json::from_str(&text).expect("json");
            // One member to a line, in the order of the document.
            assert!(json.is_object());
            let _ = writeln!(
                found,
                "{WELL_KNOWN}{path}\n{}",
                text.replace(",\"", ",\n\"")
            );
        }
        found.push('\n');
    }
    assert_golden("resources/documents.golden.txt", &found);
}

#[tokio::test]
async fn document_depends_on_the_configuration_alone() {
    let issuer = MockIssuer::new();
    let server = of(API).issuer(issuer.trusted()).build().expect("sound");
    let app: Router = Router::new().merge(server.metadata());
    let plain = app.send(WELL_KNOWN, &[]).await;
    let forged = [
        ("host", "evil.example"),
        ("x-forwarded-host", "evil.example"),
        ("x-forwarded-proto", "http"),
        ("forwarded", "host=evil.example;proto=http"),
        ("x-original-host", "evil.example"),
    ];
    let found = app.send(WELL_KNOWN, &forged).await;
    assert_eq!(found.wire(), plain.wire());
    assert_eq!(found.body, plain.body);
    let absolute = format!("https://evil.example{WELL_KNOWN}?a=b");
    assert_eq!(app.send(&absolute, &[]).await.body, plain.body);
}
