//! A verified token without its text, and the checks that make it.

pub(crate) mod data;
pub(crate) mod check;
pub(crate) mod draft;
pub(crate) mod texts;

pub(crate) use data::{TokenHolder, VerifiedToken};
