//! The accounts of a server that was given none.

use serde_json::json;

use super::client::{AUTHORIZATION_CODE, DEVICE_CODE, REFRESH_TOKEN, TOKEN_EXCHANGE, TestClient};
use super::user::TestUser;
use super::value::Accounts;
use crate::test_util::issuer::MockIssuer;

impl Accounts {
    /// Accounts for a start: the users `user-1` (of a workspace), `principal-1` and `agent-1`, with the claims of
    /// AWorld's tokens; and the clients
    ///
    /// | id | what it is |
    /// |---|---|
    /// | `spa` | public; any redirect URI `/`, `/callback` or `/auth/callback` on `localhost` and `127.0.0.1` |
    /// | [`MockIssuer::CLIENT_ID`] | the same |
    /// | `web` | confidential, with the secret `web-secret`; the same redirect URIs |
    /// | `machine` | client credentials and token exchange, with the secret `machine-secret` |
    /// | `device` | public; the device grant |
    /// | [`MockIssuer::RESOURCE_SERVER_ID`] | an API that introspects, with [`MockIssuer::RESOURCE_SERVER_SECRET`] |
    pub fn prepared() -> Self {
        let user = TestUser::new("user-1")
            .name("Ada, editor of the workspace acme-prod")
            .kind("workspace user")
            .claim("accountId", "acme")
            .claim("workspaceId", "acme-prod")
            .claim("userId", "user-1")
            .claim("principalId", "principal-1")
            .claim("context", "app")
            .claim("platform", "web")
            .claim("role", "editor")
            .claim("name", "Ada Example")
            .claim("email", "ada@example.com")
            .claim("email_verified", true);
        let principal = TestUser::new("principal-1")
            .name("Grace, of the portal")
            .kind("principal")
            .claim("principalId", "principal-1")
            .claim("context", "portal")
            .claim("platform", "web")
            .claim("name", "Grace Example")
            .claim("email", "grace@example.com")
            .claim("email_verified", true);
        let agent = TestUser::new("agent-1")
            .name("An agent that acts for users")
            .kind("agent")
            .claim("roles", json!(["agent"]));
        Self::none()
            .user(user)
            .user(principal)
            .user(agent)
            .client(in_browser(
                TestClient::public("spa").name("Single-page application"),
            ))
            .client(in_browser(TestClient::public(MockIssuer::CLIENT_ID)))
            .client(in_browser(TestClient::public(MockIssuer::PORTAL_CLIENT_ID)))
            .client(in_browser(
                TestClient::confidential("web", "web-secret").name("Web application"),
            ))
            .client(
                TestClient::confidential("machine", "machine-secret")
                    .grant_types(["client_credentials", TOKEN_EXCHANGE])
                    .claim("accountId", "acme")
                    .claim("workspaceId", "acme-prod")
                    .claim("context", "app")
                    .claim("platform", "m2m"),
            )
            .client(TestClient::public("device").grant_types([DEVICE_CODE, REFRESH_TOKEN]))
            .client(
                TestClient::confidential(
                    MockIssuer::RESOURCE_SERVER_ID,
                    MockIssuer::RESOURCE_SERVER_SECRET,
                )
                .grant_types([TOKEN_EXCHANGE]),
            )
    }
}

fn in_browser(mut client: TestClient) -> TestClient {
    for host in ["localhost", "127.0.0.1"] {
        for path in ["/", "/callback", "/auth/callback"] {
            client = client.redirect_uri(format!("http://{host}{path}"));
        }
        client = client.post_logout_redirect_uri(format!("http://{host}/"));
    }
    client.grant_types([AUTHORIZATION_CODE, REFRESH_TOKEN])
}
