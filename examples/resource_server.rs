//! The demo's API against a real issuer, configured by a file or by environment variables.
//!
//! ```sh
//! # A file in TOML, JSON or YAML; examples/configuration has one for each provider.
//! cargo run --example resource_server -- --config examples/configuration/keycloak.toml
//! # The same members as environment variables:
//! PORTCULLIS__RESOURCE=https://api.example.com PORTCULLIS__ISSUER__0__OIDC=https://id.example.com \
//!     cargo run --example resource_server
//! ```
//!
//! The manual's chapter on configuration lists the members. A change of the file, and SIGHUP, replace the
//! issuers while the server runs; a file that has a mistake, is gone or is being written changes nothing,
//! and standard error says so. Beside the configuration there are variables of the application's own:
//!
//! | variable | meaning | default |
//! |---|---|---|
//! | `ROUTES` | `aworld`: the routes of `demo/api.rs` too, for tokens with AWorld's claims | `/whoami` and `/ready` alone |
//! | `WORKSPACES` | `workspace=account` pairs with commas, for principals | none |
//! | `USERS` | `workspace=user` pairs with commas: the users that clients may act for | none |
//! | `LISTEN` | the address to serve on | `127.0.0.1:3000` |
//!
//! `GET /whoami` tells what the token makes of its bearer; `GET /ready` whether the keys are
//! there. Events go to standard error, where each refusal has its kind and fault: the manual's chapter on
//! troubleshooting says what they mean.

#[path = "demo/api.rs"]
mod api;
#[path = "configuration/file.rs"]
mod file;
#[path = "configuration/watch.rs"]
mod watch;

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

use axum::Router;
use axum::routing::get;
use portcullis::config::Configuration;
use portcullis::tenant::{AccountId, UserId, WorkspaceId};
use portcullis::tenant::{user_directory_fn, workspace_directory_fn};
use portcullis::{AccessToken, Identity, ResourceServerBuilder};
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
    let source = source()?;
    // Before the file is read, so that no change is missed.
    let watch = match &source {
        Source::File(path) => Some(watch::Watch::of(path.clone())),
        Source::Environment => None,
    };
    let builder = source.read()?.into_builder()?;
    let server = with_directories(builder)?.build()?.connect().await?;
    if let Some(watch) = watch {
        tokio::spawn(watch.replace_on_change(server.clone()));
    }
    let routes = Router::new()
        .route("/whoami", get(who_am_i))
        .route_layer(server.authenticate());
    let routes = match variable("ROUTES").as_deref() {
        None => routes.route_service("/ready", server.readiness()),
        Some("aworld") => routes.merge(api::routes(&server)), // `/ready` among them
        Some(_) => return Err("ROUTES is `aworld`, or is left out".into()),
    };
    let address = variable("LISTEN").unwrap_or_else(|| "127.0.0.1:3000".to_owned());
    let listener = TcpListener::bind(address).await?;
    println!("serving on http://{}", listener.local_addr()?);
    axum::serve(listener, routes).await?;
    Ok(())
}

/// Where the configuration comes from.
enum Source {
    File(PathBuf),
    Environment,
}

impl Source {
    fn read(&self) -> Result<Configuration, Fault> {
        match self {
            Self::File(path) => file::read(path),
            Self::Environment => Ok(Configuration::from_environment("PORTCULLIS")?),
        }
    }
}

fn source() -> Result<Source, Fault> {
    let mut arguments = std::env::args_os().skip(1);
    match (arguments.next(), arguments.next(), arguments.next()) {
        (None, _, _) => Ok(Source::Environment),
        (Some(option), Some(path), None) if option == "--config" => Ok(Source::File(path.into())),
        _ => Err("the one option is `--config FILE`; see the head of this file".into()),
    }
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

/// Adds what is code: the directories of the application.
fn with_directories(builder: ResourceServerBuilder) -> Result<ResourceServerBuilder, Fault> {
    let workspaces = pairs("WORKSPACES")?;
    let users = pairs("USERS")?;
    Ok(builder
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

/// A variable that is set and not empty.
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

fn pairs(name: &str) -> Result<Vec<(String, String)>, Fault> {
    let value = variable(name).unwrap_or_default();
    let items = value.split(',').map(str::trim);
    let pair = |item: &str| {
        let (left, right) = item
            .split_once('=')
            .ok_or(format!("{name}: `{item}` has no `=`"))?;
        Ok((left.to_owned(), right.to_owned()))
    };
    items.filter(|item| !item.is_empty()).map(pair).collect()
}
