//! Tokens that are bound to their sender.

mod client_certificate_headers;
mod dpop;
mod fapi2;
mod introspected;
mod layers;
mod ml_dsa;
mod proofs_property;
mod requests;
