//! The resources of a server, and their metadata documents (RFC 9728), as compiled.
//!
//! 1. There is always a first resource.
//! 2. A document is made from the configuration alone, at build time and when the issuers are replaced.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use http::HeaderValue;

use crate::model::requirement::binding::RequiredBindings;
use crate::runtime::util::swap::SwapCell;

/// A resource of a server.
pub(crate) struct ProtectedResource {
    pub(crate) identifier: Arc<str>,
    /// Tokens without repetition.
    pub(crate) scopes: Vec<&'static str>,
    /// What it demands beside the server and the issuer.
    pub(crate) required_bindings: RequiredBindings,
    /// The configured address of its metadata, which another server serves.
    pub(in crate::server) metadata_elsewhere: Option<Arc<str>>,
    /// `None` where its identifier is no URL.
    pub(crate) document: Option<MetadataDocument>,
}

/// A metadata document, ready to be served.
pub(crate) struct MetadataDocument {
    pub(crate) address: Arc<str>,
    /// The path of the address, without a slash at the end.
    pub(crate) path: Box<str>,
    pub(crate) cache_control: HeaderValue,
    /// It names the issuers, which may be replaced while the server runs.
    pub(in crate::server) text: SwapCell<DocumentText>,
}

/// The text of a metadata document.
pub(crate) struct DocumentText {
    pub(crate) json: Box<str>,
    pub(crate) etag: HeaderValue,
}

impl MetadataDocument {
    /// The text now.
    pub(crate) fn text(&self) -> Option<Arc<DocumentText>> {
        // INVARIANT: a document has a text.
        self.text.load_full()
    }
}

/// The resources of a server, in the order of configuration.
pub(in crate::server) struct ProtectedResources {
    first: ProtectedResource,
    others: Vec<ProtectedResource>,
    /// Whether the application serves the documents.
    serves_metadata: AtomicBool,
}

impl ProtectedResources {
    pub(in crate::server) fn new(first: ProtectedResource, others: Vec<ProtectedResource>) -> Self {
        Self {
            first,
            others,
            serves_metadata: AtomicBool::new(false),
        }
    }

    pub(in crate::server) fn first(&self) -> &ProtectedResource {
        &self.first
    }

    pub(in crate::server) fn iter(&self) -> impl Iterator<Item = &ProtectedResource> {
        std::iter::once(&self.first).chain(&self.others)
    }

    /// The resource at this place.
    pub(in crate::server) fn at(&self, place: usize) -> &ProtectedResource {
        let others = place.checked_sub(1).and_then(|at| self.others.get(at));
        // INVARIANT: places come from `place_of`.
        others.unwrap_or(&self.first)
    }

    pub(in crate::server) fn place_of(&self, identifier: &str) -> Option<usize> {
        self.iter()
            .position(|resource| *resource.identifier == *identifier)
    }

    /// Takes over the texts of the documents of the same resources.
    pub(in crate::server) fn replace_documents(&self, next: &Self) {
        for (own, next) in self.iter().zip(next.iter()) {
            if let (Some(own), Some(next)) = (&own.document, &next.document) {
                own.text.store(next.text.load_full());
            }
        }
    }

    pub(in crate::server) fn begin_to_serve(&self) {
        self.serves_metadata.store(true, Ordering::Relaxed);
    }

    pub(in crate::server) fn serves_metadata(&self) -> bool {
        self.serves_metadata.load(Ordering::Relaxed)
    }
}
