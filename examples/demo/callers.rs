//! The callers of the table, the requests that they make, and the answers that they must get.

use portcullis::test_util::MockIssuer;

pub(crate) const READ: &str = "GET /app/workspaces/acme-prod/missions";
pub(crate) const READ_OTHER: &str = "GET /app/workspaces/acme-dev/missions";
pub(crate) const PORTAL: &str = "GET /portal/accounts";
const EDIT: &str = "POST /app/workspaces/acme-prod/missions";
const DASHBOARD: &str = "GET /dashboard/workspaces/acme-prod";
const DASHBOARD_OTHER: &str = "GET /dashboard/workspaces/globex-prod";
const ACCOUNT: &str = "GET /portal/accounts/acme";
const ACCOUNT_OTHER: &str = "GET /portal/accounts/globex";
const INBOX: &str = "GET /app/workspaces/acme-prod/inbox";

/// One line of the table.
pub(crate) struct Call {
    pub(crate) caller: &'static str,
    /// Method and path.
    pub(crate) request: &'static str,
    /// One `Authorization` field for each.
    pub(crate) tokens: Vec<String>,
    /// Whom the caller says it acts for.
    pub(crate) users: Vec<&'static str>,
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
            users: Vec::new(),
            expected,
        }
    }

    fn acting_for(mut self, user: &'static str) -> Self {
        self.users.push(user);
        self
    }
}

/// Everybody but those of the rotation.
pub(crate) fn all(pool: &MockIssuer) -> Vec<Call> {
    let mut calls = tenants(pool);
    calls.extend(principals(pool));
    calls.extend(delegation(pool));
    calls.extend(bad_tokens(pool));
    calls
}

/// Users and clients, each in its own workspace and context.
fn tenants(pool: &MockIssuer) -> Vec<Call> {
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
    ]
}

/// Principals: within their reach, and in a workspace only where the route lets them in.
fn principals(pool: &MockIssuer) -> Vec<Call> {
    let principal = pool.aworld_principal(); // who reaches the account acme
    let reader = pool.aworld_principal().scope("dashboard/read");
    let user = pool.aworld_user();
    vec![
        Call::new("principal, own account", ACCOUNT, [principal.sign()], "200"),
        Call::new(
            "principal, other account",
            ACCOUNT_OTHER,
            [principal.sign()],
            "403",
        ),
        Call::new("user on its account", ACCOUNT, [user.sign()], "403"),
        Call::new("principal, let in", DASHBOARD, [reader.sign()], "200"),
        Call::new(
            "principal, other's space",
            DASHBOARD_OTHER,
            [reader.sign()],
            "403",
        ),
        Call::new("principal, not let in", READ, [principal.sign()], "403"),
    ]
}

/// A client that acts for a user of its workspace.
fn delegation(pool: &MockIssuer) -> Vec<Call> {
    let client = pool.aworld_client();
    let reader = pool.aworld_client().scope("app/read");
    let user = pool.aworld_user();
    vec![
        Call::new("client for a user", INBOX, [client.sign()], "200").acting_for("user-2"),
        Call::new("client for an unknown user", INBOX, [client.sign()], "403").acting_for("nobody"),
        Call::new(
            "client for two users",
            INBOX,
            [client.sign()],
            "400 invalid_request",
        )
        .acting_for("user-1")
        .acting_for("user-2"),
        Call::new(
            "client without a user",
            INBOX,
            [client.sign()],
            "400 invalid_request",
        ),
        Call::new(
            "client, read scope only",
            INBOX,
            [reader.sign()],
            "403 insufficient_scope",
        )
        .acting_for("user-2"),
        Call::new("user for another user", INBOX, [user.sign()], "403").acting_for("user-2"),
        Call::new("client, where none asked", READ, [client.sign()], "403").acting_for("user-2"),
    ]
}

/// The same callers with opaque tokens, about which the gateway is asked.
pub(crate) fn opaque(gateway: &MockIssuer) -> Vec<Call> {
    let user = gateway.aworld_user().issue();
    let no_scope = gateway.aworld_user().scope("openid").issue();
    let client = gateway.aworld_client().issue();
    let expired = gateway.aworld_user().expired().issue();
    let other_api = gateway
        .aworld_user()
        .audience("https://other.example.com")
        .issue();
    let revoked = gateway.aworld_user().issue();
    gateway.revoke(&revoked);
    let unknown = "TheGatewayHasNeverIssuedThisOne".to_owned();
    vec![
        Call::new("user", READ, [user.clone()], "200"),
        Call::new("user, remembered", EDIT, [user.clone()], "201"),
        Call::new("client", READ, [client], "200"),
        Call::new("user, other workspace", READ_OTHER, [user.clone()], "403"),
        Call::new("user of app on dashboard", DASHBOARD, [user], "403"),
        Call::new("user, no scope", READ, [no_scope], "403 insufficient_scope"),
        Call::new("revoked token", READ, [revoked], "401 invalid_token"),
        Call::new("expired token", READ, [expired], "401 invalid_token"),
        Call::new(
            "token for another API",
            READ,
            [other_api],
            "401 invalid_token",
        ),
        Call::new(
            "token that was never issued",
            READ,
            [unknown],
            "401 invalid_token",
        ),
    ]
}

/// No good token at all.
fn bad_tokens(pool: &MockIssuer) -> Vec<Call> {
    let (user, client) = (pool.aworld_user(), pool.aworld_client());
    let expired = pool.aworld_user().expired();
    let id_token = pool.id_token();
    vec![
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
