//! Guards on routes that utoipa documents.

use axum::routing::MethodRouter;
use utoipa::openapi::path::Paths;
use utoipa::openapi::{RefOr, Schema};

use crate::middleware::openapi::demand::Demand;
use crate::middleware::openapi::utoipa_document::{add_demand, make_public};
use crate::middleware::require::layer::RequireLayer;
use crate::model::requirement::route_requirement::{Requirement, RouteRequirement};

/// What `utoipa_axum::routes!` makes: schemas, documented operations and their handlers.
pub type Routes<S = (), E = std::convert::Infallible> =
    (Vec<(String, RefOr<Schema>)>, Paths, MethodRouter<S, E>);

/// Guards on the value of `utoipa_axum::routes!`, which are enforced and documented by one word.
///
/// ```
/// use portcullis::openapi::GuardRoutes as _;
/// use utoipa_axum::{router::OpenApiRouter, routes};
///
/// portcullis::scopes! { ReadOrders = "orders:read"; }
///
/// #[utoipa::path(get, path = "/orders", responses((status = 200)))]
/// async fn orders() -> &'static str { "all of them" }
///
/// #[utoipa::path(get, path = "/health", responses((status = 200)))]
/// async fn health() {}
///
/// let router: OpenApiRouter = OpenApiRouter::new()
///     .routes(routes!(orders).guard::<ReadOrders>())
///     .routes(routes!(health).public());
/// let document = router.get_openapi();
/// let orders = document.paths.get_path_item("/orders").and_then(|item| item.get.as_ref());
/// assert!(orders.is_some_and(|get| get.responses.responses.contains_key("403")));
/// ```
#[doc(alias("swagger", "openapi", "utoipa", "guard"))]
pub trait GuardRoutes: Sized {
    /// Adds [`RequireLayer::of::<R>()`](crate::layer::RequireLayer) to the handlers, and to each
    /// operation its security requirement, its answers 400, 401, 403 and 503 and, for a token that is
    /// bound to a DPoP key, the header `DPoP`. The answers take the place of none that the handler
    /// documents; the security requirement takes the place of one that it documents.
    ///
    /// Refusals have the body that the renderer of the authentication layer makes. Several guards add
    /// up. An extractor of the handler that demands more is not documented here. A role is one of the
    /// issuer's roles claim, as for every layer.
    #[must_use]
    fn guard<R: Requirement>(self) -> Self;

    /// Declares the operations public: `security: []`. It enforces nothing, so the routes stand outside
    /// the authentication layer, or under an optional one.
    #[must_use]
    fn public(self) -> Self;
}

impl<S, E> GuardRoutes for Routes<S, E>
where
    S: Clone + 'static,
    E: Send + 'static,
{
    fn guard<R: Requirement>(self) -> Self {
        let (schemas, mut paths, router) = self;
        add_demand(&mut paths, &Demand::from(RouteRequirement::of::<R>()));
        // A method without a handler is 405 and not a matter of its guard.
        let router = router.route_layer(RequireLayer::of::<R>().rendered());
        (schemas, paths, router)
    }

    fn public(self) -> Self {
        let (schemas, mut paths, router) = self;
        make_public(&mut paths);
        (schemas, paths, router)
    }
}
