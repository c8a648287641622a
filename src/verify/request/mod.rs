//! What a request shows of its sender: the credential, its sources and its syntax (RFC 6750
//! section 2), and the certificate of the client (RFC 8705 section 3).

pub(crate) mod request_parts;
pub(crate) mod token_sources;
pub(crate) mod sent_token;
pub(crate) mod credential;
pub(crate) mod client_certificate;
mod certificate_pem;
mod forwarded_client_cert;
pub(crate) mod certificate_header;
pub(crate) mod trusted_peers;
