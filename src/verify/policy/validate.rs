//! What can be wrong with tenant rules, found before the first request.

use crate::model::claim_path::ClaimPath;
use crate::model::shared_str::SharedStr;
use crate::verify::policy::tenant_claims::TenantClaims;
use crate::verify::policy::tenant_rules::{
    AccountAllowList, AccountRule, ContextsMeant, ReachRule, WorkspaceRule,
};

type Invalid = Option<&'static str>;

impl TenantClaims {
    /// What is wrong with the rules, and the way out: the first mistake of each topic.
    pub(crate) fn mistakes(&self) -> impl Iterator<Item = &'static str> {
        [
            self.mistaken_paths(),
            self.mistaken_account(),
            self.mistaken_contexts(),
            self.mistaken_principals(),
            self.mistaken_machines(),
            self.mistaken_members(),
            self.mistaken_limit(),
            self.mistaken_map(),
            self.delegation
                .first_problem(|name| self.is_workspace_context(name)),
        ]
        .into_iter()
        .flatten()
    }

    fn mistaken_paths(&self) -> Invalid {
        let workspace = match &self.workspace {
            WorkspaceRule::Claim(path) | WorkspaceRule::Group(path, _) => Some(path),
            WorkspaceRule::Unnamed => None,
        };
        let account = match &self.account {
            AccountRule::Claim(path) => Some(path),
            AccountRule::Undecided | AccountRule::Group | AccountRule::Absent => None,
        };
        let reach = self.reach.iter().map(|rule| match rule {
            ReachRule::Claim(path) => Some(path),
            ReachRule::Listed | ReachRule::EveryAccount => None,
        });
        let mut paths = [
            workspace,
            self.members.listed.as_ref(),
            account,
            self.user.as_ref(),
            self.role.as_ref(),
            self.principal.as_ref(),
            self.machine.as_ref().map(|(path, _)| path),
            self.user_mark.as_ref(),
            // A portal without contexts has no claim yet, which is a mistake of its own.
            self.context
                .as_ref()
                .filter(|rule| !rule.workspace_contexts.is_empty())
                .map(|rule| &rule.claim),
        ]
        .into_iter()
        .chain(reach)
        .flatten();
        if paths.any(ClaimPath::is_blank) {
            return Some("a claim path or its first name is empty; name the claim");
        }
        match &self.workspace {
            WorkspaceRule::Group(_, pattern) if !pattern.is_valid() => Some(
                "the group pattern must have `{workspace}` once, `{account}` at most once, and no other braces, each between slashes",
            ),
            WorkspaceRule::Group(_, pattern)
                if pattern.names_account() && !matches!(self.account, AccountRule::Group) =>
            {
                Some("the account is in the group pattern; leave out the other setting for it")
            }
            WorkspaceRule::Group(..) | WorkspaceRule::Claim(_) | WorkspaceRule::Unnamed => None,
        }
    }

    fn mistaken_account(&self) -> Invalid {
        let is_left_open =
            matches!(self.workspace, WorkspaceRule::Unnamed) && self.needs_memberships();
        (matches!(self.account, AccountRule::Undecided) && !is_left_open).then_some(
            "say where the account is with `account_claim(..)`, or that there are none with `without_accounts()`",
        )
    }

    fn mistaken_contexts(&self) -> Invalid {
        let is_meant = !matches!(self.contexts_meant, ContextsMeant::Unstated);
        if is_meant && self.context.is_some() {
            return Some(
                "`contexts(..)` says that tokens state their context; leave out `in_context(..)` and `in_every_context()`",
            );
        }
        if matches!(&self.contexts_meant, ContextsMeant::One(name) if name.as_str().is_empty()) {
            return Some("a context's name is empty; name it");
        }
        let rule = self.context.as_ref()?;
        let mut names = rule.workspace_contexts.iter().chain(&rule.portal);
        if names.any(|name| name.is_empty()) {
            return Some("a context's name is empty; name it");
        }
        if rule.workspace_contexts.is_empty() {
            return Some("`contexts(..)` names no context; name those that act inside a workspace");
        }
        rule.portal
            .as_ref()
            .is_some_and(|portal| rule.workspace_contexts.contains(portal))
            .then_some(
                "one context is both the portal's and a workspace's; a token of one must never be good for another",
            )
    }

    fn mistaken_principals(&self) -> Invalid {
        let portal = self.context.as_ref().and_then(|rule| rule.portal.as_ref());
        let switched_on = !self.portal_clients.is_empty();
        if switched_on && (self.principal.is_none() || portal.is_none()) {
            return Some(
                "`portal_client(..)` needs `principal_claim(..)` and `portal_context(..)`",
            );
        }
        if self.portal_clients.iter().any(|client| client.is_empty()) {
            return Some("a portal client's id is empty; name the app client");
        }
        if self.reach.is_empty() {
            return None;
        }
        if !switched_on {
            return Some("no caller is a principal; switch them on with `portal_client(..)`");
        }
        if matches!(self.account, AccountRule::Absent) {
            return Some("principals reach accounts, and `without_accounts()` says there are none");
        }
        if self.reach.len() > 1 {
            return Some(
                "the reach of principals has one source; keep a list, a claim or every account",
            );
        }
        (!self.reach_list.is_valid())
            .then_some("an account within reach is no id; write 1 to 256 bytes without controls")
    }

    fn mistaken_machines(&self) -> Invalid {
        match &self.machine {
            Some((_, value)) if value.is_empty() => {
                Some("the machine claim's value is empty; give the value that marks a machine")
            }
            None if self.machine_claim_suffices => {
                Some("`machine_claim_suffices()` needs `machine_claim(..)`")
            }
            Some(_) if self.machine_claim_suffices && self.user_mark.is_none() => Some(
                "`machine_claim_suffices()` needs `user_mark(..)`: a claim that users' tokens have and machines' never",
            ),
            Some(_) | None => None,
        }
    }

    fn mistaken_members(&self) -> Invalid {
        if matches!(self.workspace, WorkspaceRule::Unnamed)
            && self.members.listed.is_none()
            && !self.needs_memberships()
        {
            return Some(
                "`by_membership()` needs `workspaces_claim(..)` or `memberships_from_directory()`",
            );
        }
        if self.members.admin_roles.iter().any(|role| role.is_empty()) {
            return Some("an account administrator's role is empty; name the role");
        }
        match self.account {
            AccountRule::Absent | AccountRule::Undecided if self.has_account_admins() => Some(
                "`account_admin_role(..)` needs the account in the token; say where it is with `account_claim(..)`",
            ),
            _ => None,
        }
    }

    fn mistaken_limit(&self) -> Invalid {
        let limit = self.limit.as_ref()?;
        if limit.names.is_empty() {
            return Some("`only_accounts(..)` names none; name those that the issuer may assert");
        }
        if matches!(self.account, AccountRule::Absent) {
            return Some("`only_accounts(..)` contradicts `without_accounts()`; keep one of them");
        }
        (!limit.is_valid()).then_some(
            "an account of `only_accounts(..)` is no id; write 1 to 256 bytes without controls",
        )
    }

    fn mistaken_map(&self) -> Invalid {
        if self.mapped_twice {
            return Some("`client_tenant(..)` names a client twice; it has one tenant");
        }
        for (client, tenant) in &self.client_tenants {
            let (Ok(_), Ok(account)) = (tenant.workspace_id(), tenant.account_id()) else {
                return Some(
                    "a client's workspace or account is no id; write 1 to 256 bytes without controls",
                );
            };
            if client.is_empty() {
                return Some("a client of `client_tenant(..)` has no id; name the app client");
            }
            if account.is_some() == matches!(self.account, AccountRule::Absent) {
                return Some(
                    "`client_tenant(..)` names an account exactly where the rules have accounts",
                );
            }
            let context = tenant.context_text().map(SharedStr::as_str);
            let fits = match (&self.context, context) {
                (None, None) => true,
                (Some(_), Some(name)) => self.is_workspace_context(name),
                (None, Some(_)) | (Some(_), None) => false,
            };
            if !fits {
                return Some(
                    "`client_tenant(..)` names a workspace's context exactly where the rules have contexts",
                );
            }
            if self.portal_clients.contains(client) {
                return Some("one app client is both a portal's and a workspace's");
            }
            let outside =
                |limit: &AccountAllowList| account.as_ref().is_some_and(|own| !limit.contains(own));
            if self.limit.as_ref().is_some_and(outside) {
                return Some(
                    "`client_tenant(..)` names an account that `only_accounts(..)` does not",
                );
            }
        }
        None
    }

    fn is_workspace_context(&self, name: &str) -> bool {
        if let ContextsMeant::One(context) = &self.contexts_meant {
            return context.as_str() == name;
        }
        self.context.as_ref().is_some_and(|rule| {
            let mut contexts = rule.workspace_contexts.iter();
            contexts.any(|known| &**known == name)
        })
    }
}
