//! Tenant rules: which claims of an issuer's tokens say where their bearer may act.

use crate::model::path::ClaimPath;

/// Where an issuer's access tokens state workspace, account, user, kind of caller and API
/// context, and which evidence makes which [`Identity`](crate::Identity).
///
/// 1. **User**: a workspace, an account (unless accounts are declared absent), a user id, a
///    context that is not the portal's, and nothing that speaks of a machine.
/// 2. **Client**: the machine claim (where one is configured), `sub` equal to the client id, no
///    `username`, user id, principal id or group, and a workspace.
/// 3. **Principal**: the portal context, a principal id, a client among
///    [`portal_client`](Self::portal_client), and no user, workspace, account, role or machine.
/// 4. Anything else, and every claim of these that is present with another type than a string,
///    is contradiction: the bearer is a mere [`Subject`](crate::Subject) and reaches nothing.
///
/// Tenant rules belong to one [`Issuer`](crate::Issuer); what another issuer's tokens say is
/// read by that issuer's rules alone. Claims decide tenancy only as well as their source: see
/// the manual's chapter on tenancy before you let users write attributes that end up in them.
///
/// ```
/// use portcullis::TenantClaims;
///
/// // A platform with workspaces and no accounts, whose users are named by `sub`:
/// let rules = TenantClaims::by_workspace("workspace_id").without_accounts();
/// // AWorld's model, with principals switched on for one app client:
/// let aworld = TenantClaims::aworld().portal_client("7portal23456789");
/// # let _ = (rules, aworld);
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct TenantClaims {
    pub(crate) workspace: ClaimPath,
    pub(crate) account: AccountRule,
    pub(crate) user: Option<ClaimPath>,
    pub(crate) role: Option<ClaimPath>,
    pub(crate) principal: Option<ClaimPath>,
    pub(crate) machine: Option<(ClaimPath, Box<str>)>,
    pub(crate) context: Option<ContextRule>,
    pub(crate) portal_clients: Vec<Box<str>>,
}

#[derive(Clone, Debug)]
pub(crate) enum AccountRule {
    Undecided,
    Claim(ClaimPath),
    Absent,
}

#[derive(Clone, Debug)]
pub(crate) struct ContextRule {
    pub(crate) claim: ClaimPath,
    pub(crate) workspace_contexts: Vec<Box<str>>,
    pub(crate) portal: Option<Box<str>>,
}

impl TenantClaims {
    /// Rules that find the workspace in this claim. Say where the account is with
    /// [`account_claim`](Self::account_claim), or that there are none with
    /// [`without_accounts`](Self::without_accounts); leaving it open is a configuration error.
    pub fn by_workspace(claim: impl Into<ClaimPath>) -> Self {
        Self {
            workspace: claim.into(),
            account: AccountRule::Undecided,
            user: None,
            role: None,
            principal: None,
            machine: None,
            context: None,
            portal_clients: Vec::new(),
        }
    }

    /// AWorld's tenant model: `accountId`, `workspaceId`, `userId`, `principalId`, `role`,
    /// `platform` = `m2m` for machines, and `context` one of `app`, `dashboard` and `portal`.
    pub fn aworld() -> Self {
        Self::by_workspace("workspaceId")
            .account_claim("accountId")
            .user_claim("userId")
            .role_claim("role")
            .machine_claim("platform", "m2m")
            .contexts("context", ["app", "dashboard"])
            .portal_context("portal")
            .principal_claim("principalId")
    }

    /// The claim that holds the account.
    pub fn account_claim(mut self, claim: impl Into<ClaimPath>) -> Self {
        self.account = AccountRule::Claim(claim.into());
        self
    }

    /// Declares that this platform has no accounts above its workspaces.
    pub fn without_accounts(mut self) -> Self {
        self.account = AccountRule::Absent;
        self
    }

    /// The claim that holds the application's user id. Default: the token's subject, which is
    /// what a platform has that keeps no user ids of its own.
    pub fn user_claim(mut self, claim: impl Into<ClaimPath>) -> Self {
        self.user = Some(claim.into());
        self
    }

    /// The claim that holds a user's role in the workspace. Default: none is read.
    pub fn role_claim(mut self, claim: impl Into<ClaimPath>) -> Self {
        self.role = Some(claim.into());
        self
    }

    /// The claim, and its value, that marks a machine's token. Default: none, and a machine is
    /// whoever has `sub` equal to its client id and no `username`.
    pub fn machine_claim(mut self, claim: impl Into<ClaimPath>, value: impl Into<String>) -> Self {
        self.machine = Some((claim.into(), value.into().into()));
        self
    }

    /// The claim that holds the API context, and the contexts that act inside one workspace.
    /// Default: there are no contexts. Where there are, every layer must name one.
    pub fn contexts<S: Into<String>>(
        mut self,
        claim: impl Into<ClaimPath>,
        contexts: impl IntoIterator<Item = S>,
    ) -> Self {
        let portal = self.context.and_then(|rule| rule.portal);
        self.context = Some(ContextRule {
            claim: claim.into(),
            workspace_contexts: contexts
                .into_iter()
                .map(|context| context.into().into())
                .collect(),
            portal,
        });
        self
    }

    /// The context of principals, beside those of [`contexts`](Self::contexts), which must
    /// be set too. Default: none, and nobody is a principal.
    pub fn portal_context(mut self, context: impl Into<String>) -> Self {
        let portal = Some(context.into().into());
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
    /// nobody is a principal.
    pub fn principal_claim(mut self, claim: impl Into<ClaimPath>) -> Self {
        self.principal = Some(claim.into());
        self
    }

    /// Switches principals on for tokens that were issued to this app client, and accepts its
    /// tokens where clients are listed; call it once for each. Default: none, since a principal reaches further than anybody else.
    pub fn portal_client(mut self, client_id: impl Into<String>) -> Self {
        self.portal_clients.push(client_id.into().into());
        self
    }

    /// Whether these rules know a context of this name.
    pub(crate) fn knows_context(&self, name: &str) -> bool {
        self.context.as_ref().is_some_and(|rule| {
            rule.workspace_contexts
                .iter()
                .chain(rule.portal.as_ref())
                .any(|known| &**known == name)
        })
    }

    /// What is wrong with the rules, and the way out.
    pub(crate) fn mistake(&self) -> Option<&'static str> {
        let paths = [
            Some(&self.workspace),
            self.user.as_ref(),
            self.role.as_ref(),
            self.principal.as_ref(),
            self.machine.as_ref().map(|(path, _)| path),
            self.context.as_ref().map(|rule| &rule.claim),
            match &self.account {
                AccountRule::Claim(path) => Some(path),
                AccountRule::Undecided | AccountRule::Absent => None,
            },
        ];
        let portal = self.context.as_ref().and_then(|rule| rule.portal.as_ref());
        if paths.into_iter().flatten().any(ClaimPath::is_blank) {
            return Some("a claim path or its first name is empty; name the claim");
        }
        if matches!(self.account, AccountRule::Undecided) {
            return Some(
                "say where the account is with `account_claim(..)`, or that there are none with `without_accounts()`",
            );
        }
        if self.context.as_ref().is_some_and(|rule| {
            rule.workspace_contexts
                .iter()
                .chain(&rule.portal)
                .any(|name| name.is_empty())
        }) {
            return Some("a context's name is empty; name it");
        }
        if self
            .context
            .as_ref()
            .is_some_and(|rule| rule.workspace_contexts.is_empty())
        {
            return Some("`contexts(..)` names no context; name those that act inside a workspace");
        }
        if self.context.as_ref().is_some_and(|rule| {
            rule.workspace_contexts
                .iter()
                .any(|name| Some(name) == rule.portal.as_ref())
        }) {
            return Some(
                "one context is both the portal's and a workspace's; a token of one must never be good for another",
            );
        }
        if !self.portal_clients.is_empty() && (self.principal.is_none() || portal.is_none()) {
            return Some(
                "`portal_client(..)` needs `principal_claim(..)` and `portal_context(..)`",
            );
        }
        if self
            .machine
            .as_ref()
            .is_some_and(|(_, value)| value.is_empty())
        {
            return Some("the machine claim's value is empty; give the value that marks a machine");
        }
        if self.portal_clients.iter().any(|client| client.is_empty()) {
            return Some("a portal client's id is empty; name the app client");
        }
        None
    }
}
