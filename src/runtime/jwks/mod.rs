//! Key sets (JWKS): fetching, refreshing in the background, and waiting for a missing key.

pub(crate) mod schedule;
pub(crate) mod status;
mod key_set_liveness;
pub(crate) mod copy_file;
mod fetch_key_set;
mod refresh_event;
mod snapshot;
pub(crate) mod key_store;
pub(crate) mod wait_for_key;
mod stored_copy;
pub(crate) mod refresh_task;
