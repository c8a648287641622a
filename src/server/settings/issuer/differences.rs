//! What differs between two configurations of one issuer.

#[cfg(feature = "jwks")]
use crate::runtime::introspection::client_auth::ClientAuthentication;
#[cfg(feature = "jwks")]
use crate::server::settings::introspection_settings::IntrospectionSettings;
use crate::server::settings::issuer::value::Issuer;
use crate::verify::json::role_names::NameForms;

/// The settings of a set that differ, by their names.
#[derive(Default)]
struct Differences(Vec<&'static str>);

impl Differences {
    fn note(&mut self, setting: &'static str, is_same: bool) {
        if !is_same && !self.0.contains(&setting) {
            self.0.push(setting);
        }
    }
}

impl Issuer {
    /// The names of the settings whose values differ. Every field is named here, so that a new setting
    /// cannot be forgotten.
    #[allow(clippy::too_many_lines)] // One or two for each setting.
    pub(in crate::server) fn differences(&self, other: &Self) -> Vec<&'static str> {
        let Self {
            kind,
            aliases,
            replica_regions,
            endpoint,
            key_set_urls,
            preset_key_set_url,
            discovery_url,
            key_sets,
            pems,
            algorithms,
            audiences,
            any_audience,
            default_resource,
            plain_http,
            roots,
            proxies,
            audience_claim,
            client_ids,
            types,
            token_uses,
            bears_id_token_marks,
            required_claims,
            required_headers,
            scope_claim,
            // A part of the closure, which counts.
            scope_hierarchy: _,
            scope_closure,
            roles_claim,
            groups_claim,
            name_forms,
            acr_claim,
            actor_claim,
            max_actors,
            subject_claim,
            client_id_claim,
            leeway,
            logout_clients,
            logout_life_without_exp,
            session_claim,
            longest_token_life,
            refresh_interval,
            unknown_key_cooldown,
            max_staleness,
            most_keys,
            key_set_bytes,
            tenant,
            required_bindings,
            // How often a setting was called, and parts of the server.
            once: _,
            lent: _,
            #[cfg(feature = "status-list")]
            status_list,
            #[cfg(feature = "jwks")]
            introspection,
            #[cfg(all(feature = "axum", feature = "jwks"))]
            userinfo_location,
        } = self;
        let mut all = Differences::default();
        all.note("issuer", *kind == other.kind);
        all.note("also_named", *aliases == other.aliases);
        all.note("replica_region", *replica_regions == other.replica_regions);
        all.note("endpoint", *endpoint == other.endpoint);
        all.note("key_set_url", *key_set_urls == other.key_set_urls);
        let preset = *preset_key_set_url == other.preset_key_set_url;
        all.note("key_set_url", preset);
        all.note("discovery_url", *discovery_url == other.discovery_url);
        all.note("key_set", *key_sets == other.key_sets);
        all.note("pem", *pems == other.pems);
        all.note("algorithms", *algorithms == other.algorithms);
        all.note("audience", *audiences == other.audiences);
        all.note("accept_any_audience", *any_audience == other.any_audience);
        let resource = *default_resource == other.default_resource;
        all.note("default_resource", resource);
        all.note("plain_http", *plain_http == other.plain_http);
        all.note("root_certificate", *roots == other.roots);
        all.note("proxy_from_environment", *proxies == other.proxies);
        all.note("audience_claim", *audience_claim == other.audience_claim);
        all.note("client_id", *client_ids == other.client_ids);
        all.note("accept_type", *types == other.types);
        all.note("accept_token_use", *token_uses == other.token_uses);
        let marks = *bears_id_token_marks == other.bears_id_token_marks;
        all.note("accept_id_token_marks", marks);
        all.note("require_claim", *required_claims == other.required_claims);
        let headers = *required_headers == other.required_headers;
        all.note("require_header", headers);
        all.note("scope_claim", *scope_claim == other.scope_claim);
        all.note("scope_hierarchy", *scope_closure == other.scope_closure);
        all.note("roles_claim", *roles_claim == other.roles_claim);
        all.note("groups_claim", *groups_claim == other.groups_claim);
        note_name_forms(name_forms, &other.name_forms, &mut all);
        all.note("acr_claim", *acr_claim == other.acr_claim);
        all.note("actor_claim", *actor_claim == other.actor_claim);
        all.note("max_actors", *max_actors == other.max_actors);
        all.note("subject_claim", *subject_claim == other.subject_claim);
        all.note("client_id_claim", *client_id_claim == other.client_id_claim);
        all.note("leeway", *leeway == other.leeway);
        all.note("logout_client", *logout_clients == other.logout_clients);
        let logout_life = *logout_life_without_exp == other.logout_life_without_exp;
        all.note("logout_tokens_without_exp", logout_life);
        all.note("session_claim", *session_claim == other.session_claim);
        let life = *longest_token_life == other.longest_token_life;
        all.note("longest_token_life", life);
        let interval = *refresh_interval == other.refresh_interval;
        all.note("refresh_interval", interval);
        let cooldown = *unknown_key_cooldown == other.unknown_key_cooldown;
        all.note("unknown_key_cooldown", cooldown);
        all.note("max_staleness", *max_staleness == other.max_staleness);
        all.note("most_keys", *most_keys == other.most_keys);
        all.note("key_set_bytes", *key_set_bytes == other.key_set_bytes);
        all.note("tenant_claims", *tenant == other.tenant);
        let bindings = *required_bindings == other.required_bindings;
        all.note("require_binding", bindings);
        #[cfg(feature = "status-list")]
        all.note("status_list", *status_list == other.status_list);
        #[cfg(feature = "jwks")]
        introspection.note_differences(&other.introspection, &mut all);
        #[cfg(all(feature = "axum", feature = "jwks"))]
        all.note("userinfo", *userinfo_location == other.userinfo_location);
        all.0
    }

    /// Whether both have the same static keys, judged by the same settings.
    pub(in crate::server) fn has_same_static_keys(&self, other: &Self) -> bool {
        self.key_sets == other.key_sets
            && self.pems == other.pems
            && self.algorithms == other.algorithms
            && self.most_keys == other.most_keys
    }
}

fn note_name_forms(one: &NameForms, other: &NameForms, all: &mut Differences) {
    let NameForms {
        lone,
        members,
        named_by,
        numbers,
    } = one;
    all.note("lone_roles_and_groups", *lone == other.lone);
    let members = *members == other.members;
    all.note("member_names_as_roles_and_groups", members);
    all.note("roles_and_groups_named_by", *named_by == other.named_by);
    all.note("numeric_roles_and_groups", *numbers == other.numbers);
}

#[cfg(feature = "jwks")]
impl IntrospectionSettings {
    fn note_differences(&self, other: &Self, all: &mut Differences) {
        let Self {
            identifier,
            authentication,
            dialect,
            bad_token,
            jwts,
            needs_audience,
            clients_without_subject,
            signed,
            signed_for,
            signed_age,
            life,
            calls,
            wait_limit,
            // The names of what was called.
            set: _,
        } = self;
        all.note("identified_as", *identifier == other.identifier);
        let is_same = match (authentication, &other.authentication) {
            (Some(one), Some(other)) => ClientAuthentication::is_same(one, other),
            (None, None) => true,
            _ => false,
        };
        all.note("client_authentication", is_same);
        all.note("token_dialect", *dialect == other.dialect);
        all.note("bad_token_status", *bad_token == other.bad_token);
        all.note("introspect_jwts", *jwts == other.jwts);
        let audience = *needs_audience == other.needs_audience;
        all.note("audience_where_stated", audience);
        let clients = *clients_without_subject == other.clients_without_subject;
        all.note("clients_without_subject", clients);
        all.note("signed_answers", *signed == other.signed);
        all.note("signed_answers_for", *signed_for == other.signed_for);
        all.note("signed_answer_age", *signed_age == other.signed_age);
        all.note("introspection_cache_life", *life == other.life);
        all.note("concurrent_introspections", *calls == other.calls);
        all.note("introspection_timeout", *wait_limit == other.wait_limit);
    }
}
