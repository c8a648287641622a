//! Guards and extractors: they stack, in any order, and `None` means that nothing was sent.

use axum::Router;
use axum::routing::get;
use portcullis::layer::RequireScopeLayer;
use portcullis::tenant::{Client, Principal, Subject};
use portcullis::test_util::MockIssuer;
use portcullis::{
    AccessToken, Claims, Identity, InGroup, InRole, Issuer, ResourceServer, Scope, Scoped,
    TenantClaims, WorkspaceAccess, WorkspaceUser,
};

use crate::support::{API, Requests as _, TestApp, server, trusting};

portcullis::scopes! {
    Read = "orders:read";
    Write = "orders:write";
    Both = "orders:read orders:write";
    Either = "orders:read" | "orders:write";
}

portcullis::roles! {
    Admin = "admin";
    Staff = "admin" | "editor";
}

#[derive(serde::Deserialize)]
struct Extra {
    #[serde(rename = "UAID")]
    uaid: String,
}

#[tokio::test]
async fn guards_stack_in_any_order_on_one_handler_and_in_nested_routers() {
    #[allow(clippy::too_many_arguments)] // that is the point
    async fn all(
        first: Scoped<Read, Claims<Extra>>,
        identity: Identity,
        second: Scoped<Write>,
        Claims(extra): Claims<Extra>,
        token: AccessToken,
        scope: Scope,
        _: InRole<Staff>,
        again: Scoped<Both, Scoped<Either, InGroup<Admin, Identity>>>,
    ) -> String {
        assert_eq!(first.uaid, extra.uaid);
        assert_eq!(&identity, &*again.into_inner().into_inner());
        assert_eq!(second.id(), token.id());
        assert!(scope.contains("orders:read"));
        extra.uaid.clone()
    }
    let issuer = MockIssuer::new();
    let inner = Router::new()
        .route("/all", get(all))
        .route_layer(RequireScopeLayer::of::<Write>())
        .route_layer(RequireScopeLayer::of::<Read>());
    let app = Router::new()
        .nest("/outer", Router::new().nest("/inner", inner))
        .route_layer(server(&issuer).authenticate());
    let token = issuer
        .token()
        .scope("orders:read orders:write")
        .claim("UAID", "u-1")
        .claim("roles", ["user", "editor"])
        .claim("groups", ["admin"]);
    let answer = app.get("/outer/inner/all", &token.clone().sign()).await;
    assert_eq!((answer.status.as_u16(), answer.body.as_str()), (200, "u-1"));

    let verdict = async |token: portcullis::test_util::TokenBuilder| {
        app.get("/outer/inner/all", &token.sign()).await.verdict()
    };
    assert_eq!(
        verdict(token.clone().scope("orders:read")).await,
        "403 insufficient_scope"
    );
    assert_eq!(
        verdict(token.clone().claim("roles", ["user"])).await,
        "403 wrong_caller"
    );
    assert_eq!(
        verdict(token.clone().claim("groups", "admin")).await,
        "403 wrong_caller"
    );
    assert_eq!(
        verdict(token.without("UAID")).await,
        "401 invalid_token custom_claims"
    );
}

#[tokio::test]
async fn requirements_demand_all_of_a_scope_and_any_of_the_alternatives() {
    let issuer = MockIssuer::new();
    let app = TestApp::behind(server(&issuer).authenticate())
        .route("/both", get(|_: Scoped<Both>| async {}))
        .route("/either", get(|_: Scoped<Either>| async {}));
    for (scope, both, either) in [
        ("orders:read orders:write", 200, 200),
        ("orders:write  orders:read", 200, 200),
        ("orders:read", 403, 200),
        ("orders:write x", 403, 200),
        ("orders:readonly", 403, 403),
        ("orders", 403, 403),
        ("ORDERS:READ", 403, 403),
        ("orders:read,orders:write", 403, 403),
        ("orders:read\torders:write", 403, 403),
        ("", 403, 403),
    ] {
        let token = issuer.token().claim("scope", scope).sign();
        assert_eq!(app.get("/both", &token).await.status, both, "{scope:?}");
        assert_eq!(app.get("/either", &token).await.status, either, "{scope:?}");
    }
}

#[tokio::test]
async fn optional_means_that_nothing_was_sent_and_nothing_else() {
    async fn seen(
        identity: Option<Identity>,
        token: Option<AccessToken>,
        claims: Option<Claims<serde_json::Value>>,
        scoped: Option<Scoped<Read>>,
        subject: Option<Subject>,
    ) -> String {
        let all = [
            identity.is_some(),
            token.is_some(),
            claims.is_some(),
            scoped.is_some(),
            subject.is_some(),
        ];
        assert!(all.iter().all(|one| *one == all[0]));
        all[0].to_string()
    }
    let issuer = MockIssuer::new();
    let app = TestApp::behind(server(&issuer).authenticate().optional())
        .route("/", get(seen))
        .route("/required", get(|_: AccessToken| async {}))
        .route(
            "/scoped",
            get(|| async {}).layer(RequireScopeLayer::of::<Read>()),
        );
    let token = issuer.token().scope("orders:read").sign();
    assert_eq!(app.send("/", &[]).await.body, "false");
    assert_eq!(app.get("/", &token).await.body, "true");
    assert_eq!(
        app.send("/required", &[]).await.verdict(),
        "401 missing_token"
    );
    assert_eq!(
        app.send("/scoped", &[]).await.verdict(),
        "401 missing_token"
    );
    assert_eq!(app.get("/required", &token).await.status, 200);
    assert_eq!(app.get("/scoped", &token).await.status, 200);
    let weak = issuer.token().scope("none").sign();
    assert_eq!(
        app.get("/", &weak).await.verdict(),
        "403 insufficient_scope"
    );
    for (bad, status) in [
        ("", 400),
        ("Bearer", 400),
        ("Basic dTpw", 401),
        ("Bearer garbage", 401),
        ("Bearer a,b", 400),
    ] {
        assert_eq!(
            app.send("/", &[("authorization", bad)]).await.status,
            status,
            "{bad:?}"
        );
    }
    let expired = issuer.token().expired().sign();
    assert_eq!(
        app.get("/", &expired).await.verdict(),
        "401 invalid_token expired"
    );
}

#[tokio::test]
async fn without_a_layer_every_extractor_answers_500_even_as_an_option() {
    let issuer = MockIssuer::new();
    let server = server(&issuer);
    let app = Router::new()
        .route("/token", get(|_: AccessToken| async {}))
        .route("/option", get(|_: Option<AccessToken>| async {}))
        .route("/identity", get(|_: Option<Identity>| async {}))
        .route("/scoped", get(|_: Option<Scoped<Read>>| async {}))
        .route("/role", get(|_: InRole<Admin>| async {}))
        .route(
            "/layer",
            get(|| async {}).layer(RequireScopeLayer::of::<Read>()),
        )
        .route(
            "/w/{workspace_id}",
            get(|_: Option<WorkspaceAccess>| async {}),
        );
    let covered = app.clone().route_layer(server.authenticate().optional());
    for path in [
        "/token",
        "/option",
        "/identity",
        "/scoped",
        "/role",
        "/layer",
        "/w/x",
    ] {
        let verdict = app.send(path, &[]).await.verdict();
        assert_eq!(verdict, "500 not_authenticated", "{path}");
    }
    for path in ["/option", "/identity", "/scoped", "/w/x"] {
        assert_eq!(covered.send(path, &[]).await.status, 200, "{path}");
    }
}

#[tokio::test]
async fn the_innermost_layer_speaks() {
    let (outer, inner) = (
        MockIssuer::named("https://outer.test"),
        MockIssuer::named("https://inner.test"),
    );
    let both = ResourceServer::builder(API)
        .issuer(outer.trusted())
        .issuer(inner.trusted())
        .build()
        .expect("sound");
    let app = Router::new()
        .route(
            "/",
            get(|token: AccessToken| async move { token.issuer().to_owned() }),
        )
        .route_layer(server(&inner).authenticate())
        .layer(both.authenticate());
    assert_eq!(
        app.get("/", &inner.token().sign()).await.body,
        "https://inner.test"
    );
    assert_eq!(
        app.get("/", &outer.token().sign()).await.verdict(),
        "401 invalid_token unknown_issuer"
    );
    // An optional layer inside finds nothing to say, and does not pass on what is outside.
    let lenient = Router::new()
        .route(
            "/",
            get(|token: Option<AccessToken>| async move { token.is_some().to_string() }),
        )
        .route_layer(server(&inner).authenticate().optional())
        .layer(both.authenticate().optional());
    assert_eq!(lenient.send("/", &[]).await.body, "false");
}

#[tokio::test]
async fn each_kind_of_caller_has_its_extractor() {
    let issuer = MockIssuer::new();
    let server = trusting([issuer
        .trusted()
        .tenant_claims(TenantClaims::aworld().portal_client("portal-client"))]);
    let routes = Router::new()
        .route(
            "/user",
            get(|user: WorkspaceUser| async move { user.user().to_string() }),
        )
        .route(
            "/principal",
            get(|principal: Principal| async move { principal.id().to_string() }),
        )
        .route(
            "/client",
            get(|client: Client| async move { client.id().to_string() }),
        )
        .route(
            "/subject",
            get(|subject: Subject| async move {
                subject.id().map(ToString::to_string).unwrap_or_default()
            }),
        )
        .route(
            "/identity",
            get(|identity: Identity| async move { format!("{identity:?}") }),
        );
    let app = routes
        .clone()
        .route_layer(server.authenticate().context("app"));
    let portal = routes.route_layer(server.authenticate().context("portal"));
    let user = issuer.aworld_user().sign();
    let client = issuer.aworld_client().sign();
    let subject = issuer.token().sign();
    let principal = issuer.aworld_principal().client("portal-client").sign();
    for (router, token, own) in [
        (&app, &user, "/user"),
        (&app, &client, "/client"),
        (&app, &subject, "/subject"),
        (&portal, &principal, "/principal"),
    ] {
        for path in ["/user", "/client", "/subject", "/principal"] {
            let answer = router.get(path, token).await;
            if path == own {
                assert_eq!(answer.status, 200, "{path}");
                assert!(!answer.body.is_empty());
            } else if own == "/subject" && path != "/client" {
                assert_eq!(answer.verdict(), "403 no_tenant", "{path}");
            } else {
                assert_eq!(answer.verdict(), "403 wrong_caller", "{own} at {path}");
            }
        }
        let debug = router.get("/identity", token).await.body;
        assert!(
            !debug.contains("ws-") && !debug.contains("user-"),
            "{debug}"
        );
    }
}

#[tokio::test]
async fn a_lone_role_counts_only_where_the_issuer_is_said_to_write_one() {
    let issuer = MockIssuer::new();
    let router = |trusted: Issuer| {
        let server = trusting([trusted]);
        TestApp::behind(server.authenticate()).route("/", get(|_: InRole<Admin>| async {}))
    };
    let urn = "urn:anyid:role";
    let strict = router(issuer.trusted().roles_claim(urn));
    let lenient = router(issuer.trusted().roles_claim(urn).lone_roles_and_groups());
    let nested = router(issuer.trusted().roles_claim(["realm_access", "roles"]));
    let array = issuer.token().claim(urn, ["x", "admin"]).sign();
    let lone = issuer.token().claim(urn, "admin").sign();
    let deep = issuer
        .token()
        .claim("realm_access", serde_json::json!({"roles": ["admin"]}))
        .sign();
    assert_eq!(strict.get("/", &array).await.status, 200);
    assert_eq!(strict.get("/", &lone).await.status, 403);
    assert_eq!(lenient.get("/", &array).await.status, 200);
    assert_eq!(lenient.get("/", &lone).await.status, 200);
    assert_eq!(nested.get("/", &deep).await.status, 200);
    assert_eq!(nested.get("/", &array).await.status, 403);
    for not_admin in [
        serde_json::json!("superadmin"),
        serde_json::json!("admin,user"),
        serde_json::json!(["admin "]),
        serde_json::json!(["ADMIN"]),
        serde_json::json!([["admin"]]),
        serde_json::json!({"admin": true}),
        serde_json::json!(["admin", 5]),
        serde_json::json!(7),
        serde_json::json!(null),
    ] {
        let token = issuer.token().claim(urn, &not_admin).sign();
        assert_eq!(lenient.get("/", &token).await.status, 403, "{not_admin}");
    }
}

#[tokio::test]
async fn services_without_axum_learn_who_is_calling() {
    use http::{Request, Response};
    use tower::{Layer as _, ServiceExt as _};

    async fn who(request: Request<String>) -> Result<Response<String>, std::convert::Infallible> {
        let seen = (
            AccessToken::of(request.extensions()),
            Identity::of(request.extensions()),
        );
        Ok(match seen {
            (Ok(token), Ok(identity)) => Response::new(format!("{} {identity:?}", token.issuer())),
            (Err(refusal), _) | (_, Err(refusal)) => refusal.to_response(),
        })
    }
    let issuer = MockIssuer::new();
    let server = server(&issuer);
    let bare = tower::service_fn(who);
    let request = |token: Option<String>| {
        let mut request = Request::new(String::new());
        if let Some(token) = token {
            let value = format!("Bearer {token}").parse().expect("a value");
            request.headers_mut().insert("authorization", value);
        }
        request
    };
    let good = || request(Some(issuer.token().sign()));
    let answer = server
        .authenticate()
        .layer(bare)
        .oneshot(good())
        .await
        .expect("never fails");
    assert!(
        answer.body().starts_with("https://issuer.test Subject"),
        "{}",
        answer.body()
    );
    let optional = server.authenticate().optional().layer(bare);
    assert_eq!(
        optional
            .oneshot(request(None))
            .await
            .expect("never fails")
            .status(),
        401
    );
    assert_eq!(
        bare.oneshot(good()).await.expect("never fails").status(),
        500
    );
}

#[tokio::test]
async fn a_cors_layer_outside_answers_preflights_and_shows_the_challenge() {
    use http::{HeaderName, Method, Request};
    use tower_http::cors::{Any, CorsLayer};

    let issuer = MockIssuer::new();
    let routes =
        TestApp::behind(server(&issuer).authenticate()).route("/", get(|_: AccessToken| async {}));
    let cors = CorsLayer::new()
        .allow_origin(Any)
        .allow_headers([HeaderName::from_static("authorization")])
        .expose_headers([HeaderName::from_static("www-authenticate")]);
    let outside = Router::from(routes.clone()).layer(cors);
    let preflight = || {
        Request::builder()
            .method(Method::OPTIONS)
            .uri("/")
            .header("origin", "https://app.example.com")
            .header("access-control-request-method", "GET")
            .body(axum::body::Body::empty())
            .expect("a request")
    };
    assert_eq!(outside.exchange(preflight()).await.status, 200);
    assert_ne!(routes.exchange(preflight()).await.status, 200);
    let refused = outside
        .send("/", &[("origin", "https://app.example.com")])
        .await;
    assert_eq!(refused.verdict(), "401 missing_token");
    assert_eq!(
        refused.header("access-control-expose-headers"),
        Some("www-authenticate")
    );
}
