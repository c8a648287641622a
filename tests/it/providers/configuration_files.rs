//! The configuration file of each provider, `examples/configuration`: it is read, it builds, and a token
//! of that provider's shape is admitted.

use std::fs;
use std::path::{Path, PathBuf};

use axum::routing::get;
use portcullis::config::Configuration;
use portcullis::test_util::{MockIssuer, TokenBuilder};
use portcullis::{Algorithm, ResourceServer};
use serde_json::{Value, json};

use crate::support::endpoint::Endpoint;
use crate::support::{Requests as _, TestApp};

/// The file of this name as a value.
fn file(name: &str) -> Value {
    let path = folder().join(name).with_extension("toml");
    let text = fs::read_to_string(&path).unwrap_or_else(|_| panic!("no {}", path.display()));
    toml::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/configuration")
}

/// The names of all files, without their extension.
fn names() -> Vec<String> {
    let entries = fs::read_dir(folder()).expect("the folder");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let files = paths.filter(|path| path.extension().is_some_and(|end| end == "toml"));
    let stem = |path: PathBuf| {
        path.file_stem()
            .map(|name| name.to_string_lossy().into_owned())
    };
    files.filter_map(stem).collect()
}

fn built(configuration: Value) -> ResourceServer {
    let configuration = Configuration::deserialize_from(configuration).expect("a configuration");
    configuration
        .into_builder()
        .expect("settings")
        .build()
        .expect("sound")
}

/// The file, with the keys of the mock issuer in place of an address.
fn with_keys(name: &str, place: usize, issuer: &MockIssuer) -> ResourceServer {
    let mut configuration = file(name);
    let member = configuration["issuer"][place]
        .as_object_mut()
        .expect("an issuer");
    member.remove("key_set_url");
    let keys = issuer.key_set();
    member.insert("key_set".to_owned(), keys.into());
    built(configuration)
}

async fn verdict(server: &ResourceServer, context: Option<&str>, token: &str) -> String {
    let layer = server.authenticate();
    let layer = match context {
        Some(name) => layer.context(name),
        None => layer,
    };
    let app = TestApp::behind(layer).route("/", get(|| async {}));
    app.get("/", token).await.verdict()
}

/// A token without the claims that the mock issuer writes unasked.
fn plain(issuer: &MockIssuer, audience: &str) -> TokenBuilder {
    let token = issuer.token().without("scope").without("client_id");
    token.typ("JWT").audience(audience)
}

struct Case {
    file: &'static str,
    issuer: MockIssuer,
    good: TokenBuilder,
    bad: TokenBuilder,
    fault: &'static str,
    context: Option<&'static str>,
}

/// A provider's file, and a good token of its shape; the other one has another audience.
fn case(file: &'static str, issuer: &MockIssuer, good: TokenBuilder) -> Case {
    Case {
        file,
        issuer: issuer.clone(),
        bad: good.clone().audience("another-api"),
        good,
        fault: "audience",
        context: None,
    }
}

fn named(issuer: &str) -> MockIssuer {
    MockIssuer::named(issuer).with_algorithms([Algorithm::ES256])
}

fn rfc9068(issuer: &str) -> MockIssuer {
    MockIssuer::rfc9068(issuer).with_algorithms([Algorithm::ES256])
}

const API: &str = "https://api.example.com";

/// Providers whose access tokens are JWTs.
fn cases() -> Vec<Case> {
    let pool = MockIssuer::cognito("eu-west-1", "eu-west-1_AbCdEf");
    let identify = named("https://id.example.com/runtime/oauth2");
    let auth0 = named("https://example.eu.auth0.com/");
    let keycloak = named("https://id.example.com/realms/main");
    let tenant = "72f988bf-86f1-41af-91ab-2d7cd011db47";
    let entra = named(&format!("https://login.microsoftonline.com/{tenant}/v2.0"));
    let b2c = named("https://contoso.b2clogin.com/775527ff-9a37-4307-8b3d-cc311f58d925/v2.0/");
    let okta = named("https://example.okta.com/oauth2/default");
    let access = named("https://team.cloudflareaccess.com");
    let dex = named("https://dex.example.com");
    let hydra = named("https://hydra.example.com");
    let zitadel = named("https://acme.zitadel.cloud");
    let provider =
        MockIssuer::rfc9068("https://id.example.com").with_algorithms([Algorithm::RS256]);
    let better_auth = rfc9068("https://app.example.com/api/auth");
    let canaille =
        MockIssuer::named("https://canaille.example.com").with_algorithms([Algorithm::RS512]);
    let lemon = rfc9068("https://auth.example.com/");
    let glewlwyd = rfc9068("https://glewlwyd.example.com/");
    let adfs = named("http://adfs.example.com/adfs/services/trust");
    let app_id = "11112222-bbbb-3333-cccc-4444dddd5555";
    let access_audience = "4714c1358e65fe4b408ad6d432a5f878f08194bdb4752441fd56faefa9b2b6f2";
    let workspace = |token: TokenBuilder| token.claim("org_id", "org_1");
    vec![
        Case {
            bad: pool.token().client("another-client"),
            fault: "client_id",
            ..case("amazon_cognito", &pool, pool.token())
        },
        Case {
            bad: pool.aworld_user().client("another-client"),
            fault: "client_id",
            context: Some("app"),
            ..case("aworld", &pool, pool.aworld_user())
        },
        case(
            "safewhere_identify",
            &identify,
            plain(&identify, API).claim("urn:anyid:role", "admin"),
        ),
        case(
            "auth0",
            &auth0,
            workspace(plain(&auth0, API)).claim("azp", "spa"),
        ),
        case(
            "keycloak",
            &keycloak,
            plain(&keycloak, "my-api").claim("typ", "Bearer"),
        ),
        case(
            "microsoft_entra_id",
            &entra,
            plain(&entra, app_id)
                .claim("tid", tenant)
                .claim("scp", "read"),
        ),
        case(
            "azure_ad_b2c_and_entra_external_id",
            &b2c,
            plain(&b2c, app_id)
                .claim("tfp", "B2C_1_signin")
                .claim("scp", "read"),
        ),
        case(
            "okta",
            &okta,
            plain(&okta, "api://default")
                .claim("cid", "spa")
                .claim("scp", ["read"]),
        ),
        case(
            "cloudflare_access",
            &access,
            plain(&access, access_audience).claim("common_name", "service"),
        ),
        case(
            "dex",
            &dex,
            plain(&dex, "my-api").claim("at_hash", "aGFzaA"),
        ),
        case(
            "ory_hydra",
            &hydra,
            plain(&hydra, API)
                .claim("token_use", "access_token")
                .claim("ext", json!({"roles": ["admin"]})),
        ),
        case("zitadel", &zitadel, plain(&zitadel, "266@proj")),
        case("oidc_provider", &provider, provider.token()),
        case("better_auth", &better_auth, better_auth.token()),
        case("canaille", &canaille, plain(&canaille, "my-client")),
        case("lemonldapng", &lemon, lemon.token().audience("my-api")),
        case("glewlwyd", &glewlwyd, glewlwyd.token()),
        case(
            "ad_fs",
            &adfs,
            plain(&adfs, "microsoft:identityserver:api-1").claim("appid", "web"),
        ),
    ]
}

/// Files whose tests stand below.
const INTROSPECTED: [&str; 3] = ["axway_api_gateway", "authlib", "django_oauth_toolkit"];

#[tokio::test]
async fn configuration_files_admit_tokens_of_their_provider() {
    for case in cases() {
        let server = with_keys(case.file, 0, &case.issuer);
        let good = verdict(&server, case.context, &case.good.sign()).await;
        assert_eq!(good, "200", "{}", case.file);
        let bad = verdict(&server, case.context, &case.bad.sign()).await;
        let expected = format!("401 invalid_token {}", case.fault);
        assert_eq!(bad, expected, "{}", case.file);
    }
}

#[tokio::test]
async fn configuration_file_of_others_reads_replaced_audiences_and_required_claims() {
    let clerk = named("https://clerk.example.com");
    let workos = named("https://api.workos.com/user_management/client_01");
    let google = named("https://accounts.google.com");
    let from_clerk = plain(&clerk, API).without("aud");
    let push = plain(&google, "https://svc.example.com/push")
        .claim("email", "push@project.iam.gserviceaccount.com");
    for (place, issuer, good, bad, fault) in [
        (
            0,
            &clerk,
            from_clerk.clone().claim("azp", "https://app.example.com"),
            from_clerk.claim("azp", "https://other.example.com"),
            "audience",
        ),
        (
            1,
            &workos,
            plain(&workos, API).without("aud"),
            plain(&workos, API).issuer("https://api.workos.com/user_management/client_02"),
            "unknown_issuer",
        ),
        (
            2,
            &google,
            push.clone().claim("email_verified", true),
            push.claim("email_verified", "true"),
            "required_value",
        ),
    ] {
        let server = with_keys("others", place, issuer);
        assert_eq!(verdict(&server, None, &good.sign()).await, "200", "{place}");
        let expected = format!("401 invalid_token {fault}");
        assert_eq!(verdict(&server, None, &bad.sign()).await, expected);
    }
}

#[tokio::test]
async fn configuration_files_of_introspected_providers_ask_their_endpoint() {
    let secret = std::env::temp_dir().join(format!("portcullis-secret-{}", std::process::id()));
    fs::write(&secret, "s3cr3t\n").expect("a file");
    let answers = [
        json!({"audience": "0web123456789", "user_id": "admin", "expires_in": 2518}),
        json!({"active": true, "aud": API, "client_id": "web"}),
        json!({"active": true, "scope": "read", "client_id": "web", "exp": 4_102_444_800_i64}),
    ];
    for (name, answer) in INTROSPECTED.into_iter().zip(answers) {
        let endpoint = Endpoint::saying(answer).await;
        let mut configuration = file(name);
        let issuer = &mut configuration["issuer"][0];
        for kind in ["axway", "introspected"] {
            if issuer.get(kind).is_some() {
                issuer[kind] = endpoint.url().into();
            }
        }
        if issuer.get("client_authentication").is_some() {
            let place = json!({"file": secret});
            issuer["client_authentication"]["basic"]["secret"] = place;
        }
        let server = built(configuration);
        assert_eq!(verdict(&server, None, "opaque-1").await, "200", "{name}");
        if name != "axway_api_gateway" {
            // `orders-api:s3cr3t`, without the newline of the file.
            let sent = endpoint.last();
            assert_eq!(
                sent.header("authorization"),
                "Basic b3JkZXJzLWFwaTpzM2NyM3Q="
            );
        }
        endpoint.turn(|_| crate::support::endpoint::json(200, &json!({"active": false})));
        let bad = verdict(&server, None, "opaque-2").await;
        assert_eq!(bad, "401 invalid_token inactive", "{name}");
    }
    fs::remove_file(&secret).expect("the file");
}

#[tokio::test]
async fn configuration_file_of_workloads_admits_each_workload_that_it_names() {
    let cluster = named("https://kubernetes.default.svc.cluster.local");
    let managed = named("https://oidc.eks.eu-west-1.amazonaws.com/id/EXAMPLE");
    let rs256 = |name| MockIssuer::named(name).with_algorithms([Algorithm::RS256]);
    let github = rs256("https://token.actions.githubusercontent.com");
    let gitlab = rs256("https://gitlab.com");
    let google = rs256("https://accounts.google.com");
    let aws = rs256("https://abc123-def456-ghi789-jkl012.tokens.sts.global.api.aws");
    let mesh = named("spiffe://example.org");
    let of = |issuer: &MockIssuer, subject: &str| plain(issuer, API).subject(subject);
    let service_account = "system:serviceaccount:shop:";
    let role = "arn:aws:iam::123456789012:role/";
    let job = of(&github, "repo:octo-org/shop:ref:refs/heads/main")
        .claim("repository_owner", "octo-org")
        .claim("repository", "octo-org/shop")
        .claim("ref", "refs/heads/main");
    let pipeline = of(&gitlab, "project_path:acme/shop:ref_type:branch:ref:main")
        .claim("namespace_path", "acme")
        .claim("ref_protected", "true");
    let google_id = "104857600000000000000";
    let cases = [
        (
            &cluster,
            of(&cluster, &format!("{service_account}checkout")),
            of(&cluster, &format!("{service_account}other")),
            "client_id",
        ),
        (
            &managed,
            of(&managed, &format!("{service_account}billing")),
            of(&managed, &format!("{service_account}checkout")),
            "client_id",
        ),
        (
            &github,
            job.clone(),
            job.claim("ref", "refs/heads/other"),
            "required_value",
        ),
        (
            &gitlab,
            pipeline.clone(),
            pipeline.claim("ref_protected", true),
            "required_value",
        ),
        (
            &google,
            of(&google, google_id).claim("azp", google_id),
            of(&google, "1").claim("azp", "1"),
            "client_id",
        ),
        (
            &aws,
            of(&aws, &format!("{role}DataProcessingRole")),
            of(&aws, &format!("{role}Other")),
            "client_id",
        ),
        (
            &mesh,
            of(&mesh, "spiffe://example.org/ns/default/sa/billing").without("iss"),
            of(&mesh, "spiffe://example.org/ns/default/sa/other").without("iss"),
            "client_id",
        ),
    ];
    let issuers = file("workloads")["issuer"].as_array().map(Vec::len);
    assert_eq!(issuers, Some(cases.len()), "each issuer has its token");
    for (place, (issuer, good, bad, fault)) in cases.into_iter().enumerate() {
        let server = if place == 0 {
            // Its keys come from the API server; the tokens are those of any cluster.
            let mut configuration = file("workloads");
            let cluster = configuration["issuer"][0].as_object_mut().expect("a table");
            let name = cluster.remove("kubernetes").expect("the preset");
            cluster.insert("managed_kubernetes".to_owned(), name);
            cluster.insert("key_set".to_owned(), issuer.key_set().into());
            built(configuration)
        } else {
            with_keys("workloads", place, issuer)
        };
        assert_eq!(verdict(&server, None, &good.sign()).await, "200", "{place}");
        let expected = format!("401 invalid_token {fault}");
        assert_eq!(
            verdict(&server, None, &bad.sign()).await,
            expected,
            "{place}"
        );
    }
}

/// Every provider of the chapter has a file, and every file a test.
#[test]
fn configuration_files_are_those_of_the_chapter() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let chapter = fs::read_to_string(root.join("src/manual/providers.md")).expect("the chapter");
    let mut in_code = false;
    let mut headings = Vec::new();
    for line in chapter.lines() {
        if line.starts_with("```") {
            in_code = !in_code;
        } else if let Some(heading) = line.strip_prefix("# ").filter(|_| !in_code) {
            headings.push(slug(heading));
        }
    }
    headings.retain(|heading| heading != "configuration_files");
    headings.sort();
    let mut files = names();
    files.sort();
    assert_eq!(files, headings);
    let mut tested: Vec<String> = cases().iter().map(|case| case.file.to_owned()).collect();
    tested.extend(INTROSPECTED.map(ToOwned::to_owned));
    tested.extend(["others", "workloads"].map(ToOwned::to_owned));
    tested.sort();
    assert_eq!(files, tested);
}

/// Every file is sound as it stands, but for secrets that are elsewhere.
#[test]
fn configuration_files_build_as_they_stand() {
    for name in names() {
        let read = Configuration::deserialize_from(file(&name)).expect(&name);
        match read.into_builder() {
            Ok(builder) => drop(builder.build().expect(&name)),
            Err(missing) => assert!(
                missing.to_string().contains("`/run/secrets/orders-api`"),
                "{name}: {missing}"
            ),
        }
    }
}

fn slug(heading: &str) -> String {
    let kept = heading
        .chars()
        .filter(|one| one.is_alphanumeric() || " -".contains(*one));
    let kept = kept.map(|one| match one {
        ' ' | '-' => '_',
        other => other.to_ascii_lowercase(),
    });
    kept.collect()
}
