//! The tokio runtime that a task is spawned on.

use std::pin::Pin;

use tokio::runtime::Handle;

/// There is no tokio runtime on this thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no tokio runtime here")]
pub(crate) struct NoRuntime;

/// The runtime of this thread.
pub(crate) fn current_runtime() -> Result<Handle, NoRuntime> {
    Handle::try_current().map_err(|_| NoRuntime)
}

/// The future of a task, as one type for all: what tokio has for each type of task is then compiled once.
pub(crate) fn boxed_task<T>(
    future: impl Future<Output = T> + Send + 'static,
) -> Pin<Box<dyn Future<Output = T> + Send>> {
    Box::pin(future)
}
