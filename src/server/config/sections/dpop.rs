//! Members of DPoP.

use crate::server::config::duration_text::DurationText;
use crate::server::config::place::Secret;
use crate::server::config::section::section;
#[cfg(feature = "redis")]
use crate::server::config::setting::names;
use crate::server::config::setting::{AlgorithmName, Chosen, Several, is_its_own_value};
use crate::server::settings::bound_tokens::dpop::Dpop;
#[cfg(feature = "redis")]
use crate::server::settings::bound_tokens::dpop::ReplayStoreOutage;

section! {
    /// How DPoP proofs are accepted (RFC 9449).
    DpopTable makes Dpop, or Dpop::default;

    /// Names the scheme in challenges.
    make accepted: Chosen = |_| Dpop::accepted();
    /// Refuses the scheme, and tokens that are bound to a DPoP key.
    make off: Chosen = |_| Dpop::off();
    /// The algorithms of proofs. Default: RS, PS and ES of all lengths, EdDSA, Ed25519.
    one algorithms: Several<AlgorithmName>;
    /// How old a proof may be: 5 s to 10 min. Default: 5 min.
    one max_age: DurationText;
    /// How far in the future a proof may be: at most 5 min. Default: 60 s.
    one max_future: DurationText;
    /// The length of a proof in bytes: 512 to 16384. Default: 4096, with ML-DSA 12288.
    one max_proof_bytes: usize;
    /// How many used proofs are remembered: 1000 to 100000000. Default: 1000000.
    one replay_capacity: usize;
    /// Demands the server's nonce in every proof.
    flag require_nonces;
    /// How long a nonce is good: 10 s to 1 h. Default: 5 min.
    one nonce_lifetime: DurationText;
    /// The key of nonces: 32 bytes in base64, the same at all instances. Default: a random key.
    one nonce_key_base64: Secret;
    /// The key before it.
    one previous_nonce_key_base64: Secret;
    /// What holds while the shared store of used proofs does not answer.
    #[cfg(feature = "redis")]
    one when_store_is_down: OutageName;
    /// Settings that give up a protection.
    one danger: DangerousDpopTable = |dpop, danger: DangerousDpopTable| danger.apply(dpop);
}

#[cfg(feature = "redis")]
names! {
    /// What holds while the shared store does not answer.
    OutageName: ReplayStoreOutage {
        /// Requests with a proof are answered 503.
        Refuse = "refuse" => ReplayStoreOutage::Refuse,
        /// The store of this instance decides alone.
        UseLocalStore = "use_local_store" => ReplayStoreOutage::UseLocalStore,
    }
}

/// Settings of DPoP that give up a protection.
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table of members")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(in crate::server::config) struct DangerousDpopTable {
    /// Does not remember used proofs.
    #[serde(default)]
    without_replay_check: bool,
}

impl DangerousDpopTable {
    fn apply(self, dpop: Dpop) -> Dpop {
        if self.without_replay_check {
            return dpop.danger().without_replay_check();
        }
        dpop
    }
}

is_its_own_value!(DangerousDpopTable);
