//! Why is this token refused? A command line: a configuration file, and a token from standard input.
//!
//! ```sh
//! cargo run --example explain -- --config examples/configuration/keycloak.toml < token.txt
//! cargo run --example explain -- --config portcullis.toml --resource https://api.example.com/mcp --json < token.txt
//! ```
//!
//! The token is read from standard input and from nowhere else: arguments are seen by other users of the
//! machine, and stay in the history of the shell. `Bearer ` in front of it is cut. The issuers are asked
//! for their keys, and for their verdict on an opaque token. The code is 0 where the token is admitted,
//! 1 where it is not, and 2 where the question could not be asked: the configuration has a mistake, or a
//! discovery document names another issuer, which the example `doctor` says more about. A token that is bound to a key or a
//! certificate lacks its proof here, and the last steps say so.

#[path = "configuration/file.rs"]
mod file;

use std::error::Error;
use std::io::Read as _;
use std::path::PathBuf;
use std::process::ExitCode;

use http::Request;
use http::header::AUTHORIZATION;
use portcullis::explain::Conclusion;

const HELP: &str = "\
why is this token refused?

usage: explain --config FILE [--resource URL] [--context NAME] [--json] < token.txt

  --config FILE   the configuration, as TOML
  --resource URL  the resource of the layer; the server's first without it
  --context NAME  the API context of the layer
  --json          print the explanation as JSON
  --help          print this

The token comes from standard input. The code is 0 where it is admitted, 1 where it is not, and 2 where the
question could not be asked: the configuration has a mistake, or a discovery document names another issuer
(run `doctor`).";

type Fault = Box<dyn Error + Send + Sync>;

/// No issuer makes longer tokens.
const MOST_BYTES: u64 = 1024 * 1024;

#[derive(Default)]
struct Options {
    config: Option<PathBuf>,
    resource: Option<String>,
    context: Option<String>,
    json: bool,
    help: bool,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run().await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(fault) => {
            eprintln!("explain: {fault}");
            ExitCode::from(2)
        }
    }
}

/// Whether the token is admitted.
async fn run() -> Result<bool, Fault> {
    let options = options(std::env::args().skip(1))?;
    if options.help {
        println!("{HELP}");
        return Ok(true);
    }
    let config = options.config.ok_or("give `--config FILE`")?;
    let server = file::read(&config)?.into_builder()?.build()?;
    let connected = server.connect().await;
    let server = connected.map_err(|error| format!("{error}; `doctor` says more"))?;
    let layer = match &options.resource {
        Some(resource) => server.authenticate_for(resource)?,
        None => server.authenticate(),
    };
    let layer = match options.context {
        Some(context) => layer.context(context),
        None => layer,
    };
    let mut input = String::new();
    std::io::stdin()
        .take(MOST_BYTES)
        .read_to_string(&mut input)?;
    let token = input.trim();
    let token = token.strip_prefix("Bearer ").unwrap_or(token);
    let request = Request::get("/").header(AUTHORIZATION, format!("Bearer {token}"));
    // The text of the error would not help, and could quote the token.
    let request = request
        .body(())
        .map_err(|_| "the token has a line break or another control character")?;
    let (parts, ()) = request.into_parts();
    let explanation = layer.explain_with_lookups(&parts).await;
    if options.json {
        println!("{}", serde_json::to_string_pretty(&explanation)?);
    } else {
        print!("{explanation}");
    }
    Ok(matches!(explanation.conclusion(), Conclusion::Admitted))
}

fn options(mut arguments: impl Iterator<Item = String>) -> Result<Options, Fault> {
    let mut options = Options::default();
    while let Some(option) = arguments.next() {
        let mut value = || arguments.next().ok_or(format!("`{option}` needs a value"));
        match &*option {
            "--config" => options.config = Some(value()?.into()),
            "--resource" => options.resource = Some(value()?),
            "--context" => options.context = Some(value()?),
            "--json" => options.json = true,
            "--help" | "-h" => options.help = true,
            // It may be a token, so it is not repeated.
            _ => return Err("the options are `--config`, `--resource`, `--context` and `--json`; the token comes from standard input".into()),
        }
    }
    Ok(options)
}
