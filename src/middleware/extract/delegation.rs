//! A client that acts for a user, as the request's header field says.

use axum::extract::FromRequestParts;
use http::request::Parts;

use super::admission::option;
use super::place;
use crate::middleware::admitted::Admitted;
use crate::middleware::refusal::Refusal;
use crate::verify::delegation::{Delegation, UncheckedDelegation};

impl<S: Send + Sync> FromRequestParts<S> for UncheckedDelegation {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let place = place::workspace(parts, state).await;
        let admitted = Admitted::of(&parts.extensions)?;
        claim(admitted, parts, place).await
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Delegation {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let place = place::workspace(parts, state).await;
        let admitted = Admitted::of(&parts.extensions)?;
        let server = &admitted.policy().server;
        if let Some(fault) = server.user_directory_fault() {
            return Err(admitted.refuse(fault));
        }
        let claimed = claim(admitted, parts, place).await?;
        let confirmed = server.confirm(claimed);
        confirmed
            .await
            .map_err(|rejection| admitted.refuse(rejection))
    }
}

async fn claim(
    admitted: &Admitted,
    parts: &Parts,
    place: Result<crate::verify::access::Place, crate::RejectionKind>,
) -> Result<UncheckedDelegation, Refusal> {
    let server = &admitted.policy().server;
    admitted.check_wiring()?;
    if let Some(fault) = server.delegation_fault() {
        return Err(admitted.refuse(fault));
    }
    let admission = admitted.required()?;
    let place = place.map_err(|kind| admitted.refuse(kind))?;
    let claimed = server.claim_delegation(admission, &parts.headers, &place);
    claimed
        .await
        .map_err(|rejection| admitted.refuse(rejection))
}

option!(Delegation);
option!(UncheckedDelegation);
