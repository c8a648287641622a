//! Settings of tenant rules for users of several workspaces: by a claim, by the application's
//! directory, and by an account-wide role.

use crate::model::claim_path::ClaimPath;
use crate::verify::policy::tenant_claims::TenantClaims;
use crate::verify::policy::tenant_rules::WorkspaceRule;

/// Users of several workspaces.
///
/// A [`WorkspaceUser`](crate::WorkspaceUser) is a user of the one workspace that its token names.
/// These settings let such a user, or one whose token names no workspace
/// ([`by_membership`](Self::by_membership)), into further workspaces, through the extractor
/// [`WorkspaceAccess`](crate::WorkspaceAccess) alone. Without them nothing changes.
///
/// A caller is a user by the evidence of rule 1 of [`TenantClaims`], except for the workspace:
/// a user id, a context that is not the portal's, and nothing that speaks of a machine or comes
/// from a portal client. Machines and principals are never members.
///
/// `WorkspaceAccess` compares the workspace of the path in this order, and the first that fits
/// lets the user in:
///
/// 1. The workspace that the token names, as without these settings.
/// 2. A workspace of [`workspaces_claim`](Self::workspaces_claim). Its account is the one that the
///    token states; under [`only_accounts`](Self::only_accounts) the
///    [`WorkspaceDirectory`](crate::tenant::WorkspaceDirectory) must name that account as its owner.
/// 3. For a user with an [`account_admin_role`](Self::account_admin_role): a workspace that the
///    `WorkspaceDirectory` says the token's account owns.
/// 4. With [`memberships_from_directory`](Self::memberships_from_directory): a workspace of which
///    the [`MembershipDirectory`](crate::tenant::MembershipDirectory) says that the user is a member.
///
/// Where the path names an account, it must be the workspace's. Everything else is refused with
/// 403 `wrong_tenant`; a directory that fails or is late is 503. Claims are read once for each
/// token; directories are asked on every request.
///
/// [`WorkspaceAccess::caller`](crate::WorkspaceAccess::caller) is then a `WorkspaceUser` of the
/// workspace that was entered. Its role is the account-wide role of an administrator, or the one that the
/// directory states, or none: the token's role belongs to the workspace that the token names.
/// [`InRole`](crate::InRole) goes by that role on a route that addresses a workspace.
impl TenantClaims {
    /// Rules for tokens that name no workspace: users enter the workspaces that
    /// [`workspaces_claim`](Self::workspaces_claim) or
    /// [`memberships_from_directory`](Self::memberships_from_directory) give, one of which must
    /// follow. Say where the account is, as for [`by_workspace`](Self::by_workspace); with
    /// `memberships_from_directory` it may be left open, and is then the directory's to say.
    ///
    /// The [`Identity`](crate::Identity) of such a user is a [`Subject`](crate::tenant::Subject), since the
    /// token alone names no workspace. Machines need a [`client_tenant`](Self::client_tenant).
    pub fn by_membership() -> Self {
        Self {
            workspace: WorkspaceRule::Unnamed,
            ..Self::by_workspace("")
        }
    }

    /// The claim that lists the workspaces of a user: an array of ids, at most 1,024, each 1 to 256
    /// bytes without control characters; whole numbers with [`numeric_ids`](Self::numeric_ids). An
    /// empty list and an absent claim list nothing. A claim of another type, with an element that
    /// is no id, or with more elements contradicts the token's other evidence, and its bearer is a
    /// [`Subject`](crate::tenant::Subject). Default: none is read.
    ///
    /// ```
    /// use axum::{Router, routing::get};
    /// use portcullis::{ResourceServer, TenantClaims, WorkspaceAccess};
    /// # use axum::body::Body;
    /// # use http::Request;
    /// # use tower::ServiceExt as _;
    ///
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
    /// let issuer = portcullis::test_util::MockIssuer::new();
    /// let rules = TenantClaims::by_membership().without_accounts().workspaces_claim("workspaces");
    /// let server = ResourceServer::builder("https://api.example.com")
    ///     .issuer(issuer.trusted().tenant_claims(rules))
    ///     .build()?;
    /// let app: Router = Router::new()
    ///     .route("/workspaces/{workspace_id}", get(|_: WorkspaceAccess| async {}))
    ///     .route_layer(server.authenticate());
    ///
    /// let token = issuer.token().claim("workspaces", ["acme-prod", "acme-dev"]).sign();
    /// let get = |path| Request::get(path).header("authorization", format!("Bearer {token}")).body(Body::empty());
    /// assert_eq!(app.clone().oneshot(get("/workspaces/acme-dev")?).await?.status(), 200);
    /// assert_eq!(app.clone().oneshot(get("/workspaces/globex")?).await?.status(), 403);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn workspaces_claim(mut self, claim: impl Into<ClaimPath>) -> Self {
        let claim = claim.into();
        self.once.set("workspaces_claim", &claim);
        self.members.listed = Some(claim);
        self
    }

    /// Asks the application's [`MembershipDirectory`](crate::tenant::MembershipDirectory), which
    /// [`membership_directory`](crate::ResourceServerBuilder::membership_directory) sets, whether
    /// a user is a member of the workspace that the path names. Default: it is not asked about
    /// users of this issuer.
    pub fn memberships_from_directory(mut self) -> Self {
        self.members.from_directory = true;
        self
    }

    /// Makes users with this role administrators of the account that their token states; call it
    /// once for each role. The role is that of [`role_claim`](Self::role_claim), or one of the
    /// issuer's [`roles_claim`](crate::Issuer::roles_claim), byte for byte. An administrator enters
    /// every workspace that the [`WorkspaceDirectory`](crate::tenant::WorkspaceDirectory), which
    /// must be configured, says the account owns, and obtains
    /// [`AccountAccess`](crate::tenant::AccountAccess) for that account and no other.
    /// Default: none; a role counts in the workspace that the token names.
    ///
    /// ```
    /// use portcullis::tenant::AccountId;
    /// use portcullis::{Issuer, ResourceServer, TenantClaims};
    /// use portcullis::tenant::{WorkspaceId, workspace_directory_fn};
    ///
    /// let rules = TenantClaims::by_workspace("workspace")
    ///     .account_claim("account")
    ///     .role_claim("role")
    ///     .account_admin_role("owner");
    /// let issuer = || Issuer::oidc("https://id.example.com").tenant_claims(rules.clone());
    /// let server = ResourceServer::builder("https://api.example.com")
    ///     .issuer(issuer())
    ///     .workspace_directory(workspace_directory_fn(|workspace: WorkspaceId| async move {
    ///         // A query of your database, say.
    ///         Ok((workspace.as_str() == "acme-prod").then(|| AccountId::new("acme")).transpose()?)
    ///     }));
    /// # #[cfg(feature = "jwks")]
    /// assert!(server.build().is_ok());
    ///
    /// let blind = ResourceServer::builder("https://api.example.com").issuer(issuer());
    /// # #[cfg(feature = "jwks")]
    /// assert!(blind.build().unwrap_err().to_string().contains("workspace_directory"));
    /// ```
    #[doc(alias = "organization_admin")]
    #[doc(alias = "owner")]
    pub fn account_admin_role(mut self, role: impl Into<String>) -> Self {
        self.members.admin_roles.push(role.into().into());
        self
    }

    /// Whether a user may enter another workspace than the one that the token names.
    pub(crate) fn has_members(&self) -> bool {
        self.members.listed.is_some() || self.needs_memberships() || self.has_account_admins()
    }

    /// Whether the membership directory is asked.
    pub(crate) const fn needs_memberships(&self) -> bool {
        self.members.from_directory
    }

    pub(crate) fn has_account_admins(&self) -> bool {
        !self.members.admin_roles.is_empty()
    }

    pub(in crate::verify) fn is_admin_role(&self, role: &str) -> bool {
        self.members
            .admin_roles
            .iter()
            .any(|known| **known == *role)
    }
}
