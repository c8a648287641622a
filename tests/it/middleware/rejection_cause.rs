//! What operators read about a caller who may not: which check said so, and by whose token.

use axum::routing::get;
use portcullis::error::Objection;
use portcullis::tenant::{AccountId, WorkspaceId};
use portcullis::test_util::{MockIssuer, TokenBuilder};
use portcullis::{
    AccessToken, InGroup, InRole, ResourceServer, TenantClaims, WorkspaceAccess, WorkspaceUser,
};

use crate::support::logs::Logs;
use crate::support::{API, Requests as _, TestApp};

portcullis::roles! { Admin = "admin"; }

/// The line about the refusal of this request.
async fn event(app: &TestApp, path: &str, token: &TokenBuilder, user: &str) -> String {
    let logs = Logs::default();
    let listening = logs.listen();
    let bearer = format!("Bearer {}", token.sign());
    let mut fields = vec![("authorization", &*bearer)];
    if !user.is_empty() {
        fields.push(("x-user-id", user));
    }
    let answer = app.send(path, &fields).await;
    drop(listening);
    assert_eq!(answer.verdict(), "403 wrong_caller", "{path}");
    let text = logs.text();
    let line = text.lines().find(|line| line.contains("request refused"));
    line.unwrap_or_default().to_owned()
}

#[tokio::test]
async fn each_check_that_refuses_a_caller_has_a_name_of_its_own() {
    let issuer = MockIssuer::cognito("eu-west-1", "eu-west-1_AbCdEf");
    let rules = TenantClaims::aworld()
        .portal_client(MockIssuer::PORTAL_CLIENT_ID)
        .principals_reach(["acme"])
        .delegation();
    let server = ResourceServer::builder(API)
        .issuer(issuer.trusted().tenant_claims(rules))
        .workspace_directory(portcullis::tenant::workspace_directory_fn(
            |_: WorkspaceId| async { Ok(Some(AccountId::new("acme")?)) },
        ))
        .check(|token| match token.id() {
            Some("barred") => Err(Objection::Caller),
            _ => Ok(()),
        })
        .build()
        .expect("sound");
    let app = TestApp::behind(server.authenticate().context("app").admit_principals())
        .route("/token", get(|_: AccessToken| async {}))
        .route("/user", get(|_: WorkspaceUser| async {}))
        .route("/role", get(|_: InRole<Admin>| async {}))
        .route("/group", get(|_: InGroup<Admin>| async {}))
        .route(
            "/workspaces/{workspace_id}",
            get(|_: WorkspaceAccess| async {}),
        );
    let user = issuer.aworld_user();
    let here = "/workspaces/acme-prod";
    for (path, token, named, cause) in [
        (here, user.clone().context("dashboard"), "", "context"),
        ("/user", issuer.aworld_client(), "", "caller"),
        ("/token", issuer.aworld_principal(), "", "guest"),
        ("/role", user.clone(), "", "role"),
        ("/group", user.clone(), "", "group"),
        (here, user.clone(), "user-2", "delegation"),
        (here, user.clone().claim("jti", "barred"), "", "objection"),
    ] {
        let line = event(&app, path, &token, named).await;
        assert!(line.contains(&format!("fault={cause} ")), "{path}: {line}");
        assert!(
            line.contains("issuer=https://cognito-idp.eu-west-1."),
            "{path}: {line}"
        );
        assert!(!line.contains("user-"), "no claim: {line}");
    }
}
