//! What only the application knows: who owns a workspace, and who is a user of it. An
//! application would ask its database.

use portcullis::WorkspaceAccess;
use portcullis::tenant::{
    AccountId, LookupError, UserDirectory, UserId, WorkspaceDirectory, WorkspaceId,
};

pub(crate) struct Workspaces;

impl WorkspaceDirectory for Workspaces {
    async fn owner(&self, workspace: &WorkspaceId) -> Result<Option<AccountId>, LookupError> {
        Ok(match workspace.as_str() {
            "acme-prod" | "acme-dev" => Some(AccountId::new("acme")?),
            "globex-prod" => Some(AccountId::new("globex")?),
            _ => None,
        })
    }
}

pub(crate) struct Users;

impl UserDirectory for Users {
    async fn has_user(&self, access: &WorkspaceAccess, user: &UserId) -> Result<bool, LookupError> {
        let known = [("acme-prod", "user-1"), ("acme-prod", "user-2")];
        Ok(known.contains(&(access.workspace().as_str(), user.as_str())))
    }
}
