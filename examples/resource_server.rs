//! The demo's API against a real issuer, configured by environment variables.
//!
//! ```sh
//! # An Amazon Cognito user pool with AWorld's claims:
//! COGNITO_POOL=eu-west-1_AbCdEf CLIENT_IDS=1example23456789 TENANTS=aworld \
//!     cargo run --example resource_server
//! # Any OpenID provider whose access tokens are JWTs:
//! ISSUER=https://id.example.com RESOURCE=https://api.example.com \
//!     cargo run --example resource_server
//! ```
//!
//! | variable | meaning | default |
//! |---|---|---|
//! | `COGNITO_POOL` | the id of a user pool; its region stands before the `_` | this or `ISSUER` is needed |
//! | `CLIENT_IDS` | app clients whose tokens are accepted, with commas between them | any; for Cognito at least one is needed |
//! | `ENDPOINT` | the base URL of a Cognito emulator | Cognito itself |
//! | `ISSUER` | the `iss` of the tokens | |
//! | `PROFILE` | `oidc` or `rfc9068` | `oidc` |
//! | `RESOURCE` | the audience that the tokens name | `https://api.example.com` |
//! | `KEY_SET_URL` | where the keys are | Cognito's own place, or discovery |
//! | `DISCOVERY_URL` | where the discovery document is | below the issuer |
//! | `TENANTS` | `aworld`: the issuer's tokens have AWorld's claims | no tenants |
//! | `PORTAL_CLIENTS` | app clients of principals, with commas | there are no principals |
//! | `REACH` | accounts that principals reach, with commas | none |
//! | `WORKSPACES` | `workspace=account` pairs with commas, for principals | none |
//! | `USERS` | `workspace=user` pairs with commas, for whom clients may act | none |
//! | `LISTEN` | the address to serve on | `127.0.0.1:3000` |
//!
//! `GET /whoami` tells what the token makes of its bearer; `GET /ready` whether the keys are
//! there. With `TENANTS=aworld` the routes of `demo/api.rs` are served too. Events go to standard
//! error, where each refusal has its kind and fault: the manual's chapter on troubleshooting says
//! what they mean.

#[path = "demo/api.rs"]
mod api;

use std::error::Error;
use std::process::ExitCode;

use axum::Router;
use axum::routing::get;
use portcullis::tenant::{AccountId, UserId, WorkspaceId};
use portcullis::tenant::{user_directory_fn, workspace_directory_fn};
use portcullis::{
    AccessToken, Identity, Issuer, ResourceServer, ResourceServerBuilder, TenantClaims,
};
use tokio::net::TcpListener;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

type Fault = Box<dyn Error + Send + Sync>;

#[tokio::main]
async fn main() -> ExitCode {
    let events = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    tracing_subscriber::registry()
        .with(Targets::new().with_target("portcullis", LevelFilter::DEBUG))
        .with(events)
        .init();
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            eprintln!("resource_server: {fault}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), Fault> {
    let server = configured()?.build()?.connect().await?;
    let routes = Router::new()
        .route("/whoami", get(who_am_i))
        .route_layer(server.authenticate());
    let routes = if has_tenants()? {
        routes.merge(api::routes(&server)) // `/ready` among them
    } else {
        routes.route_service("/ready", server.readiness())
    };
    let address = variable("LISTEN").unwrap_or_else(|| "127.0.0.1:3000".to_owned());
    let listener = TcpListener::bind(address).await?;
    println!("serving on http://{}", listener.local_addr()?);
    axum::serve(listener, routes).await?;
    Ok(())
}

async fn who_am_i(identity: Identity, token: AccessToken) -> String {
    let who = match &identity {
        Identity::User(user) => format!("user {} of workspace {}", user.user(), user.workspace()),
        Identity::Principal(principal) => format!("principal {}", principal.id()),
        Identity::Client(client) => match client.workspace() {
            Some(workspace) => format!("client {} of workspace {workspace}", client.id()),
            None => format!("client {}", client.id()),
        },
        Identity::Subject(subject) => {
            let id = subject.id().map(ToString::to_string);
            format!("subject {}, who has no tenant", id.unwrap_or_default())
        }
    };
    format!(
        "{who}\nissuer {}\nscope {}\n",
        token.issuer(),
        token.scope()
    )
}

/// The server that the environment describes.
fn configured() -> Result<ResourceServerBuilder, Fault> {
    let resource = variable("RESOURCE").unwrap_or_else(|| "https://api.example.com".to_owned());
    let workspaces = pairs("WORKSPACES")?;
    let users = pairs("USERS")?;
    Ok(ResourceServer::builder(resource)
        .issuer(issuer()?)
        .workspace_directory(workspace_directory_fn(move |workspace: WorkspaceId| {
            let mut known = workspaces.iter();
            let owner = known.find(|(name, _)| name == workspace.as_str());
            let owner = owner
                .map(|(_, account)| AccountId::new(account))
                .transpose();
            async move { Ok(owner?) }
        }))
        .user_directory(user_directory_fn(
            move |workspace: WorkspaceId, user: UserId| {
                let mut known = users.iter();
                let found = known.any(|(place, name)| {
                    (place.as_str(), name.as_str()) == (workspace.as_str(), user.as_str())
                });
                async move { Ok(found) }
            },
        )))
}

fn issuer() -> Result<Issuer, Fault> {
    let mut issuer = match (variable("COGNITO_POOL"), variable("ISSUER")) {
        (Some(pool), None) => {
            let (region, _) = pool.split_once('_').ok_or("COGNITO_POOL has no `_`")?;
            Issuer::cognito(region, &*pool)
        }
        (None, Some(issuer)) => match variable("PROFILE").as_deref() {
            None | Some("oidc") => Issuer::oidc(issuer),
            Some("rfc9068") => Issuer::rfc9068(issuer),
            Some(_) => return Err("PROFILE is `oidc` or `rfc9068`".into()),
        },
        _ => {
            return Err(
                "set COGNITO_POOL or ISSUER, and not both; see the head of this file".into(),
            );
        }
    };
    for client in list("CLIENT_IDS") {
        issuer = issuer.client_id(client);
    }
    if let Some(endpoint) = variable("ENDPOINT") {
        issuer = issuer.endpoint(endpoint);
    }
    if let Some(url) = variable("KEY_SET_URL") {
        issuer = issuer.key_set_url(url);
    }
    if let Some(url) = variable("DISCOVERY_URL") {
        issuer = issuer.discovery_url(url);
    }
    if !has_tenants()? {
        return Ok(issuer);
    }
    let mut rules = TenantClaims::aworld().delegation();
    let portal_clients = list("PORTAL_CLIENTS");
    if !portal_clients.is_empty() {
        rules = rules.principals_reach(list("REACH"));
    }
    for client in portal_clients {
        rules = rules.portal_client(client);
    }
    Ok(issuer.tenant_claims(rules))
}

fn has_tenants() -> Result<bool, Fault> {
    match variable("TENANTS").as_deref() {
        None => Ok(false),
        Some("aworld") => Ok(true),
        Some(_) => Err("TENANTS is `aworld`, or is left out".into()),
    }
}

/// A variable that is set and not empty.
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

fn list(name: &str) -> Vec<String> {
    let value = variable(name).unwrap_or_default();
    let items = value
        .split(',')
        .map(str::trim)
        .filter(|item| !item.is_empty());
    items.map(ToOwned::to_owned).collect()
}

fn pairs(name: &str) -> Result<Vec<(String, String)>, Fault> {
    let pair = |item: String| {
        let (left, right) = item
            .split_once('=')
            .ok_or(format!("{name}: `{item}` has no `=`"))?;
        Ok((left.to_owned(), right.to_owned()))
    };
    list(name).into_iter().map(pair).collect()
}
