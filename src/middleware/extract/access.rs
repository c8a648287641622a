//! Extractors of access proofs: the tenant of the path compared with the caller's.

use axum::extract::FromRequestParts;
use http::request::Parts;

use crate::middleware::authenticate::context::AuthContext;
use crate::middleware::extract::macros::option;
use crate::middleware::extract::tenant_path::RouteParameters;
use crate::middleware::response::refusal::Refusal;
use crate::server::settings::path_parameters::PathParameters;
use crate::verify::identity::access::{AccountAccess, RequestedPlace, WorkspaceAccess};
use crate::verify::identity::kinds::Identity;

impl<S: Send + Sync> FromRequestParts<S> for WorkspaceAccess {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        let outcome: Result<Self, Refusal> = async {
            let route = RouteParameters::of(parts).await;
            let context = AuthContext::of(&parts.extensions)?;
            let request = context.for_workspace_guard(&parts.headers)?;
            let policy = context.policy();
            let place = route.workspace(&policy.path);
            let place = place.map_err(|rejection| context.refuse(rejection))?;
            let entered = policy
                .server
                .enter(request, &place, policy.admits.principals);
            entered.await.map_err(|rejection| {
                let parameter = differing(request.identity(), &place, &policy.path);
                context.refuse_place(rejection, EXPECTED, parameter)
            })
        }
        .await;
        outcome.map_err(|refusal| refusal.for_request((&*parts).into()))
    }
}

option!(WorkspaceAccess);

impl<S: Send + Sync> FromRequestParts<S> for AccountAccess {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        let outcome: Result<Self, Refusal> = async {
            let route = RouteParameters::of(parts).await;
            let context = AuthContext::of(&parts.extensions)?;
            let request = context.for_tenant_guard(&parts.headers)?;
            let policy = context.policy();
            let account = route.account(&policy.path);
            let account = account.map_err(|rejection| context.refuse(rejection))?;
            Self::enter(request.identity(), request.member(), &account)
                .map_err(|kind| context.refuse_place(kind, "principal", &policy.path.account))
        }
        .await;
        outcome.map_err(|refusal| refusal.for_request((&*parts).into()))
    }
}

option!(AccountAccess);

/// The kinds of callers that enter a workspace; principals under `admit_principals()` alone.
const EXPECTED: &str = "user, client or principal";

/// The path parameter whose value differs from the caller's.
fn differing<'n>(caller: &Identity, place: &RequestedPlace, names: &'n PathParameters) -> &'n str {
    let is_own = match caller {
        Identity::User(user) => user.workspace().as_str() == place.workspace,
        Identity::Client(client) => client
            .workspace()
            .is_some_and(|own| own.as_str() == place.workspace),
        Identity::Principal(_) | Identity::Subject(_) => false,
    };
    if is_own && place.account.is_some() {
        &names.account
    } else {
        &names.workspace
    }
}
