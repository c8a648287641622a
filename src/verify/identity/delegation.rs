//! A client that acts for one user of its workspace.
//!
//! 1. Only a client, only in its own workspace, only with the scope that the rules demand.
//! 2. The user's id is the client's claim: it becomes a user only when the application has
//!    looked it up, or stays behind an accessor whose name says that nobody did.

use http::HeaderMap;

use crate::model::error::rejection::{Rejection, RejectionKind};
use crate::model::ids::{UserId, WorkspaceId};
use crate::model::scope::Scope;
use crate::model::shared_str::SharedStr;
use crate::verify::identity::access::WorkspaceAccess;
use crate::verify::identity::kinds::{Client, Identity};
use crate::verify::policy::delegation_rule::DelegationRule;

/// Proof that a client may act for a user of its workspace, whom the application knows.
///
/// It tells who acts and for whom, for audit. As an axum extractor it asks, in this order, for a
/// client whose issuer's rules switch
/// [`delegation`](crate::TenantClaims::delegation) on, for exactly one well-formed header field
/// that names the user, for the scope, for the client's own workspace in `{workspace_id}`, and
/// for the word of the [`UserDirectory`](crate::tenant::UserDirectory). It needs no other tenant guard
/// beside it, and bears none, since those refuse requests that name a user: take
/// [`access()`](Self::access) and [`client()`](Self::client).
#[derive(Clone, Debug)]
#[must_use]
pub struct Delegation(Claimed);

/// A client that says that it acts for a user of its workspace, whom nobody has looked up.
///
/// As an axum extractor it asks for all that [`Delegation`] asks for, but for the word of the
/// user directory.
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
    /// For whom: a user of the workspace, as the application's directory confirmed.
    #[must_use]
    pub const fn user(&self) -> &UserId {
        &self.0.user
    }
}

impl UncheckedDelegation {
    /// For whom, as the client claims. Whether there is such a user in this workspace, nobody
    /// has checked.
    #[must_use]
    pub const fn unchecked_user(&self) -> &UserId {
        &self.0.user
    }

    /// What the client claims, before anybody is asked.
    #[cfg_attr(not(feature = "axum"), allow(dead_code))]
    pub(crate) fn claim(
        caller: &Identity,
        rule: &DelegationRule,
        (scope, context): (&Scope, Option<&str>),
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
        let user = rule.user(headers)?;
        let needed = rule
            .scope_in(context)
            .ok_or(Rejection::wrong_caller("delegation"))?;
        if !scope.contains(needed) {
            return Err(Rejection::insufficient_scope(needed.to_owned().into()));
        }
        // The realm is the client's: whom another issuer calls by this name is somebody else.
        let user = UserId::of(client.id.realm(), SharedStr::new(user))
            .map_err(|_| Rejection::wrong_caller("delegation"))?;
        Ok(ClaimedUser {
            client: client.share(),
            user,
        })
    }

    /// The application has confirmed the user.
    #[cfg_attr(not(feature = "axum"), allow(dead_code))]
    pub(crate) fn confirmed(self) -> Delegation {
        Delegation(self.0)
    }
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
            /// Who acts.
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
