//! Token Status List (draft-ietf-oauth-status-list-21): the reference in a token, the list, and the
//! signed token that carries the list.

pub(crate) mod claim;
pub(crate) mod list;
pub(crate) mod list_token;
