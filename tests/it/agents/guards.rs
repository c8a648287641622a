//! Guards by the actor: as extractors, in requirements of layers and handlers, in an MCP server.

use axum::Router;
use axum::routing::get;
use portcullis::error::Refusal;
use portcullis::extract::{
    Authorized, Refuser, RequiredActor, Requirement, RouteRequirement, ThroughActor,
    UserThroughActor, WithoutActor,
};
use portcullis::layer::RequireLayer;
use portcullis::test_util::{MockIssuer, TokenBuilder};
use portcullis::{AccessToken, Scoped, TenantClaims, WorkspaceAccess};
use serde_json::json;

use crate::support::{Requests as _, TestApp, builder, server, trusting};

portcullis::actors! {
    Scheduler = "scheduler";
    Ours = "scheduler" | "mailer";
    Partner = "bot" of "https://agents.partner.example";
}

portcullis::scopes! { Read = "app/read"; }

portcullis::requirements! {
    NoAgent { actor: absent() }
    UserAlone { actor: absent().for_user() }
    AnyAgent { actor: any(), }
    ByScheduler { actor: named::<Scheduler>() }
    ByPartner { actor: named::<Partner>().for_user() }
    UserAndAgent { actor: any().for_user() }
    Much { scope: "app/read", role: "admin", actor: named::<Ours>(), acr: "mfa" }
}

/// A caller, its token, the guards that accept it, and the requirements that it meets.
type Case<'c> = (
    &'c str,
    TokenBuilder,
    &'c [&'c str],
    &'c [(&'c str, &'c str)],
);

const OK: &str = "200";
const REFUSED: &str = "403 wrong_caller";

/// The same requirement in three places: extractor, layer, and in the handler.
fn places<R: Requirement>(name: &str) -> Router {
    let inside = async |refuser: Refuser| -> Result<(), Refusal> { refuser.require::<R>() };
    Router::new()
        .route(
            &format!("/extractor/{name}"),
            get(async |_: Authorized<R>| {}),
        )
        .route(
            &format!("/layer/{name}"),
            get(async |_: AccessToken| {}).route_layer(RequireLayer::of::<R>()),
        )
        .route(&format!("/handler/{name}"), get(inside))
}

fn app(issuer: &MockIssuer) -> TestApp {
    TestApp::behind(server(issuer).authenticate())
        .route("/without", get(async |_: WithoutActor| {}))
        .route("/scheduler", get(async |_: ThroughActor<Scheduler>| {}))
        .route("/ours", get(async |_: ThroughActor<Ours>| {}))
        .route("/partner", get(async |_: ThroughActor<Partner>| {}))
        .route("/user", get(async |_: UserThroughActor| {}))
        .route(
            "/both",
            get(async |_: UserThroughActor<ThroughActor<Ours, Scoped<Read>>>| {}),
        )
        .routes(places::<NoAgent>("none"))
        .routes(places::<UserAlone>("alone"))
        .routes(places::<AnyAgent>("any"))
        .routes(places::<ByScheduler>("scheduler"))
        .routes(places::<ByPartner>("partner"))
        .routes(places::<UserAndAgent>("user"))
}

async fn verdict(app: &TestApp, path: &str, token: &TokenBuilder) -> String {
    app.get(path, &token.sign()).await.verdict()
}

#[tokio::test]
async fn each_guard_accepts_its_own_and_refuses_the_others() {
    let issuer = MockIssuer::new();
    let app = app(&issuer);
    let user = issuer.token();
    let partner = |sub: &str| json!({"iss": "https://agents.partner.example", "sub": sub});
    let places_of =
        |name: &str| ["extractor", "layer", "handler"].map(|place| format!("/{place}/{name}"));
    let alone = [("none", OK), ("alone", OK)];
    let tokens: [Case<'_>; 9] = [
        ("a user", user.clone(), &["/without"], &alone),
        (
            "a client",
            issuer.client_token(),
            &["/without"],
            &[("none", OK)],
        ),
        (
            "the scheduler for a user",
            user.clone().actor("scheduler"),
            &["/scheduler", "/ours", "/user"],
            &[("any", OK), ("scheduler", OK), ("user", OK)],
        ),
        (
            "the mailer for a user, the scheduler before it",
            user.clone().actor("scheduler").actor("mailer"),
            &["/ours", "/user"],
            &[("any", OK), ("user", OK)],
        ),
        (
            "the scheduler for a client",
            issuer.client_token().actor("scheduler"),
            &["/scheduler", "/ours"],
            &[("any", OK), ("scheduler", OK)],
        ),
        (
            "the partner's bot",
            user.clone().actor_with(partner("bot")),
            &["/partner", "/user"],
            &[("any", OK), ("partner", OK), ("user", OK)],
        ),
        // The same id of another issuer is another actor.
        (
            "a bot of this issuer",
            user.clone().actor("bot"),
            &["/user"],
            &[("any", OK), ("user", OK)],
        ),
        (
            "the partner's scheduler",
            user.clone().actor_with(partner("scheduler")),
            &["/user"],
            &[("any", OK), ("user", OK)],
        ),
        // A user who acts for herself is no agent.
        (
            "a user as her own actor",
            user.clone().actor(MockIssuer::SUBJECT),
            &[],
            &[("any", OK)],
        ),
    ];
    let guards = ["/without", "/scheduler", "/ours", "/partner", "/user"];
    let names = ["none", "alone", "any", "scheduler", "partner", "user"];
    for (who, token, accepted, requirements) in &tokens {
        for path in guards {
            let expected = if accepted.contains(&path) {
                OK
            } else {
                REFUSED
            };
            assert_eq!(
                verdict(&app, path, token).await,
                expected,
                "{who} at {path}"
            );
        }
        for name in names {
            let known = requirements.iter().find(|(known, _)| *known == name);
            let expected = known.map_or(REFUSED, |(_, expected)| expected);
            for path in places_of(name) {
                assert_eq!(
                    verdict(&app, &path, token).await,
                    expected,
                    "{who} at {path}"
                );
            }
        }
    }
}

#[tokio::test]
async fn an_actor_is_known_by_its_client_id_where_it_has_no_subject() {
    let issuer = MockIssuer::new();
    let app = app(&issuer);
    let acting = |members| issuer.token().actor_with(members);
    for (members, expected) in [
        (json!({"client_id": "scheduler"}), OK),
        (json!({"client_id": "scheduler", "sub": "x"}), REFUSED),
        (json!({"client_id": "x", "sub": "scheduler"}), OK),
        (json!({"sub": "Scheduler"}), REFUSED),
        (json!({"sub": "scheduler "}), REFUSED),
    ] {
        let found = verdict(&app, "/scheduler", &acting(members.clone())).await;
        assert_eq!(found, expected, "{members}");
    }
}

#[tokio::test]
async fn refusal_names_the_demand_and_never_the_actor_of_the_token() {
    let issuer = MockIssuer::new();
    let app = TestApp::behind(server(&issuer).authenticate())
        .route(
            "/",
            get(
                async |token: AccessToken, guard: Result<ThroughActor<Ours>, axum::response::Response>| {
                    drop(token);
                    guard.map(|_| ())
                },
            ),
        )
        .route(
            "/why",
            get(async |refuser: Refuser| {
                let refusal = refuser.require::<ByPartner>().expect_err("refused");
                let rejection = refusal.rejection();
                let detail = rejection.detail().expect("a detail");
                format!(
                    "{} {} {} {} {} {:?}",
                    rejection.cause().unwrap_or_default(),
                    detail.claim().unwrap_or_default(),
                    detail.problem().expect("a problem"),
                    detail.setting().unwrap_or_default(),
                    detail.expected().unwrap_or_default(),
                    detail.found(),
                )
            }),
        );
    let token = issuer.token().actor("secret-agent");
    let expected = "the actor bot of https://agents.partner.example, for a user";
    assert_eq!(
        app.get("/why", &token.sign()).await.body,
        format!("actor act differs actor_claim {expected} None")
    );
    let none = issuer.token().sign();
    assert_eq!(
        app.get("/why", &none).await.body,
        format!("actor act missing actor_claim {expected} None")
    );
    let refused = app.get("/", &token.sign()).await;
    assert_eq!(refused.verdict(), REFUSED);
    assert_eq!(refused.challenge(), "", "another scope would not help");
}

/// What a client can get by another token is refused first, with a challenge; then the actor, the role.
#[tokio::test]
async fn order_of_refusals_is_scope_authentication_actor_role() {
    let issuer = MockIssuer::new();
    let app = TestApp::behind(server(&issuer).authenticate()).routes(places::<Much>("much"));
    let token = issuer.token();
    let steps = [
        (token.clone(), "403 insufficient_scope"),
        (
            token.clone().scope("app/read"),
            "401 insufficient_user_authentication",
        ),
        (token.clone().scope("app/read").claim("acr", "mfa"), REFUSED),
        (
            token
                .clone()
                .scope("app/read")
                .claim("acr", "mfa")
                .roles(["admin"]),
            REFUSED,
        ),
        (
            token
                .clone()
                .scope("app/read")
                .claim("acr", "mfa")
                .actor("mailer"),
            REFUSED,
        ),
        (
            token
                .scope("app/read")
                .claim("acr", "mfa")
                .roles(["admin"])
                .actor("mailer"),
            OK,
        ),
    ];
    for (token, expected) in steps {
        for place in ["extractor", "layer", "handler"] {
            let path = format!("/{place}/much");
            assert_eq!(verdict(&app, &path, &token).await, expected, "{path}");
        }
    }
}

#[tokio::test]
async fn guards_nest_and_are_optional_under_an_optional_layer() {
    let issuer = MockIssuer::new();
    let app = app(&issuer);
    let token = issuer.token().actor("mailer");
    assert_eq!(
        verdict(&app, "/both", &token).await,
        "403 insufficient_scope"
    );
    assert_eq!(verdict(&app, "/both", &token.scope("app/read")).await, OK);

    let optional = TestApp::behind(server(&issuer).authenticate().optional()).route(
        "/",
        get(
            async |guard: Option<WithoutActor>, other: Option<UserThroughActor>| {
                format!("{} {}", guard.is_some(), other.is_some())
            },
        ),
    );
    assert_eq!(optional.send("/", &[]).await.body, "false false");
    assert_eq!(verdict(&optional, "/", &issuer.token()).await, REFUSED);
    let bare = Router::new().route("/", get(async |_: WithoutActor| {}));
    assert_eq!(
        bare.verdict(&issuer.token().sign()).await,
        "500 not_authenticated"
    );
}

#[tokio::test]
async fn users_of_workspaces_are_users_and_so_is_the_agents_reach() {
    let issuer = MockIssuer::cognito("eu-west-1", "eu-west-1_AbCdEf");
    let server = trusting([issuer.trusted().tenant_claims(TenantClaims::aworld())]);
    let app = TestApp::behind(server.authenticate().context("app"))
        .route(
            "/workspaces/{workspace_id}",
            get(async |_: UserThroughActor<WorkspaceAccess>| {}),
        )
        .route(
            "/alone/{workspace_id}",
            get(async |_: WithoutActor<WorkspaceAccess>| {}),
        );
    let user = issuer.aworld_user();
    let client = issuer.aworld_client();
    for (token, path, expected) in [
        (user.clone().actor("a"), "/workspaces/acme-prod", OK),
        (
            user.clone().actor("a"),
            "/workspaces/other",
            "403 wrong_tenant",
        ),
        (user.clone(), "/workspaces/acme-prod", REFUSED),
        (user, "/alone/acme-prod", OK),
        (client.clone().actor("a"), "/workspaces/acme-prod", REFUSED),
        (client.clone().actor("a"), "/alone/acme-prod", REFUSED),
        (client, "/alone/acme-prod", OK),
    ] {
        assert_eq!(verdict(&app, path, &token).await, expected, "{path}");
    }
}

#[test]
fn requirement_states_the_actor_for_documents() {
    let of = |requirement: RouteRequirement| requirement.actor().map(|actor| actor.to_string());
    assert_eq!(
        of(RouteRequirement::of::<NoAgent>()).as_deref(),
        Some("no actor")
    );
    assert_eq!(of(RouteRequirement::of::<Read>()), None);
    assert_eq!(
        RouteRequirement::of::<UserAndAgent>().actor(),
        Some(RequiredActor::any().for_user())
    );
    let _ = builder(&MockIssuer::new());
}
