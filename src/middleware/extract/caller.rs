//! Who is calling: the identity, or one kind of it.

use http::request::Parts;

use super::admission::{FromAdmitted, extractor};
use crate::middleware::admitted::Admitted;
use crate::middleware::refusal::Refusal;
use crate::model::rejection::RejectionKind;
use crate::verify::identify::{Client, Identity, Principal, Subject, WorkspaceUser};

impl FromAdmitted for Identity {
    fn from_admitted(admitted: &Admitted, _: &Parts) -> Result<Self, Refusal> {
        Ok(admitted.required()?.identity().share())
    }
}

extractor!(Identity);

impl FromAdmitted for WorkspaceUser {
    fn from_admitted(admitted: &Admitted, _: &Parts) -> Result<Self, Refusal> {
        admitted.check_wiring()?;
        match admitted.required()?.identity() {
            Identity::User(user) => Ok(user.share()),
            other => Err(admitted.refuse(without_tenant_or_wrong(other))),
        }
    }
}

extractor!(WorkspaceUser);

impl FromAdmitted for Principal {
    fn from_admitted(admitted: &Admitted, _: &Parts) -> Result<Self, Refusal> {
        admitted.check_wiring()?;
        match admitted.required()?.identity() {
            Identity::Principal(principal) => Ok(principal.share()),
            other => Err(admitted.refuse(without_tenant_or_wrong(other))),
        }
    }
}

extractor!(Principal);

impl FromAdmitted for Client {
    fn from_admitted(admitted: &Admitted, _: &Parts) -> Result<Self, Refusal> {
        admitted.check_wiring()?;
        match admitted.required()?.identity() {
            Identity::Client(client) => Ok(client.share()),
            _ => Err(admitted.refuse(RejectionKind::WrongCaller)),
        }
    }
}

extractor!(Client);

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
