//! The development authorization server, over real HTTP.

mod support;
mod authorization_code;
mod device;
mod dpop;
mod mutual_tls;
mod vendors;
