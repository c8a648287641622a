//! Replaces the configuration of a running server when its file changes, and on SIGHUP.
//!
//! 1. A change counts when size and time of the file are the same at two looks, so that a file which is
//!    being written is not read. A program that replaces the file should rename a whole one to its name.
//! 2. A file that is gone, that cannot be read or that has a mistake changes nothing.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use portcullis::ResourceServer;

use super::file;

/// How often the file is looked at.
const INTERVAL: Duration = Duration::from_secs(1);

/// Size and time of a file; `None` while it is not there.
type State = Option<(u64, SystemTime)>;

/// Runs until the program ends.
pub(crate) async fn replace_on_change(server: ResourceServer, path: PathBuf) {
    let mut signals = hang_ups();
    let mut taken = state(&path);
    let mut last = taken;
    loop {
        let is_signalled = tokio::select! {
            () = signals.next() => true,
            () = tokio::time::sleep(INTERVAL) => false,
        };
        let seen = state(&path);
        let is_changed = seen != taken && seen == last;
        last = seen;
        if !is_signalled && !is_changed {
            continue;
        }
        taken = seen;
        match replace(&server, &path) {
            Ok(report) => eprintln!("resource_server: {report}"),
            Err(fault) => eprintln!("resource_server: the configuration stays as it was: {fault}"),
        }
    }
}

fn replace(server: &ResourceServer, path: &Path) -> Result<String, Box<dyn Error + Send + Sync>> {
    // Directories and other code are those of the running server.
    let replacement = file::read(path)?.into_builder()?;
    Ok(server.replace(replacement)?.to_string())
}

fn state(path: &Path) -> State {
    let metadata = fs::metadata(path).ok()?;
    Some((metadata.len(), metadata.modified().ok()?))
}

#[cfg(unix)]
struct HangUps(Option<tokio::signal::unix::Signal>);

#[cfg(unix)]
fn hang_ups() -> HangUps {
    use tokio::signal::unix::{SignalKind, signal};
    HangUps(signal(SignalKind::hangup()).ok())
}

#[cfg(unix)]
impl HangUps {
    async fn next(&mut self) {
        match &mut self.0 {
            Some(signals) => drop(signals.recv().await),
            None => std::future::pending().await,
        }
    }
}

#[cfg(not(unix))]
struct HangUps;

#[cfg(not(unix))]
fn hang_ups() -> HangUps {
    HangUps
}

#[cfg(not(unix))]
impl HangUps {
    async fn next(&mut self) {
        std::future::pending().await
    }
}
