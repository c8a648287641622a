//! A development authorization server as a program: sign in as any prepared user, in front of your own API.
//!
//! ```sh
//! cargo run --example mock_issuer -- --port 9400
//! cargo run --example mock_issuer -- --port 9400 --profile cognito --accounts examples/accounts.toml
//! ```
//!
//! | option | value | default |
//! |---|---|---|
//! | `--port` | a port of 127.0.0.1, 0 for any free one | 9400 |
//! | `--profile` | the shape of the tokens: `oidc`, `rfc9068`, `cognito` | `oidc` |
//! | `--accounts` | users and clients, a file in JSON or TOML | prepared accounts |
//! | `--opaque` | opaque access tokens, for introspection | JWTs |
//! | `--once` | start, fetch the metadata, and end | run until Ctrl-C |

use std::error::Error;
use std::path::Path;

use portcullis::Algorithm;
use portcullis::test_util::{Accounts, AuthorizationServer, MockIssuer};

/// What the command line says.
struct Options {
    port: u16,
    profile: String,
    accounts: Option<String>,
    opaque: bool,
    once: bool,
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    if let Err(error) = run().await {
        eprintln!("mock_issuer: {error}");
        std::process::exit(1);
    }
}

async fn run() -> Result<(), Box<dyn Error>> {
    let options = Options::read(std::env::args().skip(1))?;
    let accounts = match &options.accounts {
        Some(file) => read_accounts(Path::new(file))?,
        None => Accounts::prepared(),
    };
    let mut server = AuthorizationServer::new(issuer(&options.profile, options.port)?)
        .accounts(accounts)
        .listen(format!("127.0.0.1:{}", options.port));
    if options.opaque {
        server = server.opaque_access_tokens();
    }
    let server = server.serve().await?;

    println!("development authorization server at {}", server.url());
    println!("  issuer    {}", server.issuer());
    println!(
        "  metadata  {}/.well-known/openid-configuration",
        server.url()
    );
    println!("  keys      {}/jwks.json", server.url());
    println!("  admin     {}/admin", server.url());
    if options.accounts.is_none() {
        println!("  audience  {}", MockIssuer::AUDIENCE);
        println!("  users     user-1, principal-1, agent-1");
        println!("  clients   spa (public), web (web-secret), machine (machine-secret)");
        println!(
            "try: curl -d grant_type=client_credentials -u machine:machine-secret {}/token",
            server.url()
        );
    }
    if options.once {
        let url = format!("{}/.well-known/openid-configuration", server.url());
        let answer = reqwest::get(url).await?.error_for_status()?;
        println!("metadata: {} bytes", answer.bytes().await?.len());
        return Ok(());
    }
    tokio::signal::ctrl_c().await?;
    Ok(())
}

/// An issuer whose tokens have the shape of this profile.
fn issuer(profile: &str, port: u16) -> Result<MockIssuer, String> {
    let issuer = match profile {
        // A key for ES256 is made at once; for RS256, as Cognito has it, in a tenth of a second.
        "oidc" => MockIssuer::new().with_algorithms([Algorithm::ES256]),
        "rfc9068" => MockIssuer::rfc9068(format!("http://127.0.0.1:{port}"))
            .with_algorithms([Algorithm::ES256]),
        "cognito" => MockIssuer::cognito("eu-west-1", "eu-west-1_AbCdEf"),
        other => return Err(format!("`{other}` is no profile: oidc, rfc9068 or cognito")),
    };
    Ok(issuer)
}

fn read_accounts(file: &Path) -> Result<Accounts, Box<dyn Error>> {
    let named = |error: &dyn Error| format!("{}: {error}", file.display());
    let text = std::fs::read_to_string(file).map_err(|error| named(&error))?;
    let accounts = if file.extension().is_some_and(|end| end == "toml") {
        toml::from_str(&text).map_err(|error| named(&error))?
    } else {
        Accounts::from_json(&text).map_err(|error| named(&error))?
    };
    Ok(accounts)
}

impl Options {
    fn read(mut arguments: impl Iterator<Item = String>) -> Result<Self, Box<dyn Error>> {
        let mut options = Self {
            port: 9400,
            profile: "oidc".into(),
            accounts: None,
            opaque: false,
            once: false,
        };
        while let Some(argument) = arguments.next() {
            let mut value = || {
                arguments
                    .next()
                    .ok_or(format!("`{argument}` needs a value"))
            };
            match &*argument {
                "--port" => options.port = value()?.parse().map_err(|_| "`--port` needs a port")?,
                "--profile" => options.profile = value()?,
                "--accounts" => options.accounts = Some(value()?),
                "--opaque" => options.opaque = true,
                "--once" => options.once = true,
                _ => return Err(format!("`{argument}` is no option").into()),
            }
        }
        Ok(options)
    }
}
