//! The configuration as data: formats, paths of mistakes, secrets, environment variables.

use std::fs;

use axum::routing::get;
use portcullis::config::{Configuration, ConfigurationError};
use portcullis::error::ConfigMistakeKind;
use portcullis::test_util::MockIssuer;
use portcullis::{Algorithm, ResourceServer};
use serde_json::{Value, json};

use crate::support::{API, Requests as _, TestApp};

const TOML: &str = r#"
resource = "https://api.example.com"
max_token_bytes = 2048
token_cache_life = "1min 30s"

[[issuer]]
oidc = "https://id.example.com"
algorithms = ["ES256"]
audience = ["orders-api", "https://api.example.com"]
roles_claim = ["realm_access", "roles"]
leeway = "10s"
lone_roles_and_groups = true
require_claim = [{ claim = "ver", value = "2" }, { claim = "email_verified", value = true }]
key_set = { file = "KEYS" }
"#;

const YAML: &str = r#"
resource: https://api.example.com
max_token_bytes: 2048
token_cache_life: 1min 30s
issuer:
  - oidc: https://id.example.com
    algorithms: [ES256]
    audience: [orders-api, https://api.example.com]
    roles_claim: [realm_access, roles]
    leeway: 10s
    lone_roles_and_groups: true
    require_claim:
      - { claim: ver, value: "2" }
      - { claim: email_verified, value: true }
    key_set: { file: KEYS }
"#;

const JSON: &str = r#"{
    "$schema": "https://example.com/configuration.schema.json",
    "resource": ["https://api.example.com"],
    "max_token_bytes": 2048,
    "token_cache_life": "1min 30s",
    "issuer": {
        "oidc": "https://id.example.com",
        "algorithms": "ES256",
        "audience": ["orders-api", "https://api.example.com"],
        "roles_claim": ["realm_access", "roles"],
        "leeway": "10s",
        "lone_roles_and_groups": true,
        "require_claim": [
            { "claim": "ver", "value": "2" },
            { "claim": "email_verified", "value": true }
        ],
        "key_set": { "file": "KEYS" }
    }
}"#;

fn issuer() -> MockIssuer {
    MockIssuer::named("https://id.example.com").with_algorithms([Algorithm::ES256])
}

/// A file that is there until this value is dropped.
struct Held(std::path::PathBuf);

impl Held {
    fn new(name: &str, content: impl AsRef<[u8]>) -> Self {
        let name = format!("portcullis-{name}-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::write(&path, content).expect("a file");
        Self(path)
    }

    fn path(&self) -> &str {
        self.0.to_str().expect("UTF-8")
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

fn from_toml(text: &str) -> Result<Configuration, ConfigurationError> {
    let parsed = toml::Deserializer::parse(text).expect("TOML");
    Configuration::deserialize_from(parsed)
}

fn mistake(configuration: Value) -> String {
    let read = Configuration::deserialize_from(configuration);
    let built = read.and_then(Configuration::into_builder);
    built.expect_err("a mistake").to_string()
}

/// A sound configuration with this member of the first issuer.
fn with_member(name: &str, value: Value) -> Value {
    let mut whole = json!({
        "resource": "https://api.example.com",
        "issuer": [{ "oidc": "https://id.example.com" }],
    });
    whole["issuer"][0][name] = value;
    whole
}

/// A sound configuration with this member of the server.
fn with_server(name: &str, value: Value) -> Value {
    let mut whole = with_member("leeway", "10s".into());
    whole[name] = value;
    whole
}

async fn check(server: &ResourceServer, issuer: &MockIssuer) {
    let app = TestApp::behind(server.authenticate()).route("/", get(|| async {}));
    let token = issuer
        .token()
        .audience("orders-api")
        .claim("ver", "2")
        .claim("email_verified", true);
    for (token, expected) in [
        (token.clone(), "200"),
        (
            token.clone().claim("email_verified", "true"),
            "401 invalid_token required_value",
        ),
        (
            token.clone().claim("ver", "1"),
            "401 invalid_token required_value",
        ),
        (token.audience("other"), "401 invalid_token audience"),
    ] {
        assert_eq!(app.get("/", &token.sign()).await.verdict(), expected);
    }
}

#[tokio::test]
async fn configuration_reads_toml_yaml_and_json_alike() {
    let issuer = issuer();
    let keys = Held::new("formats", issuer.key_set());
    let [toml, yaml, json] = [TOML, YAML, JSON].map(|text| text.replace("KEYS", keys.path()));
    let yaml: Value = serde_saphyr::from_str(&yaml).expect("YAML");
    for read in [
        from_toml(&toml),
        Configuration::deserialize_from(yaml),
        Configuration::deserialize_from(&mut serde_json::Deserializer::from_str(&json)),
    ] {
        let builder = read.expect("a configuration").into_builder();
        let server = builder.expect("settings").build().expect("sound");
        check(&server, &issuer).await;
    }
}

#[tokio::test]
async fn configuration_reads_the_environment() {
    let issuer = issuer();
    let keys = Held::new("environment", issuer.key_set());
    let variables = [
        ("APP__RESOURCE", "https://api.example.com"),
        ("APP__MAX_TOKEN_BYTES", "2048"),
        ("APP__LOG_CALLERS", "false"),
        ("APP__LOOKUP_TIMEOUT", ""),
        ("APP__ISSUER__0__OIDC", "https://id.example.com"),
        ("APP__ISSUER__0__AUDIENCE__0", "orders-api"),
        ("APP__ISSUER__0__AUDIENCE__1", "https://api.example.com"),
        ("APP__ISSUER__0__ALGORITHMS", "ES256"),
        ("APP__ISSUER__0__REQUIRE_CLAIM__0__CLAIM", "ver"),
        ("APP__ISSUER__0__REQUIRE_CLAIM__0__VALUE", "2"),
        ("APP__ISSUER__0__KEY_SET__FILE", keys.path()),
        ("APPLICATION", "ignored"),
    ];
    let read = |variables: &[(&str, &str)]| {
        let owned = variables.iter();
        let owned = owned.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Configuration::from_variables("APP", owned)
    };
    let builder = read(&variables).expect("a configuration").into_builder();
    let server = builder.expect("settings").build().expect("sound");
    let app = TestApp::behind(server.authenticate()).route("/", get(|| async {}));
    let token = issuer.token().audience("orders-api");
    let good = token.clone().claim("ver", "2").sign();
    assert_eq!(app.get("/", &good).await.verdict(), "200");
    let bad = token.claim("ver", "1").sign();
    assert_eq!(
        app.get("/", &bad).await.verdict(),
        "401 invalid_token required_value"
    );
    for (name, value, path) in [
        ("APP__ISSUER__0__LEWAY", "10s", "issuer[0].leway"),
        ("APP__MAX_TOKEN_BYTES", "many", "max_token_bytes"),
        ("APP__LOG_CALLERS", "yes", "log_callers"),
    ] {
        let mut wrong = variables.to_vec();
        wrong.retain(|(known, _)| *known != name);
        wrong.push((name, value));
        let error = read(&wrong).expect_err("a mistake");
        assert_eq!(error.path(), path, "{error}");
    }
    // The process has no such variables.
    let error = Configuration::from_environment("PORTCULLIS_TEST_OF_NOTHING");
    let error = error.and_then(Configuration::into_builder);
    assert_eq!(
        error.expect_err("a mistake").to_string(),
        "the member `resource` is missing"
    );
}

#[test]
fn configuration_mistakes_have_the_path_of_their_member() {
    for (configuration, expected) in [
        (
            with_member("leway", "10s".into()),
            "`issuer[0].leway`: there is no member of this name; did you mean `leeway`?",
        ),
        (
            with_member("leeway", 10.into()),
            "`issuer[0].leeway`: it is a whole number, and a duration in words, such as `30s`, `5min`, `1h 30min` or `7d` is expected",
        ),
        (
            with_member("leeway", "10 parsecs".into()),
            "`issuer[0].leeway`: `10 parsecs` is not a duration in words, such as `30s`, `5min`, `1h 30min` or `7d`",
        ),
        (
            with_member("leeway", Value::Null),
            "`issuer[0].leeway`: it is null; give a value, or leave the member out",
        ),
        (
            with_member("algorithms", json!(["ES256", "HS256"])),
            "`issuer[0].algorithms[1]`: `HS256` is none of RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512, EdDSA, Ed25519, ML-DSA-44, ML-DSA-65, ML-DSA-87",
        ),
        (
            with_member("most_keys", "10".into()),
            "`issuer[0].most_keys`: it is text, and a whole number in its range is expected",
        ),
        (
            with_member("most_keys", json!(-1)),
            "`issuer[0].most_keys`: the value is out of range; a whole number in its range is expected",
        ),
        (
            with_member("scope_claim", 7.into()),
            "`issuer[0].scope_claim`: a claim's name or a list of names",
        ),
        (
            with_member("scope_claim", json!([])),
            "`issuer[0].scope_claim`: a claim's path has an empty name, or none",
        ),
        (
            with_member("require_binding", "dpopp".into()),
            "`issuer[0].require_binding[0]`: `dpopp` is none of `any`, `dpop`, `mutual_tls`",
        ),
        (
            with_member("cognito", json!({ "region": "eu-west-1" })),
            "`issuer[0].cognito.pool_id`: it is missing",
        ),
        (
            with_member("rfc9068", "https://other.example.com".into()),
            "`issuer[0]`: `rfc9068` and `oidc` exclude each other; keep one of them",
        ),
        (
            with_member(
                "tenant_claims",
                json!({ "by_workspace": "w", "aworld": true }),
            ),
            "`issuer[0].tenant_claims`: `by_workspace` and `aworld` exclude each other; keep one of them",
        ),
        (
            with_member("tenant_claims", json!({ "aworld": false })),
            "`issuer[0].tenant_claims.aworld`: it is chosen by `true`; leave the member out where it is not",
        ),
        (
            with_member(
                "scope_hierarchy",
                json!({ "scope": "a", "implies": "b  c" }),
            ),
            "`issuer[0].scope_hierarchy[0].implies[0]`: `b  c` is no scope (RFC 6749 section 3.3); give its tokens with single spaces between",
        ),
        (
            with_member("gitlab", json!({ "base_url": "https://gitlab.com" })),
            "`issuer[0].gitlab.namespace_path`: it is missing",
        ),
        (
            with_server("key_set_copies", json!({ "max_age": "1h" })),
            "`key_set_copies`: the member `folder` is missing",
        ),
        (
            with_server(
                "key_set_copies",
                json!({ "folder": "/f", "sealing_key": "x" }),
            ),
            "`key_set_copies.sealing_key`: there is no member of this name; there are `folder`, `sealing_key_base64`",
        ),
        (
            with_server("decision_records", true.into()),
            "`decision_records`: it is a boolean, and a table of members is expected",
        ),
        (
            with_server("decision_records", json!({ "subject_ids": "hashed" })),
            "`decision_records.subject_ids`: `hashed` is none of `plain`, `fingerprint`, `omitted`",
        ),
        (
            with_server("decision_records", json!({ "when_queue_is_full": "wait" })),
            "`decision_records.when_queue_is_full`: `wait` is none of `drop_newest`, `refuse`",
        ),
        (
            with_server("decision_records", json!({ "sink": "/var/log/audit" })),
            "`decision_records.sink`: there is no member of this name",
        ),
        (
            json!({ "resource": "https://api.example.com", "issuer": [{ "leeway": "1s" }] }),
            "`issuer[0]`: one of these members is needed: `cognito`, `rfc9068`, `oidc`, `oidc_tenants`, `fapi2`, `keycloak`, `auth0`, `entra`, `entra_tenants`, `okta`, `zitadel`, `safewhere`, `kubernetes`, `managed_kubernetes`, `github_actions`, `gitlab`, `google_workload`, `aws_workload`, `spiffe`, `axway`, `introspected`, `introspection_discovered`, `token_information`",
        ),
        (json!({ "issuer": [] }), "the member `resource` is missing"),
        (
            json!({ "resource": [] }),
            "`resource`: it names no resource; give at least one",
        ),
        (
            json!({ "resource": [{ "audience": "x" }] }),
            "`resource[0]`: the member `identifier` is missing",
        ),
        (
            json!({ "resource": "https://api.example.com", "totally_unknown_name": 1 }),
            "`totally_unknown_name`: there is no member of this name; there are `resource`",
        ),
        (
            json!(7),
            "it is a whole number, and a table of members is expected",
        ),
    ] {
        let found = mistake(configuration);
        assert!(found.starts_with(expected), "{found}");
        assert_eq!(found.lines().count(), 1, "{found}");
    }
    let twice =
        r#"{ "resource": "https://api.example.com", "resource": "https://other.example.com" }"#;
    let twice = Configuration::deserialize_from(&mut serde_json::Deserializer::from_str(twice));
    let twice = twice.expect_err("a mistake").to_string();
    assert!(twice.contains("`resource` is there twice"), "{twice}");
}

/// No member takes a value of another kind, a list of its fields among them, and each says where.
#[test]
fn configuration_members_refuse_other_kinds_by_path() {
    let schema = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/docs/configuration.schema.json"
    );
    let schema: Value =
        serde_json::from_str(&fs::read_to_string(schema).expect("the schema")).expect("JSON");
    let names = |table: &Value| -> Vec<String> {
        let members = table["properties"].as_object().expect("members");
        members.keys().cloned().collect()
    };
    let issuers = names(&schema["$defs"]["IssuerTable"]);
    assert!(issuers.len() > 60);
    for name in issuers {
        let mut whole = with_member(&name, json!([[["x"]]]));
        let expected = format!("`issuer[0].{name}");
        let found = mistake(whole.clone());
        assert!(found.starts_with(&expected), "{found}");
        whole["issuer"][0][&name] = Value::Null;
        let found = mistake(whole);
        assert!(
            found.contains("null") || found.contains("a claim's name"),
            "{found}"
        );
    }
    for name in names(&schema).into_iter().filter(|name| name != "$schema") {
        let mut whole = json!({ "resource": "https://api.example.com" });
        whole[&name] = json!([[["x"]]]);
        let found = mistake(whole);
        assert!(found.starts_with(&format!("`{name}")), "{found}");
    }
    let found = mistake(with_member(
        "cognito",
        json!(["eu-west-1", "eu-west-1_AbCdEf"]),
    ));
    assert_eq!(
        found,
        "`issuer[0].cognito`: it is a list, and a table with `region` and `pool_id` is expected"
    );
}

/// What `build()` finds, it names by the member.
#[test]
fn configuration_members_are_the_settings_that_build_names() {
    let build = |configuration: Value| {
        let read = Configuration::deserialize_from(configuration).expect("a configuration");
        let builder = read.into_builder().expect("settings");
        builder.build().expect_err("a mistake")
    };
    let found = build(with_member("leeway", "1h".into()));
    assert_eq!(found.setting(), "leeway");
    assert_eq!(found.issuer(), Some("https://id.example.com"));
    assert_eq!(found.kind(), ConfigMistakeKind::OutOfBounds);
    let mut whole = with_member("leeway", "10s".into());
    whole["max_token_bytes"] = 10.into();
    assert_eq!(build(whole).setting(), "max_token_bytes");
}

/// Settings that are code are added to the builder; two values of one setting are a mistake.
#[test]
fn configuration_and_code_do_not_contradict_each_other_in_silence() {
    let mut whole = with_member("leeway", "10s".into());
    whole["max_token_bytes"] = 2048.into();
    let builder = || {
        let read = Configuration::deserialize_from(whole.clone()).expect("a configuration");
        read.into_builder().expect("settings")
    };
    assert!(
        builder()
            .max_token_bytes(2048)
            .log_callers()
            .build()
            .is_ok()
    );
    let mistake = builder().max_token_bytes(4096).build().expect_err("twice");
    assert_eq!(mistake.setting(), "max_token_bytes");
    assert_eq!(mistake.kind(), ConfigMistakeKind::Repeated);
}

#[test]
fn configuration_refuses_secrets_that_stand_in_it_and_does_not_show_them() {
    const SECRET: &str = "s3cr3t-s3cr3t";
    let client = |basic: Value| with_member("client_authentication", json!({ "basic": basic }));
    let inline = [
        client(json!({ "client_id": "id", "secret": SECRET })),
        client(json!({ "client_id": 7, "secret": SECRET })),
        client(SECRET.into()),
        with_member("client_authentication", SECRET.into()),
        with_member("client_authentication", json!({ "bearer": [SECRET] })),
        with_member(
            "client_authentication",
            json!({ "bearer": { "file": [SECRET] } }),
        ),
        with_member("pem", "-----BEGIN PRIVATE KEY-----\ns3cr3t-s3cr3t".into()),
        json!({
            "resource": "https://api.example.com",
            "shared_store": { "redis": "rediss://user:s3cr3t-s3cr3t@cache.example.com" },
        }),
        json!({
            "resource": "https://api.example.com",
            "shared_store": { "redis": "rediss://cache.example.com", "cluster_key_base64": SECRET },
        }),
        json!({
            "resource": "https://api.example.com",
            "dpop": { "accepted": true, "nonce_key_base64": SECRET },
        }),
        json!({
            "resource": "https://api.example.com",
            "ssf_transmitter": { "issuer": "https://idp.example.com", "push_authorization": SECRET },
        }),
    ];
    for configuration in inline {
        // TOML quotes the line of a mistake; the library leaves it out.
        let text = toml::to_string(&configuration).expect("TOML");
        for error in [
            Configuration::deserialize_from(configuration.clone()).expect_err("a mistake"),
            from_toml(&text).expect_err("a mistake"),
        ] {
            let shown = format!("{error} {error:?}");
            assert!(!shown.contains(SECRET), "{shown}");
            assert!(!error.path().is_empty(), "{shown}");
        }
    }
    let broken = format!("resource = \"https://api.example.com\"\nsecret = \"{SECRET}\" = 7\n");
    let error = match toml::Deserializer::parse(&broken) {
        Ok(parsed) => Configuration::deserialize_from(parsed).expect_err("a mistake"),
        Err(_) => return,
    };
    assert!(!error.to_string().contains(SECRET), "{error}");
}

#[test]
fn configuration_reads_secrets_where_they_are() {
    let client = |place: Value| {
        with_member(
            "client_authentication",
            json!({ "basic": { "client_id": "orders-api", "secret": place } }),
        )
    };
    let introspected = |place: Value| {
        let mut whole = client(place);
        let issuer = whole["issuer"][0].as_object_mut().expect("an issuer");
        issuer.remove("oidc");
        issuer.insert(
            "introspected".into(),
            "https://as.example.com/introspect".into(),
        );
        whole
    };
    let good = Held::new("good-secret", "s3cr3t\r\n");
    let read = Configuration::deserialize_from(introspected(json!({ "file": good.path() })));
    let read = read.expect("a configuration");
    assert!(!format!("{read:?}").contains("s3cr3t"));
    let builder = read.into_builder().expect("settings");
    assert!(!format!("{builder:?}").contains("s3cr3t"));
    builder.build().expect("sound");

    let empty = Held::new("empty-secret", "\n");
    let binary = Held::new("binary-secret", [0xff, 0xfe]);
    for (place, expected) in [
        (json!({ "file": empty.path() }), "secret.file`: the file `"),
        (json!({ "file": binary.path() }), "is not UTF-8"),
        (
            json!({ "file": "/no/such/file" }),
            "secret.file`: the file `/no/such/file` is not readable",
        ),
        (
            json!({ "env": "PORTCULLIS_TEST_NO_SUCH_VARIABLE" }),
            "secret.env`: there is no variable `PORTCULLIS_TEST_NO_SUCH_VARIABLE`",
        ),
        (json!({}), "secret`: give either `file` or `env`"),
        (
            json!({ "file": "/a", "env": "B" }),
            "secret`: give either `file` or `env`",
        ),
        (
            json!({ "value": "s3cr3t" }),
            "secret.value`: there is no member of this name; there are `file`, `env`",
        ),
    ] {
        let found = mistake(introspected(place));
        assert!(found.contains(expected), "{found}");
        assert!(!found.contains("s3cr3t"), "{found}");
    }
    // A variable that every process has.
    let by_variable = introspected(json!({ "env": "PATH" }));
    let read = Configuration::deserialize_from(by_variable).expect("a configuration");
    assert!(read.into_builder().expect("settings").build().is_ok());
}

/// An application can have it in a configuration of its own.
#[test]
fn configuration_is_a_part_of_another() {
    #[derive(Debug, serde::Deserialize)]
    struct Application {
        listen: String,
        authentication: Configuration,
    }

    let whole = |leeway: &str| {
        json!({
            "listen": "127.0.0.1:3000",
            "authentication": with_member("leeway", leeway.into()),
        })
    };
    let read: Application = serde_json::from_value(whole("10s")).expect("a configuration");
    assert_eq!(read.listen, "127.0.0.1:3000");
    let builder = read.authentication.into_builder().expect("settings");
    assert!(builder.build().is_ok());
    let error = serde_json::from_value::<Application>(whole("10")).expect_err("a mistake");
    assert!(error.to_string().contains("`issuer[0].leeway`"), "{error}");
}

/// Cut anywhere, a file is refused or read; it never panics.
#[test]
fn configuration_survives_every_cut() {
    for end in 0..TOML.len() {
        let Some(part) = TOML.get(..end) else {
            continue;
        };
        if let Ok(parsed) = toml::Deserializer::parse(part) {
            let read = Configuration::deserialize_from(parsed);
            drop(read.and_then(Configuration::into_builder));
        }
    }
    for end in 0..JSON.len() {
        let part = JSON.get(..end).expect("ASCII");
        let mut reader = serde_json::Deserializer::from_str(part);
        assert!(
            Configuration::deserialize_from(&mut reader).is_err(),
            "{end}"
        );
    }
}

#[test]
fn configuration_error_is_one_line_whatever_the_names_and_values_are() {
    for (file, path, text) in [
        (
            json!({ "resource": API, "a\n\u{1b}[2J\u{202e}b": 1 }),
            "a\\n\\u{1b}[2J\\u{202e}b",
            "there is no member of this name",
        ),
        (
            json!({ "resource": API, "issuer": [{ "oidc": "https://id.example.com", "leeway": "1\r\u{1b}parsecs" }] }),
            "issuer[0].leeway",
            "`1\\r\\u{1b}parsecs` is not",
        ),
        // The twin: what is no control character stays.
        (
            json!({ "resource": API, "é \"x\" 'y'": 1 }),
            "é \"x\" 'y'",
            "there is no member of this name",
        ),
    ] {
        let error = Configuration::deserialize_from(file).expect_err("a mistake");
        assert_eq!(error.path(), path);
        assert!(error.problem().contains(text), "{error}");
        assert!(!error.to_string().contains(char::is_control), "{error}");
    }
}

/// Every setting at once: each reaches the builder.
#[test]
fn configuration_has_members_of_every_part() {
    let key = Held::new("key", "rPUvQsdR1QmdZ+EAVhtK7aKIOhvYW2jNvK2dFEJTe2I=\n");
    let place = json!({ "file": key.path() });
    let older = Held::new(
        "older-key",
        "h3mWcYyqv0fUqQ1m0W0rY1bq0J0Zc8m0m5vQ0m2c1aE=\n",
    );
    let older = json!({ "file": older.path() });
    let whole = json!({
        "resource": [
            {
                "identifier": "https://api.example.com",
                "scopes": ["orders:read", "orders:write"],
                "name": "Orders",
                "localized_name": { "language": "it", "name": "Ordini" },
                "documentation": "https://docs.example.com",
                "member": { "name": "x_tier", "value": { "level": 1 } },
                "metadata_max_age": "2h",
            },
            "https://api.example.com/mcp",
        ],
        "issuer": [
            { "oidc": "https://id.example.com", "status_list": { "required": true }, "discover_userinfo": true },
            {
                "token_information": "https://gateway.example.com/tokens",
                "token_dialect": { "field": "token", "bad_token_status": [404], "lifetime_claim": "ttl" },
                "identified_as": "https://gateway.example.com",
                "introspection_cache_life": "30s",
            },
            {
                "kubernetes": "https://kubernetes.default.svc.cluster.local",
                "bearer_token_file": "/run/secrets/keys-token",
                "root_certificate_file": ["/run/secrets/ca.crt", "/run/secrets/next-ca.crt"],
                "key_set_origin": "https://10.0.0.1:6443",
            },
            { "spiffe": "example.org", "key_set_url": "https://bundles.example.org/example.org" },
        ],
        "scope_hierarchy": [{ "scope": "orders:write", "implies": "orders:read" }],
        "dpop": { "accepted": true, "max_age": "1min", "nonce_key_base64": place, "require_nonces": true, "when_store_is_down": "use_local_store" },
        "public_path": { "public": "/api" },
        "key_set_copies": { "folder": "/var/lib/api/key-sets", "sealing_key_base64": place, "max_age": "6h" },
        "decision_records": { "subject_ids": "fingerprint", "fingerprint_key_base64": place, "queue_capacity": 100, "when_queue_is_full": "refuse" },
        "shared_store": { "redis": "rediss://cache.example.com:6379", "cluster_key_base64": place, "previous_cluster_key_base64": older, "refuse_after": "1min" },
        "ssf_transmitter": {
            "issuer": "https://id.example.com",
            "audience": "https://api.example.com/ssf",
            "push_authorization": place,
            "on": { "event": "https://schemas.openid.net/secevent/caep/event-type/session-revoked", "effect": "revoke_subject" },
        },
    });
    let read = Configuration::deserialize_from(whole).expect("a configuration");
    let server = read.into_builder().expect("settings").build();
    let server = server.expect("sound");
    let resources: Vec<&str> = server.resources().collect();
    assert_eq!(
        resources,
        ["https://api.example.com", "https://api.example.com/mcp"]
    );
}

/// Settings of the server that stay may be repeated by a replacement; records among them.
#[tokio::test]
async fn configuration_with_decision_records_replaces_itself() {
    let issuer = issuer();
    let key = Held::new("records", "rPUvQsdR1QmdZ+EAVhtK7aKIOhvYW2jNvK2dFEJTe2I=\n");
    let whole = |ids: &str, audience: &str| {
        let mut whole = with_member("key_set", issuer.key_set().into());
        whole["issuer"][0]["audience"] = audience.into();
        let place = json!({ "file": key.path() });
        whole["decision_records"] = json!({ "subject_ids": ids, "fingerprint_key_base64": place });
        let read = Configuration::deserialize_from(whole).expect("a configuration");
        read.into_builder().expect("settings")
    };
    let server = whole("fingerprint", "orders-api").build().expect("sound");
    let app = TestApp::new(&server);
    let token = issuer.token().audience("orders-api").sign();
    assert_eq!(app.verdict(&token).await, "200");
    let error = server.replace(whole("omitted", "other"));
    let error = error.expect_err("other records").to_string();
    assert!(
        error.starts_with("`decision_records` cannot change"),
        "{error}"
    );
    assert_eq!(app.verdict(&token).await, "200");
    server
        .replace(whole("fingerprint", "other"))
        .expect("the accepted twin");
    assert_eq!(app.verdict(&token).await, "401 invalid_token audience");
}
