//! Settings of a protected resource.

pub(crate) mod metadata_settings;
pub(crate) mod value;
pub(crate) mod metadata;
pub(crate) mod issuer;
