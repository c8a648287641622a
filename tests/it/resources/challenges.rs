//! Challenges name the metadata of the layer's resource once the application serves it, as
//! `challenges.golden.txt` has them.

use std::fmt::Write as _;

use axum::Router;
use axum::routing::get;
use portcullis::binding::Dpop;
use portcullis::test_util::MockIssuer;
use portcullis::{AccessToken, Resource, ResourceServer, Scoped};

use crate::support::golden::assert_golden;
use crate::support::{API, Requests as _, TestApp};

const MCP: &str = "https://api.example.com/mcp";
const ELSEWHERE: &str = "https://gateway.example.com/metadata";

portcullis::scopes! {
    Read = "missions:read";
    Tools = "mcp:tools";
    Admin = "mcp:admin";
}

fn routes() -> Router {
    Router::new()
        .route("/", get(async |_: AccessToken| {}))
        .route("/admin", get(async |_: Scoped<Admin>| {}))
}

async fn challenges(
    app: &Router,
    issuer: &MockIssuer,
    audience: &str,
) -> Vec<(&'static str, String)> {
    let token = issuer
        .token()
        .audience(audience)
        .scope("openid mcp:tools")
        .sign();
    let bearer = format!("Bearer {token}");
    let expired = issuer.token().audience(audience).expired().bearer();
    let expired = expired.to_str().expect("text");
    let mut found = Vec::new();
    for (name, path, fields) in [
        ("401, nothing sent", "/", vec![]),
        ("401, expired", "/", vec![("authorization", expired)]),
        (
            "400",
            "/",
            vec![("authorization", &*bearer), ("authorization", &*bearer)],
        ),
        ("403", "/admin", vec![("authorization", &*bearer)]),
    ] {
        let response = app.send(path, &fields).await;
        let all = response.headers.get_all("www-authenticate").iter();
        let all: Vec<&str> = all.map(|value| value.to_str().expect("text")).collect();
        assert!(
            name.starts_with(response.status.as_str()),
            "{name}: {}",
            response.status
        );
        found.push((name, all.join("\n")));
    }
    found
}

#[tokio::test]
async fn challenges_are_those_of_the_golden_file() {
    let issuer = MockIssuer::new();
    let build = || {
        ResourceServer::builder(Resource::new(API).scopes::<Read>())
            .resource(Resource::new(MCP).scopes::<Tools>())
            .resource(Resource::new("api://opaque"))
            .issuer(issuer.trusted())
            .dpop(Dpop::accepted())
    };
    let server = build().build().expect("sound");
    let elsewhere = build().resource_metadata(ELSEWHERE).build().expect("sound");
    let layer =
        |server: &ResourceServer, resource| server.authenticate_for(resource).expect("known");
    let apps = [
        ("first resource", API, server.authenticate()),
        ("second resource", MCP, layer(&server, MCP)),
        ("no url", "api://opaque", layer(&server, "api://opaque")),
        (
            "address of the layer",
            MCP,
            layer(&server, MCP).resource_metadata(ELSEWHERE),
        ),
        ("address of the server", API, elsewhere.authenticate()),
        ("second resource beside it", MCP, layer(&elsewhere, MCP)),
    ];
    let apps = apps.map(|(name, audience, layer)| {
        let app = Router::from(TestApp::behind(layer).routes(routes()));
        (name, audience, app)
    });
    let mut found = String::new();
    for moment in ["before", "after"] {
        for (name, audience, app) in &apps {
            let _ = writeln!(found, "== {name}, {moment} server.metadata()");
            for (case, challenge) in challenges(app, &issuer, audience).await {
                let _ = writeln!(found, "{case}\n{challenge}");
            }
            found.push('\n');
        }
        if moment == "before" {
            let _ = (server.metadata(), elsewhere.metadata());
        }
    }
    assert_golden("resources/challenges.golden.txt", &found);
}

#[tokio::test]
async fn address_of_the_metadata_is_never_that_of_the_host_field() {
    let issuer = MockIssuer::new();
    let server = ResourceServer::builder(API)
        .issuer(issuer.trusted())
        .build()
        .expect("sound");
    let app = Router::from(TestApp::new(&server)).merge(server.metadata());
    let expected = "Bearer realm=\"https://api.example.com\", resource_metadata=\"https://api.example.com/.well-known/oauth-protected-resource\"";
    let forged = [
        ("host", "evil.example"),
        ("x-forwarded-host", "evil.example"),
        ("forwarded", "host=evil.example"),
    ];
    assert_eq!(app.send("/", &[]).await.challenge(), expected);
    assert_eq!(app.send("/", &forged).await.challenge(), expected);
    assert_eq!(
        app.send("https://evil.example/", &forged).await.challenge(),
        expected
    );
}

#[tokio::test]
async fn realm_of_a_layer_is_its_resource_unless_it_is_set() {
    let issuer = MockIssuer::new();
    let server = ResourceServer::builder(API)
        .resource(MCP)
        .issuer(issuer.trusted());
    let server = server.build().expect("sound");
    let mcp = || server.authenticate_for(MCP).expect("known");
    for (layer, realm) in [
        (mcp(), MCP),
        (mcp().realm("tools"), "tools"),
        (server.authenticate(), API),
    ] {
        let app = TestApp::behind(layer).routes(routes());
        let challenge = app.send("/", &[]).await.challenge().to_owned();
        assert_eq!(challenge, format!("Bearer realm=\"{realm}\""));
    }
}
