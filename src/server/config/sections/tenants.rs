//! Members of tenant rules.

use crate::model::claim_path::ClaimPath;
use crate::server::config::error::NodeError;
use crate::server::config::section::section;
use crate::server::config::setting::{Chosen, Setting, Several, is_its_own_value};
use crate::server::presets::tenants as presets;
use crate::verify::policy::client_tenant::ClientTenant;
use crate::verify::policy::tenant_claims::TenantClaims;

section! {
    /// How an issuer's tokens state tenants.
    TenantTable makes TenantClaims;

    /// The claim that holds the workspace.
    make by_workspace: ClaimPath;
    /// The workspace is in a group's name.
    make by_group: GroupRule = |rule: GroupRule| TenantClaims::by_group(rule.claim, rule.pattern);
    /// Tokens name no workspace; users enter those that a claim or the directory gives.
    make by_membership: Chosen = |_| TenantClaims::by_membership();
    /// AWorld's tenant model.
    make aworld: Chosen = |_| presets::aworld();
    /// Auth0's organizations; the value is the claim with the application's user id.
    make auth0_organizations: String = presets::auth0_organizations;
    /// Directories of Microsoft Entra ID.
    make entra_directories: Chosen = |_| presets::entra_directories();
    /// Group paths of Keycloak; the value is the pattern, such as `/tenants/{account}/{workspace}`.
    make keycloak_groups: String = presets::keycloak_groups;

    /// The claim that holds the account.
    one account_claim: ClaimPath;
    /// There are no accounts above the workspaces.
    flag without_accounts;
    /// The claim that holds the application's user id. Default: the subject.
    one user_claim: ClaimPath;
    /// The claim that holds a user's role in the workspace.
    one role_claim: ClaimPath;
    /// The claim, and its value, that marks a machine's token.
    one machine_claim: MachineClaim = |rules, one: MachineClaim| rules.machine_claim(one.claim, one.value);
    /// The machine claim alone makes a machine; needs `user_mark`.
    flag machine_claim_suffices;
    /// A claim that every user's token has and no machine's.
    one user_mark: ClaimPath;
    /// The workspaces of machine clients whose tokens do not state one.
    each client_tenant: ClientTenantTable = |rules, one: (String, ClientTenant)| rules.client_tenant(one.0, one.1);
    /// The accounts that this issuer may assert. Default: all.
    one only_accounts: Several<String> = |rules, accounts: Vec<String>| rules.only_accounts(accounts);
    /// The claim that holds the API context, and the contexts that act inside one workspace.
    one contexts: ContextsTable = |rules, one: ContextsTable| rules.contexts(one.claim, one.contexts.into_vec());
    /// The one context of all tokens of this issuer.
    one in_context: String;
    /// All tokens of this issuer are good for every context.
    flag in_every_context;
    /// The context of principals.
    one portal_context: String;
    /// The claim that holds the platform-level identity.
    one principal_claim: ClaimPath;
    /// Clients whose tokens may make principals.
    each portal_client: String;
    /// The accounts that every principal reaches.
    one principals_reach: Several<String> = |rules, accounts: Vec<String>| rules.principals_reach(accounts);
    /// The claim that holds the accounts that a principal reaches.
    one principals_reach_claim: ClaimPath;
    /// Every principal reaches every account.
    flag principals_reach_every_account;
    /// Clients may act for users.
    flag delegation;
    /// The scope that a client needs to act for a user.
    one delegation_scope: String;
    /// The scope that a client needs to act for a user in one context.
    each delegation_scope_in: ContextScope = |rules, one: ContextScope| rules.delegation_scope_in(one.context, one.scope);
    /// The header field that names the user. Default: `X-User-Id`.
    one delegation_header: String;
    /// The claim that lists the workspaces of a user.
    one workspaces_claim: ClaimPath;
    /// Asks the application's membership directory, which is set in code.
    flag memberships_from_directory;
    /// Roles that make a user an administrator of its account; needs the workspace directory, which is
    /// set in code.
    each account_admin_role: String;
    /// Reads whole numbers as ids.
    flag numeric_ids;
}

/// A group's claim, and how its name is read.
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table with `claim` and `pattern`")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(in crate::server::config) struct GroupRule {
    /// The claim that holds the groups.
    claim: ClaimPath,
    /// The pattern, such as `/tenants/{account}/{workspace}`.
    pattern: String,
}

/// What marks a machine.
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table with `claim` and `value`")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(in crate::server::config) struct MachineClaim {
    claim: ClaimPath,
    value: String,
}

/// The API contexts.
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table with `claim` and `contexts`")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(in crate::server::config) struct ContextsTable {
    claim: ClaimPath,
    contexts: Several<String>,
}

/// A scope in one context.
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table with `context` and `scope`")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(in crate::server::config) struct ContextScope {
    context: String,
    scope: String,
}

is_its_own_value!(GroupRule, MachineClaim, ContextsTable, ContextScope);

/// The workspace of a machine client.
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(
    deny_unknown_fields,
    expecting = "a table with `client_id` and `workspace`"
)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(in crate::server::config) struct ClientTenantTable {
    client_id: String,
    workspace: String,
    account: Option<String>,
    context: Option<String>,
}

impl Setting for ClientTenantTable {
    type Value = (String, ClientTenant);

    fn value(self) -> Result<Self::Value, NodeError> {
        let mut tenant = ClientTenant::workspace(self.workspace);
        if let Some(account) = self.account {
            tenant = tenant.account(account);
        }
        if let Some(context) = self.context {
            tenant = tenant.context(context);
        }
        Ok((self.client_id, tenant))
    }
}
