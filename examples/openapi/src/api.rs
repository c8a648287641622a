//! The API: each operation is guarded and documented by one word.

use axum::Json;
use axum::extract::Path;
use portcullis::openapi::GuardRoutes as _;
use portcullis::{AccessToken, ResourceServer};
use serde::{Deserialize, Serialize};
use utoipa::{OpenApi as _, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

portcullis::scopes! {
    pub ReadOrders = "orders:read";
    pub EditOrders = "orders:write";
}

portcullis::requirements! { AnyToken {} }

#[derive(Serialize, Deserialize, ToSchema)]
struct Order {
    #[schema(example = "lamp")]
    article: String,
    #[schema(example = 2)]
    pieces: u8,
}

/// All orders.
#[utoipa::path(get, path = "/orders", responses((status = 200, body = Vec<Order>)))]
async fn orders() -> Json<Vec<Order>> {
    let article = "lamp".to_owned();
    Json(vec![Order { article, pieces: 2 }])
}

/// Makes an order.
#[utoipa::path(post, path = "/orders", request_body = Order, responses((status = 200, body = Order)))]
async fn make_order(Json(order): Json<Order>) -> Json<Order> {
    Json(order)
}

/// Cancels an order.
#[utoipa::path(delete, path = "/orders/{order}", params(("order" = u32, Path)), responses((status = 200, body = String)))]
async fn cancel_order(Path(order): Path<u32>) -> String {
    format!("order {order} is canceled")
}

/// The caller.
#[utoipa::path(get, path = "/me", responses((status = 200, body = String)))]
async fn me(token: AccessToken) -> String {
    token.subject().map(ToString::to_string).unwrap_or_default()
}

/// Whether the API answers.
#[utoipa::path(get, path = "/health", responses((status = 200, body = String)))]
async fn health() -> &'static str {
    "well"
}

#[derive(utoipa::OpenApi)]
#[openapi(info(title = "Orders", version = "1", description = "An example API"))]
struct Api;

/// The routes and their document. What is public stands outside the layer.
pub(crate) fn router(server: &ResourceServer) -> OpenApiRouter {
    OpenApiRouter::with_openapi(Api::openapi())
        .routes(routes!(orders).guard::<ReadOrders>())
        .routes(routes!(make_order).guard::<EditOrders>())
        .routes(routes!(cancel_order).guard::<EditOrders>())
        .routes(routes!(me).guard::<AnyToken>())
        .layer(server.authenticate())
        .routes(routes!(health).public())
}
