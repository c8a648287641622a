//! Receiving security events (Shared Signals Framework 1.0): from a signed token to revocations.

pub(crate) mod mapped;
pub(crate) mod outcome;
pub(crate) mod receive;
pub(crate) mod status;
pub(crate) mod poll;
