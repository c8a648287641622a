//! The phases of an ending process.

use std::io;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// How far the end has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    Running,
    /// SIGTERM came: not ready any more, and everything is still answered.
    Draining,
    /// Streams end, and no connection is accepted.
    Closing,
}

/// Tells everyone who asks of the phase. Clones tell the same.
#[derive(Clone)]
pub(crate) struct Stopping(watch::Receiver<Phase>);

impl Stopping {
    /// Begins to listen for SIGTERM, and for SIGINT of a terminal. Draining takes `drain`, or ends with
    /// the second signal.
    pub(crate) fn on_sigterm(drain: Duration) -> io::Result<Self> {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let (sender, receiver) = watch::channel(Phase::Running);
        tokio::spawn(async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            sender.send_replace(Phase::Draining);
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
                () = tokio::time::sleep(drain) => {}
            }
            sender.send_replace(Phase::Closing);
            // The channel stays open, or `reached` would return an error in place of a phase.
            sender.closed().await;
        });
        Ok(Self(receiver))
    }

    pub(crate) fn phase(&self) -> Phase {
        *self.0.borrow()
    }

    /// Waits until this phase is reached.
    pub(crate) async fn reached(&mut self, phase: Phase) {
        // An error means that the task above was ended with the runtime.
        drop(self.0.wait_for(|now| *now >= phase).await);
    }
}
