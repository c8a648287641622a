//! The tokio runtime that a task is spawned on.

use tokio::runtime::Handle;

/// There is no tokio runtime on this thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no tokio runtime here")]
pub(crate) struct NoRuntime;

/// The runtime of this thread.
pub(crate) fn current_runtime() -> Result<Handle, NoRuntime> {
    Handle::try_current().map_err(|_| NoRuntime)
}
