//! Where a caller may act: an identity and the place that a request addresses become access.
//!
//! 1. A user or a client enters its own workspace and no other; where the place names an
//!    account too, that must be the caller's.
//! 2. A principal enters no workspace by itself.
//! 3. A caller without a tenant enters nothing.

use super::identify::{Identity, Tenant};
use crate::model::rejection::RejectionKind;
use crate::model::tenant::{AccountId, WorkspaceId};

/// Proof that this caller may act in this workspace.
///
/// Data functions should take `&WorkspaceAccess`: then no code path reaches a workspace's data
/// without the comparison having been made. It is made once, on the decoded value that the
/// handler sees.
///
/// As an axum extractor it compares the route's `{workspace_id}`, and `{account_id}` where the
/// route has one, with the caller's.
#[derive(Clone, Debug)]
#[must_use]
pub struct WorkspaceAccess {
    account: Option<AccountId>,
    workspace: WorkspaceId,
    caller: Identity,
}

impl WorkspaceAccess {
    /// The workspace.
    #[must_use]
    pub const fn workspace(&self) -> &WorkspaceId {
        &self.workspace
    }

    /// The account; absent where the tenant rules declare that there are none.
    #[must_use]
    pub const fn account(&self) -> Option<&AccountId> {
        self.account.as_ref()
    }

    /// Who acts.
    #[must_use]
    pub const fn caller(&self) -> &Identity {
        &self.caller
    }

    /// Compares the caller's tenant with the place that the request addresses.
    #[cfg_attr(not(feature = "axum"), allow(dead_code))]
    pub(crate) fn enter(
        caller: &Identity,
        workspace: &str,
        account: Option<&str>,
    ) -> Result<Self, RejectionKind> {
        let tenant = match caller {
            Identity::User(user) => user.tenant(),
            Identity::Client(client) => client.tenant().ok_or(RejectionKind::NoTenant)?,
            Identity::Principal(_) => return Err(RejectionKind::WrongCaller),
            Identity::Subject(_) => return Err(RejectionKind::NoTenant),
        };
        if tenant.workspace.as_str() != workspace || !is_account(tenant, account) {
            return Err(RejectionKind::WrongTenant);
        }
        let Tenant { account, workspace } = tenant.share();
        Ok(Self {
            account,
            workspace,
            caller: caller.share(),
        })
    }
}

fn is_account(tenant: &Tenant, addressed: Option<&str>) -> bool {
    match (addressed, &tenant.account) {
        (None, _) => true,
        (Some(addressed), Some(own)) => own.as_str() == addressed,
        // A place in an account is not the place of a caller who has none.
        (Some(_), None) => false,
    }
}
