//! Extra root certificates: trusted for one issuer's fetches, and for the right host alone.

use portcullis::status::KeySetState;
use portcullis::test_util::MockIssuer;
use portcullis::{Algorithm, Issuer, ResourceServer};

use crate::support::certificate::{Authority, Host};
use crate::support::tls_key_set::TlsKeySet;
use crate::support::{API, Requests as _, TestApp, TestResponse, trusting};

fn named(name: &str) -> MockIssuer {
    MockIssuer::named(name).with_algorithms([Algorithm::ES256])
}

async fn app(issuers: impl IntoIterator<Item = Issuer>) -> (ResourceServer, TestApp) {
    let server = trusting(issuers).connect().await.expect("down is a status");
    let app = TestApp::new(&server);
    (server, app)
}

async fn judged(app: &TestApp, issuer: &MockIssuer) -> TestResponse {
    app.get("/", &issuer.token().sign()).await
}

#[tokio::test]
async fn a_private_authority_is_trusted_once_its_root_is_given() {
    let authority = Authority::new("a private authority");
    let issuer = named("https://issuer.test");
    let vault = TlsKeySet::open(authority.vouch(Host::Loopback), issuer.key_set()).await;
    let at = || Issuer::oidc(issuer.issuer()).key_set_url(vault.url.clone());

    let (without, app_without) = app([at()]).await;
    let answer = judged(&app_without, &issuer).await;
    assert_eq!(answer.verdict(), "503 unavailable keys_not_loaded");
    let status = &without.key_set_status()[0];
    let error = status.last_error().expect("a cause");
    assert!(error.contains("certificate"), "{error}");

    let other = Authority::new("another authority").pem();
    let bundle = format!("# two of them\n{other}\n{}", authority.pem());
    for issuers in [
        vec![at().root_certificate(authority.pem())],
        vec![at().root_certificate(bundle)],
        vec![
            at().root_certificate(other.clone())
                .root_certificate(authority.pem()),
        ],
    ] {
        let (_, app) = app(issuers).await;
        assert_eq!(judged(&app, &issuer).await.verdict(), "200");
    }
    let (_, app) = app([at().root_certificate(other)]).await;
    assert_eq!(judged(&app, &issuer).await.status, 503);
}

/// RFC 8446 section 6.1: a connection that TCP alone ends may have been cut by anyone.
#[tokio::test]
async fn key_set_that_ends_with_its_connection_is_whole_only_where_tls_says_so() {
    let authority = Authority::new("a private authority");
    let issuer = named("https://issuer.test");
    let answer = format!("HTTP/1.1 200 OK\r\n\r\n{}", issuer.key_set());
    for (closed, state) in [
        (true, KeySetState::Fresh),
        (false, KeySetState::NeverLoaded),
    ] {
        let tls = authority.vouch(Host::Loopback);
        let vault = TlsKeySet::answering(tls, answer.clone(), closed).await;
        let at = Issuer::oidc(issuer.issuer()).key_set_url(vault.url.clone());
        let (server, _) = app([at.root_certificate(authority.pem())]).await;
        let status = &server.key_set_status()[0];
        assert_eq!(status.state(), state, "{status:?}");
        let error = status.last_error().unwrap_or_default();
        assert_eq!(error.contains("broke off"), !closed, "{error}");
    }
}

#[tokio::test]
async fn a_root_of_one_issuer_is_not_trusted_for_another() {
    let authority = Authority::new("a private authority");
    let (one, two) = (named("https://one.test"), named("https://two.test"));
    let first = TlsKeySet::open(authority.vouch(Host::Loopback), one.key_set()).await;
    let second = TlsKeySet::open(authority.vouch(Host::Loopback), two.key_set()).await;
    let (_, app) = app([
        Issuer::oidc(one.issuer())
            .key_set_url(first.url.clone())
            .root_certificate(authority.pem()),
        Issuer::oidc(two.issuer()).key_set_url(second.url.clone()),
    ])
    .await;
    assert_eq!(judged(&app, &one).await.verdict(), "200");
    assert_eq!(
        judged(&app, &two).await.verdict(),
        "503 unavailable keys_not_loaded"
    );
}

#[tokio::test]
async fn a_certificate_for_another_host_is_refused_in_spite_of_its_root() {
    let authority = Authority::new("a private authority");
    let issuer = named("https://issuer.test");
    for (host, status) in [
        (Host::Loopback, 200),
        (Host::Named("issuer.test"), 503),
        (Host::Named("127.0.0.1"), 503),
    ] {
        let vault = TlsKeySet::open(authority.vouch(host), issuer.key_set()).await;
        let (_, app) = app([Issuer::oidc(issuer.issuer())
            .key_set_url(vault.url.clone())
            .root_certificate(authority.pem())])
        .await;
        assert_eq!(judged(&app, &issuer).await.status, status);
    }
}

#[test]
fn a_root_that_cannot_be_read_is_a_mistake() {
    let good = Authority::new("a private authority").pem();
    let with = |pem: &str| {
        let issuer = Issuer::oidc("https://issuer.test").root_certificate(pem);
        ResourceServer::builder(API).issuer(issuer).build()
    };
    assert!(with(&good).is_ok());
    assert!(with(&format!("{good}{good}")).is_ok());
    let cut = good.replace("-----END CERTIFICATE-----", "");
    let short = "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n";
    for (name, pem) in [
        ("nothing", ""),
        ("a text", "certificate"),
        (
            "a public key",
            &*named("https://issuer.test").public_key_pem(),
        ),
        ("one without an end", &*cut),
        ("one that is none", short),
        (
            "a good one and one that is none",
            &*format!("{good}{short}"),
        ),
    ] {
        let error = with(pem).expect_err(name);
        assert_eq!(error.setting(), "root_certificate", "{name}: {error}");
        assert_eq!(error.issuer(), Some("https://issuer.test"), "{name}");
        let fixed = named("https://issuer.test").trusted().root_certificate(pem);
        let error = ResourceServer::builder(API).issuer(fixed).build();
        let error = error.expect_err("with static keys");
        assert_eq!(error.setting(), "root_certificate", "{name}: {error}");
    }
}
