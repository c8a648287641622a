//! Userinfo endpoints (OpenID Connect Core section 5.3).

pub(crate) mod endpoint;
