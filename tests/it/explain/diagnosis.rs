//! What is wrong with an issuer, and which finding names it.

use std::time::Duration;

use http::Response;
use portcullis::explain::{Diagnosis, Severity};
use portcullis::test_util::{Endpoint as Served, Fault, ManualClock, MockIssuer};
use portcullis::time::UnixTime;
use portcullis::{Algorithm, Issuer, ResourceServer};
use serde_json::{Value, json};

use crate::support::API;
use crate::support::certificate::{Authority, Host, self_signed};
use crate::support::endpoint::{Endpoint, json as answer, raw};
use crate::support::introspection::issuer as introspected;
use crate::support::tls_key_set::TlsKeySet;

async fn diagnosed(issuer: Issuer) -> Diagnosis {
    let server = ResourceServer::builder(API).issuer(issuer).build();
    server.expect("sound settings").diagnose().await
}

/// The names of what is not good, `not_connected` aside.
fn problems(diagnosis: &Diagnosis) -> Vec<String> {
    let problems = diagnosis.problems();
    let names = problems.map(|finding| finding.name().to_owned());
    names.filter(|name| name != "not_connected").collect()
}

fn mock() -> MockIssuer {
    MockIssuer::new().with_algorithms([Algorithm::ES256])
}

#[tokio::test]
async fn diagnosis_of_a_sound_issuer_has_no_problem_before_and_after_connect() {
    let site = mock().serve().await;
    let server = ResourceServer::builder(API)
        .issuer(site.trusted())
        .build()
        .expect("sound");
    let before = server.diagnose().await;
    assert_eq!(before.severity(), Severity::Warning, "{before}");
    assert_eq!(problems(&before), Vec::<String>::new(), "{before}");
    let only_looked_at = before.without("not_connected");
    assert_eq!(only_looked_at.severity(), Severity::Good);
    let text = only_looked_at.to_string();
    assert!(text.contains("names the configured issuer"), "{text}");
    assert!(text.contains(" has 1 usable key\n"), "{text}");
    let server = server.connect().await.expect("it is up");
    let after = server.diagnose().await;
    assert_eq!(after.severity(), Severity::Good, "{after}");
    let json = serde_json::to_value(&after).expect("data");
    assert_eq!(json["findings"][0]["severity"], "good");
    assert_eq!(json["findings"][0]["issuer"], site.url());
}

#[tokio::test]
async fn diagnosis_says_in_which_part_two_names_of_an_issuer_differ() {
    for (named, expected) in [
        (
            "https://id.example.com/realms/main/",
            "issuer_mismatch.slash",
        ),
        (
            "https://id.example.com/realms/other",
            "issuer_mismatch.path",
        ),
        (
            "https://sso.example.com/realms/main",
            "issuer_mismatch.host",
        ),
        (
            "http://id.example.com/realms/main",
            "issuer_mismatch.scheme",
        ),
        (
            "https://id.example.com/Realms/main",
            "issuer_mismatch.letter_case",
        ),
        (
            "https://id.example.com:8443/realms/main",
            "issuer_mismatch.port",
        ),
        ("https://id.example.com/realms/main", ""),
    ] {
        let issuer = mock();
        let keys = issuer.key_set();
        let endpoint = Endpoint::doing(move |question| {
            if question.target == "/jwks" {
                return answer(200, &serde_json::from_str::<Value>(&keys).expect("json"));
            }
            let host = question.header("host");
            let jwks = format!("http://{host}/jwks");
            answer(200, &json!({"issuer": named, "jwks_uri": jwks}))
        })
        .await;
        let configured = Issuer::oidc("https://id.example.com/realms/main")
            .discovery_url(format!("{}/metadata", endpoint.origin()));
        let diagnosis = diagnosed(configured).await;
        let expected: Vec<&str> = Some(expected)
            .filter(|name| !name.is_empty())
            .into_iter()
            .collect();
        assert_eq!(problems(&diagnosis), expected, "{diagnosis}");
    }
}

#[tokio::test]
async fn diagnosis_names_what_is_wrong_with_documents() {
    let site = mock().serve().await;
    let trusted = || Issuer::oidc(site.url());
    for (endpoint, fault, expected) in [
        (Served::Discovery, Fault::Status(404), "discovery.status"),
        (
            Served::Discovery,
            Fault::Body(b"<html>".to_vec()),
            "discovery.malformed",
        ),
        (
            Served::Discovery,
            Fault::Body(b"{}".to_vec()),
            "discovery.malformed",
        ),
        (Served::KeySet, Fault::Status(500), "key_set.status"),
        (
            Served::KeySet,
            Fault::Redirect("https://other.test/".to_owned()),
            "key_set.status",
        ),
        (
            Served::KeySet,
            Fault::Body(b"[]".to_vec()),
            "key_set.malformed",
        ),
        (
            Served::KeySet,
            Fault::Body(br#"{"keys":[]}"#.to_vec()),
            "key_set.no_usable_key",
        ),
        (
            Served::KeySet,
            Fault::Body(vec![b' '; 300_000]),
            "key_set.too_large",
        ),
    ] {
        site.break_endpoint_with(endpoint, fault);
        let diagnosis = diagnosed(trusted()).await;
        assert_eq!(problems(&diagnosis), [expected], "{diagnosis}");
        assert_eq!(diagnosis.severity(), Severity::Error);
        site.recover();
    }
    let mut key_set: Value = serde_json::from_str(&site.key_set()).expect("json");
    let keys = key_set["keys"].as_array_mut().expect("a list");
    keys.push(json!({"kty": "EC", "crv": "secp256k1", "kid": "odd"}));
    site.break_key_set_with(Fault::Body(key_set.to_string().into_bytes()));
    let diagnosis = diagnosed(trusted()).await;
    assert_eq!(
        problems(&diagnosis),
        ["key_set.unusable_key"],
        "{diagnosis}"
    );
    assert!(diagnosis.to_string().contains("secp256k1"), "{diagnosis}");
    let only_other = diagnosed(trusted().algorithms([Algorithm::RS256])).await;
    assert_eq!(
        problems(&only_other),
        ["key_set.no_usable_key"],
        "{only_other}"
    );
    let cut = diagnosed(trusted().most_keys(1)).await;
    assert!(problems(&cut).contains(&"key_set.cut".to_owned()), "{cut}");
}

#[tokio::test]
async fn diagnosis_names_what_is_wrong_with_a_connection() {
    let authority = Authority::new("a private authority");
    let issuer = mock();
    let at = |url: &str| Issuer::oidc(issuer.issuer()).key_set_url(url);
    let vault = TlsKeySet::open(authority.vouch(Host::Loopback), issuer.key_set()).await;
    let untrusted = diagnosed(at(&vault.url)).await;
    assert_eq!(
        problems(&untrusted),
        ["key_set.tls_unknown_root"],
        "{untrusted}"
    );
    let setting = untrusted
        .problems()
        .last()
        .and_then(portcullis::explain::Finding::setting);
    assert_eq!(setting, Some("root_certificate"));
    let trusted = diagnosed(at(&vault.url).root_certificate(authority.pem())).await;
    assert_eq!(problems(&trusted), Vec::<String>::new(), "{trusted}");
    let named = authority.vouch(Host::Named("issuer.test"));
    let named = TlsKeySet::open(named, issuer.key_set()).await;
    let other = diagnosed(at(&named.url).root_certificate(authority.pem())).await;
    assert_eq!(problems(&other), ["key_set.tls_wrong_name"], "{other}");
    let past = authority.vouch_expired(Host::Loopback);
    let past = TlsKeySet::open(past, issuer.key_set()).await;
    let past = diagnosed(at(&past.url).root_certificate(authority.pem())).await;
    assert_eq!(problems(&past), ["key_set.tls_certificate_time"], "{past}");
    let own = TlsKeySet::open(self_signed(), issuer.key_set()).await;
    let own = diagnosed(at(&own.url)).await;
    assert!(problems(&own)[0].starts_with("key_set.tls"), "{own}");

    let plain = Endpoint::saying(json!({})).await;
    let no_tls = diagnosed(at(&plain.origin().replace("http://", "https://"))).await;
    assert_eq!(problems(&no_tls), ["key_set.tls"], "{no_tls}");
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address");
    drop(listener);
    let closed = diagnosed(at(&format!("http://{address}/keys"))).await;
    assert_eq!(
        problems(&closed),
        ["key_set.connection_refused"],
        "{closed}"
    );
    let unknown = diagnosed(at("https://issuer.invalid/keys")).await;
    assert_eq!(problems(&unknown), ["key_set.dns"], "{unknown}");
}

#[tokio::test]
async fn diagnosis_compares_the_clocks() {
    const DATE: &str = "Sat, 28 Nov 2026 00:00:00 GMT";
    const THERE: i64 = 1_795_824_000;
    let issuer = mock();
    let keys = issuer.key_set();
    let endpoint = Endpoint::doing(move |_| {
        let response = Response::builder().header("date", DATE);
        response.body(keys.clone().into()).expect("a response")
    })
    .await;
    for (here, expected) in [
        (THERE, None),
        (THERE + 5, None),
        (THERE + 20, Some(Severity::Warning)),
        (THERE - 20, Some(Severity::Warning)),
        (THERE + 61, Some(Severity::Error)),
        (THERE - 3600, Some(Severity::Error)),
    ] {
        let clock = ManualClock::at(UnixTime::from_secs(here));
        let trusted = Issuer::oidc(issuer.issuer())
            .key_set_url(endpoint.url())
            .leeway(Duration::from_secs(60));
        let server = ResourceServer::builder(API).issuer(trusted).clock(clock);
        let diagnosis = server.build().expect("sound").diagnose().await;
        let skew = diagnosis
            .problems()
            .find(|finding| finding.name() == "clock_skew");
        assert_eq!(
            skew.map(portcullis::explain::Finding::severity),
            expected,
            "{diagnosis}"
        );
    }
}

#[tokio::test]
async fn diagnosis_tries_endpoints_and_our_credentials() {
    for (status, expected) in [
        (200, None),
        (401, Some("introspection.credentials")),
        (403, Some("introspection.credentials")),
        (429, Some("introspection.busy")),
        (404, Some("introspection.failed")),
        (500, Some("introspection.failed")),
    ] {
        let endpoint = Endpoint::doing(move |_| answer(status, &json!({"active": false}))).await;
        let diagnosis = diagnosed(introspected(&endpoint)).await;
        assert_eq!(
            problems(&diagnosis),
            Vec::from_iter(expected),
            "{diagnosis}"
        );
        assert!(!diagnosis.to_string().contains("s3cr3t"), "{diagnosis}");
    }
    let site = mock().serve().await;
    let with_users = || MockIssuer::trusted(&site).userinfo(site.url_of(Served::UserInfo));
    let good = diagnosed(with_users()).await;
    assert_eq!(problems(&good), Vec::<String>::new(), "{good}");
    site.break_endpoint_with(Served::UserInfo, Fault::Status(404));
    let wrong = diagnosed(with_users()).await;
    assert_eq!(problems(&wrong), ["userinfo.failed"], "{wrong}");
}

#[tokio::test]
async fn diagnosis_reads_the_key_set_at_the_origin_of_the_setting() {
    let issuer = MockIssuer::named("https://kubernetes.default.svc.cluster.local");
    let (name, key_set) = (issuer.issuer(), issuer.key_set());
    let api = Endpoint::doing(move |question| {
        let body = match &*question.target {
            "/openid/v1/jwks" => key_set.clone(),
            _ => json!({"issuer": name, "jwks_uri": "https://127.0.0.1:1/openid/v1/jwks"})
                .to_string(),
        };
        raw(200, "application/json", body)
    })
    .await;
    let at = || {
        let document = format!("{}/.well-known/openid-configuration", api.origin());
        Issuer::oidc(issuer.issuer()).discovery_url(document)
    };
    let without = diagnosed(at()).await;
    assert_eq!(
        problems(&without),
        ["key_set.connection_refused"],
        "{without}"
    );
    let with = diagnosed(at().key_set_origin(api.origin())).await;
    assert_eq!(problems(&with), [""; 0], "{with}");
}

#[tokio::test]
async fn diagnosis_tries_the_next_address_where_a_page_is_no_discovery_document() {
    for (place, expected) in [
        ("/.well-known/oauth-authorization-server/realms/main", ""),
        ("/nowhere", "discovery.malformed"),
    ] {
        let keys = mock().key_set();
        let endpoint = Endpoint::doing(move |question| {
            let host = question.header("host");
            if question.target == place {
                let issuer = format!("http://{host}/realms/main");
                answer(
                    200,
                    &json!({"issuer": issuer, "jwks_uri": format!("http://{host}/jwks")}),
                )
            } else if question.target == "/jwks" {
                raw(200, "application/json", keys.clone())
            } else {
                // An application of one page, for any path.
                raw(200, "text/html", "<html>")
            }
        })
        .await;
        let issuer = || Issuer::oidc(format!("{}/realms/main", endpoint.origin()));
        let server = ResourceServer::builder(API).issuer(issuer());
        let server = server.build().expect("sound settings").connect().await;
        let is_ready = server.expect("down is a status").ready();
        assert_eq!(is_ready, expected.is_empty());
        let diagnosis = diagnosed(issuer()).await;
        let expected: Vec<&str> = Some(expected)
            .filter(|name| !name.is_empty())
            .into_iter()
            .collect();
        assert_eq!(problems(&diagnosis), expected, "{diagnosis}");
    }
}
