//! From the settings of resources to their audiences and metadata documents.

pub(crate) mod audiences;
pub(crate) mod metadata;
pub(crate) mod resources;
