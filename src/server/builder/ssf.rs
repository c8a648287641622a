//! The setting of transmitters of security events.

use std::sync::Arc;

use crate::server::builder::server_builder::ResourceServerBuilder;
use crate::server::compile::resource::audiences::ResourceAudiences;
use crate::server::compile::ssf::{SsfParts, transmitters};
use crate::server::decide::ssf_transmitter::Transmitter;
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

    pub(in crate::server) fn compile_transmitters(
        &self,
        registry: &Registry,
    ) -> Result<Vec<Arc<Transmitter>>, ConfigError> {
        let issuers: Vec<_> = registry.members().collect();
        let audiences = ResourceAudiences::of(&self.resources);
        let parts = SsfParts {
            audiences: &audiences,
            clock: &self.clock,
            max_token_bytes: self.max_token_bytes,
            issuers: &issuers,
        };
        transmitters(&self.transmitters, &parts)
    }
}
