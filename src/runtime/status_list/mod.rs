//! The status lists of an issuer: fetched when a token names one, kept fresh, and read on every request.

pub(crate) mod held_list;
pub(crate) mod slot;
pub(crate) mod status;
pub(crate) mod lists;
pub(crate) mod refresh_task;
pub(crate) mod reference;
