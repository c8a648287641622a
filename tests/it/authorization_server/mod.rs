//! The development authorization server, over real HTTP.

mod support;
mod accounts;
mod admin;
mod authorization_code;
mod device;
mod dpop;
mod mutual_tls;
mod openid_foundation;
mod vendors;
mod authorization_request;
mod browsers;
mod client_authentication;
mod login;
mod refresh;
mod token_state;
