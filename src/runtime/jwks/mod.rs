//! Key sets (JWKS) that are fetched and kept fresh in the background.

pub(crate) mod schedule;
pub(crate) mod status;
pub(crate) mod fetch_key_set;
pub(crate) mod refresh_event;
pub(crate) mod key_store;
pub(crate) mod wait_for_key;
pub(crate) mod refresh_task;
