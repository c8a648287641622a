//! Documents of utoipa.

use std::time::Duration;

use axum::Router;
use axum::extract::State;
use portcullis::openapi::GuardRoutes as _;
use portcullis::test_util::{MockIssuer, OpenApiCheck};
use portcullis::{Issuer, Resource, ResourceServer};
use utoipa::openapi::OpenApi;
use utoipa::{Modify as _, OpenApi as _};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::openapi::golden::{assert_golden, assert_schemes_exist};
use crate::support::{API, Requests as _, builder};

portcullis::scopes! {
    ReadOrders = "orders:read";
    EditOrders = "orders:write" | "orders:admin orders:read" | role "Orders.Edit";
}

portcullis::requirements! {
    AnyToken {}
    Transfer {
        scope: "payments:write",
        role: "treasurer",
        acr: "phr" | "urn:example:mfa",
        max_age: Duration::from_secs(300),
    }
    Bound { scope: "payments:write", binding: Dpop }
    Certified { binding: MutualTls }
}

#[utoipa::path(get, path = "/orders", responses((status = 200, description = "All orders")))]
async fn orders() -> &'static str {
    "all of them"
}

#[utoipa::path(post, path = "/orders", responses(
    (status = 200, description = "Made"),
    (status = 403, description = "The shop is closed"),
))]
async fn make_order() {}

#[utoipa::path(delete, path = "/orders/{order}", params(("order" = u32, Path)), responses((status = 200)))]
async fn cancel_order() {}

#[utoipa::path(post, path = "/transfers", responses((status = 200)), security(("forgotten" = ["x"])))]
async fn transfer() {}

#[utoipa::path(get, path = "/me", responses((status = 200)))]
async fn me() {}

#[utoipa::path(get, path = "/health", responses((status = 200)))]
async fn health() {}

#[derive(utoipa::OpenApi)]
#[openapi(info(
    title = "orders",
    version = "1",
    description = "Orders",
    license(name = "none")
))]
struct Api;

/// The application, and its document with the schemes of the server.
fn app(server: &ResourceServer) -> (Router, OpenApi) {
    let guarded = OpenApiRouter::with_openapi(Api::openapi())
        .routes(routes!(orders).guard::<ReadOrders>())
        .routes(routes!(make_order).guard::<EditOrders>())
        .nest(
            "/v2",
            OpenApiRouter::new().routes(
                routes!(cancel_order)
                    .guard::<EditOrders>()
                    .guard::<ReadOrders>(),
            ),
        )
        .routes(routes!(transfer).guard::<Transfer>())
        .routes(routes!(me).guard::<AnyToken>())
        .layer(server.authenticate());
    let all = guarded.routes(routes!(health).public());
    let (router, mut document) = all.split_for_parts();
    schemes(server).modify(&mut document);
    (router, document)
}

fn schemes(server: &ResourceServer) -> portcullis::openapi::SecuritySchemes {
    let issuer = MockIssuer::new();
    server
        .security_schemes()
        .endpoints(
            &issuer.issuer(),
            "https://id.example.com/authorize",
            "https://id.example.com/token",
        )
        .expect("a known issuer")
        .describe_scope("orders:read", "Read orders")
}

#[test]
fn document_is_the_golden_one() {
    let issuer = MockIssuer::new();
    let server = ResourceServer::builder(Resource::new(API).scopes::<ReadOrders>())
        .issuer(issuer.trusted())
        .build()
        .expect("sound");
    let _ = server.metadata();
    let (_, document) = app(&server);
    assert_schemes_exist(&document);
    assert_golden("utoipa.golden.json", &document);
}

#[tokio::test]
async fn what_is_documented_is_what_is_enforced() {
    let issuer = MockIssuer::new();
    let server = builder(&issuer).build().expect("sound");
    let (router, document) = app(&server);
    let good = issuer
        .token()
        .scope("orders:read orders:write payments:write")
        .claim("roles", ["treasurer"])
        .claim("acr", "phr")
        .claim("auth_time", issuer_now());
    let called = OpenApiCheck::new(&document)
        .good_token(good.sign())
        .token_without_scope(issuer.token().sign())
        .run(router)
        .await
        .expect("as documented");
    assert_eq!(called, 6);
}

fn issuer_now() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.expect("after 1970").as_secs()
}

#[tokio::test]
async fn a_method_without_a_handler_is_405_and_not_a_matter_of_the_guard() {
    let issuer = MockIssuer::new();
    let server = builder(&issuer).build().expect("sound");
    let (router, _) = app(&server);
    let token = format!("Bearer {}", issuer.token().sign());
    let refused = router.send("/orders", &[("authorization", &token)]).await;
    assert_eq!(refused.status, 403);
    let request = http::Request::put("/orders")
        .header("authorization", &token)
        .body(axum::body::Body::empty())
        .expect("a request");
    let answer = tower::ServiceExt::oneshot(router, request).await;
    assert_eq!(answer.expect("infallible").status(), 405);
}

#[test]
fn answers_of_the_handler_stay_and_its_security_does_not() {
    let server = ResourceServer::builder(API)
        .issuer(MockIssuer::new().trusted())
        .build()
        .expect("sound");
    let document = serde_json::to_value(app(&server).1).expect("JSON");
    let make = &document["paths"]["/orders"]["post"];
    assert_eq!(
        make["responses"]["403"]["description"],
        "The shop is closed"
    );
    assert!(make["responses"]["401"].is_object());
    let transfer = &document["paths"]["/transfers"]["post"];
    assert!(!transfer["security"].to_string().contains("forgotten"));
}

#[test]
fn demands_of_bindings_are_documented() {
    let issuer = MockIssuer::new();
    let server = builder(&issuer).build().expect("sound");
    let (_, mut document) = OpenApiRouter::<()>::with_openapi(Api::openapi())
        .routes(routes!(transfer).guard::<Bound>())
        .routes(routes!(me).guard::<Certified>())
        .split_for_parts();
    schemes(&server).modify(&mut document);
    assert_schemes_exist(&document);
    let document = serde_json::to_value(document).expect("JSON");
    let bound = &document["paths"]["/transfers"]["post"];
    assert_eq!(bound["parameters"][0]["name"], "DPoP");
    assert_eq!(bound["parameters"][0]["required"], true);
    let certified = &document["paths"]["/me"]["get"];
    assert!(certified["security"][0]["mutualTLS"].is_array());
    let schemes = &document["components"]["securitySchemes"];
    assert_eq!(schemes["mutualTLS"]["type"], "mutualTLS");
}

#[test]
fn a_server_that_demands_a_binding_demands_it_in_each_operation() {
    use portcullis::binding::{Binding, Dpop};
    let server = ResourceServer::builder(API)
        .issuer(MockIssuer::new().trusted())
        .dpop(Dpop::accepted())
        .require_binding(Binding::Dpop)
        .build()
        .expect("sound");
    let document = serde_json::to_value(app(&server).1).expect("JSON");
    let parameter = &document["paths"]["/orders"]["get"]["parameters"][0];
    assert_eq!(parameter["name"], "DPoP");
    assert!(document["paths"]["/health"]["get"]["parameters"].is_null());
}

#[test]
fn the_address_of_the_issuers_metadata_has_its_member_in_3_2_alone() {
    let server = ResourceServer::builder(API)
        .issuer(
            Issuer::rfc9068("https://as.example.com/tenant")
                .key_set_url("https://as.example.com/keys"),
        )
        .build()
        .expect("sound");
    let address = "https://as.example.com/.well-known/oauth-authorization-server/tenant";
    let mut document = Api::openapi();
    server.security_schemes().modify(&mut document);
    let written = serde_json::to_value(&document).expect("JSON");
    let scheme = &written["components"]["securitySchemes"]["oauth2"];
    assert_eq!(scheme["x-oauth2-metadata-url"], address);
    document.openapi = utoipa::openapi::OpenApiVersion::Version32;
    server.security_schemes().modify(&mut document);
    let written = serde_json::to_value(&document).expect("JSON");
    let scheme = &written["components"]["securitySchemes"]["oauth2"];
    assert_eq!(scheme["oauth2MetadataUrl"], address);
    assert!(scheme["x-oauth2-metadata-url"].is_null());
}

#[tokio::test]
async fn routes_with_a_state_are_guarded() {
    #[utoipa::path(get, path = "/state", responses((status = 200)))]
    async fn state(State(state): State<u8>) -> String {
        state.to_string()
    }
    let issuer = MockIssuer::new();
    let server = builder(&issuer).build().expect("sound");
    let router: OpenApiRouter = OpenApiRouter::new()
        .routes(routes!(state).guard::<ReadOrders>())
        .layer(server.authenticate())
        .with_state(7);
    let token = format!("Bearer {}", issuer.token().scope("orders:read").sign());
    let (router, _) = router.split_for_parts();
    let answer = router.send("/state", &[("authorization", &token)]).await;
    assert_eq!((answer.status.as_u16(), answer.body.as_str()), (200, "7"));
    assert_eq!(router.send("/state", &[]).await.status, 401);
}
