//! Tenant rules: which claims of an issuer's tokens state the tenant of the caller.

use std::collections::HashMap;

use crate::model::claim_path::ClaimPath;
use crate::model::repeated_settings::RepeatedSettings;
use crate::model::shared_str::SharedStr;
use crate::verify::policy::client_tenant::ClientTenant;
use crate::verify::policy::delegation_rule::DelegationRule;
use crate::verify::policy::group_pattern::GroupPattern;
use crate::verify::policy::tenant_rules::{
    AccountAllowList, AccountRule, ContextRule, ContextsMeant, MembershipRule, ReachRule,
    WorkspaceRule,
};

/// Where an issuer's access tokens state workspace, account, user, kind of caller and API
/// context, and which evidence makes which [`Identity`](crate::Identity).
///
/// 1. **User**: a workspace, an account (unless accounts are declared absent), a user id, a
///    context that is not the portal's, and no evidence of a machine.
/// 2. **Client**: the machine claim (where one is configured), `sub` equal to the client id, no
///    `username`, user id, principal id or group, and a workspace, from the claims or from
///    [`client_tenant`](Self::client_tenant).
/// 3. **Principal**: the portal context, a principal id, a client among
///    [`portal_client`](Self::portal_client), and no user, workspace, account, role or machine.
/// 4. Otherwise, and where one of these claims has another type than a string, the caller is a
///    [`Subject`](crate::tenant::Subject) and reaches no tenant.
///
/// Tenant rules belong to one [`Issuer`](crate::Issuer); another issuer's tokens are read by its own
/// rules. A tenant claim is as trustworthy as its source: read the manual's chapter on tenancy before
/// users can write attributes that end up in one.
///
/// ```
/// use portcullis::TenantClaims;
///
/// // A platform with workspaces and no accounts, whose users are named by `sub`:
/// let rules = TenantClaims::by_workspace("workspace_id").without_accounts();
/// // Accounts above the workspaces, a role, and machines that a claim marks:
/// let accounts = TenantClaims::by_workspace("workspace")
///     .account_claim("account")
///     .role_claim("role")
///     .machine_claim("kind", "service");
/// # let _ = (rules, accounts);
/// ```
#[doc(alias = "multi_tenant")]
#[doc(alias = "multi_tenancy")]
#[doc(alias = "organization")]
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct TenantClaims {
    pub(in crate::verify) workspace: WorkspaceRule,
    pub(in crate::verify) account: AccountRule,
    pub(in crate::verify) user: Option<ClaimPath>,
    pub(in crate::verify) role: Option<ClaimPath>,
    pub(in crate::verify) principal: Option<ClaimPath>,
    pub(in crate::verify) machine: Option<(ClaimPath, Box<str>)>,
    pub(in crate::verify) machine_claim_suffices: bool,
    pub(in crate::verify) user_mark: Option<ClaimPath>,
    pub(crate) context: Option<ContextRule>,
    /// For issuers whose tokens state no context.
    pub(crate) contexts_meant: ContextsMeant,
    pub(crate) portal_clients: Vec<Box<str>>,
    /// Valid rules have at most one.
    pub(in crate::verify) reach: Vec<ReachRule>,
    pub(in crate::verify) reach_list: AccountAllowList,
    pub(in crate::verify) client_tenants: HashMap<Box<str>, ClientTenant>,
    pub(super) mapped_twice: bool,
    pub(in crate::verify) limit: Option<AccountAllowList>,
    /// Which further workspaces a user may enter.
    pub(in crate::verify) members: MembershipRule,
    /// Whether whole numbers are read as ids.
    pub(in crate::verify) numeric_ids: bool,
    pub(crate) delegation: DelegationRule,
    /// The settings that hold one value.
    pub(crate) once: RepeatedSettings,
}

impl TenantClaims {
    /// Rules that find the workspace in this claim. Say where the account is with
    /// [`account_claim`](Self::account_claim), or that there are none with
    /// [`without_accounts`](Self::without_accounts); leaving it open is a configuration error.
    pub fn by_workspace(claim: impl Into<ClaimPath>) -> Self {
        Self {
            workspace: WorkspaceRule::Claim(claim.into()),
            account: AccountRule::Undecided,
            user: None,
            role: None,
            principal: None,
            machine: None,
            machine_claim_suffices: false,
            user_mark: None,
            context: None,
            contexts_meant: ContextsMeant::Unstated,
            portal_clients: Vec::new(),
            reach: Vec::new(),
            reach_list: AccountAllowList::new(Vec::new()),
            client_tenants: HashMap::new(),
            mapped_twice: false,
            limit: None,
            members: MembershipRule::default(),
            numeric_ids: false,
            delegation: DelegationRule::default(),
            once: RepeatedSettings::default(),
        }
    }

    /// Rules that find the workspace in a group's name, such as
    /// `by_group("groups", "/tenants/{account}/{workspace}")` for Keycloak's group paths.
    ///
    /// The claim is an array of strings, or of a form that the issuer's settings of roles and
    /// groups read. The pattern and each of them are cut at `/`; a group
    /// fits that has as many pieces, where `{workspace}` and `{account}` stand for one whole
    /// piece and the others are equal. Exactly one group must fit: with none the caller has no
    /// tenant, and two the caller is a
    /// subject. Without `{account}` in the pattern, say where the
    /// account is, or that there are none, as for [`by_workspace`](Self::by_workspace).
    pub fn by_group(claim: impl Into<ClaimPath>, pattern: impl AsRef<str>) -> Self {
        let pattern = GroupPattern::new(pattern.as_ref());
        let account = if pattern.names_account() {
            AccountRule::Group
        } else {
            AccountRule::Undecided
        };
        Self {
            workspace: WorkspaceRule::Group(claim.into(), pattern),
            account,
            ..Self::by_workspace("")
        }
    }

    /// Makes all settings so far defaults, which may be set again.
    pub(crate) fn preset(mut self) -> Self {
        self.once = RepeatedSettings::default();
        self.delegation.preset();
        self
    }

    /// The claim that holds the account.
    pub fn account_claim(mut self, claim: impl Into<ClaimPath>) -> Self {
        let claim = claim.into();
        self.once.set("account_claim", &Some(&claim));
        self.account = AccountRule::Claim(claim);
        self
    }

    /// Declares that this platform has no accounts above its workspaces.
    pub fn without_accounts(mut self) -> Self {
        self.once.set("account_claim", &None::<&ClaimPath>);
        self.account = AccountRule::Absent;
        self
    }

    /// The claim that holds the application's user id. Default: the token's subject, which is
    /// what a platform has that keeps no user ids of its own.
    pub fn user_claim(mut self, claim: impl Into<ClaimPath>) -> Self {
        let claim = claim.into();
        self.once.set("user_claim", &claim);
        self.user = Some(claim);
        self
    }

    /// The claim that holds a user's role in the workspace. Default: none is read.
    #[doc(alias = "rbac")]
    pub fn role_claim(mut self, claim: impl Into<ClaimPath>) -> Self {
        let claim = claim.into();
        self.once.set("role_claim", &claim);
        self.role = Some(claim);
        self
    }

    /// The claim, and its value, that marks a machine's token, beside `sub` equal to its client
    /// id and no `username`. Default: none; the other two conditions make a machine.
    #[doc(alias = "m2m")]
    #[doc(alias = "machine_to_machine")]
    #[doc(alias = "service_account")]
    pub fn machine_claim(mut self, claim: impl Into<ClaimPath>, value: impl Into<String>) -> Self {
        let (claim, value) = (claim.into(), value.into());
        self.once.set("machine_claim", &(&claim, &value));
        self.machine = Some((claim, value.into()));
        self
    }

    /// The machine claim alone makes a machine: `sub` need not be the client id, and the user claim
    /// may be present. For issuers that give machines a subject and an object id of their
    /// own, and that write the machine claim themselves, such as Auth0's `gty` and Entra's
    /// `idtyp`. A `username`, a principal id or a group still contradicts it. Since only
    /// that claim then separates machines from users, a [`user_mark`](Self::user_mark) is required. Default: `sub` must be the client id.
    pub fn machine_claim_suffices(mut self) -> Self {
        self.machine_claim_suffices = true;
        self
    }

    /// A claim that every user's token has and no machine's, with any string, such as Entra's `scp` or
    /// Keycloak's `sid`: a token without it is not a user's, and a token with it is not a machine's. Default: none; required by
    /// [`machine_claim_suffices`](Self::machine_claim_suffices).
    pub fn user_mark(mut self, claim: impl Into<ClaimPath>) -> Self {
        let claim = claim.into();
        self.once.set("user_mark", &claim);
        self.user_mark = Some(claim);
        self
    }

    /// Gives the machine tokens of one app client their workspace, for pools whose machine
    /// tokens cannot carry claims; call it once for each client. The client's tokens are
    /// accepted where clients are listed, need no machine claim, and what they state about
    /// their tenant must agree with the map. Default: machines state their workspace.
    pub fn client_tenant(mut self, client_id: impl Into<String>, tenant: ClientTenant) -> Self {
        self.once.take_over(&tenant.once);
        let before = self.client_tenants.insert(client_id.into().into(), tenant);
        self.mapped_twice |= before.is_some();
        self
    }

    /// Lets this issuer assert only these accounts: the caller of a token with another one is a
    /// [`Subject`](crate::tenant::Subject), and principals reach only these. Since such an issuer could still
    /// name a workspace of another account, a caller enters a workspace only after the
    /// [`WorkspaceDirectory`](crate::tenant::WorkspaceDirectory), which is required, has named its account as
    /// the owner. Every tenant guard on a handler calls the directory.
    /// Default: the issuer may assert every account.
    pub fn only_accounts<S: Into<String>>(mut self, accounts: impl IntoIterator<Item = S>) -> Self {
        let names: Vec<String> = accounts.into_iter().map(Into::into).collect();
        self.once.set("only_accounts", &names);
        self.limit = Some(AccountAllowList::new(names));
        self
    }

    /// The claim that holds the API context, and the contexts that act inside one workspace.
    /// Default: there are no contexts. Where there are, every layer must name one.
    pub fn contexts<S: Into<String>>(
        mut self,
        claim: impl Into<ClaimPath>,
        contexts: impl IntoIterator<Item = S>,
    ) -> Self {
        let claim = claim.into();
        let contexts = contexts.into_iter().map(|context| context.into().into());
        let workspace_contexts: Vec<Box<str>> = contexts.collect();
        self.once.set("contexts", &(&claim, &workspace_contexts));
        let portal = self.context.and_then(|rule| rule.portal);
        self.context = Some(ContextRule {
            claim,
            workspace_contexts,
            portal,
        });
        self
    }

    /// All of this issuer's tokens are for this context, which they do not state. Where another
    /// issuer's rules know contexts, one without [`contexts`](Self::contexts) must say this or
    /// [`in_every_context`](Self::in_every_context). Default: nothing is said.
    pub fn in_context(mut self, context: impl AsRef<str>) -> Self {
        self.once.set("in_context", &Some(context.as_ref()));
        self.contexts_meant = ContextsMeant::One(SharedStr::new(context.as_ref()));
        self
    }

    /// All of this issuer's tokens are good for every context of every other issuer, the
    /// portal's included. Default: nothing is said; see [`in_context`](Self::in_context).
    pub fn in_every_context(mut self) -> Self {
        self.once.set("in_context", &None::<&str>);
        self.contexts_meant = ContextsMeant::Every;
        self
    }

    /// The context of principals, beside those of [`contexts`](Self::contexts), which must
    /// be set too. Default: none, and there are no principals.
    pub fn portal_context(mut self, context: impl Into<String>) -> Self {
        let context = context.into();
        self.once.set("portal_context", &context);
        let portal = Some(context.into());
        match &mut self.context {
            Some(rule) => rule.portal = portal,
            None => {
                self.context = Some(ContextRule {
                    claim: ClaimPath::from(""), // refused by `build()` unless `contexts` follows
                    workspace_contexts: Vec::new(),
                    portal,
                });
            }
        }
        self
    }

    /// The claim that holds the platform-level identity behind a caller. Default: none, and
    /// there are no principals.
    pub fn principal_claim(mut self, claim: impl Into<ClaimPath>) -> Self {
        let claim = claim.into();
        self.once.set("principal_claim", &claim);
        self.principal = Some(claim);
        self
    }

    /// Switches principals on for tokens that were issued to this app client, and accepts its
    /// tokens where clients are listed; call it once for each. A principal reaches no account
    /// until its reach is set too. Default: none, since a principal has the widest reach.
    pub fn portal_client(mut self, client_id: impl Into<String>) -> Self {
        self.portal_clients.push(client_id.into().into());
        self
    }

    /// The accounts that every principal of this issuer reaches. Several calls add up.
    /// Default: none.
    pub fn principals_reach<S: Into<String>>(
        mut self,
        accounts: impl IntoIterator<Item = S>,
    ) -> Self {
        let mut names = std::mem::take(&mut self.reach_list.names);
        names.extend(accounts.into_iter().map(Into::into));
        self.reach_list = AccountAllowList::new(names);
        self.reach.retain(|rule| !matches!(rule, ReachRule::Listed));
        self.reach.push(ReachRule::Listed);
        self
    }

    /// The claim that holds the accounts that a principal reaches: an array of strings. Where it
    /// is absent there are none; with another type the caller is a subject. Default: none is read.
    pub fn principals_reach_claim(mut self, claim: impl Into<ClaimPath>) -> Self {
        self.reach.push(ReachRule::Claim(claim.into()));
        self
    }

    /// Every principal of this issuer reaches every account, within
    /// [`only_accounts`](Self::only_accounts). Default: none.
    pub fn principals_reach_every_account(mut self) -> Self {
        self.reach.push(ReachRule::EveryAccount);
        self
    }

    /// Switches delegation on: a client may act for one user of its workspace, named in
    /// a header field, on handlers that ask for a [`Delegation`](crate::tenant::Delegation). Everywhere
    /// else under this issuer's rules the field is refused by every tenant guard. It needs a
    /// scope: name it with [`delegation_scope`](Self::delegation_scope) or
    /// [`delegation_scope_in`](Self::delegation_scope_in); [`presets::aworld`](crate::presets::aworld) has one for each context. Default: off, and the field is an
    /// ordinary one that is not read.
    pub fn delegation(mut self) -> Self {
        self.delegation.on = true;
        self
    }

    /// The scope that a client must have to act for a user, in every context.
    /// Default: none, and no client may.
    pub fn delegation_scope(mut self, scope: impl Into<String>) -> Self {
        let scope = scope.into();
        self.once.set("delegation_scope", &scope);
        self.delegation.demand(None, scope);
        self
    }

    /// The scope that a client must have to act for a user in this context, in place of that of
    /// [`delegation_scope`](Self::delegation_scope). Default: none.
    pub fn delegation_scope_in(
        mut self,
        context: impl Into<String>,
        scope: impl Into<String>,
    ) -> Self {
        let (context, scope) = (context.into(), scope.into());
        self.once.set_for("delegation_scope_in", &context, &scope);
        self.delegation.demand(Some(context), scope);
        self
    }

    /// The header field that names the user. Default: `X-User-Id`.
    pub fn delegation_header(mut self, name: impl AsRef<str>) -> Self {
        let name = name.as_ref().to_ascii_lowercase();
        self.once.set("delegation_header", &name);
        self.delegation.rename(&name);
        self
    }

    /// Removes a user claim that is the subject's claim, which is the default.
    pub(crate) fn with_subject(mut self, subject: &ClaimPath) -> Self {
        self.user = self.user.filter(|user| user != subject);
        self
    }

    /// Whether the directory must confirm the owner of a workspace.
    pub(crate) fn is_limited(&self) -> bool {
        self.limit.is_some()
    }

    /// Clients whose tokens are accepted because the rules name them.
    pub(crate) fn named_clients(&self) -> impl Iterator<Item = &str> {
        let mapped = self.client_tenants.keys().map(|client| &**client);
        self.portal_clients
            .iter()
            .map(|client| &**client)
            .chain(mapped)
    }

    /// Whether these rules tell contexts apart.
    pub(crate) fn has_contexts(&self) -> bool {
        self.context.is_some() || matches!(self.contexts_meant, ContextsMeant::One(_))
    }

    /// Whether these rules say what their tokens are for, where others tell contexts apart.
    pub(crate) fn states_contexts(&self) -> bool {
        self.has_contexts() || matches!(self.contexts_meant, ContextsMeant::Every)
    }

    /// Whether these rules know a context of this name.
    pub(crate) fn knows_context(&self, name: &str) -> bool {
        if let ContextsMeant::One(context) = &self.contexts_meant {
            return context.as_str() == name;
        }
        self.context.as_ref().is_some_and(|rule| {
            rule.workspace_contexts
                .iter()
                .chain(rule.portal.as_ref())
                .any(|known| &**known == name)
        })
    }
}
