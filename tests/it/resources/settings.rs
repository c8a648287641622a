//! Every mistake in the settings of resources is found by `build()`, or where the layer is made.

use std::time::Duration;

use portcullis::binding::{Binding, Dpop};
use portcullis::{ConfigError, Issuer, Resource, ResourceServer, ResourceServerBuilder};

use crate::support::API;

const MCP: &str = "https://api.example.com/mcp";

portcullis::scopes! {
    Read = "read";
    Refresh = "read offline_access";
}

fn with(resource: impl Into<Resource>) -> ResourceServerBuilder {
    ResourceServer::builder(resource).issuer(Issuer::oidc("https://id.example.com"))
}

fn two(first: Resource, second: Resource) -> ResourceServerBuilder {
    with(first).resource(second)
}

fn api() -> Resource {
    Resource::new(API)
}

fn mcp() -> Resource {
    Resource::new(MCP)
}

fn mistake(builder: ResourceServerBuilder) -> Option<(String, String)> {
    let error: ConfigError = builder.build().err()?;
    Some((error.setting().to_owned(), error.to_string()))
}

struct NoJson;

impl serde::Serialize for NoJson {
    fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(serde::ser::Error::custom("not today"))
    }
}

/// What is wrong, how it would be right, the setting that is named, and a word of the way out.
#[test]
fn mistakes_name_their_setting_and_have_an_accepted_twin() {
    type Case = (
        ResourceServerBuilder,
        ResourceServerBuilder,
        &'static str,
        &'static str,
    );
    let id = || Issuer::oidc("https://id2.example.com");
    let many = |count: usize| {
        (1..count).fold(with(API), |builder, number| {
            builder.resource(format!("{API}/{number}"))
        })
    };
    let cases: Vec<Case> = vec![
        (with(""), with("api"), "builder", "empty"),
        (with("a\\b"), with("a b"), "builder", "printable"),
        (with("https://a b"), with("https://a"), "builder", "space"),
        (
            with("https://a.example/#b"),
            with("https://a.example/b"),
            "builder",
            "fragment",
        ),
        (
            with(API).resource(""),
            with(API).resource("mcp"),
            "resource",
            "empty",
        ),
        (
            with(API).resource("https://"),
            with(API).resource("https://b.example/b"),
            "resource",
            "https://",
        ),
        (
            with(API).resource(API),
            with(API).resource(MCP),
            "resource",
            "once",
        ),
        (many(65), many(64), "resource", "64"),
        (
            two(api(), Resource::new("https://api.example.com/")),
            two(api(), mcp()),
            "resource",
            "path",
        ),
        (
            two(api(), Resource::new("https://other.example").audience("o")),
            two(api(), Resource::new("https://other.example/o")),
            "resource",
            "/.well-known/oauth-protected-resource`",
        ),
        (
            two(mcp(), Resource::new("https://api.example.com/mcp?tenant=1")),
            two(
                mcp(),
                Resource::new("https://api.example.com/mcp2?tenant=1"),
            ),
            "resource",
            "path",
        ),
        (
            two(api(), mcp().audience(API)),
            two(api(), mcp().audience("mcp")),
            "audience",
            "audience(..)",
        ),
        (
            two(api().audience("a"), mcp().audience("b").audience("a")),
            two(api().audience("a").audience("c"), mcp().audience("b")),
            "audience",
            "belongs to one",
        ),
        (
            with(api().audience("")),
            with(api().audience("a")),
            "audience",
            "empty",
        ),
        (
            two(api(), mcp()).issuer(id().audience(MCP)),
            two(api(), mcp()).issuer(id().audience(MCP).default_resource(MCP)),
            "audience",
            "default_resource(\"https://api.example.com/mcp\")",
        ),
        (
            two(api(), mcp()).issuer(id().default_resource("https://api.example.com/mc")),
            two(api(), mcp()).issuer(id().default_resource(MCP)),
            "default_resource",
            "`https://api.example.com`, `https://api.example.com/mcp`",
        ),
        (
            with(api().scopes::<Refresh>()),
            with(api().scopes::<Read>()),
            "scopes",
            "offline_access",
        ),
        (with(api().name("")), with(api().name("n")), "name", "empty"),
        (
            with(api().localized_name("de", "")),
            with(api().localized_name("de", "n")),
            "localized_name",
            "empty",
        ),
        (
            with(api().localized_name("de_DE", "n")),
            with(api().localized_name("de-DE", "n")),
            "localized_name",
            "5646",
        ),
        (
            with(api().localized_name("", "n")),
            with(api().localized_name("x", "n")),
            "localized_name",
            "5646",
        ),
        (
            with(api().documentation("docs")),
            with(api().documentation("https://d.example")),
            "documentation",
            "url",
        ),
        (
            with(api().policy("http://d.example")),
            with(api().policy("http://localhost/p")),
            "policy",
            "https",
        ),
        (
            with(api().terms_of_service("//d")),
            with(api().terms_of_service("https://d.example/t")),
            "terms_of_service",
            "url",
        ),
        (
            with(api().jwks_uri("file:///k")),
            with(api().jwks_uri("https://d.example/k")),
            "jwks_uri",
            "url",
        ),
        (
            with(api().authorization_server("id")),
            with(api().authorization_server("https://id.example.com")),
            "authorization_server",
            "url",
        ),
        (
            with(api().authorization_server("https://id.example.com?a=b")),
            with(api().authorization_server("https://id.example.com/a")),
            "authorization_server",
            "query",
        ),
        (
            with(api().metadata_max_age(Duration::from_secs(7 * 86_400 + 1))),
            with(api().metadata_max_age(Duration::from_secs(7 * 86_400))),
            "metadata_max_age",
            "7 days",
        ),
        (
            with(api().member("resource", "x")),
            with(api().member("x_resource", "x")),
            "member",
            "itself",
        ),
        (
            with(api().member("signed_metadata", "x")),
            with(api().member("x", "x")),
            "member",
            "itself",
        ),
        (
            with(api().member("resource_name#de", "x")),
            with(api().member("resource_documentation#de", "x")),
            "member",
            "itself",
        ),
        (
            with(api().member("", "x")),
            with(api().member("x", ())),
            "member",
            "empty",
        ),
        (
            with(api().member("x", NoJson)),
            with(api().member("x", 1)),
            "member",
            "not today",
        ),
        (
            with(api().sign_metadata("key")),
            with(api()),
            "sign_metadata",
            "PRIVATE KEY",
        ),
        (
            with(api().metadata_key_id("k")),
            with(api()),
            "metadata_key_id",
            "sign_metadata",
        ),
        (
            with(
                Resource::new("api")
                    .name("n")
                    .documentation("https://d.example"),
            ),
            with(Resource::new("api").audience("a").scopes::<Read>()),
            "name",
            "no metadata document",
        ),
        (
            with("http://api.internal").resource(Resource::new("mcp").member("x", 1)),
            with("http://api.internal").resource("mcp"),
            "member",
            "no metadata document",
        ),
        (
            with(api().require_binding(Binding::Dpop)).dpop(Dpop::off()),
            with(api().require_binding(Binding::MutualTls)).dpop(Dpop::off()),
            "require_binding",
            "Dpop::off()",
        ),
    ];
    for (place, (wrong, right, setting, word)) in cases.into_iter().enumerate() {
        let (found, text) = mistake(wrong).unwrap_or_else(|| panic!("case {place} is accepted"));
        assert_eq!(found, setting, "case {place}: {text}");
        assert!(text.contains(word), "case {place}: {text}");
        assert_eq!(mistake(right), None, "case {place}");
    }
}

#[test]
fn setting_that_is_given_two_values_is_named_with_its_resource() {
    type Setter = fn(Resource, &str) -> Resource;
    let setters: [(&str, Setter); 9] = [
        ("name", |r, v| r.name(v)),
        ("localized_name", |r, v| r.localized_name("de", v)),
        ("documentation", |r, v| {
            r.documentation(format!("https://d.example/{v}"))
        }),
        ("policy", |r, v| r.policy(format!("https://d.example/{v}"))),
        ("terms_of_service", |r, v| {
            r.terms_of_service(format!("https://d.example/{v}"))
        }),
        ("jwks_uri", |r, v| {
            r.jwks_uri(format!("https://d.example/{v}"))
        }),
        ("member", |r, v| r.member("x", v)),
        ("metadata_max_age", |r, v| {
            r.metadata_max_age(Duration::from_secs(v.len() as u64))
        }),
        ("sign_metadata", |r, v| r.sign_metadata(v)),
    ];
    for (name, set) in setters {
        let twice = set(set(mcp(), "a"), "bc");
        let (setting, text) = mistake(two(api(), twice)).expect("a mistake");
        assert_eq!(setting, name);
        assert!(
            text.contains("of the resource `https://api.example.com/mcp`: "),
            "{text}"
        );
        if name != "sign_metadata" {
            let same = set(set(mcp(), "a"), "a");
            assert_eq!(mistake(two(api(), same)), None, "{name}");
        }
    }
    let issuer = |second| {
        Issuer::oidc("https://id.example.com")
            .default_resource(API)
            .default_resource(second)
    };
    let server = |second| {
        ResourceServer::builder(API)
            .resource(MCP)
            .issuer(issuer(second))
    };
    assert_eq!(
        mistake(server(MCP)).expect("a mistake").0,
        "default_resource"
    );
    assert_eq!(mistake(server(API)), None);
}

#[test]
fn layer_for_a_resource_that_the_server_has_not_is_an_error() {
    let server = with(API).resource(MCP).build().expect("sound");
    for resource in [API, MCP] {
        assert!(server.authenticate_for(resource).is_ok(), "{resource}");
    }
    for resource in [
        "",
        "https://api.example.com/",
        "https://api.example.com/MCP",
    ] {
        let error = server.authenticate_for(resource).expect_err("unknown");
        assert_eq!(error.setting(), "authenticate_for");
        assert!(
            error.to_string().contains("`https://api.example.com/mcp`"),
            "{error}"
        );
    }
}

#[test]
fn debug_of_a_resource_shows_its_identifier_alone() {
    let resource = api().sign_metadata("secret").audience("hidden");
    assert_eq!(
        format!("{resource:?}"),
        "Resource(\"https://api.example.com\")"
    );
}
