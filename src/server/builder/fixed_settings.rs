//! The settings of a server that stay as they are while it runs, as hashes that can be compared: some of
//! them are secrets.

use std::fmt::Debug;

use crate::server::builder::server_builder::ResourceServerBuilder;
use crate::server::observe::settings::DecisionRecords;
use crate::server::resource_server::FixedSettings;
use crate::server::settings::bound_tokens::dpop::{Dpop, GivenNonceKey};
use crate::server::settings::bound_tokens::server::BindingSettings;
#[cfg(feature = "jwks")]
use crate::server::settings::key_set_copies::KeySetCopies;
use crate::server::settings::resource::metadata_settings::MetadataSettings;
use crate::server::settings::resource::value::Resource;
#[cfg(feature = "redis")]
use crate::server::settings::shared_store::{GivenKey, SharedStore};
use crate::verify::crypto::secret::SecretHash;

/// The names of the settings that differ, each once.
pub(in crate::server) fn differing(
    one: &FixedSettings,
    other: &FixedSettings,
) -> Vec<&'static str> {
    let mut names: Vec<&'static str> = Vec::new();
    for ((setting, own), (_, others)) in one.iter().zip(other) {
        if !own.matches(others) && !names.contains(setting) {
            names.push(setting);
        }
    }
    names
}

/// `Debug` quotes and escapes texts, so that no two values look alike.
fn hash(value: impl Debug) -> SecretHash {
    SecretHash::of(format!("{value:?}").as_bytes())
}

impl ResourceServerBuilder {
    /// The settings that are code, where they were given.
    pub(in crate::server) fn code(&self) -> Vec<&'static str> {
        #[cfg(feature = "jwks")]
        let loads = self.load.is_some();
        #[cfg(not(feature = "jwks"))]
        let loads = false;
        let has_sink = self.decision_records.as_ref();
        let has_sink = has_sink.is_some_and(DecisionRecords::has_sink);
        let all = [
            ("clock", self.once.has("clock")),
            ("workspace_directory", self.owners.is_some()),
            ("user_directory", self.users.is_some()),
            ("membership_directory", self.members.is_some()),
            ("load_revocations", loads),
            ("check", !self.checks.is_empty()),
            ("observer", !self.observers.is_empty()),
            ("decision_records", has_sink),
            ("decision_sink", self.once.has("decision_sink")),
        ];
        let given = all.into_iter().filter(|(_, is_given)| *is_given);
        given.map(|(setting, _)| setting).collect()
    }

    /// Every field is named here, so that a new setting cannot be forgotten.
    pub(in crate::server) fn fixed_settings(&self) -> FixedSettings {
        let Self {
            resources,
            max_token_bytes,
            resource_metadata,
            earliest,
            token_cache,
            lookup_timeout,
            path,
            most_revocations,
            #[cfg(feature = "jwks")]
            lease_outage_tolerance,
            #[cfg(feature = "jwks")]
            copies,
            shows_unknown_issuers,
            logs_callers,
            decision_records,
            binding,
            #[cfg(feature = "redis")]
            shared_store,
            // These may change.
            issuers: _,
            scope_hierarchy: _,
            #[cfg(feature = "ssf")]
                transmitters: _,
            // Code, which stays.
            clock: _,
            owners: _,
            users: _,
            members: _,
            #[cfg(feature = "jwks")]
                load: _,
            checks: _,
            observers: _,
            #[cfg(feature = "jwks")]
                decision_sink: _,
            // No settings.
            once: _,
            #[cfg(feature = "jwks")]
                clients: _,
        } = self;
        let cache = |part: fn(&crate::runtime::cache::token_cache::CacheLimits) -> u128| {
            hash(token_cache.as_ref().map(part))
        };
        let resources: Vec<SecretHash> = resources.iter().map(resource).collect();
        let mut all = vec![
            ("resource", joined(&resources)),
            ("max_token_bytes", hash(max_token_bytes)),
            ("resource_metadata", hash(resource_metadata)),
            ("earliest_time", hash(earliest)),
            ("without_token_cache", hash(token_cache.is_none())),
            (
                "token_cache_entries",
                cache(|limits| limits.entries as u128),
            ),
            ("token_cache_bytes", cache(|limits| limits.bytes as u128)),
            ("token_cache_life", cache(|limits| limits.life.as_nanos())),
            ("lookup_timeout", hash(lookup_timeout)),
            ("workspace_parameter", hash(&path.workspace)),
            ("account_parameter", hash(&path.account)),
            ("most_revocations", hash(most_revocations)),
            ("show_unknown_issuers", hash(shows_unknown_issuers)),
            ("log_callers", hash(logs_callers)),
        ];
        let records = decision_records.as_ref();
        let records = records.and_then(DecisionRecords::identity);
        all.push(("decision_records", hash(records)));
        all.extend(of_binding(binding));
        #[cfg(feature = "jwks")]
        all.push((
            "key_set_copies",
            hash(copies.as_ref().map(KeySetCopies::identity)),
        ));
        #[cfg(feature = "jwks")]
        all.push(("lease_outage_tolerance", hash(lease_outage_tolerance)));
        #[cfg(feature = "redis")]
        all.push(("shared_store", hash(shared_store.as_ref().map(store))));
        all
    }
}

fn joined(hashes: &[SecretHash]) -> SecretHash {
    let all: Vec<u8> = hashes.iter().flat_map(SecretHash::bytes).copied().collect();
    SecretHash::of(&all)
}

fn resource(resource: &Resource) -> SecretHash {
    let Resource {
        identifier,
        audiences,
        scopes,
        required_bindings,
        metadata,
        once: _,
    } = resource;
    let MetadataSettings {
        names,
        documentation,
        policy,
        terms_of_service,
        jwks_uri,
        authorization_servers,
        accepts_certificate_bound_tokens,
        members,
        signing_key,
        signing_key_id,
        max_age,
    } = metadata;
    joined(&[
        hash((identifier, audiences, scopes, required_bindings)),
        hash((names, documentation, policy, terms_of_service, jwks_uri)),
        hash((authorization_servers, accepts_certificate_bound_tokens)),
        hash((members, signing_key, signing_key_id, max_age)),
    ])
}

fn of_binding(settings: &BindingSettings) -> FixedSettings {
    let BindingSettings {
        dpop,
        required,
        public_origin,
        public_path,
    } = settings;
    let Dpop {
        mode,
        algorithms,
        max_age,
        max_future,
        max_proof_bytes,
        replay_capacity,
        checks_replay,
        demands_nonces,
        nonce_lifetime,
        nonce_key: key,
        previous_nonce_key,
        #[cfg(feature = "redis")]
        store_outage,
        once: _,
    } = dpop;
    #[cfg(not(feature = "redis"))]
    let store_outage = ();
    let dpop = joined(&[
        hash((mode, algorithms, max_age, max_future, max_proof_bytes)),
        hash((replay_capacity, checks_replay, store_outage)),
        hash((demands_nonces, nonce_lifetime)),
        hash(key.as_ref().map(nonce_key)),
        hash(previous_nonce_key.as_ref().map(nonce_key)),
    ]);
    vec![
        ("dpop", dpop),
        ("require_binding", hash(required)),
        ("public_origin", hash(public_origin)),
        ("public_path", hash(public_path)),
    ]
}

fn nonce_key(key: &GivenNonceKey) -> [u8; 32] {
    let hash = match key {
        GivenNonceKey::Bytes(bytes) => hash(bytes),
        GivenNonceKey::Text(text) => hash(text),
    };
    *hash.bytes()
}

#[cfg(feature = "redis")]
fn store(store: &SharedStore) -> [u8; 32] {
    let SharedStore {
        url,
        cluster_key,
        previous_cluster_key,
        namespace,
        refuse_after,
        answer_timeout,
        is_plain_allowed,
        once: _,
    } = store;
    let keys = [cluster_key, previous_cluster_key].map(|key| {
        let hash = key.as_ref().map(|key| match key {
            GivenKey::Bytes(bytes) => hash(bytes),
            GivenKey::Text(text) => hash(text),
        });
        hash.map(|hash| *hash.bytes())
    });
    *hash((
        (url, keys, namespace),
        (refuse_after, answer_timeout, is_plain_allowed),
    ))
    .bytes()
}
