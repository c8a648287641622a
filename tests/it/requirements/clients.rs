//! Clients that ask for exactly what the last challenge names, in place of what they had, come to an
//! end, and are asked for nothing that they do not need.

use std::time::Duration;

use axum::Router;
use axum::routing::get;
use portcullis::config::ScopeHierarchy;
use portcullis::extract::{Authorized, Requirement};
use portcullis::layer::RequireLayer;
use portcullis::test_util::{ManualClock, MockIssuer};
use portcullis::time::Clock as _;
use portcullis::{AuthenticateLayer, ResourceServer, Scoped};

use crate::support::{API, Requests as _, TestApp, TestResponse};

portcullis::scopes! {
    Read = "orders:read";
    Bill = "bill:write";
    Session = "openid profile";
}

portcullis::requirements! {
    BillAgain {
        scope: "bill:write" | "bill:admin",
        acr: "phr" | "mfa",
        max_age: Duration::from_secs(300),
    }
    OnlyMfa { acr: "mfa" }
}

struct Stage {
    clock: ManualClock,
    issuer: MockIssuer,
    app: TestApp,
}

impl Stage {
    fn new(
        hierarchy: ScopeHierarchy,
        layer: impl FnOnce(AuthenticateLayer) -> AuthenticateLayer,
        routes: Router,
    ) -> Self {
        let clock = ManualClock::new();
        let issuer = MockIssuer::new().with_clock(clock.clone());
        let server = ResourceServer::builder(API)
            .issuer(issuer.trusted())
            .clock(clock.clone())
            .scope_hierarchy(hierarchy)
            .build()
            .expect("sound");
        Self {
            app: TestApp::behind(layer(server.authenticate())).routes(routes),
            issuer,
            clock,
        }
    }

    /// The answer to a token of this scope, and of this authentication of its user.
    async fn ask(&self, path: &str, scope: &str, acr: &str, age: u64) -> TestResponse {
        let signed_in = self.clock.now().as_secs() - i64::try_from(age).expect("small");
        let token = self.issuer.token().audience(API).scope(scope);
        let token = token.claim("acr", acr).claim("auth_time", signed_in);
        self.app.get(path, &token.sign()).await
    }

    /// How many tokens such a client gets until it is let in to all paths.
    async fn tokens_until_in(&self, paths: &[&str], scope: &str) -> usize {
        let (mut scope, mut acr, mut age) = (scope.to_owned(), "pwd".to_owned(), 4000);
        for tokens in 0..10 {
            let mut refused = None;
            for path in paths {
                let answer = self.ask(path, &scope, &acr, age).await;
                if answer.status != 200 {
                    refused = Some(answer);
                    break;
                }
            }
            let Some(answer) = refused else {
                return tokens;
            };
            // It has its own scope no more, and what it is not asked for it does not get.
            scope = parameter(&answer, "scope").unwrap_or_default();
            if let Some(values) = parameter(&answer, "acr_values") {
                values.split(' ').next().expect("one").clone_into(&mut acr);
            }
            if parameter(&answer, "max_age").is_some() {
                age = 0;
            }
        }
        panic!("the client asks for ever; the last scope was `{scope}`, the class `{acr}`");
    }
}

/// A parameter of the challenge.
fn parameter(answer: &TestResponse, name: &str) -> Option<String> {
    let (_, rest) = answer.challenge().split_once(&format!(" {name}=\""))?;
    rest.split_once('"').map(|(value, _)| value.to_owned())
}

fn routes() -> Router {
    Router::new()
        .route("/one", get(async |_: Authorized<BillAgain>| {}))
        .route(
            "/two",
            get(async |_: Authorized<BillAgain>| {}).route_layer(RequireLayer::of::<Read>()),
        )
        .route(
            "/three",
            get(async |_: Authorized<OnlyMfa, Scoped<Read>>| {})
                .route_layer(RequireLayer::of::<BillAgain>()),
        )
        .route("/read", get(async |_: Scoped<Read>| {}))
        .route("/mfa", get(async |_: Authorized<OnlyMfa>| {}))
}

fn flat() -> Stage {
    Stage::new(ScopeHierarchy::new(), |layer| layer, routes())
}

#[tokio::test]
async fn one_challenge_suffices_for_one_requirement_and_guards_in_a_row_do_not_alternate() {
    for (paths, first, most) in [
        (&["/one"][..], "", 1),
        (&["/one"], "bill:admin", 1),
        (&["/two"], "", 2),
        (&["/two"], "orders:read", 1),
        (&["/two"], "bill:write", 2),
        (&["/three"], "", 3),
        (&["/read", "/one", "/read", "/mfa"], "orders:read", 4),
        (&["/one", "/read", "/mfa", "/two"], "openid", 4),
    ] {
        let tokens = flat().tokens_until_in(paths, first).await;
        assert!(tokens <= most, "{paths:?} from `{first}`: {tokens}");
    }
}

#[tokio::test]
async fn step_up_keeps_the_scope_of_the_token_and_demands_no_other_alternative() {
    let stage = flat();
    // The guards make their scopes known by their first refusals.
    let _ = stage.ask("/one", "", "pwd", 0).await;
    let _ = stage.ask("/read", "", "pwd", 0).await;
    for (path, scope, expected) in [
        ("/one", "bill:admin orders:read x", "bill:admin orders:read"),
        ("/one", "bill:write", "bill:write"),
        // It demands no scope, and the client must not lose its own.
        ("/mfa", "orders:read x", "orders:read"),
    ] {
        let answer = stage.ask(path, scope, "pwd", 0).await;
        assert_eq!(answer.verdict(), "401 insufficient_user_authentication");
        assert_eq!(
            parameter(&answer, "scope").as_deref(),
            Some(expected),
            "{path}"
        );
    }
    let answer = stage.ask("/mfa", "x", "pwd", 0).await;
    assert_eq!(parameter(&answer, "scope"), None, "no scope is empty");
}

#[tokio::test]
async fn refusals_of_401_name_the_session_of_the_layer_beside_the_requirement() {
    let session = |layer: AuthenticateLayer| layer.optional().challenge_scope::<Session>();
    let stage = Stage::new(ScopeHierarchy::new(), session, routes());
    let missing = stage.app.send("/one", &[]).await;
    assert_eq!(missing.verdict(), "401 missing_token");
    let expected = Some("bill:write openid profile");
    assert_eq!(parameter(&missing, "scope").as_deref(), expected);
    let answer = stage.ask("/one", "bill:write", "pwd", 0).await;
    assert_eq!(parameter(&answer, "scope").as_deref(), expected);
    let answer = stage.ask("/mfa", "", "pwd", 0).await;
    assert_eq!(
        parameter(&answer, "scope").as_deref(),
        Some("openid profile")
    );
    // A 403 names of it what the token has, as for every guard.
    let answer = stage.ask("/one", "profile", "pwd", 0).await;
    assert_eq!(
        parameter(&answer, "scope").as_deref(),
        Some("bill:write profile")
    );
}

#[tokio::test]
async fn wide_scope_is_kept_and_what_it_implies_is_not_requested_beside_it() {
    let hierarchy = || ScopeHierarchy::new().implies("admin", "orders:read bill:write");
    let stage = || Stage::new(hierarchy(), |layer| layer, routes());
    for (path, scope, expected) in [
        ("/one", "admin x", "admin"),
        ("/two", "admin", "admin"),
        ("/mfa", "admin", "admin"),
    ] {
        let answer = stage().ask(path, scope, "pwd", 0).await;
        assert_eq!(answer.verdict(), "401 insufficient_user_authentication");
        assert_eq!(
            parameter(&answer, "scope").as_deref(),
            Some(expected),
            "{path}"
        );
    }
    // Another guard on the way was met by it.
    let other = Router::new().route(
        "/",
        get(async |_: Scoped<Session>| {}).route_layer(RequireLayer::of::<Read>()),
    );
    let other = Stage::new(hierarchy(), |layer| layer, other);
    let answer = other.ask("/", "admin", "pwd", 0).await;
    assert_eq!(answer.verdict(), "403 insufficient_scope");
    assert_eq!(
        parameter(&answer, "scope").as_deref(),
        Some("openid profile admin")
    );
    assert_eq!(
        stage()
            .tokens_until_in(&["/read", "/one", "/two"], "admin")
            .await,
        1
    );
    assert_eq!(other.tokens_until_in(&["/"], "admin").await, 1);
}

/// By hand, since the macro has no roles in the place of scopes.
struct BillerAgain;

impl Requirement for BillerAgain {
    const SCOPES: &'static [&'static str] = &["bill:write"];
    const ROLES_IN_PLACE_OF_SCOPES: &'static [&'static str] = &["Biller"];
    const ACR_VALUES: &'static [&'static str] = &["mfa"];
}

#[tokio::test]
async fn role_in_the_place_of_a_scope_is_no_reason_to_request_the_scope() {
    let routes = Router::new().route("/", get(async |_: Authorized<BillerAgain>| {}));
    let stage = Stage::new(ScopeHierarchy::new(), |layer| layer, routes);
    let token = stage.issuer.token().audience(API).without("scope");
    for (token, verdict, scope) in [
        (
            token.clone().claim("roles", ["Biller"]),
            "401 insufficient_user_authentication",
            None,
        ),
        (token.clone(), "403 insufficient_scope", Some("bill:write")),
        (
            token.claim("roles", ["Biller"]).claim("acr", "mfa"),
            "200",
            None,
        ),
    ] {
        let answer = stage.app.get("/", &token.sign()).await;
        assert_eq!(answer.verdict(), verdict);
        assert_eq!(parameter(&answer, "scope").as_deref(), scope);
    }
}
