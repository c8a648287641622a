//! What an operation of aide states beside its extractors.

use aide::transform::TransformOperation;

use crate::middleware::openapi::aide_document::{add_demand, allow_no_token};
use crate::middleware::openapi::demand::{Demand, EXTENSION};
use crate::model::requirement::route_requirement::{Requirement, RouteRequirement};

/// Documents a [`RequireLayer`](crate::layer::RequireLayer) of the route: a transform for aide's
/// `get_with` and its like. It enforces nothing; extractors document themselves.
///
/// ```
/// use aide::axum::{ApiRouter, routing::get_with};
/// use portcullis::layer::RequireLayer;
/// use portcullis::openapi;
///
/// portcullis::scopes! { ReadOrders = "orders:read"; }
///
/// let orders = get_with(async || "all of them", openapi::require::<ReadOrders>);
/// let router: ApiRouter = ApiRouter::new()
///     .api_route("/orders", orders.layer(RequireLayer::of::<ReadOrders>().rendered()));
/// # let _ = router;
/// ```
#[doc(alias("swagger", "openapi", "aide"))]
pub fn require<R: Requirement>(mut operation: TransformOperation<'_>) -> TransformOperation<'_> {
    let demand = Demand::from(RouteRequirement::of::<R>());
    add_demand(operation.inner_mut(), demand);
    operation
}

/// Declares an operation public: `security: []`, a transform for aide's `get_with` and its like. It
/// enforces nothing.
#[doc(alias("swagger", "openapi", "aide"))]
pub fn public(mut operation: TransformOperation<'_>) -> TransformOperation<'_> {
    let inner = operation.inner_mut();
    inner.security.clear();
    inner.extensions.shift_remove(EXTENSION);
    // aide leaves an empty list out.
    let nothing = serde_json::Value::Array(Vec::new());
    inner.extensions.insert("security".to_owned(), nothing);
    operation
}

/// Documents that a request without a token is allowed, for handlers with `Option<..>` of an extractor
/// under an optional layer: a transform for aide's `get_with` and its like.
#[doc(alias("swagger", "openapi", "aide"))]
pub fn optional(mut operation: TransformOperation<'_>) -> TransformOperation<'_> {
    allow_no_token(operation.inner_mut());
    operation
}
