//! A development authorization server as a program: sign in as any prepared user, in front of your own API.
//!
//! ```sh
//! cargo run --example mock_issuer -- --port 9400
//! cargo run --example mock_issuer -- --port 9400 --profile cognito --accounts examples/accounts.toml
//! cargo run --example mock_issuer -- --profile keycloak --tls
//! ```
//!
//! | option | value | default |
//! |---|---|---|
//! | `--port` | a port of 127.0.0.1, 0 for any free one | 9400 |
//! | `--profile` | the shape of the tokens: `oidc`, `rfc9068`, `cognito`, `keycloak`, `entra`, `auth0`, `okta` | `oidc` |
//! | `--accounts` | users and clients, a file in JSON or TOML | prepared accounts |
//! | `--tls` | TLS, by a new certificate that is printed, and client certificates for mutual TLS | no TLS |
//! | `--opaque` | opaque access tokens, for introspection | JWTs |
//! | `--once` | start, fetch the metadata, and end | run until Ctrl-C |
//! | `--help` | print the options | |

#[path = "support/tls.rs"]
mod tls;

use std::error::Error;
use std::path::Path;

use portcullis::Algorithm;
use portcullis::test_util::{
    Accounts, AuthorizationServer, AuthorizationServerError, MockIssuer, TestCertificate,
};

const OPTIONS: &str = "\
options:
  --port PORT      a port of 127.0.0.1, 0 for any free one; default: 9400
  --profile NAME   the shape of the tokens; default: oidc
                   oidc, rfc9068, cognito, keycloak, entra, auth0, okta
  --accounts FILE  users and clients, in JSON or TOML (examples/accounts.toml); default: prepared ones
  --tls            TLS, and client certificates for mutual TLS
  --opaque         opaque access tokens
  --once           start, fetch the metadata, and end";

/// What the command line says.
struct Options {
    port: u16,
    profile: String,
    accounts: Option<String>,
    tls: bool,
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
    if std::env::args()
        .skip(1)
        .any(|argument| argument == "--help")
    {
        println!("{OPTIONS}");
        return Ok(());
    }
    let mut options = Options::read(std::env::args().skip(1))?;
    if options.port == 0 {
        // The names of some profiles have the port in them, so it is chosen before.
        let free = std::net::TcpListener::bind(("127.0.0.1", 0))?;
        options.port = free.local_addr()?.port();
    }
    let accounts = match &options.accounts {
        Some(file) => read_accounts(Path::new(file))?,
        None => Accounts::prepared(),
    };
    let scheme = if options.tls { "https" } else { "http" };
    let base_url = format!("{scheme}://127.0.0.1:{}", options.port);
    let mut server = AuthorizationServer::new(issuer(&options.profile, &base_url)?)
        .accounts(accounts)
        .listen(format!("127.0.0.1:{}", options.port));
    if options.opaque {
        server = server.opaque_access_tokens();
    }
    let certificate = TestCertificate::self_signed("127.0.0.1");
    let server = if options.tls {
        let address = ("127.0.0.1", options.port);
        let listener = tls::TlsListener::bind(address, &certificate).await?;
        server.serve_tls(listener).await
    } else {
        server.serve().await
    };
    let server = server.map_err(|error| match (&options.accounts, &error) {
        // JSON is checked when it is read, TOML here.
        (Some(file), AuthorizationServerError::Accounts { .. }) => format!("{file}: {error}"),
        _ => error.to_string(),
    })?;

    println!("development authorization server at {}", server.url());
    println!("  issuer    {}", server.issuer());
    println!(
        "  metadata  {}/.well-known/openid-configuration",
        server.url()
    );
    println!("  keys      {}/jwks.json", server.url());
    if options.tls {
        println!("clients must trust\n{}", certificate.pem());
    }
    println!("  admin     {}/admin", server.url());
    if let Some(file) = &options.accounts {
        println!("  accounts  the users and clients of {file}");
    } else {
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
        let trusted = reqwest::Certificate::from_der(certificate.der())?;
        let client = reqwest::Client::builder().tls_certs_only([trusted]);
        let answer = client.build()?.get(url).send().await?.error_for_status()?;
        println!("metadata: {} bytes", answer.bytes().await?.len());
        return Ok(());
    }
    tokio::signal::ctrl_c().await?;
    Ok(())
}

/// An issuer whose tokens have the shape of this profile.
fn issuer(profile: &str, base_url: &str) -> Result<MockIssuer, String> {
    // A key for ES256 is made at once; for RS256, as vendors have it, in a tenth of a second.
    let quick = |issuer: MockIssuer| issuer.with_algorithms([Algorithm::ES256]);
    let issuer = match profile {
        "oidc" => quick(MockIssuer::new()),
        "rfc9068" => quick(MockIssuer::rfc9068(base_url)),
        "cognito" => MockIssuer::cognito("eu-west-1", "eu-west-1_AbCdEf"),
        "keycloak" => MockIssuer::keycloak(base_url, "main"),
        "entra" => MockIssuer::entra("72f988bf-86f1-41af-91ab-2d7cd011db47"),
        "auth0" => MockIssuer::auth0("example.eu.auth0.com"),
        "okta" => MockIssuer::okta("example.okta.com", "default"),
        other => {
            return Err(format!(
                "`{other}` is no profile: oidc, rfc9068, cognito, keycloak, entra, auth0 or okta"
            ));
        }
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
            tls: false,
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
                "--tls" => options.tls = true,
                "--opaque" => options.opaque = true,
                "--once" => options.once = true,
                _ => return Err(format!("`{argument}` is no option\n{OPTIONS}").into()),
            }
        }
        Ok(options)
    }
}
