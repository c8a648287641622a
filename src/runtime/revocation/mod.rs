//! The list of revocations: its entries, its look-up, its text format.

pub(crate) mod entry;
pub(crate) mod timed_entry;
pub(crate) mod list;
pub(crate) mod text_format;
