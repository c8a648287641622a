//! Tokens of workloads: for each provider one of its shape is admitted, and one that differs is refused.

use axum::routing::get;
use portcullis::test_util::{MockIssuer, TokenBuilder};
use portcullis::{Algorithm, Identity, Issuer, ResourceServer, presets};
use serde_json::json;

use crate::support::endpoint::{Endpoint, raw};
use crate::support::{API, Requests as _, TestApp, trusting};

/// Who calls: the kind, and the client.
async fn who(caller: Identity) -> String {
    match caller {
        Identity::Client(client) => format!("client {}", client.id()),
        Identity::Subject(_) => "subject".to_owned(),
        _ => "other".to_owned(),
    }
}

fn app(issuers: impl IntoIterator<Item = Issuer>) -> TestApp {
    TestApp::behind(trusting(issuers).authenticate()).route("/", get(who))
}

async fn check(app: &TestApp, cases: &[(TokenBuilder, &str)]) {
    for (at, (token, expected)) in cases.iter().enumerate() {
        let answer = app.get("/", &token.sign()).await;
        assert_eq!(answer.body_or_verdict(), *expected, "case {at}");
    }
}

/// A token without the claims that the mock issuer writes unasked.
fn bare(issuer: &MockIssuer, subject: &str) -> TokenBuilder {
    let token = issuer.token().without("scope").without("client_id");
    token.subject(subject).audience(API)
}

#[tokio::test]
async fn kubernetes_preset_admits_projected_tokens_of_the_named_service_accounts() {
    const API_POD: &str = "system:serviceaccount:default:api";
    let issuer = MockIssuer::named("https://kubernetes.default.svc.cluster.local");
    // As the cluster's API server issues them: no `typ`, an array of audiences.
    let pod = |subject| {
        bare(&issuer, subject)
            .without_header("typ")
            .audiences([API])
            .claim("jti", "0c1b")
            .claim(
                "kubernetes.io",
                json!({
                    "namespace": "default",
                    "node": {"name": "node-1", "uid": "n"},
                    "pod": {"name": "api-1", "uid": "p"},
                    "serviceaccount": {"name": "api", "uid": "u"},
                }),
            )
    };
    let cluster = presets::managed_kubernetes(issuer.issuer())
        .client_id(API_POD)
        .key_set(issuer.key_set());
    let app = app([cluster]);
    let good = pod(API_POD);
    check(
        &app,
        &[
            (good.clone(), "client system:serviceaccount:default:api"),
            (
                pod("system:serviceaccount:default:other"),
                "401 invalid_token client_id",
            ),
            (
                good.clone().audiences(["https://kubernetes.default.svc"]),
                "401 invalid_token audience",
            ),
            // The tokens of secrets have neither.
            (good.clone().without("exp"), "401 invalid_token no_expiry"),
            (good.without("aud"), "401 invalid_token audience"),
        ],
    )
    .await;
}

#[tokio::test]
async fn github_actions_preset_admits_jobs_of_the_owners_repositories() {
    let issuer = MockIssuer::named("https://token.actions.githubusercontent.com");
    let job = bare(&issuer, "repo:octo-org/shop:ref:refs/heads/main")
        .typ("JWT")
        .claim("jti", "example-id")
        .claim("ref", "refs/heads/main")
        .claim("ref_type", "branch")
        .claim("sha", "example-sha")
        .claim("repository", "octo-org/shop")
        .claim("repository_id", "74")
        .claim("repository_owner", "octo-org")
        .claim("repository_owner_id", "65")
        .claim("repository_visibility", "private")
        .claim("actor", "octocat")
        .claim("actor_id", "12")
        .claim("workflow", "deploy")
        .claim(
            "job_workflow_ref",
            "octo-org/w/.github/workflows/d.yml@refs/heads/main",
        )
        .claim("event_name", "push")
        .claim("runner_environment", "github-hosted");
    let trusted = || presets::github_actions("octo-org").key_set(issuer.key_set());
    let client = "client repo:octo-org/shop:ref:refs/heads/main";
    let foreign = job.clone().claim("repository_owner", "evil-org");
    check(
        &app([trusted()]),
        &[
            (job.clone(), client),
            (foreign, "401 invalid_token required_value"),
            (
                job.clone().without("repository_owner"),
                "401 invalid_token required_value",
            ),
            (
                job.clone().audience("https://github.com/octo-org"),
                "401 invalid_token audience",
            ),
        ],
    )
    .await;
    let main = trusted()
        .require_claim("repository_owner_id", "65")
        .require_claim("ref", "refs/heads/main");
    let branch = job.clone().claim("ref", "refs/heads/other");
    check(
        &app([main]),
        &[(job, client), (branch, "401 invalid_token required_value")],
    )
    .await;
}

#[tokio::test]
async fn gitlab_preset_admits_jobs_of_the_namespace() {
    let issuer = MockIssuer::named("https://gitlab.com");
    let job = bare(&issuer, "project_path:acme/shop:ref_type:branch:ref:main")
        .typ("JWT")
        .claim("jti", "235b3a54")
        .claim("namespace_id", "72")
        .claim("namespace_path", "acme")
        .claim("project_id", "20")
        .claim("project_path", "acme/shop")
        .claim("user_id", "1")
        .claim("user_login", "sample-user")
        .claim("user_email", "user@example.com")
        .claim("pipeline_id", "574")
        .claim("pipeline_source", "push")
        .claim("job_id", "302")
        .claim("ref", "main")
        .claim("ref_type", "branch")
        .claim("ref_protected", "true")
        .claim("runner_environment", "gitlab-hosted");
    // The same instance signs users in.
    let user = bare(&issuer, "1")
        .audience(API)
        .claim("nonce", "n")
        .claim("preferred_username", "sample-user");
    let gitlab = presets::gitlab("https://gitlab.com/", "acme")
        .require_claim("ref_protected", "true")
        .key_set(issuer.key_set());
    check(
        &app([gitlab]),
        &[
            (
                job.clone(),
                "client project_path:acme/shop:ref_type:branch:ref:main",
            ),
            (
                job.clone().claim("namespace_path", "acme/sub"),
                "401 invalid_token required_value",
            ),
            (
                job.clone().claim("ref_protected", "false"),
                "401 invalid_token required_value",
            ),
            (
                job.audience("https://vault.example.com"),
                "401 invalid_token audience",
            ),
            (user, "401 invalid_token required_value"),
        ],
    )
    .await;
}

#[tokio::test]
async fn google_workload_preset_admits_id_tokens_of_the_named_service_account() {
    const ACCOUNT: &str = "104857600000000000000";
    let issuer = MockIssuer::named("https://accounts.google.com");
    let workload = bare(&issuer, ACCOUNT)
        .typ("JWT")
        .claim("azp", ACCOUNT)
        .claim("email", "api@shop.iam.gserviceaccount.com")
        .claim("email_verified", true);
    let google = presets::google_workload(ACCOUNT).key_set(issuer.key_set());
    check(
        &app([google]),
        &[
            (workload.clone(), "client 104857600000000000000"),
            (
                workload.clone().claim("azp", "1").subject("1"),
                "401 invalid_token client_id",
            ),
            (
                workload.clone().without("azp"),
                "401 invalid_token client_id",
            ),
            (
                workload.clone().audience("https://other.example.com"),
                "401 invalid_token audience",
            ),
            // A user who signed in at a client.
            (
                workload.claim("at_hash", "x"),
                "401 invalid_token token_use",
            ),
        ],
    )
    .await;
}

#[tokio::test]
async fn aws_workload_preset_admits_the_named_principals_of_the_account() {
    const ROLE: &str = "arn:aws:iam::123456789012:role/DataProcessingRole";
    const ACCOUNT: &str = "https://abc123-def456.tokens.sts.global.api.aws";
    let algorithms = [Algorithm::RS256, Algorithm::ES384, Algorithm::ES256];
    let issuer = MockIssuer::named(ACCOUNT).with_algorithms(algorithms);
    let token = |subject| {
        bare(&issuer, subject).claim("jti", "xyz123").claim(
            "https://sts.amazonaws.com/",
            json!({
                "aws_account": "123456789012",
                "source_region": "us-east-1",
                "org_id": "o-abc1234567",
                "principal_tags": {"environment": "production"},
            }),
        )
    };
    let aws = presets::aws_workload(ACCOUNT)
        .client_id(ROLE)
        .require_claim(["https://sts.amazonaws.com/", "org_id"], "o-abc1234567")
        .key_set(issuer.key_set());
    let client = "client arn:aws:iam::123456789012:role/DataProcessingRole";
    check(
        &app([aws]),
        &[
            (token(ROLE), client),
            (token(ROLE).algorithm(Algorithm::ES384), client),
            (
                token(ROLE).algorithm(Algorithm::ES256),
                "401 invalid_token algorithm",
            ),
            (
                token("arn:aws:iam::123456789012:role/Other"),
                "401 invalid_token client_id",
            ),
            (
                token(ROLE).claim("https://sts.amazonaws.com/", json!({"org_id": "o-other"})),
                "401 invalid_token required_value",
            ),
        ],
    )
    .await;
}

const WORKLOAD: &str = "spiffe://example.org/ns/default/sa/billing";

/// A JWT-SVID as SPIRE issues it.
fn svid(issuer: &MockIssuer, subject: &str) -> TokenBuilder {
    bare(issuer, subject)
        .without("iss")
        .without("jti")
        .typ("JWT")
}

fn trust_domain(issuer: &MockIssuer, name: &str) -> Issuer {
    presets::spiffe(name).key_set(issuer.key_set())
}

#[tokio::test]
async fn spiffe_preset_admits_svids_by_the_trust_domain_of_their_subject() {
    let (ours, other) = (MockIssuer::new(), MockIssuer::new());
    let app = app([
        trust_domain(&ours, "example.org"),
        trust_domain(&other, "other.example"),
        MockIssuer::named("https://id.example.com").trusted(),
    ]);
    let good = svid(&ours, WORKLOAD);
    let client = "client spiffe://example.org/ns/default/sa/billing";
    check(
        &app,
        &[
            (good.clone(), client),
            (good.clone().typ("JOSE"), client),
            (good.clone().without_header("typ"), client),
            (good.clone().without_header("kid"), client),
            (
                svid(&other, "spiffe://other.example/api"),
                "client spiffe://other.example/api",
            ),
            // A workload of another trust domain, signed by ours, and the reverse.
            (
                svid(&ours, "spiffe://other.example/api"),
                "401 invalid_token signature",
            ),
            (svid(&other, WORKLOAD), "401 invalid_token signature"),
            (
                svid(&ours, "spiffe://unknown.example/api"),
                "401 invalid_token unknown_issuer",
            ),
            // No SPIFFE ID of a workload.
            (
                svid(&ours, "spiffe://example.org"),
                "401 invalid_token claims",
            ),
            (
                svid(&ours, "spiffe://example.org/"),
                "401 invalid_token claims",
            ),
            (
                svid(&ours, "spiffe://example.org/../a"),
                "401 invalid_token claims",
            ),
            (svid(&ours, "billing"), "401 invalid_token claims"),
            (good.clone().without("sub"), "401 invalid_token claims"),
            (good.clone().claim("sub", 7), "401 invalid_token claims"),
            // JWT-SVID sections 2.3, 3.2 and 3.3
            (good.clone().typ("at+jwt"), "401 invalid_token token_type"),
            (good.clone().without("aud"), "401 invalid_token audience"),
            (
                good.clone().audience("spiffe://example.org/other"),
                "401 invalid_token audience",
            ),
            (good.clone().without("exp"), "401 invalid_token no_expiry"),
            (good.expired(), "401 invalid_token expired"),
        ],
    )
    .await;
}

#[tokio::test]
async fn spiffe_svid_with_an_issuer_is_that_issuers_and_of_the_trust_domain_all_the_same() {
    let ours = MockIssuer::new();
    let partner = MockIssuer::named("https://id.partner.example");
    let app = app([
        trust_domain(&ours, "example.org").also_named("https://spire.example.org"),
        partner.trusted(),
    ]);
    let client = "client spiffe://example.org/ns/default/sa/billing";
    let with = |issuer: &MockIssuer, name: &str| svid(issuer, WORKLOAD).issuer(name);
    check(
        &app,
        &[
            (with(&ours, "https://spire.example.org"), client),
            (with(&ours, "spiffe://example.org"), client),
            // The keys, and the rules, are those of the issuer that it names.
            (
                with(&ours, "https://id.partner.example"),
                "401 invalid_token signature",
            ),
            (
                with(&ours, "https://unknown.example"),
                "401 invalid_token unknown_issuer",
            ),
            (
                svid(&ours, "spiffe://other.example/api").issuer("https://spire.example.org"),
                "401 invalid_token claims",
            ),
            // An issuer that is no string is none, and no trust domain stands in for it.
            (
                svid(&ours, WORKLOAD).claim("iss", json!(null)),
                "401 invalid_token claims",
            ),
            (
                svid(&ours, WORKLOAD).claim("iss", ["spiffe://example.org"]),
                "401 invalid_token claims",
            ),
        ],
    )
    .await;
}

#[tokio::test]
async fn spiffe_trust_domain_alone_takes_tokens_without_an_issuer() {
    let issuer = MockIssuer::named("spiffe://example.org");
    // An issuer of another kind that has the same name demands `iss`.
    let oidc = app([issuer.trusted()]);
    let good = svid(&issuer, WORKLOAD);
    check(
        &oidc,
        &[
            (good.clone(), "401 invalid_token claims"),
            (good.clone().issuer("spiffe://example.org"), "subject"),
        ],
    )
    .await;
    check(
        &app([trust_domain(&issuer, "example.org")]),
        &[(good, "client spiffe://example.org/ns/default/sa/billing")],
    )
    .await;
}

#[tokio::test]
async fn spiffe_workloads_are_listed_by_their_ids() {
    let issuer = MockIssuer::new();
    let listed = trust_domain(&issuer, "example.org").client_id(WORKLOAD);
    check(
        &app([listed]),
        &[
            (
                svid(&issuer, WORKLOAD),
                "client spiffe://example.org/ns/default/sa/billing",
            ),
            (
                svid(&issuer, "spiffe://example.org/ns/default/sa/other"),
                "401 invalid_token client_id",
            ),
        ],
    )
    .await;
}

#[tokio::test]
async fn spiffe_bundle_is_fetched_and_its_keys_for_svids_alone_are_used() {
    let (issuer, authority) = (MockIssuer::new(), MockIssuer::new());
    let entry = |issuer: &MockIssuer, id: &str, usage: &str| {
        let set: serde_json::Value = serde_json::from_str(&issuer.key_set()).expect("json");
        let mut key = set["keys"][0].clone();
        key["use"] = usage.into();
        key["kid"] = id.into();
        key.as_object_mut().expect("a key").remove("alg");
        key
    };
    let bundle = json!({
        "keys": [
            entry(&authority, "ca", "x509-svid"),
            entry(&issuer, "svid", "jwt-svid"),
        ],
        "spiffe_sequence": 12,
        "spiffe_refresh_hint": 300,
    });
    let place = Endpoint::saying(bundle).await;
    let trusted = presets::spiffe("example.org").key_set_url(place.url());
    let server = trusting([trusted]).connect().await.expect("a runtime");
    let app = TestApp::behind(server.authenticate()).route("/", get(who));
    let good = svid(&issuer, WORKLOAD);
    check(
        &app,
        &[
            (
                good.clone().key_id("svid"),
                "client spiffe://example.org/ns/default/sa/billing",
            ),
            (
                svid(&authority, WORKLOAD).key_id("ca"),
                "401 invalid_token algorithm",
            ),
        ],
    )
    .await;
    let status = server.key_set_status().remove(0);
    assert_eq!((status.keys(), status.skipped().len()), (1, 1));
    let reason = status.skipped()[0].reason();
    assert_eq!(reason, "it is for the certificates of a trust domain");
    // A token without an issuer waits for its key like every other.
    let rotated = issuer.clone();
    rotated.rotate();
    let newest = rotated.key_ids().pop().expect("a key");
    let keys: serde_json::Value = serde_json::from_str(&rotated.key_set()).expect("json");
    place.turn(move |_| raw(200, "application/json", keys.to_string()));
    let token = svid(&rotated, WORKLOAD).key_id(&newest).sign();
    let answer = app.get("/", &token).await;
    assert_eq!(answer.verdict(), "200");
}

#[test]
fn spiffe_settings_are_checked() {
    let mistake = |issuer: Issuer| {
        let built = ResourceServer::builder(API).issuer(issuer).build();
        built.err().map(|error| error.setting())
    };
    let at = |name: &str| presets::spiffe(name).key_set_url("https://bundles.example.org/td");
    assert_eq!(mistake(at("example.org")), None);
    for name in [
        "",
        "spiffe://example.org",
        "Example.org",
        "a/b",
        "example.org:443",
    ] {
        assert_eq!(mistake(at(name)), Some("spiffe"), "{name}");
    }
    let no_keys = presets::spiffe("example.org");
    assert_eq!(mistake(no_keys), Some("key_set_url"));
    let discovered = presets::spiffe("example.org").discovery_url("https://example.org/d");
    assert_eq!(mistake(discovered), Some("discovery_url"));
    let waived = at("example.org").danger().accept_any_audience();
    assert_eq!(mistake(waived), Some("accept_any_audience"));
}
