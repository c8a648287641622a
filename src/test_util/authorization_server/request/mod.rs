//! The parts of requests that several endpoints share.

// In the order in which they may name each other.
pub(super) mod oauth_error;
pub(super) mod form;
mod client_certificate;
mod client_assertion;
pub(super) mod client_authentication;
pub(super) mod sender_constraint;

pub(super) use client_authentication::AuthenticatedClient;
pub(super) use form::Form;
pub(super) use oauth_error::{OAuthError, json_response};
