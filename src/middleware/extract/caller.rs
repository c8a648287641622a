//! Who is calling: the identity, or one kind of it.

use axum::extract::FromRequestParts;
use http::request::Parts;

use super::admission::{FromAdmitted, extractor, option};
use crate::middleware::admitted::Admitted;
use crate::middleware::refusal::Refusal;
use crate::model::rejection::RejectionKind;
use crate::verify::identity::{Client, Identity, Principal, Subject, WorkspaceUser};

impl FromAdmitted for Identity {
    fn from_admitted(admitted: &Admitted, _: &Parts) -> Result<Self, Refusal> {
        Ok(admitted.required()?.identity().share())
    }
}

extractor!(Identity);

impl<S: Sync> FromRequestParts<S> for WorkspaceUser {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        let admitted = Admitted::of(&parts.extensions)?;
        let admission = admitted.for_tenant_guard(&parts.headers)?;
        let caller = match admission.identity() {
            Identity::User(user) => Ok(user.share()),
            other => Err(admitted.refuse(without_tenant_or_wrong(other))),
        }?;
        let confirmed = admitted.policy().server.confirm_tenant(admission);
        let confirmed = confirmed
            .await
            .map_err(|rejection| admitted.refuse(rejection));
        confirmed.map(|()| caller)
    }
}

option!(WorkspaceUser);

impl FromAdmitted for Principal {
    fn from_admitted(admitted: &Admitted, parts: &Parts) -> Result<Self, Refusal> {
        match admitted.for_tenant_guard(&parts.headers)?.identity() {
            Identity::Principal(principal) => Ok(principal.share()),
            other => Err(admitted.refuse(without_tenant_or_wrong(other))),
        }
    }
}

extractor!(Principal);

impl<S: Sync> FromRequestParts<S> for Client {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        let admitted = Admitted::of(&parts.extensions)?;
        let admission = admitted.for_tenant_guard(&parts.headers)?;
        let caller = match admission.identity() {
            Identity::Client(client) => Ok(client.share()),
            _ => Err(admitted.refuse(RejectionKind::WrongCaller)),
        }?;
        let confirmed = admitted.policy().server.confirm_tenant(admission);
        let confirmed = confirmed
            .await
            .map_err(|rejection| admitted.refuse(rejection));
        confirmed.map(|()| caller)
    }
}

option!(Client);

impl FromAdmitted for Subject {
    fn from_admitted(admitted: &Admitted, _: &Parts) -> Result<Self, Refusal> {
        match admitted.required()?.identity() {
            Identity::Subject(subject) => Ok(subject.share()),
            _ => Err(admitted.refuse(RejectionKind::WrongCaller)),
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
