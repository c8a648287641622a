//! Every mistake in a configuration is found by `build()`, which names the setting.

use std::time::Duration;

use portcullis::test_util::MockIssuer;
use portcullis::{Issuer, ResourceServer, ResourceServerBuilder, TenantClaims};

use crate::support::API;

fn pool() -> Issuer {
    Issuer::cognito("eu-west-1", "eu-west-1_AbCdEf").client_id("c")
}

fn id() -> Issuer {
    Issuer::oidc("https://id.example.com")
}

fn emulated(region: &str, pool: &str) -> Issuer {
    Issuer::cognito(region, pool)
        .client_id("c")
        .endpoint("http://127.0.0.1:9229")
}

fn with(issuer: Issuer) -> ResourceServerBuilder {
    ResourceServer::builder(API).issuer(issuer)
}

fn tenants(rules: TenantClaims) -> ResourceServerBuilder {
    with(id().tenant_claims(rules))
}

#[test]
fn mistakes_name_their_setting_and_the_way_out() {
    let own = TenantClaims::by_workspace;
    let key_set = MockIssuer::new().key_set();
    let cases: Vec<(&str, ResourceServerBuilder, &str)> = vec![
        ("no issuer", ResourceServer::builder(API), "issuer"),
        (
            "no resource",
            ResourceServer::builder("").issuer(id()),
            "builder",
        ),
        (
            "a resource with a quote",
            ResourceServer::builder("a\"b").issuer(id()),
            "builder",
        ),
        ("an empty issuer", with(Issuer::oidc("")), "issuer"),
        (
            "a http issuer off loopback",
            with(Issuer::oidc("http://id.example.com")),
            "issuer",
        ),
        ("an issuer twice", with(id()).issuer(id()), "issuer"),
        (
            "an issuer that is no place",
            with(Issuer::oidc("urn:example:issuer")),
            "issuer",
        ),
        (
            "an issuer with user information",
            with(Issuer::oidc("https://a@id.example.com")),
            "issuer",
        ),
        (
            "a plain key set",
            with(id().key_set_url("http://id.example.com/keys")),
            "key_set_url",
        ),
        (
            "a key set in a file",
            with(id().key_set_url("file:///etc/keys")),
            "key_set_url",
        ),
        (
            "a key set in a data url",
            with(id().key_set_url("data:application/json,{}")),
            "key_set_url",
        ),
        (
            "a plain discovery",
            with(id().discovery_url("http://id.example.com/x")),
            "discovery_url",
        ),
        (
            "two sources of keys",
            with(
                id().key_set_url("https://a.example.com")
                    .key_set(key_set.clone()),
            ),
            "key_set",
        ),
        (
            "two urls",
            with(
                id().key_set_url("https://a.example.com")
                    .discovery_url("https://a.example.com"),
            ),
            "key_set_url",
        ),
        (
            "a key set that is none",
            with(id().key_set("{}")),
            "key_set",
        ),
        (
            "a key set without a key",
            with(id().key_set(r#"{"keys":[]}"#)),
            "key_set",
        ),
        (
            "a pem that is none",
            with(id().pem("-----BEGIN CERTIFICATE-----")),
            "pem",
        ),
        ("no algorithm", with(id().algorithms([])), "algorithms"),
        ("an empty audience", with(id().audience("")), "audience"),
        (
            "any audience and one",
            with(id().audience("a").danger().accept_any_audience()),
            "audience",
        ),
        (
            "a pool without a client",
            with(Issuer::cognito("eu-west-1", "eu-west-1_AbCdEf")),
            "client_id",
        ),
        ("an empty client", with(pool().client_id("")), "client_id"),
        (
            "a pool of another region",
            with(Issuer::cognito("eu-west-2", "eu-west-1_AbCdEf").client_id("c")),
            "cognito",
        ),
        (
            "a pool without an id",
            with(Issuer::cognito("eu-west-1", "eu-west-1_").client_id("c")),
            "cognito",
        ),
        (
            "a pool with a path",
            with(Issuer::cognito("eu-west-1", "eu-west-1_a/b").client_id("c")),
            "cognito",
        ),
        (
            "a region that is none",
            with(Issuer::cognito("example.com#", "example.com#_A").client_id("c")),
            "cognito",
        ),
        (
            "a region that only an emulator has",
            with(Issuer::cognito("local", "local_AbCdEf").client_id("c")),
            "cognito",
        ),
        (
            "an emulated region that is a path",
            with(emulated("local/x", "local/x_AbCdEf")),
            "cognito",
        ),
        (
            "an emulated pool of another region",
            with(emulated("local", "other_AbCdEf")),
            "cognito",
        ),
        (
            "a plain emulator",
            with(pool().endpoint("http://cognito.example.com")),
            "endpoint",
        ),
        (
            "an endpoint without a pool",
            with(id().endpoint("https://x.example.com")),
            "endpoint",
        ),
        (
            "too much leeway",
            with(id().leeway(Duration::from_secs(301))),
            "leeway",
        ),
        (
            "tokens that live for moments",
            with(id().longest_token_life(Duration::from_secs(59))),
            "longest_token_life",
        ),
        (
            "tokens that live for a season",
            with(id().longest_token_life(Duration::from_secs(90 * 24 * 3600 + 1))),
            "longest_token_life",
        ),
        (
            "room for no revocation",
            with(id()).most_revocations(0),
            "most_revocations",
        ),
        (
            "room for any number of revocations",
            with(id()).most_revocations(10_000_001),
            "most_revocations",
        ),
        (
            "refreshing all the time",
            with(id().refresh_interval(Duration::from_secs(1))),
            "refresh_interval",
        ),
        (
            "no cooldown",
            with(id().unknown_key_cooldown(Duration::ZERO)),
            "unknown_key_cooldown",
        ),
        (
            "stale before it is refreshed",
            with(id().max_staleness(Duration::from_secs(60))),
            "max_staleness",
        ),
        (
            "a claim without a name",
            with(id().scope_claim("")),
            "scope_claim",
        ),
        (
            "a path without a member",
            with(id().roles_claim(Vec::<String>::new())),
            "roles_claim",
        ),
        (
            "a required claim without a name",
            with(id().require_claim("", "x")),
            "require_claim",
        ),
        (
            "a required claim without a value",
            with(id().require_claim("x", "")),
            "require_claim",
        ),
        (
            "a required header without a name",
            with(id().require_header("", "x")),
            "require_header",
        ),
        (
            "a key id without a text",
            with(id().pem_with_key_id("", MockIssuer::new().public_key_pem())),
            "pem_with_key_id",
        ),
        (
            "an empty type",
            with(id().accept_type("application/")),
            "accept_type",
        ),
        (
            "a machine without a mark",
            tenants(own("w").without_accounts().machine_claim("p", "")),
            "tenant_claims",
        ),
        (
            "tiny tokens",
            with(id()).max_token_bytes(10),
            "max_token_bytes",
        ),
        (
            "huge tokens",
            with(id()).max_token_bytes(1 << 30),
            "max_token_bytes",
        ),
        (
            "plain metadata",
            with(id()).resource_metadata("http://api.example.com/x"),
            "resource_metadata",
        ),
        ("accounts left open", tenants(own("w")), "tenant_claims"),
        (
            "no workspace claim",
            tenants(own("").without_accounts()),
            "tenant_claims",
        ),
        (
            "no contexts",
            tenants(
                own("w")
                    .without_accounts()
                    .contexts("c", Vec::<String>::new()),
            ),
            "tenant_claims",
        ),
        (
            "a portal without contexts",
            tenants(own("w").without_accounts().portal_context("p")),
            "tenant_claims",
        ),
        (
            "a context twice",
            tenants(
                own("w")
                    .without_accounts()
                    .contexts("c", ["p"])
                    .portal_context("p"),
            ),
            "tenant_claims",
        ),
        (
            "a portal client without a portal",
            tenants(own("w").without_accounts().portal_client("x")),
            "tenant_claims",
        ),
        (
            "an empty portal client",
            tenants(TenantClaims::aworld().portal_client("")),
            "tenant_claims",
        ),
    ];
    for (name, builder, setting) in cases {
        let error = builder.build().expect_err(name);
        assert_eq!(error.setting(), setting, "{name}: {error}");
        let text = error.to_string();
        assert!(text.contains(&format!("`{setting}`")), "{name}: {text}");
        assert!(
            !text.contains('\n') && !text.ends_with('.'),
            "{name}: {text}"
        );
    }
}

#[test]
fn their_accepted_twins_build() {
    let own = TenantClaims::by_workspace;
    for (name, builder) in [
        ("a pool", with(pool())),
        ("an issuer", with(id())),
        (
            "a strict issuer",
            with(Issuer::rfc9068("https://id.example.com/")),
        ),
        (
            "an issuer on loopback",
            with(Issuer::oidc("http://127.0.0.1:8080")),
        ),
        (
            "a http issuer, knowingly",
            with(Issuer::oidc("http://id.internal").danger().plain_http()),
        ),
        (
            "an issuer that is no place, with keys",
            with(Issuer::oidc("urn:example:issuer").key_set_url("https://id.example.com/keys")),
        ),
        (
            "an emulated pool",
            with(pool().endpoint("http://127.0.0.1:9229")),
        ),
        (
            "an emulated pool in a region of its own",
            with(emulated("local", "local_AbCdEf")),
        ),
        (
            "a pool in China",
            with(Issuer::cognito("cn-north-1", "cn-north-1_AbCdEf").client_id("c")),
        ),
        (
            "the most leeway",
            with(id().leeway(Duration::from_secs(300))),
        ),
        (
            "the shortest and the longest lives",
            with(id().longest_token_life(Duration::from_secs(60)))
                .issuer(pool().longest_token_life(Duration::from_secs(90 * 24 * 3600)))
                .most_revocations(1),
        ),
        (
            "a pool of any client",
            with(
                Issuer::cognito("eu-west-1", "eu-west-1_AbCdEf")
                    .danger()
                    .accept_any_audience(),
            ),
        ),
        ("two issuers", with(id()).issuer(pool())),
        (
            "static keys",
            with(id().key_set(MockIssuer::new().key_set())),
        ),
        ("a pem", with(id().pem(MockIssuer::new().public_key_pem()))),
        (
            "tenants",
            tenants(own(["org", "workspace"]).account_claim(["org", "id"])),
        ),
        (
            "portal clients",
            tenants(TenantClaims::aworld().portal_client("x").portal_client("y")),
        ),
    ] {
        assert!(builder.build().is_ok(), "{name}");
    }
}

#[test]
fn debug_and_display_tell_no_secret() {
    let issuer = MockIssuer::new();
    let builder = with(issuer.trusted());
    assert!(!format!("{builder:?}").is_empty());
    let server = builder.build().expect("sound");
    assert!(format!("{server:?}").contains(API));
    assert!(!format!("{:?}", server.authenticate()).is_empty());
}

#[test]
fn mistakes_and_debug_show_no_password_and_no_query() {
    let secret = "https://user:hunter2@id.example.com/keys?apikey=hunter2#hunter2";
    for builder in [
        with(id().key_set_url(secret)),
        with(id().discovery_url(secret)),
        with(id()).resource_metadata(secret),
        with(pool().endpoint(secret)),
    ] {
        let error = builder.build().expect_err("user information");
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains("hunter2"), "{shown}");
    }
    let issuer = id().key_set_url("https://id.example.com/keys?apikey=hunter2");
    assert!(!format!("{issuer:?}").contains("hunter2"));
}

#[test]
fn build_reports_every_mistake_with_its_issuer_setting_and_kind() {
    use portcullis::error::ConfigMistakeKind as Kind;

    let one = || Issuer::oidc("https://one.example.com");
    let two = || Issuer::cognito("eu-west-1", "eu-west-1_AbCdEf");
    let error = ResourceServer::builder(API)
        .issuer(
            one()
                .leeway(Duration::from_secs(3600))
                .algorithms([])
                .key_set_url("http://keys.example.com")
                .tenant_claims(TenantClaims::by_workspace("").machine_claim("kind", "")),
        )
        .issuer(two())
        .issuer(one().client_id("a").roles_claim("x").roles_claim("y"))
        .max_token_bytes(1)
        .lookup_timeout(Duration::ZERO)
        .build()
        .expect_err("mistakes");
    let found: Vec<_> = error
        .mistakes()
        .map(|mistake| (mistake.issuer(), mistake.setting(), mistake.kind()))
        .collect();
    let (first, pool) = (
        Some("https://one.example.com"),
        Some("https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_AbCdEf"),
    );
    assert_eq!(
        found,
        [
            (None, "max_token_bytes", Kind::OutOfBounds),
            (None, "lookup_timeout", Kind::OutOfBounds),
            (first, "leeway", Kind::OutOfBounds),
            (first, "tenant_claims", Kind::Invalid),
            (first, "tenant_claims", Kind::Invalid),
            (first, "tenant_claims", Kind::Invalid),
            (first, "algorithms", Kind::Missing),
            (first, "key_set_url", Kind::Invalid),
            (pool, "client_id", Kind::Missing),
            (first, "roles_claim", Kind::Repeated),
        ]
    );
    assert_eq!(error.setting(), "max_token_bytes");
    assert_eq!((error.issuer(), error.kind()), (None, Kind::OutOfBounds));
    let text = error.to_string();
    assert!(
        text.starts_with("10 mistakes in the configuration:\n`max_token_bytes`: "),
        "{text}"
    );
    for mistake in error.mistakes() {
        assert!(text.contains(&format!("\n{mistake}")), "{text}");
        assert!(mistake.to_string().contains(mistake.problem()));
    }
    // The accepted twin, and one mistake in one line.
    assert!(ResourceServer::builder(API).issuer(one()).build().is_ok());
    let single = ResourceServer::builder(API)
        .issuer(two())
        .build()
        .expect_err("one");
    assert_eq!(single.mistakes().count(), 1);
    assert_eq!(single.to_string().lines().count(), 1);
}

#[test]
fn settings_of_another_kind_of_issuer_are_all_named() {
    let issuer = id()
        .introspect_jwts()
        .signed_answers()
        .endpoint("https://emulator.example.com");
    let only = with(
        id().introspect_jwts()
            .signed_answers()
            .concurrent_introspections(2),
    );
    let found = only.build().expect_err("none of its settings");
    let settings: Vec<_> = found
        .mistakes()
        .map(portcullis::error::ConfigMistake::setting)
        .collect();
    assert_eq!(
        settings,
        [
            "introspect_jwts",
            "signed_answers",
            "concurrent_introspections"
        ]
    );
    assert!(
        found
            .mistakes()
            .all(|one| one.kind() == portcullis::error::ConfigMistakeKind::Conflict)
    );
    assert_eq!(
        with(issuer).build().expect_err("endpoint").setting(),
        "endpoint"
    );
}
