//! Tokens that are bound to their sender.

mod client_certificate_headers;
mod dpop;
mod introspected;
mod layers;
mod requests;
