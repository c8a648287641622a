//! The table of wrong credentials.

mod requests;
mod forms;
mod headers;
mod kinds;
mod claims;
mod reach;
mod revoked;
mod bound;

use crate::test_util::wrong_credentials::row::Row;

/// All rows, in the order in which they are sent.
pub(super) fn all() -> impl Iterator<Item = &'static Row> {
    let tables = [
        requests::ROWS,
        forms::ROWS,
        headers::ROWS,
        kinds::ROWS,
        claims::ROWS,
        reach::ROWS,
        revoked::ROWS,
        bound::ROWS,
    ];
    tables.into_iter().flatten()
}
