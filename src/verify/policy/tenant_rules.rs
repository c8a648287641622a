//! The parts of tenant rules: where workspace, account, reach and context come from.

use std::collections::HashSet;
use std::sync::Arc;

use crate::model::claim_path::ClaimPath;
use crate::model::ids::AccountId;
use crate::model::shared_str::SharedStr;
use crate::verify::policy::group_pattern::GroupPattern;

/// Where the workspace is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::verify) enum WorkspaceRule {
    Claim(ClaimPath),
    Group(ClaimPath, GroupPattern),
    /// Tokens name none.
    Unnamed,
}

/// The further workspaces that a user may enter, beside the one that the token names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::verify) struct MembershipRule {
    /// The claim that lists them.
    pub(in crate::verify) listed: Option<ClaimPath>,
    /// Whether the application's directory is asked.
    pub(in crate::verify) from_directory: bool,
    /// Roles that count in every workspace of the token's account.
    pub(in crate::verify) admin_roles: Vec<Box<str>>,
}

/// Where the account is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::verify) enum AccountRule {
    Undecided,
    Claim(ClaimPath),
    /// In the same group as the workspace.
    Group,
    Absent,
}

/// Where the reach of principals comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::verify) enum ReachRule {
    Listed,
    Claim(ClaimPath),
    EveryAccount,
}

/// Accounts that a setting lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::verify) struct AccountAllowList {
    /// As configured; validation at `build()` reports a name that is not an id.
    pub(in crate::verify) names: Vec<String>,
    pub(in crate::verify) accounts: Arc<[AccountId]>,
    set: HashSet<AccountId>,
}

impl AccountAllowList {
    pub(super) fn new(names: Vec<String>) -> Self {
        let ids = names.iter().flat_map(|name| AccountId::new(name));
        let accounts: Arc<[AccountId]> = ids.collect();
        let set = accounts.iter().cloned().collect();
        Self {
            names,
            accounts,
            set,
        }
    }

    pub(super) fn is_valid(&self) -> bool {
        self.names.len() == self.accounts.len()
    }

    pub(in crate::verify) fn contains(&self, account: &AccountId) -> bool {
        self.set.contains(account)
    }
}

/// The contexts of tokens that state none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ContextsMeant {
    /// Not configured.
    Unstated,
    One(SharedStr),
    Every,
}

/// The claim of the API context, and the contexts that are known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ContextRule {
    pub(crate) claim: ClaimPath,
    pub(crate) workspace_contexts: Vec<Box<str>>,
    pub(crate) portal: Option<Box<str>>,
}
