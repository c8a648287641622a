//! Settings of providers by name. Public as `portcullis::presets`.

pub(crate) mod issuers;
pub(crate) mod tenants;
pub(crate) mod workloads;
