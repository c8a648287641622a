//! Extractors of the caller's identity, and of one kind of it.

use axum::extract::FromRequestParts;
use http::request::Parts;

use crate::middleware::authenticate::context::AuthContext;
use crate::middleware::extract::macros::{FromAuthContext, extractor, option};
use crate::middleware::response::refusal::Refusal;
use crate::model::error::rejection::RejectionKind;
use crate::verify::identity::kinds::{Client, Identity, Principal, Subject, WorkspaceUser};

impl FromAuthContext for Identity {
    fn from_admitted(admitted: &AuthContext, _: &Parts) -> Result<Self, Refusal> {
        Ok(admitted.required()?.identity().clone())
    }
}

extractor!(Identity);

/// One kind of caller that has a tenant. Where its issuer is not believed about workspaces, the
/// application's directory is asked.
macro_rules! tenant_caller {
    ($kind:ident, $expected:literal, $pick:expr) => {
        impl<S: Sync> FromRequestParts<S> for $kind {
            type Rejection = Refusal;

            async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
                let outcome: Result<Self, Refusal> = async {
                    let admitted = AuthContext::of(&parts.extensions)?;
                    let admission = admitted.for_tenant_guard(&parts.headers)?;
                    let pick: fn(&Identity) -> Result<Self, RejectionKind> = $pick;
                    let caller = pick(admission.identity())
                        .map_err(|kind| admitted.refuse_caller(kind, $expected))?;
                    let confirmed = admitted.policy().server.confirm_tenant(admission).await;
                    confirmed.map_err(|rejection| admitted.refuse(rejection))?;
                    Ok(caller)
                }
                .await;
                outcome.map_err(|refusal| refusal.for_request((&*parts).into()))
            }
        }

        option!($kind);
    };
}

tenant_caller!(WorkspaceUser, "user", |caller| match caller {
    Identity::User(user) => Ok(user.clone()),
    other => Err(without_tenant_or_wrong(other)),
});

tenant_caller!(Principal, "principal", |caller| match caller {
    Identity::Principal(principal) => Ok(principal.clone()),
    other => Err(without_tenant_or_wrong(other)),
});

tenant_caller!(Client, "client", |caller| match caller {
    Identity::Client(client) => Ok(client.clone()),
    _ => Err(RejectionKind::WrongCaller),
});

impl FromAuthContext for Subject {
    fn from_admitted(admitted: &AuthContext, _: &Parts) -> Result<Self, Refusal> {
        match admitted.required()?.identity() {
            Identity::Subject(subject) => Ok(subject.clone()),
            _ => Err(admitted.refuse_caller(RejectionKind::WrongCaller, "subject")),
        }
    }
}

extractor!(Subject);

/// A subject lacks a tenant; everybody else is of another kind.
const fn without_tenant_or_wrong(caller: &Identity) -> RejectionKind {
    match caller {
        Identity::Subject(_) => RejectionKind::NoTenant,
        Identity::User(_) | Identity::Principal(_) | Identity::Client(_) => {
            RejectionKind::WrongCaller
        }
    }
}
