//! Tokens that are bound to their sender.

mod dpop;
mod introspected;
