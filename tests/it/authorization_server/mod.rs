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
mod client_id_metadata;
mod login;
mod misuse;
mod logout;
mod refresh;
mod registration;
mod token_exchange;
mod token_state;
