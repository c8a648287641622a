//! What is told of a decision: its record, the checks behind it, the end of a lease, and events for operators.

pub(crate) mod record;
pub(crate) mod explained_check;
#[cfg(feature = "jwks")]
pub(crate) mod lease_end;
pub(crate) mod observation;
pub(crate) mod event;
