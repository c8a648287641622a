//! Floor 5: the doors.

pub(crate) mod render;

pub(crate) mod dialect;

pub(crate) mod challenge;

pub(crate) mod refusal;

pub(crate) mod refusal_log;

mod scope_challenge;

mod cause;

pub(crate) mod unread_body;

pub(crate) mod admitted;

pub(crate) mod future;

pub(crate) mod require_scope;

#[cfg(feature = "axum")]
pub(crate) mod extract;

pub(crate) mod gate;

pub(crate) mod authenticate;

pub(crate) mod danger;

#[cfg(feature = "jwks")]
pub(crate) mod readiness;

#[cfg(feature = "axum")]
pub(crate) mod logout;
