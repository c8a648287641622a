//! What is wrong with the issuers of a configuration? A command line.
//!
//! ```sh
//! cargo run --example doctor -- --config examples/configuration/keycloak.toml
//! cargo run --example doctor -- --config portcullis.toml --json
//! ```
//!
//! It reads discovery documents and key sets, compares clocks, and tries the introspection and userinfo
//! endpoints with a random text. The code is 0 where nothing is an error, 1 where something is, and 2 where
//! the configuration itself has a mistake. For a token at hand there is the example `explain`.
//! `--help` says what it takes.

#[path = "configuration/file.rs"]
mod file;

use std::error::Error;
use std::process::ExitCode;

use portcullis::explain::Severity;

const HELP: &str = "\
what is wrong with the issuers of a configuration?

usage: doctor --config FILE [--json]

  --config FILE  the configuration, as TOML
  --json         print the findings as JSON
  --help         print this

The code is 0 where no finding is an error, 1 where one is, and 2 where the configuration has a mistake.";

type Fault = Box<dyn Error + Send + Sync>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run().await {
        Ok(Severity::Error) => ExitCode::FAILURE,
        Ok(_) => ExitCode::SUCCESS,
        Err(fault) => {
            eprintln!("doctor: {fault}");
            ExitCode::from(2)
        }
    }
}

/// The worst finding.
async fn run() -> Result<Severity, Fault> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (config, json) = match arguments.as_slice() {
        [option] if option == "--help" || option == "-h" => {
            println!("{HELP}");
            return Ok(Severity::Good);
        }
        [option, path] if option == "--config" => (path, false),
        [option, path, json] if option == "--config" && json == "--json" => (path, true),
        _ => return Err("the options are `--config FILE`, `--json` and `--help`".into()),
    };
    let server = file::read(config.as_ref())?.into_builder()?.build()?;
    // This server is only looked at, and never connected.
    let diagnosis = server.diagnose().await.without("not_connected");
    if json {
        println!("{}", serde_json::to_string_pretty(&diagnosis)?);
    } else {
        print!("{diagnosis}");
    }
    Ok(diagnosis.severity())
}
