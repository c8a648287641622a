//! Presets: for each provider a token of its shape is admitted, and one that differs is refused.

use axum::routing::get;
use portcullis::test_util::{MockIssuer, TokenBuilder};
use portcullis::{
    AccessToken, Identity, InRole, Issuer, ResourceServer, Scoped, WorkspaceAccess, presets,
};
use serde_json::json;

use crate::support::endpoint::Endpoint;
use crate::support::{API, Requests as _, TestApp};

portcullis::scopes! { Read = "read"; }
portcullis::roles! { Admin = "admin"; }

/// Who calls: the client and the subject, or the workspace.
async fn who(token: AccessToken, caller: Identity) -> String {
    match caller {
        Identity::User(user) => format!("{} in {}", user.user(), user.workspace()),
        Identity::Client(client) => match client.workspace() {
            Some(workspace) => format!("client in {workspace}"),
            None => format!("client {}", client.id()),
        },
        Identity::Principal(principal) => format!("principal {}", principal.id()),
        Identity::Subject(_) => {
            let client = token.client_id().map(ToString::to_string);
            let subject = token.subject().map(ToString::to_string);
            format!(
                "{} by {}",
                subject.unwrap_or_default(),
                client.unwrap_or_default()
            )
        }
    }
}

fn app(issuer: Issuer, context: Option<&str>) -> TestApp {
    let server = ResourceServer::builder(API).issuer(issuer).build();
    let layer = server.expect("sound").authenticate();
    let layer = match context {
        Some(name) => layer.context(name),
        None => layer,
    };
    TestApp::behind(layer)
        .route("/who", get(who))
        .route("/read", get(|_: Scoped<Read>| async {}))
        .route("/admin", get(|_: InRole<Admin>| async {}))
        .route("/w/{workspace_id}", get(|_: WorkspaceAccess| async {}))
}

/// What each token is answered on each path.
async fn check(app: &TestApp, cases: &[(&TokenBuilder, &str, &str)]) {
    for (at, (token, path, expected)) in cases.iter().enumerate() {
        let answer = app.get(path, &token.sign()).await;
        let said = if answer.status == 200 {
            answer.body.clone()
        } else {
            answer.verdict()
        };
        assert_eq!(said, *expected, "case {at}, {path}");
    }
}

/// A token without the claims that the mock issuer writes unasked.
fn token(issuer: &MockIssuer) -> TokenBuilder {
    issuer
        .token()
        .without("scope")
        .without("client_id")
        .typ("JWT")
}

#[tokio::test]
async fn cognito_preset_is_a_pool() {
    let issuer = MockIssuer::cognito("eu-west-1", "eu-west-1_AbCdEf");
    let app = app(
        presets::cognito("eu-west-1", "eu-west-1_AbCdEf")
            .client_id(MockIssuer::CLIENT_ID)
            .key_set(issuer.key_set()),
        None,
    );
    let user = issuer.token().scope("read");
    check(
        &app,
        &[
            (&user, "/read", ""),
            (&issuer.id_token(), "/who", "401 invalid_token token_use"),
            (
                &user.clone().client("other"),
                "/who",
                "401 invalid_token client_id",
            ),
        ],
    )
    .await;
}

#[tokio::test]
async fn aworld_preset_reads_the_platforms_tokens() {
    let issuer = MockIssuer::cognito("eu-west-1", "eu-west-1_AbCdEf");
    let rules = presets::aworld().portal_client(MockIssuer::PORTAL_CLIENT_ID);
    let app = app(issuer.trusted().tenant_claims(rules), Some("app"));
    let user = issuer.aworld_user();
    check(
        &app,
        &[
            (&user, "/w/acme-prod", ""),
            (&issuer.aworld_client(), "/w/acme-prod", ""),
            (&user, "/w/acme-dev", "403 wrong_tenant"),
            (
                &user.clone().without("workspaceId"),
                "/w/acme-prod",
                "403 no_tenant",
            ),
            (
                &user.clone().context("dashboard"),
                "/w/acme-prod",
                "403 wrong_caller",
            ),
        ],
    )
    .await;
}

#[tokio::test]
async fn keycloak_preset_reads_realm_roles_and_group_paths() {
    let issuer = MockIssuer::named("https://id.example.com/realms/main");
    let realm = || {
        presets::keycloak("https://id.example.com/", "main")
            .audience("my-api")
            .key_set(issuer.key_set())
    };
    let user = token(&issuer)
        .audiences(["my-api", "account"])
        .claim("typ", "Bearer")
        .claim("azp", "web")
        .claim("sid", "session-1")
        .claim("scope", "openid read")
        .claim("groups", ["/staff", "/tenants/acme/prod"])
        .claim(
            "realm_access",
            json!({"roles": ["admin", "offline_access"]}),
        );
    let plain = app(realm(), None);
    check(
        &plain,
        &[
            (&user, "/who", "user-1 by web"),
            (&user, "/read", ""),
            (&user, "/admin", ""),
            (
                &user.clone().claim("realm_access", json!({"roles": []})),
                "/admin",
                "403 wrong_caller",
            ),
            (
                &user.clone().claim("typ", "ID"),
                "/who",
                "401 invalid_token token_use",
            ),
            (
                &user.clone().claim("typ", "Refresh"),
                "/who",
                "401 invalid_token token_use",
            ),
            (
                &user.clone().audience("account"),
                "/who",
                "401 invalid_token audience",
            ),
        ],
    )
    .await;
    let rules = presets::keycloak_groups("/tenants/{account}/{workspace}");
    let grouped = app(realm().tenant_claims(rules), None);
    check(
        &grouped,
        &[
            (&user, "/w/prod", ""),
            (&user, "/w/dev", "403 wrong_tenant"),
            (
                &user.clone().claim("groups", ["/staff"]),
                "/w/prod",
                "403 no_tenant",
            ),
            (&user.clone().without("sid"), "/w/prod", "403 no_tenant"),
        ],
    )
    .await;
}

#[tokio::test]
async fn auth0_preset_reads_permissions_and_organizations() {
    let issuer = MockIssuer::named("https://example.eu.auth0.com/");
    let user_claim = "https://example.com/user";
    let auth0 = presets::auth0("example.eu.auth0.com")
        .audience("https://api.example.com")
        .tenant_claims(presets::auth0_organizations(user_claim))
        .key_set(issuer.key_set());
    let app = app(auth0, None);
    let user = token(&issuer)
        .subject("auth0|123")
        .audiences([
            "https://api.example.com",
            "https://example.eu.auth0.com/userinfo",
        ])
        .claim("azp", "spa")
        .claim("scope", "openid read")
        .claim("permissions", ["admin"])
        .claim("org_id", "org_1")
        .claim(user_claim, "u-1");
    let machine = token(&issuer)
        .subject("backend@clients")
        .audience("https://api.example.com")
        .claim("azp", "backend")
        .claim("gty", "client-credentials")
        .claim("org_id", "org_1");
    check(
        &app,
        &[
            (&user, "/who", "u-1 in org_1"),
            (&user, "/read", ""),
            (&user, "/admin", ""),
            (&user, "/w/org_1", ""),
            (&machine, "/who", "client in org_1"),
            (&user, "/w/org_2", "403 wrong_tenant"),
            (
                &user.clone().without("permissions"),
                "/admin",
                "403 wrong_caller",
            ),
            (&user.clone().without("org_id"), "/w/org_1", "403 no_tenant"),
            (
                &user.clone().audience("spa"),
                "/who",
                "401 invalid_token audience",
            ),
            (
                &user.clone().issuer("https://example.eu.auth0.com"),
                "/who",
                "401 invalid_token unknown_issuer",
            ),
        ],
    )
    .await;
}

#[tokio::test]
async fn entra_presets_read_scopes_roles_and_directories() {
    const TENANT: &str = "72f988bf-86f1-41af-91ab-2d7cd011db47";
    const API_ID: &str = "11112222-bbbb-3333-cccc-4444dddd5555";
    let issuer = MockIssuer::named(format!("https://login.microsoftonline.com/{TENANT}/v2.0"));
    let user = token(&issuer)
        .audience(API_ID)
        .claim("azp", "spa")
        .claim("oid", "object-1")
        .claim("tid", TENANT)
        .claim("scp", "read write")
        .claim("roles", ["admin"])
        .claim("ver", "2.0");
    let machine = user.clone().without("scp").claim("idtyp", "app");
    for entra in [presets::entra(TENANT), presets::entra_tenants([TENANT])] {
        let entra = entra
            .audience(API_ID)
            .tenant_claims(presets::entra_directories())
            .key_set(issuer.key_set());
        let app = app(entra, None);
        let in_tenant = format!("object-1 in {TENANT}");
        let machine_in_tenant = format!("client in {TENANT}");
        check(
            &app,
            &[
                (&user, "/who", &in_tenant),
                (&user, "/read", ""),
                (&user, "/admin", ""),
                (&machine, "/who", &machine_in_tenant),
                (&machine, "/read", "403 insufficient_scope"),
                (
                    &user.clone().claim("tid", "other"),
                    "/who",
                    "401 invalid_token required_value",
                ),
                (
                    &user.clone().without("tid"),
                    "/who",
                    "401 invalid_token required_value",
                ),
                (
                    &user.clone().audience("spa"),
                    "/who",
                    "401 invalid_token audience",
                ),
            ],
        )
        .await;
    }
    let foreign = MockIssuer::named("https://login.microsoftonline.com/other/v2.0");
    let only = app(
        presets::entra_tenants([TENANT]).key_set(issuer.key_set()),
        None,
    );
    check(
        &only,
        &[(&foreign.token(), "/who", "401 invalid_token unknown_issuer")],
    )
    .await;
    // Keys have a place of their own.
    assert!(
        ResourceServer::builder(API)
            .issuer(presets::entra_tenants([TENANT]))
            .build()
            .is_ok()
    );
}

#[tokio::test]
async fn okta_preset_reads_an_array_of_scopes_and_the_client() {
    let issuer = MockIssuer::named("https://example.okta.com/oauth2/default");
    let okta = presets::okta("example.okta.com", "default")
        .audience("api://default")
        .key_set(issuer.key_set());
    let app = app(okta, None);
    let user = token(&issuer)
        .subject("user@example.com")
        .audience("api://default")
        .claim("cid", "spa")
        .claim("uid", "00u1")
        .claim("scp", ["openid", "read"]);
    let machine = user.clone().subject("backend").claim("cid", "backend");
    check(
        &app,
        &[
            (&user, "/who", "user@example.com by spa"),
            (&user, "/read", ""),
            (&machine, "/who", "client backend"),
            (
                &user.clone().claim("scp", ["openid"]),
                "/read",
                "403 insufficient_scope",
            ),
            (
                &user.clone().issuer("https://example.okta.com"),
                "/who",
                "401 invalid_token unknown_issuer",
            ),
        ],
    )
    .await;
}

#[tokio::test]
async fn zitadel_preset_reads_the_names_of_roles() {
    let issuer = MockIssuer::named("https://acme.zitadel.cloud");
    let zitadel = presets::zitadel("acme.zitadel.cloud")
        .audience("266@proj")
        .key_set(issuer.key_set());
    let app = app(zitadel, None);
    let roles = "urn:zitadel:iam:org:project:roles";
    let user = token(&issuer)
        .audiences(["266@proj", "web"])
        .claim("client_id", "web")
        .claim(roles, json!({"admin": {"223": "acme.example"}}));
    check(
        &app,
        &[
            (&user, "/admin", ""),
            (
                &user
                    .clone()
                    .claim(roles, json!({"editor": {"223": "acme.example"}})),
                "/admin",
                "403 wrong_caller",
            ),
            (
                &user.clone().audience("web"),
                "/who",
                "401 invalid_token audience",
            ),
        ],
    )
    .await;
}

#[tokio::test]
async fn safewhere_preset_reads_one_role_and_several() {
    let issuer = MockIssuer::named("https://id.example.com/runtime/oauth2");
    let identify = presets::safewhere("id.example.com")
        .audience(API)
        .key_set(issuer.key_set());
    let app = app(identify, None);
    let one = token(&issuer)
        .typ("at+jwt")
        .claim("urn:anyid:role", "admin");
    let several = one.clone().claim("urn:anyid:role", ["editor", "admin"]);
    check(
        &app,
        &[
            (&one, "/admin", ""),
            (&several, "/admin", ""),
            (
                &one.clone().claim("urn:anyid:role", "editor"),
                "/admin",
                "403 wrong_caller",
            ),
            (&issuer.id_token(), "/who", "401 invalid_token token_use"),
            (
                &one.clone().issuer("https://id.example.com"),
                "/who",
                "401 invalid_token unknown_issuer",
            ),
        ],
    )
    .await;
}

#[tokio::test]
async fn axway_preset_asks_in_the_gateways_dialect() {
    let good = json!({"audience": "web", "user_id": "admin", "scope": "read", "expires_in": 2518});
    let endpoint = Endpoint::saying(good).await;
    let gateway = presets::axway(endpoint.url()).client_id("web");
    let app = app(gateway, None);
    let good = app.get("/read", "opaque-1").await;
    assert_eq!(good.verdict(), "200");
    let question = endpoint.last();
    assert_eq!(question.method, "POST");
    assert_eq!(question.field("access_token").as_deref(), Some("opaque-1"));
    endpoint.turn(|_| crate::support::endpoint::json(400, &json!({})));
    let bad = app.get("/read", "opaque-2").await;
    assert_eq!(bad.verdict(), "401 invalid_token inactive");
    assert!(
        ResourceServer::builder(API)
            .issuer(Issuer::token_information(endpoint.url()))
            .build()
            .is_err_and(|error| error.setting() == "token_dialect")
    );
}

#[test]
fn settings_of_a_preset_are_defaults() {
    let build = |issuer: Issuer| ResourceServer::builder(API).issuer(issuer).build();
    let keycloak = || presets::keycloak("https://id.example.com", "main");
    assert!(build(keycloak().roles_claim("roles")).is_ok());
    let twice = build(keycloak().roles_claim("roles").roles_claim("groups"));
    assert_eq!(twice.expect_err("twice").setting(), "roles_claim");
}
