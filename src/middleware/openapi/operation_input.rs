//! What each extractor and guard states of the operation that it stands on, for aide.

use aide::OperationInput;
use aide::generate::GenContext;
use aide::openapi::{Operation, Response};

use crate::middleware::authenticate::refuser::Refuser;
#[cfg(feature = "jwks")]
use crate::middleware::extract::UserInfo;
use crate::middleware::extract::{
    Authorized, Claims, InGroup, InRole, RoleRequirement, Scoped, SenderConstrained, ThroughActor,
    UserThroughActor, WithoutActor,
};
use crate::middleware::openapi::aide_document::add_demand;
use crate::middleware::openapi::demand::{Demand, DocumentedBinding, owned};
use crate::model::requirement::required_actor::{ActorRequirement, RequiredActor};
use crate::model::requirement::route_requirement::{Requirement, RouteRequirement};
use crate::model::scope::{Scope, ScopeRequirement};
use crate::verify::claims::verified_token::AccessToken;
use crate::verify::identity::access::{AccountAccess, WorkspaceAccess};
use crate::verify::identity::delegation::{Delegation, UncheckedDelegation};
use crate::verify::identity::kinds::{Client, Identity, Principal, Subject, WorkspaceUser};
use crate::verify::identity::on_behalf_of::OnBehalfOf;

/// An extractor that reads the layer's result.
macro_rules! extractor {
    ($name:ty, $demand:expr $(, $generic:ident)?) => {
        impl $(<$generic>)? OperationInput for $name {
            fn operation_input(_: &mut GenContext, operation: &mut Operation) {
                add_demand(operation, $demand);
            }
        }
    };
}

/// A guard around another extractor.
macro_rules! guard {
    ($name:ident, [$($requirement:ident: $bound:path)?], $demand:expr) => {
        impl<$($requirement: $bound,)? T: OperationInput> OperationInput
            for $name<$($requirement,)? T>
        {
            fn operation_input(context: &mut GenContext, operation: &mut Operation) {
                add_demand(operation, $demand);
                T::operation_input(context, operation);
            }

            fn inferred_early_responses(
                context: &mut GenContext,
                operation: &mut Operation,
            ) -> Vec<(Option<u16>, Response)> {
                T::inferred_early_responses(context, operation)
            }
        }
    };
}

extractor!(AccessToken, Demand::default());
extractor!(Scope, Demand::default());
extractor!(Claims<T>, Demand::default(), T);
#[cfg(feature = "jwks")]
extractor!(UserInfo<T>, Demand::default(), T);
extractor!(Identity, Demand::default());
extractor!(Subject, of_caller("subject"));
extractor!(WorkspaceUser, of_caller("user"));
extractor!(Principal, of_caller("principal"));
extractor!(Client, of_caller("client"));
extractor!(WorkspaceAccess, of_tenant());
extractor!(AccountAccess, of_tenant());
extractor!(Delegation, Demand::default());
extractor!(UncheckedDelegation, Demand::default());
extractor!(OnBehalfOf, Demand::default());

guard!(Scoped, [R: ScopeRequirement], RouteRequirement::of::<R>().into());
guard!(Authorized, [R: Requirement], RouteRequirement::of::<R>().into());
guard!(InRole, [R: RoleRequirement], Demand {
    roles: owned(R::ANY_OF),
    ..Demand::default()
});
guard!(InGroup, [R: RoleRequirement], Demand {
    groups: owned(R::ANY_OF),
    ..Demand::default()
});
guard!(
    SenderConstrained,
    [],
    Demand {
        binding: Some(DocumentedBinding::Any),
        ..Demand::default()
    }
);

guard!(ThroughActor, [A: ActorRequirement], of_actor(RequiredActor::named::<A>()));
guard!(WithoutActor, [], of_actor(RequiredActor::absent()));
guard!(
    UserThroughActor,
    [],
    of_actor(RequiredActor::any().for_user())
);

/// It makes refusals and demands nothing.
impl OperationInput for Refuser {}

fn of_caller(kind: &str) -> Demand {
    Demand {
        callers: vec![kind.to_owned()],
        ..Demand::default()
    }
}

fn of_actor(required: RequiredActor) -> Demand {
    Demand {
        actor: Some(required.to_string()),
        ..Demand::default()
    }
}

fn of_tenant() -> Demand {
    Demand {
        tenant: true,
        ..Demand::default()
    }
}
