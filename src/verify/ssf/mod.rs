//! Security Event Tokens (RFC 8417) of the Shared Signals Framework: types of events, subjects, and the
//! check of a signed token.

pub(crate) mod error_code;
pub(crate) mod event_type;
pub(crate) mod subject;
pub(crate) mod event;
pub(crate) mod event_token;
