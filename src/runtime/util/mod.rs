//! Concurrency primitives: a swap cell, striped counters, a read-mostly table, select.

pub(crate) mod select;
pub(crate) mod swap;
pub(crate) mod striped;
pub(crate) mod read_mostly_table;
pub(crate) mod log_rate_limit;
