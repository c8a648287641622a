//! The place that a path names, decoded once, by the router.

use axum::extract::rejection::RawPathParamsRejection;
use axum::extract::{FromRequestParts, RawPathParams};
use http::request::Parts;

use crate::model::error::rejection::{RejectionKind, WiringFault};
use crate::verify::identity::access::RequestedPlace;

pub(super) const WORKSPACE: &str = "workspace_id";
pub(super) const ACCOUNT: &str = "account_id";

/// The workspace of the path, and the account where it names one.
pub(super) async fn workspace<S: Send + Sync>(
    parts: &mut Parts,
    state: &S,
) -> Result<RequestedPlace, RejectionKind> {
    let missing = WiringFault::NoWorkspaceParameter;
    let parameters = parameters(parts, state, missing).await?;
    Ok(RequestedPlace {
        workspace: single(&parameters, WORKSPACE)?.ok_or(RejectionKind::Misconfigured(missing))?,
        account: single(&parameters, ACCOUNT)?,
    })
}

/// The account of the path.
pub(super) async fn account<S: Send + Sync>(
    parts: &mut Parts,
    state: &S,
) -> Result<String, RejectionKind> {
    let missing = WiringFault::NoAccountParameter;
    let parameters = parameters(parts, state, missing).await?;
    // Whoever may act in the account may not act in any workspace that a path puts below it.
    if single(&parameters, WORKSPACE)?.is_some() {
        return Err(RejectionKind::Misconfigured(
            WiringFault::WorkspaceParameter,
        ));
    }
    single(&parameters, ACCOUNT)?.ok_or(RejectionKind::Misconfigured(missing))
}

async fn parameters<S: Send + Sync>(
    parts: &mut Parts,
    state: &S,
    missing: WiringFault,
) -> Result<RawPathParams, RejectionKind> {
    let found = RawPathParams::from_request_parts(parts, state).await;
    found.map_err(|rejection| match rejection {
        // A path that is no text names nobody's place.
        RawPathParamsRejection::InvalidUtf8InPathParam(_) => RejectionKind::WrongTenant,
        _ => RejectionKind::Misconfigured(missing),
    })
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
