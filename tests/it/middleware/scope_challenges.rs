//! What challenges name: all that a client needs for a route, and what it has already.

use axum::Router;
use axum::routing::{get, post};
use http::Request;
use portcullis::binding::Dpop;
use portcullis::layer::RequireScopeLayer;
use portcullis::test_util::MockIssuer;
use portcullis::{AccessToken, AuthenticateLayer, ResourceServer, Scoped, TenantClaims};

use crate::support::{API, Requests as _, TestApp, TestResponse, builder, server, trusting};

portcullis::scopes! {
    Read = "read";
    Write = "write";
    Admin = "admin";
    Session = "read write";
    Either = "read" | "read.all";
    Permission = "orders.read" | "orders.all" | role "Orders.Read.All" | role "Orders.Admin";
}

/// The scope that the challenge of an answer names.
fn scope_of(answer: &TestResponse) -> Option<&str> {
    let challenge = answer.header("www-authenticate")?;
    let (_, rest) = challenge.split_once("scope=\"")?;
    rest.split_once('"').map(|(scope, _)| scope)
}

/// A client that asks for exactly what the last challenge names, in place of what it had, as the
/// TypeScript SDK of MCP does: how many tokens it gets until it is let in to all of these paths.
async fn tokens_until_in(issuer: &MockIssuer, app: &Router, paths: &[&str], first: &str) -> usize {
    let mut scope = first.to_owned();
    for tokens in 0..10 {
        let token = issuer.token().audience(API).scope(&scope).sign();
        let mut all_in = true;
        for path in paths {
            let answer = app.get(path, &token).await;
            if answer.status != 200 {
                assert_eq!(answer.verdict(), "403 insufficient_scope", "{path}");
                scope_of(&answer).expect("a scope").clone_into(&mut scope);
                all_in = false;
                break;
            }
        }
        if all_in {
            return tokens;
        }
    }
    panic!("the client asks for ever; the last scope was `{scope}`");
}

#[tokio::test]
async fn guards_in_a_row_let_a_client_in_that_replaces_its_scope() {
    let issuer = MockIssuer::new();
    let app = || {
        Router::new()
            .route("/layers", get(|_: AccessToken| async {}))
            .route_layer(RequireScopeLayer::of::<Write>())
            .route("/nested", get(|_: Scoped<Write, Scoped<Admin>>| async {}))
            .route(
                "/arguments",
                get(|_: Scoped<Write>, _: Scoped<Admin>| async {}),
            )
            .route("/mixed", get(|_: Scoped<Write>| async {}))
            .route_layer(RequireScopeLayer::of::<Read>())
            .route_layer(server(&issuer).authenticate())
    };
    for (path, most) in [
        ("/layers", 2),
        ("/mixed", 2),
        ("/nested", 3),
        ("/arguments", 3),
    ] {
        for first in ["", "read", "write", "admin", "read admin", "openid"] {
            let tokens = tokens_until_in(&issuer, &app(), &[path], first).await;
            assert!(tokens <= most, "{path} from `{first}`: {tokens}");
        }
    }
}

#[tokio::test]
async fn routes_with_different_scopes_do_not_take_them_from_each_other() {
    let issuer = MockIssuer::new();
    let routes = Router::new()
        .route("/read", get(|_: Scoped<Either>| async {}))
        .route("/write", get(|_: Scoped<Write>| async {}))
        .route("/admin", get(|_: Scoped<Admin>| async {}));
    let app = routes.route_layer(server(&issuer).authenticate());
    let paths = ["/read", "/write", "/admin", "/read"];
    for first in ["read", "write", "read.all", ""] {
        let tokens = tokens_until_in(&issuer, &app, &paths, first).await;
        assert!(tokens <= 5, "from `{first}`: {tokens}");
    }
    // Each guard has refused once, and is known from now on: no detour is left.
    let token = issuer
        .token()
        .audience(API)
        .scope("openid read.all other")
        .sign();
    let answer = app.get("/admin", &token).await;
    assert_eq!(
        scope_of(&answer),
        Some("admin read.all"),
        "and no foreign one"
    );
}

#[tokio::test]
async fn outer_guard_names_what_it_is_told_of_the_inner_ones() {
    let issuer = MockIssuer::new();
    let guard = RequireScopeLayer::of::<Read>()
        .challenge_scope::<Write>()
        .challenge_scope::<Admin>();
    let app = Router::new()
        .route("/", get(|_: Scoped<Write, Scoped<Admin>>| async {}))
        .route_layer(guard)
        .route_layer(server(&issuer).authenticate());
    assert_eq!(tokens_until_in(&issuer, &app, &["/"], "").await, 1);
    // It demands no more than before: this is refused by the inner one.
    let token = issuer.token().audience(API).scope("read").sign();
    let answer = app.get("/", &token).await;
    assert_eq!(scope_of(&answer), Some("write read"));
}

#[tokio::test]
async fn known_scopes_of_the_token_stay_and_others_are_never_named() {
    let issuer = MockIssuer::new();
    let ask = async |layer: &dyn Fn(AuthenticateLayer) -> AuthenticateLayer, scope: &str| {
        let app = TestApp::behind(layer(server(&issuer).authenticate()))
            .route("/", get(|_: Scoped<Admin>| async {}));
        let token = issuer.token().audience(API).scope(scope).sign();
        scope_of(&app.get("/", &token).await).map(ToOwned::to_owned)
    };
    let known = |layer: AuthenticateLayer| layer.known_scope::<Either>().known_scope::<Write>();
    let session = |layer: AuthenticateLayer| layer.challenge_scope::<Session>();
    let plain = |layer: AuthenticateLayer| layer;
    let held = "read.all openid write x\" foreign";
    assert_eq!(
        ask(&known, held).await.as_deref(),
        Some("admin read.all write")
    );
    assert_eq!(ask(&session, held).await.as_deref(), Some("admin write"));
    assert_eq!(ask(&session, "").await.as_deref(), Some("admin"));
    assert_eq!(ask(&plain, held).await.as_deref(), Some("admin"));
}

#[tokio::test]
async fn challenge_scope_is_named_with_bad_tokens_too_and_settings_add_up() {
    let issuer = MockIssuer::new();
    let routes = || Router::new().route("/", get(|_: AccessToken| async {}));
    let server = server(&issuer);
    let layer = server.authenticate().challenge_scope::<Read>();
    let one = routes().route_layer(layer.clone());
    let two = routes().route_layer(layer.challenge_scope::<Session>());
    let none = routes().route_layer(server.authenticate());
    let expired = issuer.token().audience(API).expired().sign();
    for (app, expected) in [
        (&one, Some("read")),
        (&two, Some("read write")),
        (&none, None),
    ] {
        assert_eq!(scope_of(&app.send("/", &[]).await), expected);
        let answer = app.get("/", &expired).await;
        assert_eq!(answer.verdict(), "401 invalid_token expired");
        assert_eq!(scope_of(&answer), expected);
        let answer = app.send("/", &[("authorization", "Bearer a,b")]).await;
        assert_eq!(scope_of(&answer), None, "invalid_request needs no scope");
    }
}

#[tokio::test]
async fn resource_metadata_is_that_of_the_layer_before_that_of_the_server() {
    let issuer = MockIssuer::new();
    let address = "https://api.example.com/.well-known/oauth-protected-resource";
    let server = ResourceServer::builder(API)
        .issuer(issuer.trusted())
        .resource_metadata(address)
        .build()
        .expect("sound");
    let own = format!("{address}/mcp");
    let routes = || Router::new().route("/", get(|_: AccessToken| async {}));
    let of_server = routes().route_layer(server.authenticate());
    let of_layer = routes().route_layer(server.authenticate().resource_metadata(&own));
    let bad = [("authorization", "Bearer bad")];
    for (app, expected) in [(of_server, address), (of_layer, &*own)] {
        for fields in [&[][..], &bad] {
            let answer = app.send("/", fields).await;
            let challenge = answer.challenge();
            let expected = format!("resource_metadata=\"{expected}\"");
            assert!(challenge.ends_with(&expected), "{challenge}");
        }
    }
}

#[tokio::test]
async fn probe_with_get_meets_the_challenge_where_the_layer_covers_every_method() {
    let issuer = MockIssuer::new();
    let layer = server(&issuer).authenticate();
    let handler = |_: AccessToken| async {};
    // Before its layer: a client that probes with GET learns nothing.
    let method_route = Router::new().route("/", post(handler).route_layer(layer.clone()));
    assert_eq!(method_route.send("/", &[]).await.verdict(), "405");
    let of_router = TestApp::behind(layer.clone()).route("/", post(handler));
    let of_method = Router::new().route("/", post(handler).layer(layer));
    let token = issuer.token().audience(API).sign();
    for app in [of_router.into(), of_method] {
        let answer = app.send("/", &[]).await;
        assert_eq!(answer.verdict(), "401 missing_token");
        assert!(answer.header("www-authenticate").is_some());
        assert_eq!(app.get("/", &token).await.verdict(), "405");
        let request = Request::post("/").header("authorization", format!("Bearer {token}"));
        let request = request.body(axum::body::Body::empty()).expect("a request");
        assert_eq!(app.exchange(request).await.verdict(), "200");
    }
}

#[tokio::test]
async fn dpop_scheme_is_never_answered_as_if_nothing_was_sent() {
    let issuer = MockIssuer::new();
    let accepting = server(&issuer);
    let off = builder(&issuer).dpop(Dpop::off()).build().expect("sound");
    let routes = || {
        Router::new().route(
            "/",
            get(|token: Option<AccessToken>| async move { token.is_some().to_string() }),
        )
    };
    let bound = issuer
        .token()
        .audience(API)
        .claim(
            "cnf",
            serde_json::json!({"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}),
        )
        .sign();
    let free = issuer.token().audience(API).sign();
    let scheme = "401 invalid_token scheme";
    // Without a proof. Where the scheme is off, the challenge offers the other one.
    let with_scheme = (
        "DPoP ",
        [
            "401 invalid_dpop_proof proof_missing",
            scheme,
            "401 invalid_token malformed",
        ],
    );
    let without = ("Bearer ", [scheme; 3]);
    for (layer, (offered, verdicts)) in [
        (accepting.authenticate(), with_scheme),
        (accepting.authenticate().optional(), with_scheme),
        (off.authenticate(), without),
        (off.authenticate().optional(), without),
    ] {
        let app = routes().route_layer(layer);
        let ask = async |field: String| app.send("/", &[("authorization", &field)]).await;
        for (token, expected) in [&*bound, &free, "opaque"].into_iter().zip(verdicts) {
            for scheme in ["DPoP", "dpop", "DPOP"] {
                let answer = ask(format!("{scheme} {token}")).await;
                assert_eq!(answer.verdict(), expected);
                let challenge = answer.challenge();
                let error = expected.split(' ').nth(1).expect("a kind");
                let error = format!("error=\"{error}\"");
                assert!(challenge.contains(&error), "{challenge}");
                assert!(challenge.starts_with(offered), "{challenge}");
            }
        }
        // The twins.
        assert_eq!(ask(format!("Bearer {free}")).await.verdict(), "200");
        assert_eq!(
            ask(format!("Bearer {bound}")).await.verdict(),
            "401 invalid_token binding"
        );
        assert_eq!(
            ask("DPoP".to_owned()).await.verdict(),
            "400 invalid_request no_credentials"
        );
        assert_eq!(
            ask("DPoP a b".to_owned()).await.verdict(),
            "400 invalid_request not_a_token"
        );
        assert_eq!(
            ask(format!("Basic {free}")).await.verdict(),
            "401 missing_token"
        );
        let twice = [
            ("authorization", &*format!("DPoP {bound}")),
            ("authorization", &format!("Bearer {free}")),
        ];
        let answer = app.send("/", &twice).await;
        assert_eq!(answer.verdict(), "400 invalid_request several_credentials");
    }
}

#[tokio::test]
async fn scope_or_role_is_one_guard_in_both_forms() {
    let issuer = MockIssuer::new();
    let trusted = issuer.trusted().roles_claim("roles").scope_claim("scp");
    let server = trusting([trusted]);
    let app = TestApp::behind(server.authenticate())
        .route("/handler", get(|_: Scoped<Permission>| async {}))
        .route(
            "/layer",
            get(|_: AccessToken| async {}).layer(RequireScopeLayer::of::<Permission>()),
        );
    let token = || issuer.token().audience(API).without("scope");
    let json = |text: &str| serde_json::from_str::<serde_json::Value>(text).expect("JSON");
    for path in ["/handler", "/layer"] {
        for (name, value, expected) in [
            ("scp", r#""orders.read""#, "200"),
            ("scp", r#""x orders.all""#, "200"),
            ("roles", r#"["Orders.Read.All"]"#, "200"),
            ("roles", r#"["x", "Orders.Admin"]"#, "200"),
            // A role is no scope and a scope is no role, and both have their type.
            ("scp", r#""Orders.Read.All""#, "403 insufficient_scope"),
            ("roles", r#"["orders.read"]"#, "403 insufficient_scope"),
            ("roles", r#""Orders.Admin""#, "403 insufficient_scope"),
            (
                "roles",
                r#"{"Orders.Admin": true}"#,
                "403 insufficient_scope",
            ),
            ("roles", r#"["orders.admin"]"#, "403 insufficient_scope"),
            ("other", r#"["Orders.Admin"]"#, "403 insufficient_scope"),
        ] {
            let token = token().claim(name, json(value)).sign();
            let answer = app.get(path, &token).await;
            assert_eq!(answer.verdict(), expected, "{path} {name} {value}");
            if expected != "200" {
                assert_eq!(scope_of(&answer), Some("orders.read"));
            }
        }
    }
}

#[tokio::test]
async fn layer_setting_that_is_given_twice_is_kept_or_refused_and_never_replaced() {
    use std::time::Duration;

    use portcullis::RejectionKind;
    use portcullis::error::WiringFault;
    use portcullis::layer::ProblemJson;

    let issuer = MockIssuer::new();
    let rules = TenantClaims::aworld().portal_client(MockIssuer::PORTAL_CLIENT_ID);
    let server = trusting([issuer.trusted().tenant_claims(rules)]);
    let verdict = async |layer: AuthenticateLayer| {
        let app = TestApp::behind(layer).route("/", get(|_: AccessToken| async {}));
        app.get("/", &issuer.aworld_user().sign()).await.verdict()
    };
    let new = || server.authenticate().context("app");
    let second = Duration::from_secs;
    let metadata = "https://api.example.com/a";
    for layer in [
        new().context("app"),
        new().realm("a").realm("a"),
        new()
            .resource_metadata(metadata)
            .resource_metadata(metadata),
        new().refused_body_bytes(1).refused_body_bytes(1),
        new().refused_body_time(second(60)),
        new().optional().optional().grpc().grpc(),
        new().challenge_scope::<Read>().challenge_scope::<Write>(),
        new().danger().token_cookie("a").danger().token_cookie("a"),
        new()
            .danger()
            .token_subprotocol("a")
            .danger()
            .token_subprotocol("b"),
    ] {
        assert_eq!(verdict(layer).await, "200");
    }
    for layer in [
        new().context("dashboard"),
        new().context("dashboard").context("app"),
        new().realm("a").realm("b"),
        new()
            .resource_metadata(metadata)
            .resource_metadata("https://b.example"),
        new().resource_metadata("http://api.example.com"),
        new().resource_metadata("no url"),
        new().resource_metadata("https://api.example.com/\u{e9}"),
        new().refused_body_bytes(1).refused_body_bytes(2),
        new()
            .refused_body_time(second(1))
            .refused_body_time(second(2)),
        new().refused_body_time(second(61)),
        new()
            .danger()
            .token_cookie("a")
            .danger()
            .token_cookie_from("a", ["https://a.example"]),
        new().danger().token_subprotocol("a,b"),
        new().danger().token_subprotocol(""),
    ] {
        assert_eq!(verdict(layer).await, "500 misconfigured layer_setting");
    }
    let layer = new().renderer(ProblemJson).renderer(ProblemJson);
    let app = TestApp::behind(layer).route("/", get(|| async {}));
    let answer = app.send("/", &[]).await;
    let fault = RejectionKind::Misconfigured(WiringFault::LayerSetting);
    assert_eq!(answer.kind, Some(fault));
}
