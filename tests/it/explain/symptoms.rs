//! Each fault of the chapter on troubleshooting that a layer can answer is provoked here, and named by
//! the explanation and by its step.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use http::request::Parts;
use portcullis::binding::{ClientCertificateHeader, Dpop, PeerAddress, TrustedPeers};
use portcullis::config::StatusListCheck;
use portcullis::error::Objection;
use portcullis::explain::Explanation;
use portcullis::revocation::{Revocation, revocation_loader_fn};
use portcullis::test_util::{DpopKey, Fault, ManualClock, MockIssuer, TestCertificate};
use portcullis::time::UnixTime;
use portcullis::{Algorithm, AuthenticateLayer, Issuer, ResourceServer, ResourceServerBuilder};
use serde_json::{Value, json};

use super::{bearer, explained, failed, parts, verdict};
use crate::support::API;
use crate::support::endpoint::Endpoint;
use crate::support::introspection::{TOKEN, issuer as introspected, with};

/// What a layer does not answer: guards, extractors and MCP do, or it takes a shared store, a
/// directory or a crowd.
const ELSEWHERE: [&str; 18] = [
    "no_user",
    "several_users",
    "not_a_user",
    "mcp_message",
    "mcp_headers",
    "mcp_body_too_large",
    "custom_claims",
    "directory_failed",
    "directory_timed_out",
    "too_many_waiting",
    "introspection_timed_out",
    "record_queue_full",
    "replay_store_full",
    "replay_store_down",
    "user_info_failed",
    "user_info_timed_out",
    "user_info_busy",
    "keys_too_stale",
];

/// The faults that were named, each with the step that names it.
#[derive(Default)]
struct Named(BTreeMap<String, &'static str>);

impl Named {
    fn add(&mut self, fault: &str, step: &'static str, explanation: &Explanation) {
        let said = verdict(explanation);
        assert!(
            said.ends_with(&format!(" {fault}")),
            "{fault}: {said}\n{explanation}"
        );
        let steps = failed(explanation);
        assert!(steps.contains(&step), "{fault}: {steps:?}\n{explanation}");
        self.0.insert(fault.to_owned(), step);
    }
}

fn on(builder: ResourceServerBuilder) -> AuthenticateLayer {
    builder.build().expect("sound settings").authenticate()
}

fn api(issuer: Issuer) -> ResourceServerBuilder {
    ResourceServer::builder(API).issuer(issuer)
}

/// A fault, the check that names it, the issuer's settings, and a token.
type Case = (&'static str, &'static str, fn(Issuer) -> Issuer, String);

#[tokio::test]
async fn each_symptom_of_the_manual_is_named_by_its_step() {
    let mut named = Named::default();
    requests(&mut named).await;
    tokens(&mut named).await;
    keys(&mut named).await;
    introspection(&mut named).await;
    status_lists(&mut named).await;
    proofs(&mut named).await;
    let page = include_str!("../../../src/manual/troubleshooting.md");
    let rows: BTreeSet<&str> = [
        "invalid_request",
        "invalid_token",
        "invalid_dpop_proof",
        "unavailable",
    ]
    .iter()
    .flat_map(|kind| {
        let section = page
            .split("\n# ")
            .find(|one| one.starts_with(kind))
            .expect(kind);
        let rows = section.lines().filter_map(|line| line.strip_prefix("| `"));
        rows.filter_map(|row| Some(row.split_once("` |")?.0))
    })
    .collect();
    let done: BTreeSet<&str> = named
        .0
        .keys()
        .map(String::as_str)
        .chain(ELSEWHERE)
        .collect();
    assert_eq!(done, rows);
}

async fn requests(named: &mut Named) {
    let issuer = MockIssuer::new();
    let layer = || on(api(issuer.trusted()));
    let token = issuer.token().sign();
    let field = format!("Bearer {token}");
    for (fault, fields) in [
        ("several_credentials", vec![&*field, &*field]),
        ("no_credentials", vec!["Bearer"]),
        ("not_a_token", vec!["Bearer \"a.b.c\""]),
    ] {
        let fields: Vec<_> = fields
            .into_iter()
            .map(|field| ("authorization", field))
            .collect();
        let step = if fault == "not_a_token" {
            "syntax"
        } else {
            "credential"
        };
        named.add(fault, step, &explained(layer(), parts("/", &fields)).await);
    }
    let proxied = layer().danger().client_certificate_header(
        ClientCertificateHeader::Rfc9440,
        "10.0.0.0/8".parse::<TrustedPeers>().expect("a range"),
    );
    let mut request = parts("/", &[("authorization", &field), ("client-cert", "x")]);
    let peer = PeerAddress("10.0.0.1".parse().expect("an address"));
    request.extensions.insert(peer);
    named.add(
        "client_certificate",
        "client_certificate",
        &explained(proxied, request).await,
    );
    // Their twin.
    let good = explained(layer(), bearer(&token)).await;
    assert_eq!(
        (verdict(&good).as_str(), failed(&good)),
        ("admitted", vec![])
    );
}

async fn tokens(named: &mut Named) {
    let clock = ManualClock::new();
    let issuer = MockIssuer::new()
        .with_algorithms([Algorithm::ES256])
        .with_clock(clock.clone());
    let layer =
        |settings: fn(Issuer) -> Issuer| on(api(settings(issuer.trusted())).clock(clock.clone()));
    let same = |issuer| issuer;
    let hour = Duration::from_secs(3600);
    let good = || issuer.token();
    let long = good().claim("padding", "x".repeat(20_000)).sign();
    let certificate = TestCertificate::self_signed("client");
    let encrypted = "eyJhbGciOiJSU0EtT0FFUCJ9.a.b.c.d".to_owned();
    let twice = format!(r#"{{"iss":"{0}","iss":"{0}"}}"#, issuer.issuer());
    let cases: Vec<Case> = vec![
        ("too_large", "length", same, long),
        ("malformed", "form", same, "opaque".to_owned()),
        ("encrypted", "syntax", same, encrypted),
        (
            "duplicate_member",
            "syntax",
            same,
            good().payload_json(twice).sign(),
        ),
        ("header", "syntax", same, good().header("kid", 5).sign()),
        (
            "critical",
            "syntax",
            same,
            good().header("crit", ["x"]).sign(),
        ),
        (
            "algorithm",
            "algorithm",
            same,
            good().with_hmac_of_public_key(),
        ),
        (
            "token_type",
            "token_type",
            same,
            good().typ("logout+jwt").sign(),
        ),
        (
            "unknown_issuer",
            "issuer",
            same,
            good().issuer("https://other.test").sign(),
        ),
        ("unknown_key", "key", same, good().sign_with_unknown_key()),
        ("signature", "signature", same, good().tampered_signature()),
        ("claims", "subject", same, good().claim("sub", 5).sign()),
        ("no_expiry", "claims", same, good().without("exp").sign()),
        ("expired", "expiry", same, good().expired().sign()),
        (
            "not_yet_valid",
            "not_before",
            same,
            good().not_before_in(hour).sign(),
        ),
        (
            "audience",
            "audience",
            same,
            good().audience("https://other.test").sign(),
        ),
        (
            "client_id",
            "client",
            |issuer| issuer.client_id("web"),
            good().client("cli").sign(),
        ),
        (
            "token_use",
            "token_use",
            same,
            issuer.id_token().audience(API).sign(),
        ),
        (
            "required_value",
            "required_claims",
            |issuer| issuer.require_claim("hd", "example.com"),
            good().claim("hd", "example.org").sign(),
        ),
        (
            "binding",
            "sender",
            same,
            good()
                .bound_to_certificate(certificate.certificate())
                .sign(),
        ),
    ];
    for (fault, step, settings, token) in cases {
        let explanation = explained(layer(settings), bearer(&token)).await;
        named.add(fault, step, &explanation);
        let text = explanation.to_string();
        let signature = token.rsplit('.').next().expect("a part");
        assert!(
            signature.len() < 16 || !text.contains(signature),
            "{fault}:\n{text}"
        );
    }
    let plain = layer(same);
    assert_eq!(
        verdict(&explained(plain, bearer(&good().sign())).await),
        "admitted"
    );
    let dpop = format!("DPoP {}", good().sign());
    let dpop = parts("/", &[("authorization", &dpop)]);
    named.add("scheme", "sender", &explained(layer(same), dpop).await);

    let objecting = api(issuer.trusted()).clock(clock.clone());
    let objecting = on(objecting.check(|_| Err(Objection::Token)));
    let explanation = explained(objecting, bearer(&good().sign())).await;
    named.add("objection", "application_checks", &explanation);

    let server = api(issuer.trusted())
        .clock(clock.clone())
        .build()
        .expect("sound");
    let revoked = good().claim("jti", "one");
    let revocation = Revocation::token(&issuer.issuer(), "one");
    server
        .revocations()
        .revoke(revocation)
        .expect("it has a place");
    let explanation = explained(server.authenticate(), bearer(&revoked.sign())).await;
    named.add("revoked", "revocation", &explanation);

    let many = (0..5).fold(String::new(), |keys, at| {
        let key_set: Value = serde_json::from_str(&MockIssuer::new().key_set()).expect("json");
        let mut key = key_set["keys"][0].clone();
        key["kid"] = json!(format!("k{at}"));
        let comma = if keys.is_empty() { "" } else { "," };
        format!("{keys}{comma}{key}")
    });
    let ambiguous = Issuer::oidc("https://issuer.test").key_set(format!(r#"{{"keys":[{many}]}}"#));
    let other = MockIssuer::named("https://issuer.test");
    let token = other.token().without_header("kid").sign();
    let explanation = explained(on(api(ambiguous)), bearer(&token)).await;
    named.add("ambiguous_key", "key", &explanation);

    let login = MockIssuer::named("https://login.test/t-1").with_algorithms([Algorithm::ES256]);
    let mut key_set: Value = serde_json::from_str(&login.key_set()).expect("json");
    key_set["keys"][0]["issuer"] = json!("https://login.test/t-2");
    let foreign = Issuer::oidc("https://login.test/t-1").key_set(key_set.to_string());
    let explanation = explained(on(api(foreign)), bearer(&login.token().sign())).await;
    named.add("foreign_key", "key", &explanation);

    let early = ManualClock::at(UnixTime::from_secs(1_000));
    let unset = on(api(issuer.trusted()).clock(early));
    named.add(
        "clock_unset",
        "clock",
        &explained(unset, bearer(&good().sign())).await,
    );

    let waiting = api(issuer.trusted()).clock(clock.clone());
    let waiting = waiting.load_revocations(revocation_loader_fn(|_| std::future::pending()));
    let server = waiting.build().expect("sound");
    let parts = bearer(&good().sign());
    named.add(
        "not_connected",
        "revocation",
        &explained(server.authenticate(), parts).await,
    );
    let connecting = server.clone().connect();
    tokio::select! {
        biased;
        _ = connecting => {}
        () = tokio::task::yield_now() => {}
    }
    let explanation = explained(server.authenticate(), bearer(&good().sign())).await;
    named.add("revocations_not_loaded", "revocation", &explanation);
}

async fn keys(named: &mut Named) {
    let issuer = MockIssuer::new().with_algorithms([Algorithm::ES256]);
    let site = issuer.serve().await;
    site.break_with(Fault::Status(500));
    let server = api(site.trusted()).build().expect("sound");
    let token = || site.token().audience(API).sign();
    let before = server.authenticate().explain(&bearer(&token()));
    assert_eq!(verdict(&before), "unavailable not_connected");
    let server = server.connect().await.expect("down is a status");
    // The first request causes a fetch, which fails, and the second comes within the cooldown.
    let _ = explained(server.authenticate(), bearer(&token())).await;
    let down = explained(server.authenticate(), bearer(&token())).await;
    named.add("keys_not_loaded", "key", &down);
    assert!(down.to_string().contains("answered 500"), "{down}");
    site.recover();
    server.refresh_now().await.expect("it is up");
    let up = explained(server.authenticate(), bearer(&token())).await;
    assert_eq!(verdict(&up), "admitted");

    // An unknown key id: a look-up, and then a refusal; while the issuer is down it is an outage.
    let clock = ManualClock::new();
    let issuer = MockIssuer::new()
        .with_algorithms([Algorithm::ES256])
        .with_clock(clock.clone());
    let site = issuer.serve().await;
    let server = api(site.trusted())
        .clock(clock.clone())
        .build()
        .expect("sound");
    let server = server.connect().await.expect("it is up");
    let strange = |id: &str| {
        let token = site.token().audience(API).key_id(id);
        bearer(&token.sign())
    };
    let pending = server.authenticate().explain(&strange("new"));
    assert_eq!(verdict(&pending), "pending");
    site.break_with(Fault::Status(500));
    let _ = explained(server.authenticate(), strange("new")).await;
    let explanation = explained(server.authenticate(), strange("newer")).await;
    named.add("key_unconfirmed", "key", &explanation);

    let site = issuer.serve().await;
    let more = MockIssuer::new().with_algorithms([Algorithm::ES256]);
    let key = |issuer: &MockIssuer| -> Value {
        let key_set: Value = serde_json::from_str(&issuer.key_set()).expect("json");
        key_set["keys"][0].clone()
    };
    let both = json!({"keys": [key(&issuer), key(&more)]}).to_string();
    site.break_key_set_with(Fault::Body(both.into_bytes()));
    let cut = api(site.trusted().most_keys(1)).clock(clock.clone());
    let server = cut
        .build()
        .expect("sound")
        .connect()
        .await
        .expect("it is up");
    let token = site.token().audience(API).key_id("beyond").sign();
    let layer = || server.authenticate();
    let _ = explained(layer(), bearer(&token)).await;
    let explanation = explained(layer(), bearer(&token)).await;
    named.add("keys_not_read", "key", &explanation);
}

async fn introspection(named: &mut Named) {
    let endpoint = Endpoint::saying(json!({"active": false})).await;
    let server = api(introspected(&endpoint)).build().expect("sound");
    let layer = || server.authenticate();
    assert_eq!(verdict(&layer().explain(&bearer(TOKEN))), "pending");
    assert_eq!(endpoint.calls(), 0, "an explanation asks nobody");
    let told = layer().explain_with_lookups(&bearer(TOKEN)).await;
    named.add("inactive", "introspection", &told);
    assert_eq!(endpoint.calls(), 1);
    // The answer is cached, as after a request.
    named.add(
        "inactive",
        "introspection",
        &explained(layer(), bearer(TOKEN)).await,
    );

    for (fault, status) in [
        ("introspection_failed", 500),
        ("introspection_refused_us", 401),
        ("introspection_busy", 429),
    ] {
        let endpoint = Endpoint::doing(move |_| crate::support::endpoint::json(status, &json!({})));
        let endpoint = endpoint.await;
        let server = api(introspected(&endpoint)).build().expect("sound");
        let told = server
            .authenticate()
            .explain_with_lookups(&bearer(TOKEN))
            .await;
        named.add(fault, "introspection", &told);
    }
    let endpoint = Endpoint::saying(with("scope", json!("orders:read"))).await;
    let server = api(introspected(&endpoint)).build().expect("sound");
    let told = server
        .authenticate()
        .explain_with_lookups(&bearer(TOKEN))
        .await;
    assert_eq!(verdict(&told), "admitted", "{told}");
    assert!(told.to_string().contains("orders:read"), "{told}");
}

async fn status_lists(named: &mut Named) {
    let issuer = MockIssuer::new()
        .with_algorithms([Algorithm::ES256])
        .serve()
        .await;
    let trusted = MockIssuer::trusted(&issuer).status_list(StatusListCheck::new());
    let server = api(trusted).build().expect("sound");
    let list = issuer.status_list("1");
    list.set(5, 1);
    let token = |index| {
        let url = issuer.status_list_url("1");
        bearer(&issuer.token().status(url, index).sign())
    };
    assert_eq!(
        verdict(&server.authenticate().explain(&token(5))),
        "pending"
    );
    let told = server.authenticate().explain_with_lookups(&token(5)).await;
    named.add("status", "status", &told);
    let good = server.authenticate().explain(&token(6));
    assert_eq!(verdict(&good), "admitted");
    let down = MockIssuer::new()
        .with_algorithms([Algorithm::ES256])
        .serve()
        .await;
    down.break_with(Fault::Status(500));
    let trusted = MockIssuer::trusted(&down).status_list(StatusListCheck::new());
    let server = api(trusted).build().expect("sound");
    let token = bearer(&down.token().status(down.status_list_url("1"), 1).sign());
    assert_eq!(verdict(&server.authenticate().explain(&token)), "pending");
    let told = server.authenticate().explain_with_lookups(&token).await;
    named.add("status_list_unavailable", "status", &told);
}

async fn proofs(named: &mut Named) {
    const URL: &str = "https://api.example.com/";
    let clock = ManualClock::new();
    let issuer = MockIssuer::new()
        .with_algorithms([Algorithm::ES256])
        .with_clock(clock.clone());
    let key = DpopKey::generate().with_clock(clock.clone());
    let layer = |dpop: Dpop| on(api(issuer.trusted()).dpop(dpop).clock(clock.clone()));
    let token = issuer.token().audience(API).bound_to_key(&key).sign();
    let proof = || key.proof("GET", URL).access_token(&token);
    let request = |proofs: &[&str]| -> Parts {
        let field = format!("DPoP {token}");
        let mut fields = vec![("authorization", &*field)];
        fields.extend(proofs.iter().map(|proof| ("dpop", *proof)));
        parts("/", &fields)
    };
    let accepting = || layer(Dpop::accepted());
    let good = proof().sign();
    for (fault, proofs) in [
        ("proof_missing", vec![]),
        ("several_proofs", vec![good.clone(), good.clone()]),
        (
            "proof_too_large",
            vec![proof().claim("x", "x".repeat(20_000)).sign()],
        ),
        ("proof_malformed", vec!["x".to_owned()]),
        ("proof_type", vec![proof().header("typ", "JWT").sign()]),
        (
            "proof_algorithm",
            vec![proof().header("alg", "HS256").sign()],
        ),
        ("proof_key", vec![proof().without_header("jwk").sign()]),
        ("proof_signature", vec![proof().sign_with_wrong_key()]),
        ("proof_claims", vec![proof().without("jti").sign()]),
        ("proof_method", vec![proof().claim("htm", "POST").sign()]),
        (
            "proof_uri",
            vec![proof().claim("htu", "https://other.test/").sign()],
        ),
        (
            "proof_issued_at",
            vec![proof().issued_ago(Duration::from_secs(3600)).sign()],
        ),
        (
            "proof_access_token",
            vec![proof().access_token("other").sign()],
        ),
    ] {
        let proofs: Vec<&str> = proofs.iter().map(String::as_str).collect();
        let explanation = explained(accepting(), request(&proofs)).await;
        named.add(fault, "sender", &explanation);
    }
    // An explanation uses no proof up; the request does.
    let layer_of_one = accepting();
    for _ in 0..2 {
        let explanation = layer_of_one.explain(&request(&[&good]));
        assert_eq!(verdict(&explanation), "admitted", "{explanation}");
    }
    let first = explained(layer_of_one.clone(), request(&[&good])).await;
    assert_eq!(verdict(&first), "admitted");
    let second = explained(layer_of_one, request(&[&good])).await;
    named.add("proof_replayed", "sender", &second);
    let nonces = || layer(Dpop::accepted().require_nonces());
    named.add(
        "nonce_missing",
        "sender",
        &explained(nonces(), request(&[&good])).await,
    );
    let other = proof().nonce("x").sign();
    named.add(
        "nonce",
        "sender",
        &explained(nonces(), request(&[&other])).await,
    );
}
