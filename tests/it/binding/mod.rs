//! Tokens that are bound to their sender.

mod dpop;
mod fapi2;
mod opaque;
