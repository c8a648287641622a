//! Operations that demand more than scopes: a sign-in of the user, a binding, a role, a tenant; scopes
//! that are implied.

use portcullis::ResourceServer;
use portcullis::config::ScopeHierarchy;
use portcullis::mcp::{McpLayer, McpScopes};
use portcullis::test_util::{MockIssuer, TokenBuilder};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use http::Request;

use crate::mcp::support::{Read, answering, call, echo, message};
use crate::support::{API, Requests as _, TestResponse};

portcullis::requirements! {
    Approve { scope: "missions:read", acr: "phr" | "mfa" }
    Close { acr: "mfa" | "pwd" }
    Wire { max_age: Duration::from_secs(300) }
    Sign { binding: Dpop }
    Own { role: "owner" }
    Inside { tenant: true }
    Draft { actor: any().for_user() }
}

fn scopes() -> McpScopes {
    McpScopes::new()
        .tool::<Read>("list")
        .tool::<Approve>("approve")
        .tool::<Close>("close")
        .tool::<Wire>("wire")
        .tool::<Sign>("sign")
        .tool::<Own>("own")
        .tool::<Inside>("inside")
        .tool::<Draft>("draft")
}

fn app(issuer: &MockIssuer, layer: McpLayer, inner: Router) -> Router {
    let server = ResourceServer::builder(API)
        .issuer(issuer.trusted())
        .scope_hierarchy(ScopeHierarchy::new().implies("missions:admin", "missions:read"))
        .build()
        .expect("sound");
    inner.layer(layer).layer(server.authenticate())
}

async fn post(app: &Router, token: &TokenBuilder, body: &str) -> TestResponse {
    let request = Request::post("/mcp").header("authorization", token.bearer());
    let request = request.body(Body::from(body.to_owned()));
    app.exchange(request.expect("a request")).await
}

const STEP_UP: &str = "401 insufficient_user_authentication";

#[tokio::test]
async fn every_part_of_a_requirement_is_checked_for_a_tool() {
    let issuer = MockIssuer::new();
    let app = app(&issuer, McpLayer::new(scopes()), echo());
    let token = || issuer.token().scope("missions:read");
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let now = now.expect("after 1970").as_secs();
    for (tool, token, expected) in [
        ("approve", token(), STEP_UP),
        ("approve", token().claim("acr", "phr"), "200"),
        ("wire", token(), STEP_UP),
        ("wire", token().claim("auth_time", now - 400), STEP_UP),
        ("wire", token().claim("auth_time", now - 5), "200"),
        ("sign", token(), "401 invalid_token binding"),
        ("own", token(), "403 wrong_caller"),
        ("own", token().claim("roles", ["owner"]), "200"),
        ("inside", token(), "403 no_tenant"),
        ("draft", token(), "403 wrong_caller"),
        ("draft", token().actor("agent"), "200"),
        ("list", token().scope("missions:admin"), "200"),
        ("list", token().scope("missions"), "403 insufficient_scope"),
    ] {
        let answer = post(&app, &token, &call(tool)).await;
        assert_eq!(answer.verdict(), expected, "{tool}");
    }
}

#[tokio::test]
async fn batch_is_answered_with_values_that_meet_all_of_its_members() {
    let issuer = MockIssuer::new();
    let app = app(&issuer, McpLayer::new(scopes()), echo());
    let batch = format!("[{},{},{}]", call("close"), call("approve"), call("wire"));
    // The class of the token is good for the first and not for the second: the challenge names the one that
    // is good for both.
    let token = issuer.token().scope("missions:read").claim("acr", "pwd");
    let answer = post(&app, &token, &batch).await;
    assert_eq!(answer.verdict(), STEP_UP);
    let challenge = answer.challenge();
    assert!(
        challenge.contains("scope=\"missions:read\", acr_values=\"mfa\", max_age=\"300\""),
        "{challenge}"
    );
}

#[tokio::test]
async fn list_has_the_tools_whose_whole_requirement_is_met() {
    let issuer = MockIssuer::new();
    let names = [
        "list", "approve", "close", "wire", "sign", "own", "inside", "draft",
    ];
    let tools = names
        .map(|name| format!(r#"{{"name":"{name}"}}"#))
        .join(",");
    let list = format!(r#"{{"jsonrpc":"2.0","id":1,"result":{{"tools":[{tools}]}}}}"#);
    let list: &'static str = list.leak();
    let inner = answering("application/json", http::HeaderMap::new(), vec![list]);
    let layer = McpLayer::new(scopes()).hide_unavailable();
    let app = app(&issuer, layer, inner);
    let plain = issuer.token().scope("missions:admin");
    for (token, expected) in [
        (plain.clone(), "list"),
        (plain.clone().claim("acr", "mfa"), "list approve close"),
        (plain.clone().claim("roles", ["owner"]), "list own"),
        (plain.actor("agent"), "list draft"),
    ] {
        let answer = post(&app, &token, &message("tools/list", "{}")).await;
        let found: Vec<&str> = names
            .into_iter()
            .filter(|name| answer.body.contains(&format!("\"{name}\"")))
            .collect();
        assert_eq!(found.join(" "), expected);
    }
}
