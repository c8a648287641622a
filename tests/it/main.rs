//! The integration tests: one binary, through the public API, as an application would.

// Tests fail loudly, and their tables are long.
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
#![allow(
    clippy::large_stack_arrays,
    clippy::similar_names,
    clippy::too_many_lines
)]

mod answer_members;
mod answer_signatures;
mod axway;
mod both_clocks;
mod browsers;
mod cache_memory;
mod causes;
mod certificate;
mod challenges;
mod checks;
mod configuration;
mod corpus;
mod delegation;
mod discovery;
mod endpoint;
mod endpoint_floods;
mod families;
mod floods;
mod grpc;
mod guards;
mod identities;
mod interop;
mod introspection;
mod introspection_forms;
mod introspection_load;
mod introspection_ways;
mod issuer_names;
mod issuers;
mod key_set_entries;
mod key_sets;
mod layout;
mod limits_of_reach;
mod logout;
mod logout_settings;
mod logs;
mod manual;
mod memberships;
mod path_parameters;
mod presets;
mod principals;
mod proxies;
mod reasons;
mod refusal_causes;
mod refused_bodies;
mod rendering;
mod revocation;
mod revocation_clocks;
mod roots;
mod safewhere;
mod same_surface;
mod scope_challenges;
mod settings_twice;
mod several_key_sets;
mod sharing;
mod sources;
mod spans;
mod support;
mod tenant_rules;
mod tenants;
mod token_cache;
mod token_twins;
mod tokens;
mod userinfo;
mod vocabulary;
mod websockets;
