//! The routes of the API that the page offers, with what each demands.

use http::request::Parts;
use portcullis::explain::Explanation;

use super::Stage;
use crate::api;

/// A request that the page can send.
pub(super) struct Route {
    pub(super) id: &'static str,
    /// Method and path.
    pub(super) request: &'static str,
    /// What the route demands, in words.
    pub(super) demands: &'static str,
    pub(super) layer: Layer,
}

/// The layer in front of a route.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Layer {
    App,
    Dashboard,
    Portal,
    Ledger,
    None,
}

pub(super) const ROUTES: &[Route] = &[
    Route {
        id: "missions",
        request: "GET /app/workspaces/acme-prod/missions",
        demands: "scope app/read, a caller of this workspace",
        layer: Layer::App,
    },
    Route {
        id: "add-mission",
        request: "POST /app/workspaces/acme-prod/missions",
        demands: "scopes app/read and app/write",
        layer: Layer::App,
    },
    Route {
        id: "other-workspace",
        request: "GET /app/workspaces/acme-dev/missions",
        demands: "a caller of another workspace",
        layer: Layer::App,
    },
    Route {
        id: "inbox",
        request: "GET /app/workspaces/acme-prod/inbox",
        demands: "a machine client that names a user",
        layer: Layer::App,
    },
    Route {
        id: "export",
        request: "GET /app/workspaces/acme-prod/export",
        demands: "a token bound to its client's key",
        layer: Layer::App,
    },
    Route {
        id: "assistant",
        request: "GET /app/workspaces/acme-prod/assistant",
        demands: "the agent `assistant`, for a user",
        layer: Layer::App,
    },
    Route {
        id: "password",
        request: "POST /app/workspaces/acme-prod/password",
        demands: "a user, and no agent",
        layer: Layer::App,
    },
    Route {
        id: "dashboard",
        request: "GET /dashboard/workspaces/acme-prod",
        demands: "scope dashboard/read; admits principals",
        layer: Layer::Dashboard,
    },
    Route {
        id: "accounts",
        request: "GET /portal/accounts",
        demands: "a principal",
        layer: Layer::Portal,
    },
    Route {
        id: "account",
        request: "GET /portal/accounts/acme",
        demands: "a principal that reaches the account acme",
        layer: Layer::Portal,
    },
    Route {
        id: "other-account",
        request: "GET /portal/accounts/globex",
        demands: "a principal that reaches globex",
        layer: Layer::Portal,
    },
    Route {
        id: "ledger",
        request: "GET /ledger/workspaces/acme-prod",
        demands: "a caller of this workspace; a proof needs the server's nonce",
        layer: Layer::Ledger,
    },
    Route {
        id: "ready",
        request: "GET /ready",
        demands: "nothing: the readiness probe",
        layer: Layer::None,
    },
];

impl Route {
    pub(super) fn named(id: &str) -> Option<&'static Self> {
        ROUTES.iter().find(|route| route.id == id)
    }
}

impl Layer {
    /// Why this layer admits or refuses a request with these parts. It asks the issuers what the request
    /// would ask, so that its conclusion is that of the request. `None` without a layer.
    pub(super) async fn explain(self, demo: &Stage, request: &Parts) -> Option<Explanation> {
        let server = &demo.server;
        Some(match self {
            Self::App => api::app_layer(server).explain_with_lookups(request).await,
            Self::Dashboard => {
                api::dashboard_layer(server)
                    .explain_with_lookups(request)
                    .await
            }
            Self::Portal => {
                api::portal_layer(server)
                    .explain_with_lookups(request)
                    .await
            }
            Self::Ledger => {
                api::app_layer(&demo.ledger)
                    .explain_with_lookups(request)
                    .await
            }
            Self::None => return None,
        })
    }
}
