//! Tokens bound to their sender.

mod client_certificate_headers;
