//! What a replacement has changed.

use std::fmt;
use std::sync::Arc;
#[cfg(feature = "jwks")]
use std::sync::Weak;

#[cfg(feature = "jwks")]
use crate::runtime::jwks::key_store::RemoteKeys;
#[cfg(feature = "jwks")]
use crate::runtime::lookup::engine::RemoteLookup;
#[cfg(feature = "jwks")]
use crate::server::decide::introspected::IntrospectionHandler;

/// What [`ResourceServer::replace`](crate::ResourceServer::replace) has changed. Issuers are named by their
/// identifier, tenants that share keys by their template.
///
/// `Display` is one line, such as `revision 2: added https://new.example; changed https://id.example
/// (audience, leeway); 3 unchanged`.
#[derive(Clone)]
pub struct Replacement {
    pub(super) revision: u64,
    pub(super) added: Vec<Arc<str>>,
    pub(super) removed: Vec<Arc<str>>,
    pub(super) changed: Vec<IssuerChange>,
    pub(super) unchanged: Vec<Arc<str>>,
    pub(super) transmitters: Vec<Arc<str>>,
    #[cfg(feature = "jwks")]
    pub(super) fresh: FreshParts,
}

/// What is fetched for the first time.
#[cfg(feature = "jwks")]
#[derive(Clone, Default)]
pub(super) struct FreshParts {
    pub(super) keys: Vec<Weak<RemoteKeys>>,
    pub(super) introspector: Option<Weak<RemoteLookup<IntrospectionHandler>>>,
}

/// The settings of one issuer that a replacement has changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssuerChange {
    pub(super) issuer: Arc<str>,
    pub(super) settings: Vec<&'static str>,
}

impl IssuerChange {
    /// The issuer.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The names of the settings whose values differ, at least one; those of the methods of
    /// [`Issuer`](crate::Issuer). Values are not told: some are secrets.
    #[must_use]
    pub fn settings(&self) -> &[&'static str] {
        &self.settings
    }
}

impl Replacement {
    /// One without a difference.
    pub(super) const fn of(revision: u64) -> Self {
        Self {
            revision,
            added: Vec::new(),
            removed: Vec::new(),
            changed: Vec::new(),
            unchanged: Vec::new(),
            transmitters: Vec::new(),
            #[cfg(feature = "jwks")]
            fresh: FreshParts {
                keys: Vec::new(),
                introspector: None,
            },
        }
    }

    /// The revision of the configuration from now on; see
    /// [`ResourceServer::revision`](crate::ResourceServer::revision).
    #[must_use]
    pub const fn revision(&self) -> u64 {
        self.revision
    }

    /// Issuers that were not trusted before, in the order of configuration.
    pub fn added(&self) -> impl Iterator<Item = &str> {
        self.added.iter().map(|issuer| &**issuer)
    }

    /// Issuers that are not trusted any more.
    pub fn removed(&self) -> impl Iterator<Item = &str> {
        self.removed.iter().map(|issuer| &**issuer)
    }

    /// Issuers with other settings than before, in the order of configuration.
    #[must_use]
    pub fn changed(&self) -> &[IssuerChange] {
        &self.changed
    }

    /// Issuers that are as they were, in the order of configuration.
    pub fn unchanged(&self) -> impl Iterator<Item = &str> {
        self.unchanged.iter().map(|issuer| &**issuer)
    }

    /// Transmitters of security events that were added, removed or changed, by their identifiers.
    pub fn transmitters(&self) -> impl Iterator<Item = &str> {
        self.transmitters.iter().map(|issuer| &**issuer)
    }

    /// Whether nothing differs from the configuration before.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.added.is_empty()
            && self.removed.is_empty()
            && self.changed.is_empty()
            && self.transmitters.is_empty()
    }
}

impl fmt::Display for Replacement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "revision {}: ", self.revision)?;
        for (word, all) in [
            ("added", &self.added),
            ("removed", &self.removed),
            ("transmitters changed", &self.transmitters),
        ] {
            if !all.is_empty() {
                write!(f, "{word} {}; ", all.join(", "))?;
            }
        }
        if !self.changed.is_empty() {
            f.write_str("changed ")?;
            for (place, change) in self.changed.iter().enumerate() {
                let comma = if place == 0 { "" } else { ", " };
                let settings = change.settings.join(", ");
                write!(f, "{comma}{} ({settings})", change.issuer)?;
            }
            f.write_str("; ")?;
        }
        write!(f, "{} unchanged", self.unchanged.len())
    }
}

impl fmt::Debug for Replacement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Replacement({self})")
    }
}
