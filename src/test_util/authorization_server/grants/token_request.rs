//! A request to the token endpoint.

use http::request::Parts;

use crate::test_util::authorization_server::request::Form;
use crate::test_util::authorization_server::state::Confirmation;

/// A request to the token endpoint, of an authenticated client.
pub(in crate::test_util) struct TokenRequest<'a> {
    pub(in crate::test_util) form: &'a Form,
    /// Method, URI, header fields and extensions.
    #[allow(dead_code)] // For grants with proofs of their own.
    pub(in crate::test_util) head: &'a Parts,
    /// The key that the client proved to have.
    pub(in crate::test_util) confirmation: Option<Confirmation>,
}
