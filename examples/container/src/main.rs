//! An API in a plain container: probes, and an end without a broken answer.
//!
//! | variable | meaning | default |
//! |---|---|---|
//! | `CONFIG` | a file in TOML with the configuration; without it, it comes from variables `PORTCULLIS__..` | none |
//! | `LISTEN` | the address to serve on | `0.0.0.0:8080` |
//! | `DRAIN_SECONDS` | how long new requests are still answered after SIGTERM | 5 |
//! | `GRACE_SECONDS` | how long running requests have after that | 20 |
//!
//! 1. `/live` answers 200 while the process serves: a failing issuer must not restart it.
//! 2. `/ready` answers 200 while the keys are there and no SIGTERM came.
//! 3. SIGTERM: `/ready` answers 503 at once, and requests are answered as before, until the load balancer
//!    has noticed. A second SIGTERM shortens that.
//! 4. Then streams end, no connection is accepted, and the process ends with its last answer.

mod stopping;

use std::convert::Infallible;
use std::error::Error;
use std::pin::Pin;
use std::process::ExitCode;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::sse::{Event, Sse};
use axum::routing::get;
use futures_core::Stream;
use portcullis::config::Configuration;
use portcullis::{AccessToken, ResourceServer};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use stopping::{Phase, Stopping};

type Fault = Box<dyn Error + Send + Sync>;

#[derive(Clone)]
struct App {
    server: ResourceServer,
    stopping: Stopping,
}

#[tokio::main]
async fn main() -> ExitCode {
    tracing_subscriber::registry()
        .with(Targets::new().with_default(LevelFilter::INFO))
        .with(tracing_subscriber::fmt::layer().with_ansi(false))
        .init();
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            eprintln!("{fault}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), Fault> {
    let drain = seconds("DRAIN_SECONDS", 5)?;
    let grace = seconds("GRACE_SECONDS", 20)?;
    // Before anything that takes time, so that no signal finds its default action.
    let stopping = Stopping::on_sigterm(drain)?;
    // An issuer that is down is no error: `/ready` says so.
    let server = configuration()?.into_builder()?.build()?.connect().await?;
    let address = std::env::var("LISTEN").unwrap_or_else(|_| "0.0.0.0:8080".to_owned());
    let listener = TcpListener::bind(address).await?;
    println!("serving on http://{}", listener.local_addr()?);

    let mut closing = stopping.clone();
    let mut overdue = stopping.clone();
    let serving = axum::serve(listener, routes(App { server, stopping }))
        .with_graceful_shutdown(async move { closing.reached(Phase::Closing).await });
    tokio::select! {
        ended = serving.into_future() => Ok(ended?),
        () = async {
            overdue.reached(Phase::Closing).await;
            tokio::time::sleep(grace).await;
        } => Err("requests were still running at the end of GRACE_SECONDS".into()),
    }
}

fn routes(app: App) -> Router {
    Router::new()
        .route("/whoami", get(who_am_i))
        .route("/events", get(events))
        // Streams end with their token, too.
        .route_layer(app.server.authenticate().end_streams())
        // Probes carry no token: behind the layer in this list, and so outside of it.
        .route("/live", get(|| async { "ok" }))
        .route("/ready", get(ready))
        .with_state(app)
}

/// Not `server.readiness()` alone: a process that ends is not ready either.
async fn ready(State(app): State<App>) -> StatusCode {
    if app.stopping.phase() == Phase::Running && app.server.ready() {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    }
}

async fn who_am_i(token: AccessToken) -> String {
    let subject = token.subject().map(ToString::to_string);
    format!("{}\n", subject.unwrap_or_default())
}

/// An event each second, until the process stops.
async fn events(_: AccessToken, State(mut app): State<App>) -> Sse<Events> {
    let (sender, receiver) = mpsc::channel(1);
    tokio::spawn(async move {
        for count in 0_u64.. {
            let event = Event::default().data(count.to_string());
            if sender.send(event).await.is_err() {
                break; // the client has left, or its token has expired
            }
            tokio::select! {
                () = tokio::time::sleep(Duration::from_secs(1)) => {}
                () = app.stopping.reached(Phase::Closing) => break,
            }
        }
    });
    Sse::new(Events(receiver))
}

struct Events(mpsc::Receiver<Event>);

impl Stream for Events {
    type Item = Result<Event, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_recv(context).map(|event| event.map(Ok))
    }
}

/// From the file that `CONFIG` names, else from the environment. Secrets have their place in either, and
/// stand in neither.
fn configuration() -> Result<Configuration, Fault> {
    let Some(path) = std::env::var_os("CONFIG") else {
        return Ok(Configuration::from_environment("PORTCULLIS")?);
    };
    let name = path.to_string_lossy().into_owned();
    let text = std::fs::read_to_string(&path).map_err(|error| format!("{name}: {error}"))?;
    let parsed =
        toml::Deserializer::parse(&text).map_err(|error| format!("{name}: {}", error.message()))?; // no line of it is quoted
    Ok(Configuration::deserialize_from(parsed).map_err(|error| format!("{name}: {error}"))?)
}

fn seconds(name: &str, default: u64) -> Result<Duration, Fault> {
    let value = std::env::var(name).ok().filter(|value| !value.is_empty());
    let value = value.map_or(Ok(default), |text| text.parse());
    let seconds = value.map_err(|_| format!("{name} is no number of seconds"))?;
    Ok(Duration::from_secs(seconds))
}
