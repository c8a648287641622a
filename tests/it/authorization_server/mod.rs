//! The development authorization server, over real HTTP.

mod support;
mod authorization_code;
