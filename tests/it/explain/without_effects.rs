//! An explanation changes nothing, runs the checks behind a failure, and says what is not verified.

use std::time::Duration;

use portcullis::explain::{Check, StepOutcome};
use portcullis::test_util::{ManualClock, MockIssuer};
use portcullis::time::{Clock as _, UnixTime};
use portcullis::{Algorithm, Issuer, ResourceServer, ResourceServerBuilder, TenantClaims};

use super::{bearer, explained, failed, parts, verdict};
use crate::support::{API, Requests as _, TestApp, builder, server};

#[tokio::test]
async fn explanation_goes_on_after_a_failure_and_names_every_fault() {
    let clock = ManualClock::new();
    let issuer = MockIssuer::new().with_clock(clock.clone());
    let server = builder(&issuer).clock(clock).build().expect("sound");
    let token = issuer
        .token()
        .expired()
        .audience("https://other.test")
        .typ("logout+jwt");
    let explanation = explained(server.authenticate(), bearer(&token.sign())).await;
    assert_eq!(verdict(&explanation), "invalid_token expired");
    assert_eq!(failed(&explanation), ["expiry", "token_type", "audience"]);
    let step = |check| {
        let mut steps = explanation.steps().iter();
        steps.find(|step| step.check() == check).expect("a step")
    };
    assert_eq!(step(Check::Audience).found(), Some("https://other.test"));
    assert_eq!(step(Check::Audience).expected(), Some(API));
    assert_eq!(step(Check::Audience).setting(), Some("audience"));
    assert!(
        !step(Check::Audience).is_unverified(),
        "its signature is good"
    );
    assert_eq!(
        step(Check::ApplicationChecks).outcome(),
        StepOutcome::Skipped
    );
    // Settled one by one, it passes.
    let good = explained(server.authenticate(), bearer(&issuer.token().sign())).await;
    assert_eq!(verdict(&good), "admitted");
}

#[tokio::test]
async fn claims_without_a_good_signature_are_marked() {
    let issuer = MockIssuer::new();
    let token = issuer.token().audience("https://other.test");
    let forged = token.tampered_signature();
    let explanation = explained(server(&issuer).authenticate(), bearer(&forged)).await;
    assert_eq!(verdict(&explanation), "invalid_token signature");
    let audience = explanation
        .failures()
        .find(|step| step.check() == Check::Audience);
    assert!(audience.expect("it is inspected").is_unverified());
    let text = explanation.to_string();
    assert!(text.contains("https://other.test (unverified)"), "{text}");
    assert!(!text.contains(forged.rsplit('.').next().expect("a signature")));
}

#[tokio::test]
async fn issuer_that_is_almost_configured_is_compared() {
    let issuer = MockIssuer::named("https://id.example.com/realms/main/");
    let told = |configured: &str| {
        let issuers = [configured, "https://else.example.net"];
        let issuers = issuers.map(|name| Issuer::oidc(name).key_set(issuer.key_set()));
        let server = issuers
            .into_iter()
            .fold(ResourceServer::builder(API), ResourceServerBuilder::issuer);
        let layer = server.build().expect("sound").authenticate();
        layer.explain(&bearer(&issuer.token().sign())).to_string()
    };
    for (configured, difference) in [
        ("https://id.example.com/realms/main", "the slash at the end"),
        (
            "http://localhost/realms/main/",
            "expected  http://localhost",
        ),
        ("https://sso.example.com/realms/main/", "the host"),
        ("https://id.example.com/realms/other/", "the path"),
    ] {
        let text = told(configured);
        assert!(text.contains("invalid_token unknown_issuer"), "{text}");
        assert!(text.contains(difference), "{text}");
    }
    assert!(told("https://id.example.com/realms/main/").starts_with("admitted"));
}

#[tokio::test]
async fn rules_of_an_issuer_that_the_token_does_not_name_are_said_to_be_those() {
    let issuer = MockIssuer::named("https://id.example.com/main");
    let of = |name: &str| Issuer::oidc(name).key_set(issuer.key_set());
    let told = |issuers: Vec<Issuer>| {
        let server = issuers
            .into_iter()
            .fold(ResourceServer::builder(API), ResourceServerBuilder::issuer);
        let server = server.build().expect("sound");
        server.explain(&bearer(&issuer.token().sign())).to_string()
    };
    let named = told(vec![of("https://id.example.com/main")]);
    assert!(
        named.contains("by the rules of https://id.example.com/main\n"),
        "{named}"
    );
    let alike = told(vec![
        of("https://id.example.com/main/"),
        of("https://else.test"),
    ]);
    let expected =
        "by the rules of https://id.example.com/main/, the configured issuer that is most alike\n";
    assert!(alike.contains(expected), "{alike}");
    let only = told(vec![of("http://localhost/other")]);
    assert!(
        only.contains("by the rules of http://localhost/other, the only configured issuer\n"),
        "{only}"
    );
}

#[tokio::test]
async fn times_are_told_as_dates_and_by_their_distance() {
    let clock = ManualClock::at(UnixTime::from_secs(2_000_000_000));
    let issuer = MockIssuer::new().with_clock(clock.clone());
    let server = builder(&issuer).clock(clock).build().expect("sound");
    let token = issuer
        .token()
        .claim("nbf", 1_999_988_000)
        .claim("exp", 1_999_996_460);
    let told = server.explain(&bearer(&token.sign()));
    let text = told.to_string();
    assert_eq!(failed(&told), ["expiry"]);
    for line in [
        "at 2033-05-18T03:33:20Z\n",
        "found     1999996460 (2033-05-18T02:34:20Z, 59 min ago)",
        "expected  after 2033-05-18T03:33:20Z less the leeway of 30 s\n",
        "found     1999988000 (2033-05-18T00:13:20Z, 3 h ago)\n",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
    let good = issuer.token().claim("exp", 2_000_003_600).sign();
    let text = server.explain(&bearer(&good)).to_string();
    assert!(text.starts_with("admitted"), "{text}");
    assert!(text.contains("(2033-05-18T04:33:20Z, in 60 min)"), "{text}");
}

#[tokio::test]
async fn identity_without_tenant_rules_misses_no_tenant() {
    let issuer = MockIssuer::new();
    let told = server(&issuer).explain(&bearer(&issuer.token().sign()));
    let identity = told
        .steps()
        .iter()
        .find(|step| step.check() == Check::Identity);
    assert_eq!(identity.expect("a step").reason(), None, "{told}");
}

#[tokio::test]
async fn explanation_leaves_caches_counters_and_issuer_alone() {
    let issuer = MockIssuer::new().with_algorithms([Algorithm::ES256]);
    let site = issuer.serve().await;
    let server = ResourceServer::builder(API)
        .issuer(site.trusted())
        .build()
        .expect("sound");
    let server = server.connect().await.expect("it is up");
    let app = TestApp::new(&server);
    let token = site.token().audience(API).sign();
    assert_eq!(app.verdict(&token).await, "200");
    let before = (server.token_cache_status(), site.fetches());
    let unknown = site.token().audience(API).key_id("new").sign();
    for token in [&token, &unknown] {
        for _ in 0..3 {
            let _ = server.explain(&bearer(token));
        }
    }
    assert_eq!((server.token_cache_status(), site.fetches()), before);
    // It looks a key up only where it is told to, once within the cooldown.
    let told = server
        .authenticate()
        .explain_with_lookups(&bearer(&unknown))
        .await;
    assert_eq!(verdict(&told), "invalid_token unknown_key");
    assert_eq!(site.fetches(), before.1 + 1);
    assert_eq!(
        server.token_cache_status().expect("on").entries(),
        1,
        "nothing was kept"
    );
}

#[tokio::test]
async fn explanation_of_a_layer_has_the_demands_of_the_layer() {
    let issuer = MockIssuer::new();
    let tenants = || TenantClaims::by_workspace("workspace").without_accounts();
    let contexts = issuer
        .trusted()
        .tenant_claims(tenants().contexts("app", ["app", "portal"]));
    let server = ResourceServer::builder(API)
        .resource("https://api.example.com/mcp")
        .issuer(contexts)
        .build()
        .expect("sound");
    let token = issuer.token().audience(API).claim("app", "portal").sign();
    let app = server.authenticate().context("app");
    let told = explained(app, bearer(&token)).await;
    assert_eq!(
        (verdict(&told).as_str(), failed(&told)),
        ("wrong_caller", vec!["context"])
    );
    let mcp = server
        .authenticate_for("https://api.example.com/mcp")
        .expect("known");
    let told = explained(mcp.context("portal"), bearer(&token)).await;
    assert_eq!(
        (verdict(&told).as_str(), failed(&told)),
        ("invalid_token audience", vec!["resource"])
    );
    let portal = explained(server.authenticate().context("portal"), bearer(&token)).await;
    assert_eq!(verdict(&portal), "admitted");
    let twice = server.authenticate().context("app").context("portal");
    let told = explained(twice, bearer(&token)).await;
    assert_eq!(verdict(&told), "misconfigured layer_setting");
    let nothing = parts("/", &[]);
    let told = explained(server.authenticate().optional(), nothing.clone()).await;
    assert_eq!(verdict(&told), "nothing_sent");
    let told = explained(server.authenticate(), nothing).await;
    assert_eq!(verdict(&told), "missing_token");
}

#[tokio::test]
async fn explanation_of_a_layer_that_only_observes_says_that_the_request_goes_on() {
    let clock = ManualClock::new();
    let issuer = MockIssuer::new().with_clock(clock.clone());
    let server = builder(&issuer).clock(clock.clone()).build();
    let server = server.expect("sound settings");
    let day = Duration::from_secs(24 * 3600);
    let until = clock.now().saturating_add(day);
    let layer = server.authenticate().danger().observe_only_until(until);
    let token = issuer.token().expires_in(day * 3);
    let bad = bearer(&token.tampered_signature());
    let good = bearer(&token.sign());
    let note = |parts: &http::request::Parts| {
        let told = layer.explain(parts);
        let step = told.steps().first().expect("a step").clone();
        let is_note = step.outcome() == StepOutcome::Noted;
        assert_eq!(
            is_note,
            step.setting() == Some("observe_only_until"),
            "{told}"
        );
        (verdict(&told), is_note)
    };
    assert_eq!(note(&bad), ("invalid_token signature".to_owned(), true));
    assert_eq!(note(&good), ("admitted".to_owned(), true));
    clock.advance(day);
    assert_eq!(note(&bad), ("invalid_token signature".to_owned(), false));
    assert_eq!(note(&good), ("admitted".to_owned(), false));
}

#[tokio::test]
async fn explanation_names_the_evidence_of_a_tenant_that_a_caller_lacks() {
    let issuer = MockIssuer::new();
    let rules = TenantClaims::by_workspace("workspace").without_accounts();
    let layer = ResourceServer::builder(API)
        .issuer(issuer.trusted().tenant_claims(rules))
        .build()
        .expect("sound")
        .authenticate();
    let token = issuer
        .token()
        .without("workspace")
        .scope("orders:read")
        .sign();
    let told = explained(layer, bearer(&token)).await;
    assert_eq!(
        verdict(&told),
        "admitted",
        "a guard refuses it, and not the layer"
    );
    let mut steps = told.steps().iter();
    let identity = steps
        .find(|step| step.check() == Check::Identity)
        .expect("a step");
    assert_eq!(identity.outcome(), StepOutcome::Noted);
    assert!(
        identity
            .reason()
            .is_some_and(|reason| reason.contains("no_tenant")),
        "{told}"
    );
    assert!(
        identity
            .found()
            .is_some_and(|found| found.contains("orders:read")),
        "{told}"
    );
}

#[tokio::test]
async fn explanation_serializes_with_stable_names() {
    let issuer = MockIssuer::new();
    let token = issuer.token().audience("https://other.test").sign();
    let told = server(&issuer).explain(&bearer(&token));
    let json = serde_json::to_value(&told).expect("data");
    assert_eq!(json["conclusion"]["outcome"], "refused");
    assert_eq!(json["conclusion"]["kind"], "invalid_token");
    assert_eq!(json["conclusion"]["cause"], "audience");
    assert_eq!(json["issuer"], issuer.issuer());
    let steps = json["steps"].as_array().expect("a list");
    let audience = steps
        .iter()
        .find(|step| step["check"] == "audience")
        .expect("a step");
    assert_eq!(audience["outcome"], "failed");
    assert_eq!(audience["setting"], "audience");
    assert_eq!(audience["found"], "https://other.test");
}

#[tokio::test]
async fn explanation_cuts_and_escapes_what_a_token_says() {
    let issuer = MockIssuer::new();
    let odd = format!("\u{1b}[31m\r\n{}", "x".repeat(5_000));
    let token = issuer.token().audience(&odd).sign();
    let told = server(&issuer).explain(&bearer(&token));
    let audience = told.failures().next().expect("a failure");
    let found = audience.found().expect("the value");
    assert!(
        found.len() < 300 && !found.contains(['\u{1b}', '\r', '\n']),
        "{found}"
    );
}
