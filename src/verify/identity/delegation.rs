//! A client that acts for one user of its workspace.
//!
//! 1. Only a client, only in its own workspace, only with the scope that the rules demand.
//! 2. Never with a token that names an actor: the field is the statement of a client that acts by its
//!    own authority.
//! 3. The user's id is the client's statement. It becomes a user when the application's directory has
//!    confirmed it; otherwise the accessor is named `unchecked_user`.

use http::HeaderMap;

use crate::model::error::rejection::{Rejection, RejectionKind};
use crate::model::error::rejection_detail::{Problem, RejectionDetail};
use crate::model::ids::{UserId, WorkspaceId};
use crate::model::shared_str::SharedStr;
use crate::verify::claims::verified_token::VerifiedToken;
use crate::verify::identity::access::WorkspaceAccess;
use crate::verify::identity::kinds::{Client, Identity};
use crate::verify::policy::delegation_rule::DelegationRule;

/// Proof that a client may act for a user of its workspace, confirmed by the user directory.
///
/// For audit it has the client and the user. As an axum extractor it requires, in this order, a
/// client whose issuer's rules switch
/// [`delegation`](crate::TenantClaims::delegation) on, for exactly one well-formed header field
/// that names the user, for the scope, for the client's own workspace in `{workspace_id}`, and
/// for the confirmation of the [`UserDirectory`](crate::tenant::UserDirectory). Do not add another tenant
/// guard: those refuse requests that name a user. Take
/// [`access()`](Self::access) and [`client()`](Self::client).
#[derive(Clone, Debug)]
#[must_use]
pub struct Delegation(Claimed);

/// A client that acts for a user of its workspace, where the user is not confirmed.
///
/// As an axum extractor it requires what [`Delegation`] requires, except the confirmation of the user
/// directory.
#[derive(Clone, Debug)]
#[must_use]
pub struct UncheckedDelegation(Claimed);

#[derive(Clone, Debug)]
struct Claimed {
    access: WorkspaceAccess,
    client: Client,
    user: UserId,
}

impl Delegation {
    /// The user of the workspace, confirmed by the application's directory.
    #[must_use]
    pub const fn user(&self) -> &UserId {
        &self.0.user
    }
}

impl UncheckedDelegation {
    /// The user, as the client states it. It is not checked that the workspace has this user.
    #[must_use]
    pub const fn unchecked_user(&self) -> &UserId {
        &self.0.user
    }

    /// The client's statement, before any directory is called.
    #[cfg_attr(not(feature = "axum"), allow(dead_code))]
    pub(crate) fn claim(
        caller: &Identity,
        rule: &DelegationRule,
        (token, context): (&VerifiedToken, Option<&str>),
        headers: &HeaderMap,
    ) -> Result<ClaimedUser, Rejection> {
        let client = match caller {
            Identity::Client(client) => client,
            Identity::User(_) | Identity::Principal(_) => {
                return Err(RejectionKind::WrongCaller.into());
            }
            Identity::Subject(_) => return Err(RejectionKind::NoTenant.into()),
        };
        if !rule.is_on() {
            return Err(Rejection::wrong_caller("delegation"));
        }
        if token.actor().is_some() {
            return Err(Rejection::wrong_caller("delegation").with_detail(beside_an_actor()));
        }
        let stated = rule.user(headers)?;
        let needed = rule
            .scope_in(context)
            .ok_or(Rejection::wrong_caller("delegation"))?;
        if !token.has_scope(needed) {
            return Err(Rejection::insufficient_scope(needed.to_owned().into()));
        }
        // The realm is the client's: the same id from another issuer is another user.
        let user = client.id.realm();
        let user = user.and_then(|realm| UserId::of(realm, SharedStr::new(stated)).ok());
        let user = user.ok_or(Rejection::wrong_caller("delegation"))?;
        Ok(ClaimedUser {
            client: client.clone(),
            user,
        })
    }

    /// The application has confirmed the user.
    #[cfg_attr(not(feature = "axum"), allow(dead_code))]
    pub(crate) fn confirmed(self) -> Delegation {
        Delegation(self.0)
    }
}

/// Two parties between the request and the user: the issuer has vouched for one of them, for its
/// authority alone, and not for users that the other one names.
#[cold]
fn beside_an_actor() -> RejectionDetail {
    RejectionDetail::new()
        .with_setting("delegation")
        .with_problem(Problem::Contradicts)
        .with_expected("a client's own token without an actor, for a request that names a user")
        .with_found("a token with an actor")
}

/// What a client claims, before it has entered the workspace.
#[cfg_attr(not(feature = "axum"), allow(dead_code))]
pub(crate) struct ClaimedUser {
    client: Client,
    user: UserId,
}

impl ClaimedUser {
    /// The client entered, by [`WorkspaceAccess`]'s rules.
    #[cfg_attr(not(feature = "axum"), allow(dead_code))]
    pub(crate) fn inside(self, access: WorkspaceAccess) -> UncheckedDelegation {
        UncheckedDelegation(Claimed {
            access,
            client: self.client,
            user: self.user,
        })
    }
}

macro_rules! common {
    ($name:ident) => {
        impl $name {
            /// The client that acts.
            #[must_use]
            pub const fn client(&self) -> &Client {
                &self.0.client
            }

            /// The workspace.
            #[must_use]
            pub const fn workspace(&self) -> &WorkspaceId {
                self.0.access.workspace()
            }

            /// The client's access to the workspace, for functions that take it.
            pub const fn access(&self) -> &WorkspaceAccess {
                &self.0.access
            }
        }
    };
}

common!(Delegation);
common!(UncheckedDelegation);
