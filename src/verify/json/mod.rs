//! Strict JSON: a scanner without copies, an index of members, typed reads of claims.

pub(crate) mod unescape;
pub(crate) mod byte_search;
mod distinct;
pub(crate) mod members;
pub(crate) mod json_fault;
pub(crate) mod name_bounds;
pub(crate) mod scanner;
pub(crate) mod object;
pub(crate) mod skim;
pub(crate) mod claim_error;
pub(crate) mod claims_reader;
pub(crate) mod name_list;
pub(crate) mod role_names;
