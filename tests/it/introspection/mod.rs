//! Opaque tokens: introspection, token information, userinfo.

mod concurrency;
mod guards;
mod requests;
mod response_members;
mod settings;
mod signed_responses;
mod token_forms;
mod userinfo;
