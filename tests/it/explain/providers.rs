//! The symptoms of the chapter on providers: what a token of each provider looks like when a setting is
//! wrong, or when the client has asked for the wrong token, and the step that names it.

use std::collections::BTreeSet;

use portcullis::test_util::MockIssuer;
use portcullis::{Algorithm, Issuer, ResourceServer, presets};
use serde_json::json;

use super::{bearer, explained, failed, parts, verdict};
use crate::support::API;
use crate::support::endpoint::Endpoint;
use crate::support::introspection::{TOKEN, issuer as introspected, with};

/// A provider's section, the settings, a token, the step that fails, and a part of its text.
type Symptom = (&'static str, Issuer, String, &'static str, &'static str);

fn mock(issuer: &str) -> MockIssuer {
    MockIssuer::named(issuer).with_algorithms([Algorithm::ES256])
}

/// An OpenID provider with the keys of this mock.
fn oidc(named: &str, mock: &MockIssuer) -> Issuer {
    Issuer::oidc(named).key_set(mock.key_set()).audience(API)
}

fn strict(named: &str, mock: &MockIssuer) -> Issuer {
    Issuer::rfc9068(named).key_set(mock.key_set()).audience(API)
}

fn signed_here() -> Vec<Symptom> {
    let pool = MockIssuer::cognito("eu-west-1", "eu-west-1_AbCdEf");
    let cognito = || pool.trusted().client_id("1example23456789");
    let other_client = pool.token().client("0other").sign();
    let identify = mock("https://id.example.com/runtime/oauth2");
    let auth0 = mock("https://example.eu.auth0.com/");
    let keycloak = mock("https://id.example.com/realms/main");
    let realm = || {
        presets::keycloak("https://id.example.com", "main")
            .key_set(keycloak.key_set())
            .audience("my-api")
    };
    let ours = || keycloak.token().audience("my-api");
    let entra = mock("https://login.microsoftonline.com/t-1/v2.0");
    let directory = || oidc(&entra.issuer(), &entra).require_claim("tid", "t-1");
    let b2c = mock("https://contoso.b2clogin.com/d-1/v2.0/");
    let policy = || oidc(&b2c.issuer(), &b2c).require_claim("tfp", "B2C_1_signin");
    let okta = mock("https://example.okta.com");
    let dex = mock("https://dex.example.com");
    let hydra = mock("https://hydra.example.com");
    let zitadel = mock("https://acme.zitadel.cloud");
    let provider = mock("https://op.example.com");
    let canaille = MockIssuer::named("https://canaille.example.com")
        .with_algorithms([Algorithm::ES256, Algorithm::RS512]);
    let toolkit = mock("https://as.example.com");
    let lemon = mock("https://auth.example.com/");
    let glewlwyd = mock("https://glewlwyd.example.com/");
    let adfs = mock("https://adfs.example.com/adfs");
    let actions = MockIssuer::named("https://token.actions.githubusercontent.com");
    let framework = mock("https://app.example.com");
    let cluster = mock("https://oidc.eks.eu-west-1.amazonaws.com/id/EXAMPLE");
    let github = MockIssuer::named("https://token.actions.githubusercontent.com");
    let deploys = || presets::github_actions("octo-org").key_set(github.key_set());
    let job = || {
        let job = github.token().audience(API);
        job.claim("repository_owner", "octo-org")
    };
    let spire = mock("spiffe://example.org");
    let mesh = || presets::spiffe("example.org").key_set(spire.key_set());
    let workload = |id: &str| {
        let token = spire.token().audience(API).without("iss");
        token.subject(id).sign()
    };
    let balancer = framework.token().sign();
    let padded = format!("{}=.{}", &balancer[..20], &balancer[21..]);
    vec![
        (
            "Amazon Cognito",
            cognito(),
            pool.id_token().sign(),
            "token_use",
            "token_use",
        ),
        (
            "Amazon Cognito",
            cognito(),
            other_client.clone(),
            "client",
            "`client_id`",
        ),
        (
            "AWorld",
            cognito(),
            other_client,
            "client",
            "1example23456789",
        ),
        (
            "Safewhere Identify",
            oidc("https://id.example.com", &identify),
            identify.token().sign(),
            "issuer",
            "differs in the path",
        ),
        (
            "Auth0",
            oidc("https://example.eu.auth0.com", &auth0),
            auth0.token().sign(),
            "issuer",
            "the slash at the end",
        ),
        (
            "Auth0",
            oidc(&auth0.issuer(), &auth0),
            "opaque".to_owned(),
            "form",
            "introspected",
        ),
        (
            "Keycloak",
            realm(),
            keycloak.token().audience("account").sign(),
            "audience",
            "account",
        ),
        (
            "Keycloak",
            realm(),
            ours().claim("typ", "Refresh").sign(),
            "token_use",
            "typ",
        ),
        (
            "Keycloak",
            realm(),
            ours()
                .issuer("https://id.example.com/auth/realms/main")
                .sign(),
            "issuer",
            "differs in the path",
        ),
        (
            "Microsoft Entra ID",
            directory(),
            entra.token().issuer("https://sts.windows.net/t-1/").sign(),
            "issuer",
            "https://sts.windows.net/t-1/",
        ),
        (
            "Microsoft Entra ID",
            directory(),
            entra.token().claim("tid", "t-1").tampered_signature(),
            "signature",
            "does not verify",
        ),
        (
            "Workloads",
            presets::github_actions("octo-org")
                .key_set(actions.key_set())
                .audience(API),
            actions.token().claim("repository_owner", "other").sign(),
            "required_claims",
            "octo-org",
        ),
        (
            "Microsoft Entra ID",
            directory(),
            entra.token().claim("tid", "t-2").sign(),
            "required_claims",
            "t-2",
        ),
        (
            "Azure AD B2C and Entra External ID",
            policy(),
            b2c.token().claim("tfp", "B2C_1_edit").sign(),
            "required_claims",
            "B2C_1_edit",
        ),
        (
            "Azure AD B2C and Entra External ID",
            policy(),
            b2c.token()
                .claim("tfp", "B2C_1_signin")
                .claim("nonce", "n")
                .without("jti")
                .without("scope")
                .sign(),
            "token_use",
            "nonce",
        ),
        (
            "Okta",
            oidc("https://example.okta.com/oauth2/default", &okta),
            okta.token().sign(),
            "issuer",
            "differs in the path",
        ),
        (
            "Dex",
            oidc(&dex.issuer(), &dex),
            dex.token().claim("at_hash", "h").sign(),
            "token_use",
            "at_hash",
        ),
        (
            "Ory Hydra",
            oidc(&hydra.issuer(), &hydra),
            "ory_at_x".to_owned(),
            "form",
            "introspected",
        ),
        (
            "ZITADEL",
            oidc(&zitadel.issuer(), &zitadel),
            "opaque".to_owned(),
            "form",
            "introspected",
        ),
        (
            "oidc-provider",
            oidc(&provider.issuer(), &provider),
            provider.token().with_hmac_of_public_key(),
            "algorithm",
            "alg",
        ),
        (
            "canaille",
            oidc(&canaille.issuer(), &canaille).algorithms([Algorithm::ES256]),
            canaille.token().algorithm(Algorithm::RS512).sign(),
            "algorithm",
            "RS512",
        ),
        (
            "django-oauth-toolkit",
            oidc(&toolkit.issuer(), &toolkit),
            toolkit.token().without("iss").claim("issuer", "x").sign(),
            "issuer",
            "iss",
        ),
        (
            "`LemonLDAP::NG`",
            strict("https://auth.example.com", &lemon),
            lemon.token().sign(),
            "issuer",
            "the slash at the end",
        ),
        (
            "`LemonLDAP::NG`",
            strict(&lemon.issuer(), &lemon),
            lemon.id_token().audience(API).sign(),
            "token_type",
            "at+jwt",
        ),
        (
            "glewlwyd",
            oidc(&glewlwyd.issuer(), &glewlwyd),
            glewlwyd.token().audience("openid profile").sign(),
            "audience",
            "openid profile",
        ),
        (
            "AD FS",
            oidc(&adfs.issuer(), &adfs),
            adfs.token()
                .issuer("http://adfs.example.com/adfs/services/trust")
                .sign(),
            "issuer",
            "http://adfs.example.com/adfs/services/trust",
        ),
        (
            "Workloads",
            presets::managed_kubernetes(cluster.issuer())
                .key_set(cluster.key_set())
                .client_id("system:serviceaccount:shop:checkout"),
            cluster
                .token()
                .audience(API)
                .subject("system:serviceaccount:shop:other")
                .sign(),
            "client",
            "system:serviceaccount:shop:checkout",
        ),
        (
            "Workloads",
            presets::managed_kubernetes(cluster.issuer()).key_set(cluster.key_set()),
            // The token of a secret.
            cluster.token().audience(API).without("exp").sign(),
            "claims",
            "exp",
        ),
        (
            "Workloads",
            deploys(),
            job().claim("repository_owner", "evil-org").sign(),
            "required_claims",
            "evil-org",
        ),
        (
            "Workloads",
            deploys(),
            job().audience("https://github.com/octo-org").sign(),
            "audience",
            "https://github.com/octo-org",
        ),
        (
            "Workloads",
            mesh(),
            workload("spiffe://other.example/api"),
            "issuer",
            "other.example",
        ),
        (
            "Workloads",
            mesh().client_id("spiffe://example.org/billing"),
            workload("spiffe://example.org/other"),
            "client",
            "spiffe://example.org/billing",
        ),
        (
            "Others",
            oidc(&framework.issuer(), &framework),
            framework.token().without("aud").sign(),
            "audience",
            "missing",
        ),
        (
            "Others",
            oidc(&framework.issuer(), &framework),
            framework.token().without("iss").sign(),
            "issuer",
            "missing",
        ),
        (
            "Others",
            oidc(&framework.issuer(), &framework),
            padded,
            "syntax",
            "b64token",
        ),
    ]
}

#[tokio::test]
async fn each_symptom_of_a_provider_is_named_by_its_step() {
    let mut named = BTreeSet::new();
    let mut unnamed = Vec::new();
    for (provider, issuer, token, step, part) in signed_here() {
        let server = ResourceServer::builder(API).issuer(issuer).build();
        let layer = server.expect(provider).authenticate();
        let explanation = explained(layer, bearer(&token)).await;
        let mut failures = explanation.failures();
        let first = failures.find(|one| one.check().as_str() == step);
        let text = first.map(ToString::to_string).unwrap_or_default();
        if !text.contains(part) {
            unnamed.push(format!("{provider}, {part}: {explanation}"));
        }
        named.insert(provider);
    }
    assert!(unnamed.is_empty(), "{}", unnamed.join("\n"));
    for (provider, answer, part) in [
        ("Axway API Gateway", json!({"active": false}), "inactive"),
        ("better-auth", json!({"active": false}), "inactive"),
        ("Authlib", with("aud", json!(null)), "audience"),
    ] {
        let endpoint = Endpoint::saying(answer).await;
        let server = ResourceServer::builder(API).issuer(introspected(&endpoint));
        let layer = server.build().expect("sound").authenticate();
        let told = layer.explain_with_lookups(&bearer(TOKEN)).await;
        assert_eq!(failed(&told), ["introspection"], "{provider}\n{told}");
        assert!(verdict(&told).ends_with(part), "{provider}: {told}");
        named.insert(provider);
    }
    // Its token comes in a field of its own, which a layer reads where a setting says so.
    let access = mock("https://team.cloudflareaccess.com");
    let server = ResourceServer::builder(API).issuer(oidc(&access.issuer(), &access));
    let server = server.build().expect("sound");
    let request = parts("/", &[("cf-access-jwt-assertion", &access.token().sign())]);
    let told = explained(server.authenticate(), request.clone()).await;
    assert_eq!(verdict(&told), "missing_token");
    let field = http::HeaderName::from_static("cf-access-jwt-assertion");
    let reading = server.authenticate().danger().token_header(field);
    let told = explained(reading, request).await;
    assert_ne!(verdict(&told), "missing_token", "{told}");
    named.insert("Cloudflare Access");

    let chapter = include_str!("../../../src/manual/providers.md");
    let mut in_code = false;
    let headings: BTreeSet<&str> = chapter
        .lines()
        .filter(|line| {
            in_code ^= line.starts_with("```");
            !in_code
        })
        .filter_map(|line| line.strip_prefix("# "))
        .collect();
    assert_eq!(named, headings);
}
