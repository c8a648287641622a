//! The workspace that a route addresses, compared with the caller's.

use axum::extract::FromRequestParts;
use http::request::Parts;

use super::admission::option;
use super::place;
use crate::middleware::admitted::Admitted;
use crate::middleware::refusal::Refusal;
use crate::verify::access::WorkspaceAccess;

impl<S: Send + Sync> FromRequestParts<S> for WorkspaceAccess {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let place = place::workspace(parts, state).await;
        let admitted = Admitted::of(&parts.extensions)?;
        let admission = admitted.for_workspace_guard(&parts.headers)?;
        let place = place.map_err(|kind| admitted.refuse(kind))?;
        let policy = admitted.policy();
        let entered = policy
            .server
            .enter(admission, &place, policy.admits.principals);
        entered
            .await
            .map_err(|rejection| admitted.refuse(rejection))
    }
}

option!(WorkspaceAccess);
