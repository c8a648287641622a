//! A setting that holds one value and is given two is a mistake; one that is given the same value
//! twice is not, and one that may be called for each keeps all.

use std::time::Duration;

use portcullis::config::{ClientAuthentication, SharedStore, TokenInformation};
use portcullis::revocation::Revocations;
use portcullis::tenant::{ClientTenant, LookupError, UserId, WorkspaceId};
use portcullis::test_util::{ManualClock, MockIssuer};
use portcullis::time::UnixTime;
use portcullis::{Algorithm, Issuer, ResourceServer, ResourceServerBuilder, TenantClaims};

use crate::support::API;

const SECOND: Duration = Duration::from_secs(1);

fn id() -> Issuer {
    Issuer::oidc("https://id.example.com")
}

fn asked() -> Issuer {
    Issuer::introspected("https://id.example.com/ask")
}

fn ours() -> ClientAuthentication {
    ClientAuthentication::basic("api", "word")
}

fn problem(builder: ResourceServerBuilder) -> Option<String> {
    builder
        .build()
        .err()
        .map(|mistake| mistake.setting().to_owned())
}

type Setter<T> = Box<dyn Fn(T, u64) -> T>;

/// The setting, what it is set on, and a way to set it to the first or the second value.
fn issuer_settings() -> Vec<(&'static str, Issuer, Setter<Issuer>)> {
    fn one(
        name: &'static str,
        on: Issuer,
        set: impl Fn(Issuer, u64) -> Issuer + 'static,
    ) -> (&'static str, Issuer, Setter<Issuer>) {
        (name, on, Box::new(set))
    }
    let pool = || Issuer::cognito("eu-west-1", "eu-west-1_AbCdEf").client_id("c");
    let service = || portcullis::presets::axway("https://gw.example.com/info");
    let known = || asked().client_authentication(ours());
    vec![
        one("audience_claim", id(), |i, n| {
            i.audience_claim(format!("c{n}"))
        }),
        one("scope_claim", id(), |i, n| i.scope_claim(format!("c{n}"))),
        one("roles_claim", id(), |i, n| {
            i.roles_claim(["realm", &format!("c{n}")])
        }),
        one("groups_claim", id(), |i, n| i.groups_claim(format!("c{n}"))),
        one("subject_claim", id(), |i, n| {
            i.subject_claim(format!("c{n}"))
        }),
        one("client_id_claim", id(), |i, n| {
            i.client_id_claim(format!("c{n}"))
        }),
        one("algorithms", id(), |i, n| {
            i.algorithms([[Algorithm::RS256, Algorithm::ES256][usize::try_from(n).expect("small")]])
        }),
        one("leeway", id(), |i, n| {
            i.leeway(SECOND * u32::try_from(n).expect("small"))
        }),
        one("longest_token_life", id(), |i, n| {
            i.longest_token_life(SECOND * 3600 + SECOND * u32::try_from(n).expect("small"))
        }),
        one("discovery_url", id(), |i, n| {
            i.discovery_url(format!("https://id.example.com/{n}"))
        }),
        one("endpoint", pool(), |i, n| {
            i.endpoint(format!("http://127.0.0.1:{}", 9000 + n))
        }),
        one("refresh_interval", id(), |i, n| {
            i.refresh_interval(Duration::from_secs(600 + n))
        }),
        one("unknown_key_cooldown", id(), |i, n| {
            i.unknown_key_cooldown(Duration::from_secs(30 + n))
        }),
        one("max_staleness", id(), |i, n| {
            i.max_staleness(Duration::from_secs(7200 + n))
        }),
        one("most_keys", id(), |i, n| {
            i.most_keys(100 + usize::try_from(n).expect("small"))
        }),
        one("key_set_bytes", id(), |i, n| {
            i.key_set_bytes((256 << 10) + usize::try_from(n).expect("small"))
        }),
        one("userinfo", id(), |i, n| {
            i.userinfo(format!("https://id.example.com/{n}"))
        }),
        one("identified_as", known(), |i, n| {
            i.identified_as(format!("name-{n}"))
        }),
        one("introspection_cache_life", known(), |i, n| {
            i.introspection_cache_life(Duration::from_secs(10 + n))
        }),
        one("concurrent_introspections", known(), |i, n| {
            i.concurrent_introspections(10 + usize::try_from(n).expect("small"))
        }),
        one("introspection_timeout", known(), |i, n| {
            i.introspection_timeout(Duration::from_secs(1 + n))
        }),
        // What a preset says is no value that was given.
        one("subject_claim", service(), |i, n| {
            i.subject_claim(format!("c{n}"))
        }),
        one("client_id_claim", service(), |i, n| {
            i.client_id_claim(format!("c{n}"))
        }),
    ]
}

#[test]
fn issuer_settings_that_are_given_two_values_are_mistakes_and_the_same_value_twice_is_none() {
    let with = |issuer: Issuer| ResourceServer::builder(API).issuer(issuer);
    for (setting, on, set) in issuer_settings() {
        assert_eq!(problem(with(set(on.clone(), 1))), None, "{setting}");
        let same = set(set(on.clone(), 1), 1);
        assert_eq!(problem(with(same)), None, "{setting} twice alike");
        let other = set(set(on.clone(), 0), 1);
        assert_eq!(problem(with(other)).as_deref(), Some(setting));
        // Neither does a third call mend it.
        let back = set(set(set(on, 0), 1), 0);
        assert_eq!(problem(with(back)).as_deref(), Some(setting));
    }
}

#[test]
fn issuer_settings_that_cannot_be_compared_or_contradict_are_mistakes() {
    let rules = || TenantClaims::by_workspace("w").without_accounts();
    let with = |issuer: Issuer| ResourceServer::builder(API).issuer(issuer);
    assert_eq!(problem(with(id().tenant_claims(rules()))), None);
    assert_eq!(problem(with(asked().client_authentication(ours()))), None);
    for (issuer, setting) in [
        (
            id().tenant_claims(rules()).tenant_claims(rules()),
            "tenant_claims",
        ),
        (
            asked()
                .client_authentication(ours())
                .client_authentication(ours()),
            "client_authentication",
        ),
        (
            portcullis::presets::axway("https://gw.example.com/info")
                .token_dialect(portcullis::presets::axway_dialect())
                .token_dialect(TokenInformation::field("token")),
            "token_dialect",
        ),
        (
            id().userinfo("https://id.example.com/me")
                .discover_userinfo(),
            "userinfo",
        ),
        (
            id().discover_userinfo()
                .userinfo("https://id.example.com/me"),
            "userinfo",
        ),
        (
            asked()
                .client_authentication(ours())
                .without_introspection_cache()
                .introspection_cache_life(SECOND),
            "introspection_cache_life",
        ),
        (
            asked()
                .client_authentication(ours())
                .introspection_cache_life(SECOND)
                .without_introspection_cache(),
            "introspection_cache_life",
        ),
    ] {
        assert_eq!(problem(with(issuer)).as_deref(), Some(setting));
    }
    // The mistake names the issuer.
    let twice = with(id().leeway(SECOND).leeway(SECOND * 2)).build();
    let mistake = twice.expect_err("two values");
    assert_eq!(mistake.issuer(), Some("https://id.example.com"));
    assert!(
        mistake
            .to_string()
            .contains("set twice to different values"),
        "{mistake}"
    );
}

#[test]
fn issuer_settings_that_may_be_called_for_each_keep_all() {
    let one = MockIssuer::named("https://id.example.com");
    let other = MockIssuer::named("https://id.example.com");
    let issuer = id()
        .client_id("a")
        .client_id("b")
        .audience("a")
        .audience("b")
        .accept_type("a+jwt")
        .accept_type("b+jwt")
        .require_claim("a", "1")
        .require_claim("b", "2")
        .require_header("a", "1")
        .require_header("b", "2")
        .logout_client("a")
        .logout_client("b")
        .key_set(one.key_set())
        .key_set(other.key_set())
        .also_named("a")
        .also_named("b")
        .lone_roles_and_groups()
        .lone_roles_and_groups()
        .proxy_from_environment()
        .proxy_from_environment();
    assert_eq!(problem(ResourceServer::builder(API).issuer(issuer)), None);
}

/// Settings of values that are given to an issuer: the setting, and the value with it set twice.
#[test]
fn settings_of_inner_values_that_are_given_two_values_are_mistakes() {
    let rules = || TenantClaims::by_workspace("w").without_accounts();
    let world = TenantClaims::aworld;
    let tenants: [(&str, TenantClaims, TenantClaims); 8] = [
        (
            "account_claim",
            rules().account_claim("a"),
            TenantClaims::by_workspace("w")
                .account_claim("a")
                .account_claim("a"),
        ),
        (
            "user_claim",
            rules().user_claim("a").user_claim("b"),
            world().user_claim("b"),
        ),
        (
            "role_claim",
            rules().role_claim("a").role_claim("b"),
            world().role_claim("b"),
        ),
        (
            "machine_claim",
            rules().machine_claim("p", "m").machine_claim("p", "n"),
            world().machine_claim("p", "m").machine_claim("p", "m"),
        ),
        (
            "only_accounts",
            world().only_accounts(["a"]).only_accounts(["b"]),
            world().user_claim("b"),
        ),
        (
            "in_context",
            rules().in_context("app").in_every_context(),
            rules().in_context("app").in_context("app"),
        ),
        (
            "delegation_scope_in",
            world()
                .delegation()
                .delegation_scope_in("app", "a")
                .delegation_scope_in("app", "b"),
            world()
                .delegation()
                .delegation_scope_in("app", "a")
                .delegation_scope_in("dashboard", "b"),
        ),
        (
            "client_tenant",
            rules().client_tenant("c", ClientTenant::workspace("w").account("a").account("b")),
            TenantClaims::by_workspace("w")
                .account_claim("a")
                .client_tenant("c", ClientTenant::workspace("w").account("a").account("a")),
        ),
    ];
    let of = |rules: TenantClaims| {
        let issuer = Issuer::cognito("eu-west-1", "eu-west-1_AbCdEfGhI").client_id("c");
        problem(ResourceServer::builder(API).issuer(issuer.tenant_claims(rules)))
    };
    for (setting, twice, once) in tenants {
        assert_eq!(of(twice).as_deref(), Some(setting));
        assert_ne!(of(once).as_deref(), Some(setting), "the accepted twin");
    }
    let key = || ClientAuthentication::private_key_jwt("api", "no pem").with_key_id("a");
    let with =
        |ours| problem(ResourceServer::builder(API).issuer(asked().client_authentication(ours)));
    assert_eq!(with(key().with_key_id("b")).as_deref(), Some("with_key_id"));
    assert_ne!(with(key().with_key_id("a")).as_deref(), Some("with_key_id"));
    let dialect = TokenInformation::field("t").lifetime_claim("a");
    let service = |dialect| {
        let issuer = portcullis::presets::axway("https://gw.example.com/info");
        problem(ResourceServer::builder(API).issuer(issuer.token_dialect(dialect)))
    };
    assert_eq!(
        service(dialect.lifetime_claim("b")).as_deref(),
        Some("lifetime_claim")
    );
    assert_eq!(
        service(portcullis::presets::axway_dialect().lifetime_claim("b")),
        None
    );
    let key: [u8; 32] = std::array::from_fn(|at| u8::try_from(at).expect("small"));
    let store = || SharedStore::redis("redis://127.0.0.1:1").cluster_key(key);
    let with = |store| {
        problem(
            ResourceServer::builder(API)
                .issuer(id())
                .shared_store(store),
        )
    };
    assert_eq!(with(store().cluster_key(key)), None);
    for (setting, store) in [
        ("cluster_key", store().cluster_key([8; 32])),
        (
            "previous_cluster_key",
            store()
                .previous_cluster_key([8; 32])
                .previous_cluster_key([9; 32]),
        ),
        ("namespace", store().namespace("a").namespace("b")),
        (
            "refuse_after",
            store().refuse_after(SECOND * 20).refuse_after(SECOND * 30),
        ),
        (
            "answer_timeout",
            store().answer_timeout(SECOND).answer_timeout(SECOND / 2),
        ),
    ] {
        assert_eq!(with(store).as_deref(), Some(setting));
    }
}

/// A directory of nothing.
struct Nobody;

impl portcullis::tenant::WorkspaceDirectory for Nobody {
    async fn owner(
        &self,
        _: &WorkspaceId,
    ) -> Result<Option<portcullis::tenant::AccountId>, LookupError> {
        Ok(None)
    }
}

impl portcullis::tenant::UserDirectory for Nobody {
    async fn has_user(
        &self,
        _: &portcullis::WorkspaceAccess,
        _: &UserId,
    ) -> Result<bool, LookupError> {
        Ok(false)
    }
}

#[test]
fn builder_settings_that_are_given_two_values_are_mistakes_and_the_same_value_twice_is_none() {
    fn one(
        name: &'static str,
        set: impl Fn(ResourceServerBuilder, u64) -> ResourceServerBuilder + 'static,
    ) -> (&'static str, Setter<ResourceServerBuilder>) {
        (name, Box::new(set))
    }
    let size = |n: u64| usize::try_from(n).expect("small");
    let all = [
        one("max_token_bytes", move |b, n| {
            b.max_token_bytes(2048 + size(n))
        }),
        one("resource_metadata", |b, n| {
            b.resource_metadata(format!("https://api.example.com/{n}"))
        }),
        one("earliest_time", |b, n| {
            b.earliest_time(UnixTime::from_secs(i64::try_from(n).expect("small")))
        }),
        one("token_cache_entries", move |b, n| {
            b.token_cache_entries(10 + size(n))
        }),
        one("token_cache_bytes", move |b, n| {
            b.token_cache_bytes((1 << 20) + size(n))
        }),
        one("token_cache_life", |b, n| {
            b.token_cache_life(Duration::from_secs(10 + n))
        }),
        one("lookup_timeout", |b, n| {
            b.lookup_timeout(Duration::from_secs(1 + n))
        }),
        one("most_revocations", move |b, n| {
            b.most_revocations(10 + size(n))
        }),
    ];
    let fresh = || ResourceServer::builder(API).issuer(id());
    for (setting, set) in all {
        assert_eq!(problem(set(fresh(), 1)), None, "{setting}");
        assert_eq!(
            problem(set(set(fresh(), 1), 1)),
            None,
            "{setting} twice alike"
        );
        assert_eq!(problem(set(set(fresh(), 0), 1)).as_deref(), Some(setting));
    }
    let clock = ManualClock::new();
    let load = portcullis::revocation::revocation_loader_fn(async |_: Revocations| Ok(()));
    for (builder, setting) in [
        (fresh().clock(clock.clone()).clock(clock), "clock"),
        (
            fresh()
                .workspace_directory(Nobody)
                .workspace_directory(Nobody),
            "workspace_directory",
        ),
        (
            fresh().user_directory(Nobody).user_directory(Nobody),
            "user_directory",
        ),
        (
            fresh().load_revocations(load).load_revocations(load),
            "load_revocations",
        ),
        (
            fresh().without_token_cache().token_cache_entries(10),
            "without_token_cache",
        ),
        (
            fresh().token_cache_life(SECOND).without_token_cache(),
            "without_token_cache",
        ),
    ] {
        assert_eq!(problem(builder).as_deref(), Some(setting));
    }
    assert_eq!(
        problem(fresh().without_token_cache().without_token_cache()),
        None
    );
}
