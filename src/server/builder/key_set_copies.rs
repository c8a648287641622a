//! The setting of stored copies of key sets.

use crate::server::builder::server_builder::ResourceServerBuilder;
use crate::server::settings::error::ConfigError;
use crate::server::settings::key_set_copies::KeySetCopies;

impl ResourceServerBuilder {
    /// Keeps copies of the issuers' key sets, so that a new instance judges tokens while an issuer is
    /// down; see [`KeySetCopies`]. Keys of the configuration, and those of transmitters of security events,
    /// are not copied. Default: none, since they are written to a disk.
    #[doc(alias("offline", "jwks_cache", "persistent_cache"))]
    pub fn key_set_copies(mut self, copies: KeySetCopies) -> Self {
        self.once.set_opaque("key_set_copies");
        self.copies = Some(copies);
        self
    }

    /// Checks the setting and hands it to the issuers, which compile their key sets.
    pub(super) fn hand_out_copies(&mut self) -> Result<(), ConfigError> {
        let Some(copies) = &self.copies else {
            return Ok(());
        };
        let checked = copies.check()?;
        for issuer in &mut self.issuers {
            issuer.access.copies = Some(checked.clone());
        }
        Ok(())
    }
}
