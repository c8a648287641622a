//! Tenant access with the application's directories, in the right order.
//!
//! 1. What the token alone decides is decided first: no directory is called for a caller that is
//!    refused anyway.
//! 2. A workspace without an owner is answered like one of another owner.

use std::time::Duration;

use http::HeaderMap;

use crate::model::error::rejection::{Outage, Rejection, RejectionKind, WiringFault};
use crate::model::ids::{AccountId, UserId, WorkspaceId};
use crate::runtime::directory::{Membership, within};
use crate::server::decide::verified_request::{SentRequest, VerifiedRequest};
use crate::server::resource_server::ResourceServer;
use crate::verify::claims::verified_token::AccessToken;
use crate::verify::identity::access::{PrincipalVisit, RequestedPlace, WorkspaceAccess};
use crate::verify::identity::delegation::{Delegation, UncheckedDelegation};
use crate::verify::identity::kinds::{Identity, Principal};
use crate::verify::policy::tenant_claims::TenantClaims;

/// When a client may come again after a directory failed.
const RETRY_AFTER: Duration = Duration::from_secs(1);

impl ResourceServer {
    /// Lets the caller into the workspace, if it may.
    pub(crate) async fn enter(
        &self,
        verified: &SentRequest,
        place: &RequestedPlace,
        admits_principals: bool,
    ) -> Result<WorkspaceAccess, Rejection> {
        if let (Identity::Principal(principal), true) = (verified.identity(), admits_principals) {
            return self.visit(verified.access_token(), principal, place).await;
        }
        match WorkspaceAccess::enter(verified.access_token(), verified.identity(), place) {
            Ok(access) => {
                self.confirm_tenant(verified).await?;
                Ok(access)
            }
            Err(refused) => self.join(verified, place, refused).await,
        }
    }

    /// Lets a member into a further workspace: see
    /// [`TenantClaims::by_membership`]. `refused` is the answer for a caller who is no member.
    async fn join(
        &self,
        verified: &SentRequest,
        place: &RequestedPlace,
        refused: RejectionKind,
    ) -> Result<WorkspaceAccess, Rejection> {
        let (Some(member), Some(rules)) = (verified.member(), &verified.rules.tenant) else {
            return Err(refused.into());
        };
        if !member.has_grounds(rules) {
            return Err(refused.into());
        }
        // Text that is no id is no workspace's.
        let workspace =
            WorkspaceId::new(&place.workspace).map_err(|_| RejectionKind::WrongTenant)?;
        let joined = |account, role| {
            let token = verified.access_token();
            WorkspaceAccess::join(token, member, place, workspace.clone(), account, role)
        };
        if member.lists(&workspace) {
            let account = member.account();
            let role = member.managed_account().map(|(_, role)| role.clone());
            if let Ok(access) = joined(account.cloned(), role) {
                // A limited issuer could list a workspace of an account that it may not assert.
                if !rules.is_limited() || self.owner(&workspace).await?.as_ref() == account {
                    return Ok(access);
                }
            }
        }
        if let Some((own, role)) = member.managed_account() {
            if let Ok(access) = joined(Some(own.clone()), Some(role.clone())) {
                if self.owner(&workspace).await?.as_ref() == Some(own) {
                    return Ok(access);
                }
            }
        }
        if rules.needs_memberships() {
            if let Some(membership) = self.membership(member.user(), &workspace).await? {
                let (account, role) = membership.into_parts();
                let account = member.account_by_directory(account, rules)?;
                return Ok(joined(account, role)?);
            }
        }
        Err(RejectionKind::WrongTenant.into())
    }

    async fn membership(
        &self,
        user: &UserId,
        workspace: &WorkspaceId,
    ) -> Result<Option<Membership>, Rejection> {
        // INVARIANT: `build()` demands the directory where rules ask it.
        let Some(members) = &self.0.outside.members else {
            return Ok(None);
        };
        within(
            self.0.outside.lookup_timeout,
            &*self.0.clock,
            &self.0.outside.lookup_failed,
            members.look_up(user, workspace),
        )
        .await
        .map_err(unavailable)
    }

    /// The token of an issuer with an account allow list does not decide about workspaces: the
    /// directory must say that the token's account owns the token's workspace.
    pub(crate) async fn confirm_tenant(&self, verified: &VerifiedRequest) -> Result<(), Rejection> {
        let rules = verified.rules.tenant.as_ref();
        if !rules.is_some_and(TenantClaims::is_limited) {
            return Ok(());
        }
        let (account, workspace) = match verified.identity() {
            Identity::User(user) => (user.account(), Some(user.workspace())),
            Identity::Client(client) => (client.account(), client.workspace()),
            // A principal's reach is cut to the allow list; a subject has no tenant.
            Identity::Principal(_) | Identity::Subject(_) => return Ok(()),
        };
        let workspace = workspace.ok_or(RejectionKind::NoTenant)?;
        match self.owner(workspace).await? {
            Some(owner) if Some(&owner) == account => Ok(()),
            _ => Err(RejectionKind::WrongTenant.into()),
        }
    }

    async fn visit(
        &self,
        token: AccessToken,
        principal: &Principal,
        place: &RequestedPlace,
    ) -> Result<WorkspaceAccess, Rejection> {
        let visit = PrincipalVisit::new(principal, place)?;
        let owner = self
            .owner(visit.workspace())
            .await?
            .ok_or(RejectionKind::WrongTenant)?;
        Ok(visit.owned_by(owner, token)?)
    }

    /// The user that a client says it acts for, in the client's own workspace.
    pub(crate) async fn claim_delegation(
        &self,
        verified: &SentRequest,
        headers: &HeaderMap,
        place: &RequestedPlace,
    ) -> Result<UncheckedDelegation, Rejection> {
        let Some(rules) = &verified.rules.tenant else {
            return Err(RejectionKind::WrongCaller.into());
        };
        let claim = UncheckedDelegation::claim(
            verified.identity(),
            &rules.delegation,
            (&verified.token, verified.context()),
            headers,
        )?;
        let access = self.enter(verified, place, false).await?;
        Ok(claim.inside(access))
    }

    /// Looks up whether the user belongs to the workspace.
    pub(crate) async fn confirm(
        &self,
        claimed: UncheckedDelegation,
    ) -> Result<Delegation, Rejection> {
        let users = self
            .0
            .outside
            .users
            .as_ref()
            .ok_or(RejectionKind::Misconfigured(WiringFault::NoUserDirectory))?;
        let lookup = users.look_up(claimed.access(), claimed.unchecked_user());
        match within(
            self.0.outside.lookup_timeout,
            &*self.0.clock,
            &self.0.outside.lookup_failed,
            lookup,
        )
        .await
        {
            Ok(true) => Ok(claimed.confirmed()),
            Ok(false) => Err(RejectionKind::WrongTenant.into()),
            Err(outage) => Err(unavailable(outage)),
        }
    }

    async fn owner(&self, workspace: &WorkspaceId) -> Result<Option<AccountId>, Rejection> {
        let owners = self
            .0
            .outside
            .owners
            .as_ref()
            .ok_or(RejectionKind::Misconfigured(
                WiringFault::NoWorkspaceDirectory,
            ))?;
        within(
            self.0.outside.lookup_timeout,
            &*self.0.clock,
            &self.0.outside.lookup_failed,
            owners.look_up(workspace),
        )
        .await
        .map_err(unavailable)
    }
}

const fn unavailable(outage: Outage) -> Rejection {
    Rejection::unavailable(outage, RETRY_AFTER)
}
