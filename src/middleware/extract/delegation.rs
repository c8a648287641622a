//! Extractors of a client's delegation, which acts for the user that a header field names, and of the
//! picture of who acts for whom.

use axum::extract::FromRequestParts;
use http::request::Parts;

use crate::middleware::authenticate::context::AuthContext;
use crate::middleware::extract::macros::{no_wiring, option};
use crate::middleware::extract::tenant_path::RouteParameters;
use crate::middleware::response::refusal::Refusal;
use crate::verify::identity::delegation::{Delegation, UncheckedDelegation};
use crate::verify::identity::on_behalf_of::OnBehalfOf;

impl<S: Send + Sync> FromRequestParts<S> for UncheckedDelegation {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        let outcome: Result<Self, Refusal> = async {
            let route = RouteParameters::of(parts).await;
            let admitted = AuthContext::of(&parts.extensions)?;
            claim(admitted, parts, &route).await
        }
        .await;
        outcome.map_err(|refusal| refusal.for_request((&*parts).into()))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Delegation {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        let outcome: Result<Self, Refusal> = async {
            let route = RouteParameters::of(parts).await;
            let admitted = AuthContext::of(&parts.extensions)?;
            confirmed(admitted, parts, &route).await
        }
        .await;
        outcome.map_err(|refusal| refusal.for_request((&*parts).into()))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for OnBehalfOf {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        let outcome: Result<Self, Refusal> = async {
            let route = RouteParameters::of(parts).await;
            let admitted = AuthContext::of(&parts.extensions)?;
            let verified = admitted.required()?;
            let (token, identity) = (verified.access_token(), verified.identity());
            if !verified.invokes_delegation(&parts.headers) {
                return Ok(Self::of_token(token, identity));
            }
            let delegation = confirmed(admitted, parts, &route).await?;
            Ok(Self::of_delegation(token, identity, delegation))
        }
        .await;
        outcome.map_err(|refusal| refusal.for_request((&*parts).into()))
    }
}

async fn confirmed(
    admitted: &AuthContext,
    parts: &Parts,
    route: &RouteParameters,
) -> Result<Delegation, Refusal> {
    check_all_wiring(admitted)?;
    let claimed = claim(admitted, parts, route).await?;
    let confirmed = admitted.policy().server.confirm(claimed);
    confirmed
        .await
        .map_err(|rejection| admitted.refuse(rejection))
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
    route: &RouteParameters,
) -> Result<UncheckedDelegation, Refusal> {
    let server = &admitted.policy().server;
    check_wiring(admitted)?;
    let admission = admitted.required()?;
    let place = route.workspace(&admitted.policy().path);
    let place = place.map_err(|rejection| admitted.refuse(rejection))?;
    let claimed = server.claim_delegation(admission, &parts.headers, &place);
    claimed
        .await
        .map_err(|rejection| admitted.refuse(rejection))
}

option!(Delegation, check_all_wiring);
option!(UncheckedDelegation, check_wiring);
option!(OnBehalfOf, no_wiring);
