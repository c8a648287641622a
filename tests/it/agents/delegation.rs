//! Who acts for whom: the token's actor and the header field of a client in one picture.

use axum::routing::get;
use portcullis::extract::OnBehalfOf;
use portcullis::tenant::user_directory_fn;
use portcullis::tenant::{Client, Delegation, UncheckedDelegation, UserId, WorkspaceId};
use portcullis::test_util::{MockIssuer, TokenBuilder};
use portcullis::{ResourceServer, TenantClaims, WorkspaceAccess};
use serde_json::json;

use crate::support::{API, Requests as _, TestApp, server};

async fn picture(who: OnBehalfOf) -> String {
    let shown = |part: Option<&dyn ToString>| part.map_or("-".to_owned(), ToString::to_string);
    format!(
        "{}: user={} subject={} client={} actor={} delegation={}",
        who.acting().as_str(),
        shown(
            who.user()
                .map(|id| id as &dyn ToString)
                .as_ref()
                .map(|id| *id)
        ),
        shown(
            who.subject()
                .map(|id| id as &dyn ToString)
                .as_ref()
                .map(|id| *id)
        ),
        shown(
            who.client_id()
                .map(|id| id as &dyn ToString)
                .as_ref()
                .map(|id| *id)
        ),
        who.actor().map_or("-", |actor| actor.id()),
        who.delegation().is_some(),
    )
}

fn app(issuer: &MockIssuer, rules: TenantClaims) -> TestApp {
    let server = ResourceServer::builder(API)
        .issuer(issuer.trusted().tenant_claims(rules))
        .user_directory(user_directory_fn(
            |workspace: WorkspaceId, user: UserId| async move {
                Ok(workspace.as_str() == "acme-prod" && user.as_str() == "user-2")
            },
        ))
        .build()
        .expect("sound");
    TestApp::behind(server.authenticate().context("app"))
        .route("/workspaces/{workspace_id}", get(picture))
        .route("/who", get(picture))
        .route("/act/{workspace_id}", get(async |_: Delegation| {}))
        .route(
            "/claim/{workspace_id}",
            get(async |_: UncheckedDelegation| {}),
        )
        .route("/access/{workspace_id}", get(async |_: WorkspaceAccess| {}))
        .route("/client", get(async |_: Client| {}))
}

async fn said(app: &TestApp, path: &str, token: &TokenBuilder, user: Option<&str>) -> String {
    let bearer = format!("Bearer {}", token.sign());
    let mut fields = vec![("authorization", &*bearer)];
    fields.extend(user.map(|user| ("x-user-id", user)));
    app.send(path, &fields).await.body_or_verdict()
}

#[tokio::test]
async fn each_form_of_delegation_and_none_is_one_value() {
    let issuer = MockIssuer::cognito("eu-west-1", "eu-west-1_AbCdEf");
    let app = app(&issuer, TenantClaims::aworld().delegation());
    let id = MockIssuer::CLIENT_ID;
    let subject = MockIssuer::SUBJECT;
    let user = issuer.aworld_user().user("u-1");
    let client = issuer.aworld_client();
    let line = |acting: &str, user: &str, subject: &str, actor: &str, delegated: bool| {
        format!(
            "{acting}: user={user} subject={subject} client={id} actor={actor} delegation={delegated}"
        )
    };
    for (token, named, expected) in [
        (
            user.clone(),
            None,
            line("direct", "u-1", subject, "-", false),
        ),
        (
            user.clone().actor("agent"),
            None,
            line("agent_for_user", "u-1", subject, "agent", false),
        ),
        (
            client.clone(),
            None,
            line("client_itself", "-", id, "-", false),
        ),
        (
            client.clone(),
            Some("user-2"),
            line("client_for_user", "user-2", id, "-", true),
        ),
        (
            client.clone().actor("agent"),
            None,
            line("agent_for_client", "-", id, "agent", false),
        ),
        (
            client.clone(),
            Some("stranger"),
            "403 wrong_tenant".to_owned(),
        ),
        (
            client.clone().actor("agent"),
            Some("user-2"),
            "403 wrong_caller".to_owned(),
        ),
        (user.clone(), Some("user-2"), "403 wrong_caller".to_owned()),
        (
            user.actor("agent"),
            Some("user-2"),
            "403 wrong_caller".to_owned(),
        ),
    ] {
        let found = said(&app, "/workspaces/acme-prod", &token, named).await;
        assert_eq!(found, expected);
    }
    // Without the field no workspace is needed in the route.
    let expected = line("agent_for_client", "-", id, "agent", false);
    assert_eq!(
        said(&app, "/who", &client.clone().actor("agent"), None).await,
        expected
    );
    assert_eq!(
        said(&app, "/who", &client, Some("user-2")).await,
        "500 misconfigured no_workspace_parameter"
    );
}

/// The field is the statement of a client with authority of its own; an agent has that of the token.
#[tokio::test]
async fn no_guard_takes_a_user_from_the_field_beside_an_actor() {
    let issuer = MockIssuer::cognito("eu-west-1", "eu-west-1_AbCdEf");
    let on = app(&issuer, TenantClaims::aworld().delegation());
    let client = issuer.aworld_client();
    for path in ["/act/acme-prod", "/claim/acme-prod"] {
        assert_eq!(
            said(&on, path, &client, Some("user-2")).await,
            "",
            "the twin"
        );
        let refused = said(&on, path, &client.clone().actor("agent"), Some("user-2")).await;
        assert_eq!(refused, "403 wrong_caller", "{path}");
    }
    let agent = client.actor("agent");
    for path in ["/access/acme-prod", "/client"] {
        assert_eq!(said(&on, path, &agent, None).await, "");
        assert_eq!(
            said(&on, path, &agent, Some("user-2")).await,
            "403 wrong_caller"
        );
    }
    // Where delegation is off the field means nothing.
    let off = app(&issuer, TenantClaims::aworld());
    assert_eq!(
        said(&off, "/access/acme-prod", &agent, Some("user-2")).await,
        ""
    );
    let picture = said(&off, "/who", &agent, Some("user-2")).await;
    assert!(picture.starts_with("agent_for_client: user=-"), "{picture}");
}

#[tokio::test]
async fn callers_without_tenant_rules_have_a_picture_too() {
    let issuer = MockIssuer::new();
    let app = TestApp::behind(server(&issuer).authenticate()).route("/", get(picture));
    for (token, expected) in [
        (issuer.token(), "direct"),
        (issuer.token().actor("agent"), "agent_for_user"),
        (issuer.client_token(), "client_itself"),
        (
            issuer.client_token().actor_with(json!({"client_id": "x"})),
            "agent_for_client",
        ),
    ] {
        let found = said(&app, "/", &token, Some("ignored")).await;
        assert_eq!(found.split(':').next(), Some(expected), "{found}");
    }
}
