//! Documents of aide.

use aide::axum::ApiRouter;
use aide::axum::routing::{get, get_with, post};
use aide::openapi::OpenApi;
use axum::{Json, Router};
use portcullis::extract::{Authorized, SenderConstrained};
use portcullis::layer::RequireLayer;
use portcullis::test_util::{MockIssuer, OpenApiCheck};
use portcullis::{
    AccessToken, Claims, Identity, InGroup, InRole, ResourceServer, Scoped, WorkspaceAccess,
    WorkspaceUser, openapi,
};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::openapi::golden::{assert_golden, assert_schemes_exist};
use crate::support::builder;

portcullis::scopes! {
    ReadOrders = "orders:read";
    EditOrders = "orders:write" | "orders:admin orders:read" | role "Orders.Edit";
}

portcullis::roles! { Admin = "admin" | "owner"; }

portcullis::requirements! {
    Recent { scope: "payments:write", acr: "phr" }
}

#[derive(Deserialize, JsonSchema)]
struct Order {
    #[allow(dead_code)]
    article: String,
    #[allow(dead_code)]
    pieces: u8,
}

#[derive(Deserialize)]
struct Payload {}

fn app(server: &ResourceServer) -> (Router, OpenApi) {
    let mut document = OpenApi::default();
    let layered = get_with(async || "all of them", openapi::require::<ReadOrders>);
    let optional = get_with(
        async |_: Option<Scoped<ReadOrders>>| "some",
        openapi::optional,
    );
    let guarded = ApiRouter::new()
        .api_route(
            "/orders",
            get(async |_: Scoped<ReadOrders>| "all of them")
                .post(async |_: Scoped<EditOrders>, Json(_): Json<Order>| "made"),
        )
        .api_route(
            "/layered",
            layered.layer(RequireLayer::of::<ReadOrders>().rendered()),
        )
        .api_route(
            "/both",
            get(async |_: Scoped<EditOrders>, _: Authorized<ReadOrders>| "both"),
        )
        .api_route("/recent", post(async |_: Authorized<Recent>| "recent"))
        .api_route(
            "/token",
            get(async |_: AccessToken, _: Claims<Payload>| "token"),
        )
        .layer(server.authenticate())
        .merge(
            ApiRouter::new()
                .api_route("/optional", optional)
                .layer(server.authenticate().optional()),
        );
    let public = guarded.api_route("/health", get_with(async || "well", openapi::public));
    let schemes = server
        .security_schemes()
        .endpoints(
            &MockIssuer::new().issuer(),
            "https://id.example.com/authorize",
            "https://id.example.com/token",
        )
        .expect("a known issuer");
    let router = public.finish_api_with(&mut document, |api| {
        schemes.document(api.title("orders").version("1"))
    });
    (router, document)
}

#[test]
fn document_is_the_golden_one() {
    let server = builder(&MockIssuer::new()).build().expect("sound");
    let (_, document) = app(&server);
    assert_schemes_exist(&document);
    assert_golden("aide.golden.json", &document);
}

#[tokio::test]
async fn what_is_documented_is_what_is_enforced() {
    let issuer = MockIssuer::new();
    let server = builder(&issuer).build().expect("sound");
    let (router, document) = app(&server);
    let good = issuer
        .token()
        .scope("orders:read orders:write payments:write")
        .claim("acr", "phr");
    let called = OpenApiCheck::new(&document)
        .good_token(good.sign())
        .token_without_scope(issuer.token().sign())
        .run(router)
        .await
        .expect("as documented");
    assert_eq!(called, 8);
}

#[test]
fn every_kind_of_extractor_states_what_it_demands() {
    let mut document = OpenApi::default();
    let _: Router = ApiRouter::new()
        .api_route("/identity", get(async |_: Identity| ""))
        .api_route("/user", get(async |_: WorkspaceUser| ""))
        .api_route("/workspace", get(async |_: WorkspaceAccess| ""))
        .api_route("/role", get(async |_: InRole<Admin>| ""))
        .api_route("/group", get(async |_: InGroup<Admin>| ""))
        .api_route(
            "/bound",
            get(async |_: SenderConstrained<Scoped<ReadOrders>>| ""),
        )
        .finish_api(&mut document);
    let document = serde_json::to_value(document).expect("JSON");
    let of = |path: &str| document["paths"][path]["get"].clone();
    for (path, status, text) in [
        ("/identity", "403", "may not do this."),
        ("/user", "403", "be a `user`."),
        ("/workspace", "403", "reach the tenant."),
        ("/role", "403", "have the role `admin` or `owner`."),
        ("/group", "403", "be in the group `admin` or `owner`."),
        (
            "/bound",
            "401",
            "bound to a DPoP key or to a client certificate.",
        ),
    ] {
        let operation = of(path);
        let stated = operation["responses"][status]["description"].as_str();
        assert!(stated.expect(path).ends_with(text), "{path}: {stated:?}");
        let scopes = &operation["security"][0]["oauth2"];
        assert_eq!(scopes.as_array().expect(path).is_empty(), path != "/bound");
    }
}
