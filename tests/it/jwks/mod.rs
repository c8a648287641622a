//! Issuers and their key sets: discovery, refresh, outage, rotation.

mod both_clocks;
mod discovery;
mod entries;
mod issuer_names;
mod issuers;
mod key_access;
mod key_set_copies;
mod oidc_tenants;
mod proxies;
mod refresh;
mod root_certificates;
mod several_key_sets;
