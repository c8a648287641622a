//! The setting of transmitters of security events.

use crate::server::builder::server_builder::ResourceServerBuilder;
use crate::server::compile::resource::audiences::ResourceAudiences;
use crate::server::compile::ssf::{SsfParts, transmitters};
use crate::server::registry::Registry;
use crate::server::settings::error::ConfigError;
use crate::server::settings::ssf::SsfTransmitter;

impl ResourceServerBuilder {
    /// Lets a transmitter of security events (Shared Signals Framework 1.0) end tokens and sessions
    /// here; call it once for each, up to 16. Events are pushed to
    /// [`ResourceServer::ssf_push`](crate::ResourceServer::ssf_push), or polled from
    /// [`connect()`](crate::ResourceServer::connect) on, which also starts the refresh of the
    /// transmitter's keys. Its keys do not count in [`ready`](crate::ResourceServer::ready).
    /// Default: none.
    #[doc(alias("shared_signals", "CAEP", "RISC"))]
    pub fn ssf_transmitter(mut self, transmitter: SsfTransmitter) -> Self {
        self.transmitters.push(transmitter);
        self
    }

    /// Compiles every transmitter. Those of the registry before that are the same are taken over.
    pub(in crate::server) fn add_transmitters(
        &mut self,
        registry: &mut Registry,
        before: Option<&Registry>,
    ) -> Result<(), ConfigError> {
        let before: Vec<_> = before
            .into_iter()
            .flat_map(|before| before.transmitter_settings.iter().zip(&before.transmitters))
            .collect();
        let issuers: Vec<_> = registry.members().collect();
        let audiences = ResourceAudiences::of(&self.resources);
        let parts = SsfParts {
            audiences: &audiences,
            clock: &self.clock,
            max_token_bytes: self.max_token_bytes,
            issuers: &issuers,
            clients: &self.clients,
            before: &before,
        };
        registry.transmitters = transmitters(&self.transmitters, &parts)?;
        registry.transmitter_settings = std::mem::take(&mut self.transmitters);
        Ok(())
    }
}
