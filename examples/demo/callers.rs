//! The callers of the table, the requests that they make, and the answers that they must get.

use portcullis::test_util::MockIssuer;

pub(crate) const READ: &str = "GET /app/workspaces/acme-prod/missions";
pub(crate) const READ_OTHER: &str = "GET /app/workspaces/acme-dev/missions";
pub(crate) const PORTAL: &str = "GET /portal/accounts";
const EDIT: &str = "POST /app/workspaces/acme-prod/missions";
const DASHBOARD: &str = "GET /dashboard/workspaces/acme-prod";

/// One line of the table.
pub(crate) struct Call {
    pub(crate) caller: &'static str,
    /// Method and path.
    pub(crate) request: &'static str,
    /// One `Authorization` field for each.
    pub(crate) tokens: Vec<String>,
    /// The status, and the error code of the challenge where it has one.
    pub(crate) expected: &'static str,
}

impl Call {
    pub(crate) fn new<const FIELDS: usize>(
        caller: &'static str,
        request: &'static str,
        tokens: [String; FIELDS],
        expected: &'static str,
    ) -> Self {
        Self {
            caller,
            request,
            tokens: tokens.into(),
            expected,
        }
    }
}

/// Everybody but those of the rotation.
pub(crate) fn all(pool: &MockIssuer) -> Vec<Call> {
    let user = pool.aworld_user(); // of the workspace acme-prod, in the context app
    let manager = pool
        .aworld_user()
        .context("dashboard")
        .scope("dashboard/read");
    let principal = pool.aworld_principal();
    let client = pool.aworld_client();
    let by_portal = pool
        .aworld_user()
        .context("portal")
        .client(MockIssuer::PORTAL_CLIENT_ID);
    let no_scope = pool.aworld_user().scope("aws.cognito.signin.user.admin");
    let read_only = pool.aworld_user().scope("app/read");
    let expired = pool.aworld_user().expired();
    let id_token = pool.id_token();
    vec![
        Call::new("user", READ, [user.sign()], "200"),
        Call::new("user", EDIT, [user.sign()], "201"),
        Call::new("user of the dashboard", DASHBOARD, [manager.sign()], "200"),
        Call::new("principal", PORTAL, [principal.sign()], "200"),
        Call::new("client", READ, [client.sign()], "200"),
        Call::new("readiness probe, no token", "GET /ready", [], "200"),
        // Good tokens in the wrong place: another token of that caller would not help.
        Call::new("user, other workspace", READ_OTHER, [user.sign()], "403"),
        Call::new(
            "client, other workspace",
            READ_OTHER,
            [client.sign()],
            "403",
        ),
        Call::new("user of app on dashboard", DASHBOARD, [user.sign()], "403"),
        Call::new("user of dashboard on app", READ, [manager.sign()], "403"),
        Call::new("user on the portal", PORTAL, [user.sign()], "403"),
        Call::new(
            "user by way of the portal",
            PORTAL,
            [by_portal.sign()],
            "403",
        ),
        Call::new("principal in a workspace", READ, [principal.sign()], "403"),
        Call::new(
            "user, no scope",
            READ,
            [no_scope.sign()],
            "403 insufficient_scope",
        ),
        Call::new(
            "user, one scope of two",
            EDIT,
            [read_only.sign()],
            "403 insufficient_scope",
        ),
        // No good token at all.
        Call::new("no token", READ, [], "401"),
        Call::new("expired token", READ, [expired.sign()], "401 invalid_token"),
        Call::new("ID token", READ, [id_token.sign()], "401 invalid_token"),
        Call::new(
            "encrypted refresh token",
            READ,
            [pool.refresh_token()],
            "401 invalid_token",
        ),
        Call::new(
            "forged signature",
            READ,
            [user.sign_with_wrong_key()],
            "401 invalid_token",
        ),
        Call::new(
            "two Authorization fields",
            READ,
            [user.sign(), client.sign()],
            "400 invalid_request",
        ),
    ]
}
