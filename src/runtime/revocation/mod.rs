//! The list of revocations: its entries, its check, its text format.

pub(crate) mod entry;
pub(crate) mod timed_entry;
pub(in crate::runtime) mod check;
mod early_eviction;
mod entry_map;
pub(crate) mod unloaded_issuers;
pub(crate) mod list;
pub(crate) mod text_format;
