//! The workspace that a route addresses, compared with the caller's.

use axum::extract::FromRequestParts;
use http::request::Parts;

use crate::middleware::authenticate::context::AuthContext;
use crate::middleware::extract::admission::option;
use crate::middleware::extract::place;
use crate::middleware::response::refusal::Refusal;
use crate::verify::identity::access::{RequestedPlace, WorkspaceAccess};
use crate::verify::identity::kinds::Identity;

impl<S: Send + Sync> FromRequestParts<S> for WorkspaceAccess {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let outcome: Result<Self, Refusal> = async {
            let place = place::workspace(parts, state).await;
            let admitted = AuthContext::of(&parts.extensions)?;
            let admission = admitted.for_workspace_guard(&parts.headers)?;
            let place = place.map_err(|kind| admitted.refuse(kind))?;
            let policy = admitted.policy();
            let identity = admission.identity();
            let entered = policy
                .server
                .enter(admission, &place, policy.admits.principals);
            entered.await.map_err(|rejection| {
                admitted.refuse_place(rejection, EXPECTED, differing(identity, &place))
            })
        }
        .await;
        outcome.map_err(|refusal| refusal.for_request((&*parts).into()))
    }
}

/// Who gets into a workspace. The last one where the layer says `admit_principals()`.
const EXPECTED: &str = "user, client or principal";

/// The parameter of the path that is not the caller's.
fn differing(caller: &Identity, place: &RequestedPlace) -> &'static str {
    let is_own = match caller {
        Identity::User(user) => user.workspace().as_str() == place.workspace,
        Identity::Client(client) => client
            .workspace()
            .is_some_and(|own| own.as_str() == place.workspace),
        Identity::Principal(_) | Identity::Subject(_) => false,
    };
    if is_own && place.account.is_some() {
        place::ACCOUNT
    } else {
        place::WORKSPACE
    }
}

option!(WorkspaceAccess);
