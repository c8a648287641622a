//! Each part of a requirement alone and all of them together, as extractor, as layer and as both: what is
//! refused, and the token that is accepted.

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use http::Request;
use portcullis::binding::Dpop;
use portcullis::extract::{Authorized, Requirement};
use portcullis::layer::RequireLayer;
use portcullis::test_util::{DpopKey, ManualClock, MockIssuer, TokenBuilder};
use portcullis::time::Clock as _;
use portcullis::{AccessToken, TenantClaims};

use crate::support::{API, Requests as _, TestApp, TestResponse};

portcullis::scopes! { Permission = "pay:write" | role "Pay.Write"; }

portcullis::requirements! {
    Nothing {}
    ByScope { scope: "pay:write" | "pay:read pay:admin" }
    ByRole { role: "treasurer" | "owner" }
    ByTenant { tenant: true }
    ByBinding { binding: Dpop }
    ByAcr { acr: "phr" | "urn:example:mfa" }
    ByAge { max_age: Duration::from_secs(300) }
    Everything {
        scope: "pay:write" | "pay:read pay:admin",
        role: "treasurer",
        tenant: true,
        binding: Dpop,
        acr: "phr" | "urn:example:mfa",
        max_age: Duration::from_secs(300),
    }
}

struct Stage {
    clock: ManualClock,
    key: DpopKey,
    issuer: MockIssuer,
    app: TestApp,
}

/// The same requirement in three places.
fn places<R: Requirement>(name: &str) -> Router {
    Router::new()
        .route(
            &format!("/extractor/{name}"),
            get(async |_: Authorized<R>| {}),
        )
        .route(
            &format!("/layer/{name}"),
            get(async |_: AccessToken| {}).route_layer(RequireLayer::of::<R>()),
        )
        .route(
            &format!("/both/{name}"),
            get(async |_: Authorized<R>| {}).route_layer(RequireLayer::of::<R>()),
        )
}

impl Stage {
    fn new() -> Self {
        let clock = ManualClock::new();
        let issuer = MockIssuer::new().with_clock(clock.clone());
        let rules = TenantClaims::by_workspace("workspace").account_claim("account");
        let server = portcullis::ResourceServer::builder(API)
            .issuer(issuer.trusted().tenant_claims(rules))
            .clock(clock.clone())
            .dpop(Dpop::accepted())
            .build()
            .expect("sound");
        let app = TestApp::behind(server.authenticate())
            .routes(places::<Nothing>("nothing"))
            .routes(places::<ByScope>("scope"))
            .routes(places::<Permission>("permission"))
            .routes(places::<ByRole>("role"))
            .routes(places::<ByTenant>("tenant"))
            .routes(places::<ByBinding>("binding"))
            .routes(places::<ByAcr>("acr"))
            .routes(places::<ByAge>("age"))
            .routes(places::<Everything>("everything"));
        let key = DpopKey::generate().with_clock(clock.clone());
        Self {
            clock,
            key,
            issuer,
            app,
        }
    }

    /// A token that meets nothing.
    fn plain(&self) -> TokenBuilder {
        self.issuer.token().audience(API).scope("openid")
    }

    /// A token that meets everything.
    fn full(&self) -> TokenBuilder {
        self.plain()
            .scope("pay:write")
            .claim("roles", ["treasurer"])
            .claim("workspace", "acme-prod")
            .claim("account", "acme")
            .claim("acr", "urn:example:mfa")
            .claim("auth_time", self.now())
            .bound_to_key(&self.key)
    }

    fn now(&self) -> i64 {
        self.clock.now().as_secs()
    }

    async fn send(&self, path: &str, token: &TokenBuilder, is_bound: bool) -> TestResponse {
        let request = Request::get(path).body(Body::empty()).expect("a request");
        let token = token.sign();
        if is_bound {
            let proof = self.key.proof("GET", &format!("{API}{path}"));
            self.app.exchange(proof.authorize(request, &token)).await
        } else {
            self.app.get(path, &token).await
        }
    }

    async fn check(&self, name: &str, token: &TokenBuilder, is_bound: bool, expected: &str) {
        for place in ["extractor", "layer", "both"] {
            let path = format!("/{place}/{name}");
            let answer = self.send(&path, token, is_bound).await;
            assert_eq!(answer.verdict(), expected, "{path}");
        }
    }
}

#[tokio::test]
async fn each_part_alone_refuses_the_token_that_lacks_it_and_accepts_its_twin() {
    const STEP_UP: &str = "401 insufficient_user_authentication";
    let stage = Stage::new();
    let plain = || stage.plain();
    stage.check("nothing", &plain(), false, "200").await;
    let now = stage.now();
    for (name, refused, expected, accepted) in [
        (
            "scope",
            plain().scope("pay:read"),
            "403 insufficient_scope",
            vec![
                plain().scope("openid pay:write"),
                plain().scope("pay:admin pay:read"),
            ],
        ),
        (
            "permission",
            plain().claim("roles", ["Pay.Read"]),
            "403 insufficient_scope",
            vec![
                plain().claim("roles", ["Pay.Write"]),
                plain().scope("pay:write"),
            ],
        ),
        (
            "role",
            plain().claim("roles", ["clerk"]),
            "403 wrong_caller",
            vec![
                plain().claim("roles", ["clerk", "owner"]),
                plain().claim("roles", ["treasurer"]),
            ],
        ),
        (
            "tenant",
            plain(),
            "403 no_tenant",
            vec![
                plain()
                    .claim("workspace", "acme-prod")
                    .claim("account", "acme"),
            ],
        ),
        (
            "acr",
            plain().claim("acr", "pwd"),
            STEP_UP,
            vec![
                plain().claim("acr", "phr"),
                plain().claim("acr", "urn:example:mfa"),
            ],
        ),
        (
            "age",
            plain().claim("auth_time", now - 301),
            STEP_UP,
            vec![
                plain().claim("auth_time", now - 300),
                plain().claim("auth_time", now),
            ],
        ),
    ] {
        stage.check(name, &refused, false, expected).await;
        for accepted in accepted {
            stage.check(name, &accepted, false, "200").await;
        }
    }
    let bound = plain().bound_to_key(&stage.key);
    stage
        .check("binding", &plain(), false, "401 invalid_token binding")
        .await;
    stage.check("binding", &bound, true, "200").await;
}

#[tokio::test]
async fn all_parts_together_are_checked_in_the_order_token_scope_user_role_tenant() {
    let stage = Stage::new();
    let full = stage.full();
    stage.check("everything", &full, true, "200").await;
    // One more part is missing from row to row, from the last to the first.
    let mut token = full.without("workspace").without("account");
    stage
        .check("everything", &token, true, "403 no_tenant")
        .await;
    token = token.claim("roles", ["clerk"]);
    stage
        .check("everything", &token, true, "403 wrong_caller")
        .await;
    token = token.claim("auth_time", stage.now() - 301);
    let step_up = "401 insufficient_user_authentication";
    stage.check("everything", &token, true, step_up).await;
    token = token.claim("acr", "pwd");
    stage.check("everything", &token, true, step_up).await;
    token = token.scope("pay:read");
    stage
        .check("everything", &token, true, "403 insufficient_scope")
        .await;
    token = token.without("cnf");
    stage
        .check("everything", &token, false, "401 invalid_token binding")
        .await;
    let answer = stage.app.send("/both/everything", &[]).await;
    assert_eq!(answer.verdict(), "401 missing_token");
}

#[tokio::test]
async fn cached_token_grows_too_old_for_the_route_and_not_for_others() {
    let stage = Stage::new();
    let token = stage.plain().claim("auth_time", stage.now());
    for (step, expected) in [
        (0, "200"),
        (300, "200"),
        (1, "401 insufficient_user_authentication"),
    ] {
        stage.clock.advance(Duration::from_secs(step));
        stage.check("age", &token, false, expected).await;
        stage.check("nothing", &token, false, "200").await;
    }
    // The same user, signed in again.
    let again = stage.plain().claim("auth_time", stage.now());
    stage.check("age", &again, false, "200").await;
}
