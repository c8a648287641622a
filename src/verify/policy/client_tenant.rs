//! The configured tenant of a machine client whose tokens do not state one.

use crate::model::ids::{AccountId, InvalidId, WorkspaceId};
use crate::model::repeated_settings::RepeatedSettings;
use crate::model::shared_str::SharedStr;

/// The workspace that the machine tokens of one app client belong to, for
/// [`TenantClaims::client_tenant`](crate::TenantClaims::client_tenant).
///
/// It states what the tenant rules require of a token: the account, unless they declare that there
/// are none, and the API context, where they have contexts. `build()` reports what is missing.
///
/// ```
/// use portcullis::tenant::ClientTenant;
/// use portcullis::TenantClaims;
///
/// let rules = TenantClaims::aworld().client_tenant(
///     "5machine23456789",
///     ClientTenant::workspace("acme-prod").account("acme").context("app"),
/// );
/// # let _ = rules;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct ClientTenant {
    workspace: SharedStr,
    account: Option<SharedStr>,
    context: Option<SharedStr>,
    /// The settings that hold one value.
    pub(in crate::verify) once: RepeatedSettings,
}

impl ClientTenant {
    /// A client of this workspace.
    pub fn workspace(workspace: impl AsRef<str>) -> Self {
        Self {
            workspace: SharedStr::new(workspace.as_ref()),
            account: None,
            context: None,
            once: RepeatedSettings::default(),
        }
    }

    /// The account that the workspace belongs to. Default: none.
    pub fn account(mut self, account: impl AsRef<str>) -> Self {
        self.once.set("client_tenant", account.as_ref());
        self.account = Some(SharedStr::new(account.as_ref()));
        self
    }

    /// The API context that the client is for. Default: none.
    pub fn context(mut self, context: impl AsRef<str>) -> Self {
        self.once
            .set_for("client_tenant", "context", context.as_ref());
        self.context = Some(SharedStr::new(context.as_ref()));
        self
    }

    pub(in crate::verify) fn workspace_id(&self) -> Result<WorkspaceId, InvalidId> {
        WorkspaceId::of(self.workspace.clone())
    }

    pub(in crate::verify) fn account_id(&self) -> Result<Option<AccountId>, InvalidId> {
        let account = self.account.as_ref();
        account.map(|text| AccountId::of(text.clone())).transpose()
    }

    pub(in crate::verify) const fn context_text(&self) -> Option<&SharedStr> {
        self.context.as_ref()
    }
}
