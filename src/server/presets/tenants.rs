//! Tenant rules of providers and platforms.

use crate::verify::policy::tenant_claims::TenantClaims;

/// AWorld's tenant model on an Amazon Cognito pool: `accountId`, `workspaceId`, `userId`,
/// `principalId`, `role`, `platform` = `m2m` for machines, and `context`, one of `app`, `dashboard`
/// and `portal`. Principals need a [`portal_client`](TenantClaims::portal_client) and a reach;
/// with [`delegation`](TenantClaims::delegation) clients act for users with the scope `app/write`
/// or `dashboard/write` of their context.
///
/// ```
/// use portcullis::presets;
///
/// let pool = presets::cognito("eu-west-1", "eu-west-1_AbCdEf")
///     .client_id("1example23456789")
///     .tenant_claims(
///         presets::aworld()
///             .portal_client("7portal23456789")
///             .principals_reach_claim("accounts")
///             .delegation(),
///     );
/// # let _ = pool;
/// ```
pub fn aworld() -> TenantClaims {
    TenantClaims::by_workspace("workspaceId")
        .account_claim("accountId")
        .user_claim("userId")
        .role_claim("role")
        .machine_claim("platform", "m2m")
        .contexts("context", ["app", "dashboard"])
        .portal_context("portal")
        .principal_claim("principalId")
        .delegation_scope_in("app", "app/write")
        .delegation_scope_in("dashboard", "dashboard/write")
        .preset()
}

impl TenantClaims {
    /// AWorld's tenant model: the same as [`presets::aworld`](crate::presets::aworld).
    pub fn aworld() -> Self {
        aworld()
    }
}

/// Workspaces that are Auth0's organizations: `org_id`, without accounts. An action after login
/// writes the application's user id into `user_claim`, a namespaced name such as
/// `https://example.com/user`, which also tells users from machines; machines have
/// `gty` = `client-credentials`.
///
/// ```
/// use portcullis::presets;
///
/// let auth0 = presets::auth0("example.eu.auth0.com")
///     .audience("https://api.example.com")
///     .tenant_claims(presets::auth0_organizations("https://example.com/user"));
/// # let _ = auth0;
/// ```
pub fn auth0_organizations(user_claim: impl AsRef<str>) -> TenantClaims {
    TenantClaims::by_workspace("org_id")
        .without_accounts()
        .user_claim(user_claim.as_ref())
        .user_mark(user_claim.as_ref())
        .machine_claim("gty", "client-credentials")
        .machine_claim_suffices()
        .preset()
}

/// Workspaces that are directories of Microsoft Entra ID: `tid`, without accounts. Users are named
/// by `oid` and have `scp`; machines have `idtyp` = `app`, an optional claim of the API's
/// registration.
///
/// ```
/// use portcullis::presets;
///
/// let entra = presets::entra_tenants(["72f988bf-86f1-41af-91ab-2d7cd011db47"])
///     .audience("11112222-bbbb-3333-cccc-4444dddd5555")
///     .tenant_claims(presets::entra_directories());
/// # let _ = entra;
/// ```
pub fn entra_directories() -> TenantClaims {
    TenantClaims::by_workspace("tid")
        .without_accounts()
        .user_claim("oid")
        .user_mark("scp")
        .machine_claim("idtyp", "app")
        .machine_claim_suffices()
        .preset()
}

/// Workspaces that are group paths of Keycloak, such as `/tenants/{account}/{workspace}`: see
/// [`TenantClaims::by_group`]. They need the group membership mapper with full group paths, in the
/// claim `groups`. Users have a session, `sid`.
///
/// ```
/// use portcullis::presets;
///
/// let realm = presets::keycloak("https://id.example.com", "main")
///     .audience("my-api")
///     .tenant_claims(presets::keycloak_groups("/tenants/{account}/{workspace}"));
/// # let _ = realm;
/// ```
pub fn keycloak_groups(pattern: impl AsRef<str>) -> TenantClaims {
    TenantClaims::by_group("groups", pattern)
        .user_mark("sid")
        .preset()
}
