//! The configuration of a running server is replaced.

mod documents;
mod errors;
mod fetched;
mod introspected;
mod loaded;
mod property;
mod race;
mod remembered;
mod report;
mod security_events;

use portcullis::{Issuer, ResourceServer, ResourceServerBuilder};

use crate::support::API;

/// The configuration with these issuers.
fn with(issuers: impl IntoIterator<Item = Issuer>) -> ResourceServerBuilder {
    let issuers = issuers.into_iter();
    issuers.fold(ResourceServer::builder(API), ResourceServerBuilder::issuer)
}
