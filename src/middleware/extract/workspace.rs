//! The workspace that a route addresses, compared with the caller's.

use axum::extract::FromRequestParts;
use axum::extract::rejection::RawPathParamsRejection;
use axum::extract::{OptionalFromRequestParts, RawPathParams};
use http::request::Parts;

use crate::middleware::admitted::Admitted;
use crate::middleware::refusal::Refusal;
use crate::model::rejection::{RejectionKind, WiringFault};
use crate::verify::access::WorkspaceAccess;

const WORKSPACE: &str = "workspace_id";
const ACCOUNT: &str = "account_id";

impl<S: Send + Sync> FromRequestParts<S> for WorkspaceAccess {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let parameters = RawPathParams::from_request_parts(parts, state).await;
        let admitted = Admitted::of(&parts.extensions)?;
        admitted.check_wiring()?;
        let caller = admitted.required()?.identity();
        let place = Place::read(parameters).map_err(|kind| admitted.refuse(kind))?;
        Self::enter(caller, &place.workspace, place.account.as_deref())
            .map_err(|kind| admitted.refuse(kind))
    }
}

impl<S: Send + Sync> OptionalFromRequestParts<S> for WorkspaceAccess {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Option<Self>, Refusal> {
        let admitted = Admitted::of(&parts.extensions)?;
        admitted.check_wiring()?;
        if admitted.nothing_sent() {
            return Ok(None);
        }
        <Self as FromRequestParts<S>>::from_request_parts(parts, state)
            .await
            .map(Some)
    }
}

/// The place that the path names, decoded once, by the router.
struct Place {
    workspace: String,
    account: Option<String>,
}

impl Place {
    fn read(
        parameters: Result<RawPathParams, RawPathParamsRejection>,
    ) -> Result<Self, RejectionKind> {
        let parameters = parameters.map_err(|rejection| match rejection {
            // A path that is no text names nobody's workspace.
            RawPathParamsRejection::InvalidUtf8InPathParam(_) => RejectionKind::WrongTenant,
            _ => RejectionKind::Misconfigured(WiringFault::NoWorkspaceParameter),
        })?;
        let workspace = single(&parameters, WORKSPACE)?.ok_or(RejectionKind::Misconfigured(
            WiringFault::NoWorkspaceParameter,
        ))?;
        Ok(Self {
            workspace,
            account: single(&parameters, ACCOUNT)?,
        })
    }
}

/// The value of a parameter. Routers that nest may bring it twice, and must agree.
fn single(parameters: &RawPathParams, name: &str) -> Result<Option<String>, RejectionKind> {
    let mut values = parameters
        .iter()
        .filter(|(key, _)| *key == name)
        .map(|(_, value)| value);
    let Some(first) = values.next() else {
        return Ok(None);
    };
    if values.any(|other| other != first) {
        return Err(RejectionKind::Misconfigured(WiringFault::RepeatedParameter));
    }
    Ok(Some(first.to_owned()))
}
