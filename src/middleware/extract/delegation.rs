//! A client that acts for a user, as the request's header field says.

use axum::extract::FromRequestParts;
use http::request::Parts;

use crate::middleware::authenticate::context::AuthContext;
use crate::middleware::extract::admission::option;
use crate::middleware::extract::place;
use crate::middleware::response::refusal::Refusal;
use crate::verify::identity::delegation::{Delegation, UncheckedDelegation};

impl<S: Send + Sync> FromRequestParts<S> for UncheckedDelegation {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let outcome: Result<Self, Refusal> = async {
            let place = place::workspace(parts, state).await;
            let admitted = AuthContext::of(&parts.extensions)?;
            claim(admitted, parts, place).await
        }
        .await;
        outcome.map_err(|refusal| refusal.for_request((&*parts).into()))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Delegation {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let outcome: Result<Self, Refusal> = async {
            let place = place::workspace(parts, state).await;
            let admitted = AuthContext::of(&parts.extensions)?;
            check_all_wiring(admitted)?;
            let claimed = claim(admitted, parts, place).await?;
            let confirmed = admitted.policy().server.confirm(claimed);
            confirmed
                .await
                .map_err(|rejection| admitted.refuse(rejection))
        }
        .await;
        outcome.map_err(|refusal| refusal.for_request((&*parts).into()))
    }
}

fn check_wiring(admitted: &AuthContext) -> Result<(), Refusal> {
    admitted.check_wiring()?;
    match admitted.policy().server.delegation_fault() {
        Some(fault) => Err(admitted.refuse(fault)),
        None => Ok(()),
    }
}

fn check_all_wiring(admitted: &AuthContext) -> Result<(), Refusal> {
    check_wiring(admitted)?;
    match admitted.policy().server.user_directory_fault() {
        Some(fault) => Err(admitted.refuse(fault)),
        None => Ok(()),
    }
}

async fn claim(
    admitted: &AuthContext,
    parts: &Parts,
    place: Result<crate::verify::identity::access::RequestedPlace, crate::RejectionKind>,
) -> Result<UncheckedDelegation, Refusal> {
    let server = &admitted.policy().server;
    check_wiring(admitted)?;
    let admission = admitted.required()?;
    let place = place.map_err(|kind| admitted.refuse(kind))?;
    let claimed = server.claim_delegation(admission, &parts.headers, &place);
    claimed
        .await
        .map_err(|rejection| admitted.refuse(rejection))
}

option!(Delegation, check_all_wiring);
option!(UncheckedDelegation, check_wiring);
