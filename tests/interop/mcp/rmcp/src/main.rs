//! The client of `rmcp`: `rmcp-client PATH-OF-USER.MJS URL TOOL...`. Prints one line of JSON.
//!
//! `rmcp` gives the challenge of a 401 or 403 to the application, which starts an authorization with it
//! and repeats the call.

use std::error::Error;

use rmcp::model::{CallToolRequestParams, CallToolResult, ProtocolVersion};
use rmcp::service::{ClientLifecycleMode, ClientServiceExt as _, RoleClient, RunningService};
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::transport::auth::{
    AuthClient, AuthorizationCallback, AuthorizationRequest, OAuthState, WWWAuthenticateParams,
};
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;
use serde_json::{Value, json};
use tokio::process::Command;

type Fault = Box<dyn Error>;

const REDIRECT: &str = "http://127.0.0.1:1/callback";

struct Client {
    url: String,
    user: String,
    authorizations: Vec<Value>,
}

impl Client {
    /// The user with a browser: goes where the authorization server sends him, and back.
    async fn visit(&mut self, url: &str) -> Result<String, Fault> {
        let asked: Vec<(String, String)> = reqwest::Url::parse(url)?
            .query_pairs()
            .into_owned()
            .collect();
        let asked = |name| {
            asked
                .iter()
                .find(|(known, _)| known == name)
                .map(|(_, value)| value)
        };
        self.authorizations.push(json!({
            "scope": asked("scope"),
            "resource": asked("resource"),
            "pkce": asked("code_challenge_method"),
        }));
        let output = Command::new("node")
            .arg(&self.user)
            .arg(url)
            .output()
            .await?;
        let back = String::from_utf8(output.stdout)?.trim().to_owned();
        let answer: Vec<(String, String)> = reqwest::Url::parse(&back)?
            .query_pairs()
            .into_owned()
            .collect();
        let find = |name| {
            answer
                .iter()
                .find(|(known, _)| known == name)
                .map(|(_, value)| value)
        };
        match (find("error"), find("error_description")) {
            (Some(error), why) => {
                Err(format!("{error}: {}", why.map_or("", String::as_str)).into())
            }
            (None, _) => Ok(back),
        }
    }

    /// From the challenge of a 401 to a client with a token.
    async fn authorize(&mut self, challenge: &str) -> Result<AuthClient<reqwest::Client>, Fault> {
        let mut state = OAuthState::new(&self.url, None).await?;
        let request = AuthorizationRequest::new(REDIRECT)
            .with_client_name("interop")
            .with_initial_scope_selection()
            .with_challenge(challenge);
        state.start_authorization(request).await?;
        let to = state.get_authorization_url().await?;
        let back = self.visit(&to).await?;
        state.handle_callback_url(&back).await?;
        let manager = state.into_authorization_manager().ok_or("not authorized")?;
        Ok(AuthClient::new(reqwest::Client::new(), manager))
    }

    /// The further scope that the challenge of a 403 demands.
    async fn step_up(
        &mut self,
        client: &AuthClient<reqwest::Client>,
        challenge: &str,
    ) -> Result<(), Fault> {
        let found = WWWAuthenticateParams::parse(challenge, &reqwest::Url::parse(&self.url)?);
        let scope = found.scope.ok_or("a challenge without a scope")?;
        let manager = client.auth_manager.lock().await;
        let to = manager.request_scope_upgrade(&scope).await?;
        let back = AuthorizationCallback::from_redirect_url(&self.visit(&to).await?)?;
        manager
            .exchange_code_for_token_with_issuer(
                &back.code,
                &back.csrf_token,
                back.issuer.as_deref(),
            )
            .await?;
        Ok(())
    }
}

fn lifecycle() -> ClientLifecycleMode {
    ClientLifecycleMode::Auto {
        preferred_versions: vec![ProtocolVersion::LATEST],
        legacy_version: None,
    }
}

async fn call(
    service: &RunningService<RoleClient, ()>,
    tool: &str,
) -> Result<CallToolResult, rmcp::ServiceError> {
    let mut parameters = CallToolRequestParams::new(tool.to_owned());
    if tool == "rename_mission" {
        let arguments = json!({"id": "apollo", "name": "Apollo 11"});
        parameters.arguments = arguments.as_object().cloned();
    }
    service.call_tool(parameters).await
}

fn text(result: &CallToolResult) -> String {
    let parts = result.content.iter().filter_map(|part| part.as_text());
    parts.map(|part| &*part.text).collect::<Vec<_>>().join(" ")
}

async fn run(client: &mut Client, tools: &[String], report: &mut Value) -> Result<(), Fault> {
    let bare = StreamableHttpClientTransport::from_uri(&*client.url);
    let Err(refused) = ().serve_with_lifecycle(bare, lifecycle()).await else {
        return Err("admitted without a token".into());
    };
    let challenge = refused
        .auth_challenge()
        .ok_or_else(|| refused.to_string())?;
    let with_token = client.authorize(challenge).await?;
    let config = StreamableHttpClientTransportConfig::with_uri(&*client.url);
    let transport = StreamableHttpClientTransport::with_client(with_token.clone(), config);
    let service = ().serve_with_lifecycle(transport, lifecycle()).await?;
    report["protocol"] = json!(
        service
            .peer_info()
            .map(|server| server.protocol_version.to_string())
    );
    let listed = service.list_all_tools().await?;
    report["tools"] = listed.iter().map(|tool| &*tool.name).collect();
    let mut calls = Vec::new();
    for tool in tools {
        let mut answer = call(&service, tool).await;
        let challenge = answer
            .as_ref()
            .err()
            .and_then(|error| error.auth_challenge());
        if let Some(challenge) = challenge.map(ToOwned::to_owned) {
            match client.step_up(&with_token, &challenge).await {
                Ok(()) => answer = call(&service, tool).await,
                Err(fault) => {
                    calls.push(format!("{tool}: {fault}"));
                    continue;
                }
            }
        }
        calls.push(match answer {
            Ok(result) => format!("{tool}: {}", text(&result)),
            Err(error) => format!("{tool}: {error}"),
        });
    }
    report["calls"] = json!(calls);
    report["scope"] = json!(
        with_token
            .auth_manager
            .lock()
            .await
            .get_current_scopes()
            .await
            .join(" ")
    );
    service.cancel().await?;
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Fault> {
    let mut arguments = std::env::args().skip(1);
    let user = arguments.next().ok_or("no path of user.mjs")?;
    let url = arguments.next().ok_or("no URL")?;
    let tools: Vec<String> = arguments.collect();
    let mut client = Client {
        url,
        user,
        authorizations: Vec::new(),
    };
    let mut report = json!({"client": "rmcp 3.11.0"});
    if let Err(fault) = run(&mut client, &tools, &mut report).await {
        report["error"] = json!(fault.to_string());
    }
    report["authorizations"] = json!(client.authorizations);
    println!("{report}");
    Ok(())
}
