//! Access proofs: an identity and the tenant that a request addresses become access.
//!
//! 1. A user or a client enters its own workspace and no other; where the place names an
//!    account too, that must be the caller's. Neither ever obtains an account.
//! 2. A principal obtains an account within its reach, and a workspace whose owner is within
//!    its reach; where the place names an account too, that must be the owner.
//! 3. A member enters a further workspace that its token lists or that a directory names; an
//!    account administrator obtains the account that its token states.
//! 4. A caller without any of these enters nothing.

use crate::model::error::rejection::RejectionKind;
use crate::model::ids::{AccountId, WorkspaceId};
use crate::model::shared_str::SharedStr;
use crate::verify::claims::verified_token::AccessToken;
use crate::verify::identity::kinds::{Identity, Principal, Tenant};
use crate::verify::identity::member::Member;

/// The tenant that a request addresses, as its path writes it.
#[cfg_attr(not(feature = "axum"), allow(dead_code))]
#[derive(Debug)]
pub(crate) struct RequestedPlace {
    pub(crate) workspace: String,
    pub(crate) account: Option<String>,
}

/// Proof that this caller may act in this workspace.
///
/// Data functions should take `&WorkspaceAccess`: then no code path reaches a workspace's data
/// without the comparison having been made. It is made once, on the decoded value that the
/// handler sees.
///
/// As an axum extractor it compares the route's `{workspace_id}`, and `{account_id}` where the
/// route has one, with the caller's. A principal enters only under a layer that says
/// [`admit_principals`](crate::AuthenticateLayer::admit_principals), and only when the
/// [`WorkspaceDirectory`](crate::tenant::WorkspaceDirectory) names an account within its reach as the
/// workspace's owner. A user enters further workspaces where the tenant rules have memberships:
/// see [`TenantClaims::by_membership`](crate::TenantClaims::by_membership).
#[derive(Clone, Debug)]
#[must_use]
pub struct WorkspaceAccess {
    account: Option<AccountId>,
    workspace: WorkspaceId,
    caller: Identity,
    token: AccessToken,
}

impl WorkspaceAccess {
    /// The workspace.
    #[must_use]
    pub const fn workspace(&self) -> &WorkspaceId {
        &self.workspace
    }

    /// The account of the workspace: as the token of a user or a client states it, or, for a
    /// principal, the owner that the directory names. Absent where the tenant rules declare that
    /// there are none.
    #[must_use]
    pub const fn account(&self) -> Option<&AccountId> {
        self.account.as_ref()
    }

    /// Who acts. A user is one of this workspace, with its role here, though the token may name
    /// another workspace: see [`TenantClaims::by_membership`](crate::TenantClaims::by_membership).
    #[must_use]
    pub const fn caller(&self) -> &Identity {
        &self.caller
    }

    /// The caller's token, for its claims and its scope.
    pub const fn token(&self) -> &AccessToken {
        &self.token
    }

    /// Compares the tenant of a user or a client with the place that the request addresses.
    #[cfg_attr(not(feature = "axum"), allow(dead_code))]
    pub(crate) fn enter(
        token: AccessToken,
        caller: &Identity,
        place: &RequestedPlace,
    ) -> Result<Self, RejectionKind> {
        let tenant = match caller {
            Identity::User(user) => user.tenant(),
            Identity::Client(client) => client.tenant().ok_or(RejectionKind::NoTenant)?,
            Identity::Principal(_) => return Err(RejectionKind::WrongCaller),
            Identity::Subject(_) => return Err(RejectionKind::NoTenant),
        };
        if tenant.workspace.as_str() != place.workspace || !is_account(tenant, place) {
            return Err(RejectionKind::WrongTenant);
        }
        let Tenant { account, workspace } = tenant.clone();
        Ok(Self {
            account,
            workspace,
            caller: caller.clone(),
            token,
        })
    }
}

impl WorkspaceAccess {
    /// Lets a member into a workspace of this account, with this role.
    #[cfg_attr(not(feature = "axum"), allow(dead_code))]
    pub(crate) fn join(
        token: AccessToken,
        member: &Member,
        place: &RequestedPlace,
        workspace: WorkspaceId,
        account: Option<AccountId>,
        role: Option<SharedStr>,
    ) -> Result<Self, RejectionKind> {
        let tenant = Tenant { account, workspace };
        if tenant.workspace.as_str() != place.workspace || !is_account(&tenant, place) {
            return Err(RejectionKind::WrongTenant);
        }
        let Tenant { account, workspace } = tenant.clone();
        Ok(Self {
            account,
            workspace,
            caller: member.user_of(tenant.account, tenant.workspace, role),
            token,
        })
    }
}

/// A principal's request for a workspace, before the workspace's owner is looked up.
///
/// The reach is compared twice: with the account that the path names, so that no directory is
/// called for a request that is refused anyway, and with the owner that the directory names.
#[cfg_attr(not(feature = "axum"), allow(dead_code))]
pub(crate) struct PrincipalVisit<'r> {
    principal: &'r Principal,
    place: &'r RequestedPlace,
    workspace: WorkspaceId,
}

#[cfg_attr(not(feature = "axum"), allow(dead_code))]
impl<'r> PrincipalVisit<'r> {
    /// Compares the reach with the account of the path; without one, the reach must not be empty.
    pub(crate) fn new(
        principal: &'r Principal,
        place: &'r RequestedPlace,
    ) -> Result<Self, RejectionKind> {
        // A text that is no id names no tenant.
        let no_tenant = |_| RejectionKind::WrongTenant;
        let workspace = WorkspaceId::new(&place.workspace).map_err(no_tenant)?;
        let is_in_reach = match &place.account {
            Some(account) => {
                let account = AccountId::new(account).map_err(no_tenant)?;
                principal.reach().includes(&account)
            }
            None => !principal.reach().is_empty(),
        };
        if !is_in_reach {
            return Err(RejectionKind::WrongTenant);
        }
        Ok(Self {
            principal,
            place,
            workspace,
        })
    }

    /// The workspace whose owner is to be looked up.
    pub(crate) const fn workspace(&self) -> &WorkspaceId {
        &self.workspace
    }

    /// Grants access where the workspace's owner is within reach and is the account of the path.
    pub(crate) fn owned_by(
        self,
        owner: AccountId,
        token: AccessToken,
    ) -> Result<WorkspaceAccess, RejectionKind> {
        let is_addressed = self
            .place
            .account
            .as_deref()
            .is_none_or(|account| owner.as_str() == account);
        if !is_addressed || !self.principal.reach().includes(&owner) {
            return Err(RejectionKind::WrongTenant);
        }
        Ok(WorkspaceAccess {
            account: Some(owner),
            workspace: self.workspace,
            caller: Identity::Principal(self.principal.clone()),
            token,
        })
    }
}

fn is_account(tenant: &Tenant, place: &RequestedPlace) -> bool {
    match (&place.account, &tenant.account) {
        (None, _) => true,
        (Some(addressed), Some(own)) => own.as_str() == addressed,
        // A caller without an account is not in the account that the path names.
        (Some(_), None) => false,
    }
}

/// Proof that this caller may act in this account.
///
/// Functions that touch an account's data across its workspaces should take `&AccountAccess`.
/// A principal obtains it for an account within its reach, and a user for the account that its
/// token states, where it has an
/// [`account_admin_role`](crate::TenantClaims::account_admin_role). Others do not: the reach of a
/// user or a client ends with its workspace.
///
/// As an axum extractor it compares the route's `{account_id}` with the caller's accounts; another
/// name is a setting,
/// [`account_parameter`](crate::ResourceServerBuilder::account_parameter).
#[derive(Clone, Debug)]
#[must_use]
pub struct AccountAccess {
    account: AccountId,
    caller: Identity,
}

impl AccountAccess {
    /// The account.
    #[must_use]
    pub const fn account(&self) -> &AccountId {
        &self.account
    }

    /// The principal.
    #[must_use]
    pub const fn caller(&self) -> &Identity {
        &self.caller
    }

    /// The principal who acts; absent for a user with an account-wide role.
    #[must_use]
    pub const fn principal(&self) -> Option<&Principal> {
        match &self.caller {
            Identity::Principal(principal) => Some(principal),
            Identity::User(_) | Identity::Client(_) | Identity::Subject(_) => None,
        }
    }

    /// Compares the caller's accounts with the one that the request addresses.
    #[cfg_attr(not(feature = "axum"), allow(dead_code))]
    pub(crate) fn enter(
        caller: &Identity,
        member: Option<&Member>,
        account: &str,
    ) -> Result<Self, RejectionKind> {
        // Text that is no id is no account's.
        let addressed = AccountId::new(account).map_err(|_| RejectionKind::WrongTenant);
        let managed = member.and_then(Member::managed_account);
        let is_within = match (caller, managed) {
            (Identity::Principal(principal), _) => principal.reach().includes(&addressed?),
            (Identity::User(_) | Identity::Subject(_), Some((own, _))) => *own == addressed?,
            (Identity::User(_) | Identity::Client(_), _) => {
                return Err(RejectionKind::WrongCaller);
            }
            (Identity::Subject(_), None) => return Err(RejectionKind::NoTenant),
        };
        if !is_within {
            return Err(RejectionKind::WrongTenant);
        }
        Ok(Self {
            account: AccountId::new(account).map_err(|_| RejectionKind::WrongTenant)?,
            caller: caller.clone(),
        })
    }
}
