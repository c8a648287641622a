//! Wrong credentials by name: an application that is wired well, and what is found in others.

use std::collections::HashSet;
use std::fs;
use std::path::Path;
use std::time::Duration;

use axum::Router;
use axum::routing::{get, post};
use http::{Request, StatusCode};
use portcullis::binding::{Binding, Dpop};
use portcullis::layer::ProblemJson;
use portcullis::test_util::{
    DpopKey, ManualClock, MockIssuer, WrongCredentials, WrongCredentialsFaults,
};
use portcullis::time::{Clock as _, SystemClock};
use portcullis::{
    AccessToken, Issuer, ResourceServer, ResourceServerBuilder, Scoped, TenantClaims,
    WorkspaceAccess,
};

use crate::support::{builder, server};

portcullis::scopes! { Read = "app/read"; }

async fn orders(_: Scoped<Read>) -> &'static str {
    "orders"
}

async fn list(_: Scoped<Read, WorkspaceAccess>) {}

async fn create(_: Scoped<Read>, body: String) -> StatusCode {
    if body == "new" {
        StatusCode::CREATED
    } else {
        StatusCode::UNPROCESSABLE_ENTITY
    }
}

/// One route that demands a scope.
fn app(server: &ResourceServer) -> Router {
    Router::new()
        .route("/orders", get(orders).post(orders))
        .route_layer(server.authenticate())
}

fn check(issuer: &MockIssuer) -> WrongCredentials {
    WrongCredentials::of(&issuer.token().scope("app/read")).get("/orders")
}

/// The names of the faults, and whether each was let in.
fn names(outcome: Result<usize, WrongCredentialsFaults>) -> Vec<(&'static str, bool)> {
    let faults = outcome.expect_err("faults");
    faults
        .iter()
        .map(|fault| (fault.name(), fault.is_open()))
        .collect()
}

#[tokio::test]
async fn an_application_that_is_wired_well_refuses_all() {
    let clock = ManualClock::new();
    for issuer in [
        MockIssuer::new(),
        MockIssuer::rfc9068("https://as.example"),
        MockIssuer::cognito("eu-west-1", "eu-west-1_AbCdEf"),
    ] {
        let issuer = issuer.with_clock(clock.clone());
        let server = builder(&issuer)
            .clock(clock.clone())
            .build()
            .expect("a server");
        let sent = check(&issuer)
            .server(&server)
            .run(app(&server))
            .await
            .unwrap();
        assert!(sent > 100, "{sent} of {issuer:?}");
    }
}

#[tokio::test]
async fn routes_of_a_tenant_refuse_other_tenants_too() {
    let issuer = MockIssuer::new();
    let rules = TenantClaims::aworld().portal_client(MockIssuer::PORTAL_CLIENT_ID);
    let server = ResourceServer::builder(MockIssuer::AUDIENCE)
        .issuer(issuer.trusted().tenant_claims(rules))
        .build()
        .expect("a server");
    let app = Router::new()
        .route(
            "/accounts/{account_id}/workspaces/{workspace_id}",
            get(list),
        )
        .route_layer(server.authenticate().context("app").renderer(ProblemJson));
    let good = issuer.aworld_user();
    let check = || WrongCredentials::of(&good).server(&server);
    let path = "/accounts/acme/workspaces/acme-prod";
    let all = check().get(path).run(app).await.unwrap();

    // Without the guard, every other tenant comes in.
    let open = Router::new()
        .route(
            "/accounts/{account_id}/workspaces/{workspace_id}",
            get(orders),
        )
        .route_layer(server.authenticate().context("app"));
    let found = names(check().get(path).run(open).await);
    let reach = [
        "wrong_workspace",
        "wrong_account",
        "workspace_missing",
        "workspace_as_list",
        "machine_with_a_user",
    ];
    for name in reach {
        assert!(found.contains(&(name, true)), "{name} in {found:?}");
    }
    assert!(all > 110, "{all}");
}

#[tokio::test]
async fn bodies_and_several_requests_are_kept() {
    let issuer = MockIssuer::new();
    let server = server(&issuer);
    let app = Router::new()
        .route("/orders", get(orders))
        .route("/new", post(create))
        .route_layer(server.authenticate());
    let request = Request::post("/new?page=1").body("new").expect("a request");
    let one = check(&issuer).run(app.clone()).await.unwrap();
    let two = check(&issuer).request(request).run(app).await.unwrap();
    assert_eq!(two, 2 * one);
}

#[tokio::test]
async fn an_application_without_a_layer_is_reported() {
    let issuer = MockIssuer::new();
    let open = Router::new().route("/orders", get(async || "orders"));
    let found = names(check(&issuer).run(open).await);
    assert!(
        found.len() > 90 && found.iter().all(|(_, is_open)| *is_open),
        "{found:?}"
    );

    // A guard without a layer answers 500, the good token too: nothing is proved.
    let unlayered = Router::new().route("/orders", get(orders));
    assert_eq!(
        names(check(&issuer).run(unlayered).await),
        [("good_token", false)]
    );
    // A path that does not exist proves nothing either.
    let elsewhere = WrongCredentials::of(&issuer.token()).get("/else");
    assert_eq!(
        names(elsewhere.run(app(&server(&issuer))).await),
        [("good_token", false)]
    );
}

#[tokio::test]
async fn an_optional_layer_over_an_open_handler_is_reported() {
    let issuer = MockIssuer::new();
    let open = Router::new()
        .route("/orders", get(async |_: Option<AccessToken>| "orders"))
        .route_layer(server(&issuer).authenticate().optional());
    let found = names(check(&issuer).without_scope().run(open).await);
    let expected = [
        "no_token",
        "token_in_query",
        "token_in_form",
        "token_in_cookie",
        "token_in_other_field",
        "token_in_subprotocol",
    ];
    assert_eq!(found, expected.map(|name| (name, true)));
}

/// The names that an application lets in whose issuer has these settings.
async fn let_in(
    change: impl Fn(Issuer) -> Issuer,
    server: impl Fn(ResourceServerBuilder) -> ResourceServerBuilder,
    route: impl Fn(&ResourceServer) -> Router,
) -> Vec<&'static str> {
    let issuer = MockIssuer::new();
    let builder = ResourceServer::builder(MockIssuer::AUDIENCE).issuer(change(issuer.trusted()));
    let server = server(builder).build().expect("a server");
    let found = names(check(&issuer).server(&server).run(route(&server)).await);
    // An ID token that passes the layer has no scope, and so is stopped by the guard.
    let is_open = |(name, is_open): &(&str, bool)| *is_open || name.starts_with("id_token");
    assert!(found.iter().all(is_open), "{found:?}");
    found.into_iter().map(|(name, _)| name).collect()
}

#[tokio::test]
async fn dangerous_settings_are_reported_by_what_they_let_in() {
    let any = |issuer: Issuer| issuer.danger().accept_any_audience();
    assert_eq!(
        let_in(any, |server| server, app).await,
        [
            "wrong_audience",
            "audience_missing",
            "audience_begins_alike"
        ]
    );
    // A second audience, of another API, and the one of every ID token.
    for (audience, name) in [
        ("https://other.example", "wrong_audience"),
        (MockIssuer::CLIENT_ID, "audience_is_the_client"),
    ] {
        let two = |issuer: Issuer| issuer.audience(MockIssuer::AUDIENCE).audience(audience);
        let marks = move |issuer: Issuer| two(issuer).danger().accept_id_token_marks();
        assert_eq!(let_in(two, |server| server, app).await, [name]);
        let found = let_in(marks, |server| server, app).await;
        assert!(found.contains(&name) && found.contains(&"id_token_for_this_audience"));
    }
    let replays = let_in(
        |issuer| issuer,
        |server| server.dpop(Dpop::accepted().danger().without_replay_check()),
        app,
    );
    assert_eq!(replays.await, ["proof_replayed"]);
    let cookies = |server: &ResourceServer| {
        let layer = server.authenticate().danger().token_cookie("access_token");
        Router::new()
            .route("/orders", get(orders))
            .route_layer(layer)
    };
    assert_eq!(
        let_in(|issuer| issuer, |server| server, cookies).await,
        ["token_in_cookie"]
    );
    let subprotocols = |server: &ResourceServer| {
        let layer = server.authenticate().danger().token_subprotocol("bearer");
        Router::new()
            .route("/orders", get(orders))
            .route_layer(layer)
    };
    assert_eq!(
        let_in(|issuer| issuer, |server| server, subprotocols).await,
        ["token_in_subprotocol"]
    );
    let observed = |server: &ResourceServer| {
        let until = SystemClock::new()
            .now()
            .saturating_add(Duration::from_secs(3600));
        let layer = server.authenticate().danger().observe_only_until(until);
        Router::new()
            .route("/orders", get(async || "orders"))
            .route_layer(layer)
    };
    assert!(
        let_in(|issuer| issuer, |server| server, observed)
            .await
            .len()
            > 100
    );
}

#[tokio::test]
async fn a_route_that_forgets_the_scope_is_reported_unless_it_needs_none() {
    let issuer = MockIssuer::new();
    let app = || {
        let handler = get(async |_: AccessToken| "orders");
        let layer = server(&issuer).authenticate();
        Router::new().route("/orders", handler).route_layer(layer)
    };
    let found = names(check(&issuer).run(app()).await);
    let scopes = [
        "scope_missing",
        "wrong_scope",
        "scope_longer_word",
        "scope_in_other_case",
    ];
    assert_eq!(found, scopes.map(|name| (name, true)));
    check(&issuer).without_scope().run(app()).await.unwrap();
}

#[tokio::test]
async fn answers_of_another_form_are_reported() {
    use axum::response::{IntoResponse as _, Response};
    let issuer = MockIssuer::new();
    let wrapped = |change: fn(&mut Response, &Request<()>)| {
        let inner = app(&server(&issuer));
        Router::new().fallback(move |request: axum::extract::Request| async move {
            let (parts, body) = request.into_parts();
            let head = Request::from_parts(parts.clone(), ());
            let request = Request::from_parts(parts, body);
            let response = tower::ServiceExt::oneshot(inner, request).await;
            let mut response = response.into_response();
            if response.status().as_u16() >= 400 {
                change(&mut response, &head);
            }
            response
        })
    };
    for (change, words) in [
        (
            (|response, _| drop(response.headers_mut().remove("www-authenticate")))
                as fn(&mut Response, &Request<()>),
            "no `WWW-Authenticate`",
        ),
        (
            |response, _| drop(response.headers_mut().remove("cache-control")),
            "no `Cache-Control: no-store`",
        ),
        (
            |response, _| *response.status_mut() = StatusCode::FORBIDDEN,
            "the answer is 403",
        ),
        (
            |response, request| {
                let sent = request.headers().get("authorization").cloned();
                let text =
                    String::from_utf8_lossy(sent.as_ref().map_or(b"", |sent| sent.as_bytes()))
                        .into_owned();
                *response.body_mut() = format!("bad credentials: {text}").into();
            },
            "the body of the answer repeats what was sent",
        ),
    ] {
        let faults = check(&issuer)
            .run(wrapped(change))
            .await
            .expect_err("faults");
        assert!(faults.to_string().contains(words), "{words}: {faults}");
        assert!(faults.iter().all(|fault| !fault.is_open()));
    }
}

#[tokio::test]
async fn routes_for_bound_tokens_are_checked_with_proofs() {
    let issuer = MockIssuer::new();
    let key = DpopKey::generate();
    let good = issuer.token().scope("app/read").bound_to_key(&key);
    let server = builder(&issuer)
        .public_origin("https://orders.example")
        .dpop(Dpop::accepted().require_nonces())
        .require_binding(Binding::Any)
        .build()
        .expect("a server");
    let check = || {
        WrongCredentials::of(&good)
            .get("/orders")
            .proven_by(&key)
            .server(&server)
    };
    let sent = check()
        .public_origin("https://orders.example")
        .run(app(&server))
        .await
        .unwrap();
    assert!(sent > 100, "{sent}");
    // With another origin no proof is good, and so no token.
    assert_eq!(
        names(check().run(app(&server)).await),
        [("good_token", false)]
    );

    // Where bound tokens are never admitted, proofs cannot be checked.
    let off = builder(&issuer)
        .dpop(Dpop::off())
        .build()
        .expect("a server");
    let bearer = || WrongCredentials::of(&issuer.token().scope("app/read")).get("/orders");
    let found = names(bearer().run(app(&off)).await);
    assert!(found.contains(&("good_proof", false)), "{found:?}");
    bearer().without_dpop().run(app(&off)).await.unwrap();
}

#[tokio::test]
async fn opaque_tokens_are_checked_by_what_the_issuer_says() {
    let issuer = MockIssuer::new().serve().await;
    let server = ResourceServer::builder(MockIssuer::AUDIENCE)
        .issuer(issuer.introspected().without_introspection_cache())
        .build()
        .expect("a server")
        .connect()
        .await
        .expect("an issuer that answers");
    let good = issuer.token().scope("app/read");
    let check = WrongCredentials::of(&good).get("/orders").opaque();
    let sent = check.run(app(&server)).await.unwrap();
    assert!(sent > 60, "{sent}");
}

#[tokio::test]
async fn fetched_keys_may_be_an_outage_for_unknown_keys_alone() {
    let issuer = MockIssuer::new().serve().await;
    let server = ResourceServer::builder(MockIssuer::AUDIENCE)
        .issuer(issuer.trusted())
        .build()
        .expect("a server")
        .connect()
        .await
        .expect("an issuer that answers");
    let good = issuer.token().scope("app/read");
    WrongCredentials::of(&good)
        .get("/orders")
        .run(app(&server))
        .await
        .unwrap();
}

#[tokio::test]
async fn a_credential_is_left_out_by_name() {
    let issuer = MockIssuer::new();
    let server = server(&issuer);
    let all = check(&issuer).run(app(&server)).await.unwrap();
    let fewer = check(&issuer)
        .skip("expired")
        .skip("no_token")
        .run(app(&server))
        .await
        .unwrap();
    assert_eq!(fewer, all - 2);
}

#[test]
#[should_panic(expected = "there is no wrong credential `expierd`")]
fn an_unknown_name_is_refused() {
    let _ = check(&MockIssuer::new()).skip("expierd");
}

#[test]
fn every_name_is_there_once_and_in_the_manual() {
    let names: Vec<_> = WrongCredentials::names().collect();
    let unique: HashSet<_> = names.iter().collect();
    assert_eq!(unique.len(), names.len());
    assert!(names.len() > 110, "{}", names.len());
    let manual = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/manual/testing.md");
    let manual = fs::read_to_string(manual).expect("the chapter");
    for name in names {
        assert!(
            manual.contains(&format!("`{name}`")),
            "{name} is not in the manual"
        );
    }
}

#[tokio::test]
async fn a_wrong_credential_that_is_let_in_the_second_time_is_found() {
    use std::sync::Mutex;

    use axum::extract::Request;
    use axum::middleware::{Next, from_fn};
    use axum::response::IntoResponse as _;

    let issuer = MockIssuer::new();
    let server = server(&issuer);
    // What an application does that remembers answers by the token and forgets that they were refusals.
    let seen = std::sync::Arc::new(Mutex::new(HashSet::new()));
    let remembers = move |request: Request, next: Next| {
        let field = request.headers().get("authorization").cloned();
        let is_new = field.is_none_or(|field| seen.lock().expect("no panic").insert(field));
        async move {
            if is_new {
                next.run(request).await
            } else {
                "remembered".into_response()
            }
        }
    };
    let check = check(&issuer).without_dpop();
    let faults = names(check.run(app(&server).layer(from_fn(remembers))).await);
    for name in ["expired", "alg_none", "tampered_signature", "two_parts"] {
        assert!(faults.contains(&(name, true)), "{name}: {faults:?}");
    }
    assert!(!faults.contains(&("no_token", true)));
    // The twin, which remembers nothing.
    check.run(app(&server)).await.unwrap();
}
