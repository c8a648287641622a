//! Replaces the configuration of a running server when its file changes, and on SIGHUP.
//!
//! 1. A change counts when the file, its size and its time are the same at two looks, so that a file which
//!    is being written is not read. A program that replaces the file should rename a whole one to its name.
//! 2. A file that is gone, that cannot be read or that has a mistake changes nothing.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use portcullis::ResourceServer;

use super::file;

/// How often the file is looked at.
const INTERVAL: Duration = Duration::from_secs(1);

/// Which file it is, its size and its time; `None` while it is not there.
type State = Option<((u64, u64), u64, SystemTime)>;

/// What is to be watched.
pub(crate) struct Watch {
    path: PathBuf,
    /// At the last look.
    seen: State,
    /// At the look that has counted last.
    taken: State,
    signals: HangUps,
}

impl Watch {
    /// Make it before the program reads the file: what changes from here on is noticed, and SIGHUP does
    /// not end the program any more. It needs a runtime.
    pub(crate) fn of(path: PathBuf) -> Self {
        let state = state(&path);
        Self {
            seen: state,
            taken: state,
            signals: hang_ups(),
            path,
        }
    }

    /// Runs until the program ends.
    pub(crate) async fn replace_on_change(mut self, server: ResourceServer) {
        loop {
            let is_signalled = tokio::select! {
                () = self.signals.next() => true,
                () = tokio::time::sleep(INTERVAL) => false,
            };
            self.look(&server, is_signalled);
        }
    }

    /// Looks at the file once. On a signal it is read whatever its state.
    pub(crate) fn look(&mut self, server: &ResourceServer, is_signalled: bool) {
        let last = std::mem::replace(&mut self.seen, state(&self.path));
        let is_changed = self.seen != self.taken && self.seen == last;
        if !is_signalled && !is_changed {
            return;
        }
        self.taken = self.seen;
        match replace(server, &self.path) {
            Ok(report) => eprintln!("resource_server: {report}"),
            Err(fault) => {
                eprintln!("resource_server: the configuration stays as it was: {fault}");
            }
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
    Some((
        file_id(&metadata),
        metadata.len(),
        metadata.modified().ok()?,
    ))
}

/// Another file may have been put in its place with the same size and time.
#[cfg(unix)]
fn file_id(metadata: &fs::Metadata) -> (u64, u64) {
    use std::os::unix::fs::MetadataExt as _;
    (metadata.dev(), metadata.ino())
}

#[cfg(not(unix))]
fn file_id(_: &fs::Metadata) -> (u64, u64) {
    (0, 0)
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
