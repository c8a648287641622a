//! Members of the server.

use crate::server::builder::server_builder::ResourceServerBuilder;
use crate::server::config::duration_text::DurationText;
use crate::server::config::error::NodeError;
use crate::server::config::section::section;
use crate::server::config::sections::decision_records::DecisionRecordsTable;
use crate::server::config::sections::dpop::DpopTable;
use crate::server::config::sections::issuer::table::IssuerTable;
#[cfg(feature = "jwks")]
use crate::server::config::sections::key_set_copies::KeySetCopiesTable;
use crate::server::config::sections::resource::ResourceMember;
use crate::server::config::sections::scopes::ScopeRuleTable;
#[cfg(feature = "redis")]
use crate::server::config::sections::shared_store::SharedStoreTable;
#[cfg(feature = "ssf")]
use crate::server::config::sections::transmitter::TransmitterTable;
use crate::server::config::setting::{BindingName, Setting, Several, is_its_own_value};
use crate::server::resource_server::ResourceServer;

section! {
    /// The configuration of a portcullis resource server. Members have the names of the settings of the
    /// library; a duration is text such as `30s`, `5min`, `1h 30min` or `7d`.
    ServerTable makes ResourceServerBuilder;

    /// Its resources, each by its identifier or as a table. The first is the default.
    make resource: Resources = |builder| builder;
    /// The authorization servers whose tokens are accepted.
    each issuer: IssuerTable;
    /// The longest token in bytes: 1024 to 1048576. Default: 16384.
    one max_token_bytes: usize;
    /// The URL of the first resource's metadata, where another server serves it.
    one resource_metadata: String;
    /// Which scopes imply others, for the tokens of every issuer.
    each scope_hierarchy: ScopeRuleTable;
    /// How many verified tokens are remembered: 1 to 10000000. Default: 10000.
    one token_cache_entries: usize;
    /// The memory of remembered tokens in bytes: 1048576 to 1073741824. Default: 67108864.
    one token_cache_bytes: usize;
    /// How long a token is remembered: 1 s to 5 min. Default: 5 min.
    one token_cache_life: DurationText;
    /// Remembers no token.
    flag without_token_cache;
    /// How long a directory may take: 10 ms to 30 s. Default: 2 s.
    one lookup_timeout: DurationText;
    /// The route parameter that holds the workspace's id. Default: `workspace_id`.
    one workspace_parameter: String;
    /// The route parameter that holds the account's id. Default: `account_id`.
    one account_parameter: String;
    /// How many revocations are held: 1 to 10000000. Default: 1000000.
    one most_revocations: usize;
    /// How long leases go on while the list of revocations is incomplete: at most 24 h. Default: 30 s.
    #[cfg(feature = "jwks")]
    one lease_outage_tolerance: DurationText;
    /// How DPoP proofs are accepted.
    one dpop: DpopTable;
    /// Bindings that every token must have; several add up.
    each require_binding: BindingName;
    /// Scheme, host and port under which clients reach this server.
    one public_origin: String;
    /// How paths differ between this server and its clients.
    one public_path: PublicPathTable = |server, path: PublicPathTable| server.public_path(path.internal, path.public);
    /// Copies of key sets in a folder.
    #[cfg(feature = "jwks")]
    one key_set_copies: KeySetCopiesTable;
    /// The store that several instances share.
    #[cfg(feature = "redis")]
    one shared_store: SharedStoreTable;
    /// Transmitters of security events.
    #[cfg(feature = "ssf")]
    each ssf_transmitter: TransmitterTable;
    /// Names the `iss` of tokens of unknown issuers in refusals.
    flag show_unknown_issuers;
    /// Names the caller in events.
    flag log_callers;
    /// Writes a record of each decision.
    one decision_records: DecisionRecordsTable;
}

/// The first resource, and the others.
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(transparent)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(transparent, inline))]
pub(in crate::server::config) struct Resources(Several<ResourceMember>);

impl Setting for Resources {
    type Value = ResourceServerBuilder;

    fn value(self) -> Result<ResourceServerBuilder, NodeError> {
        let mut resources = self.0.value()?.into_iter();
        let Some(first) = resources.next() else {
            return Err(NodeError::new("it names no resource; give at least one"));
        };
        Ok(resources.fold(
            ResourceServer::builder(first),
            ResourceServerBuilder::resource,
        ))
    }
}

/// A path here, and the same path for clients.
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(
    deny_unknown_fields,
    expecting = "a table with `internal` and `public`"
)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(in crate::server::config) struct PublicPathTable {
    /// What the path begins with at this server.
    #[serde(default)]
    internal: String,
    /// What it begins with for clients.
    #[serde(default)]
    public: String,
}

is_its_own_value!(PublicPathTable);
