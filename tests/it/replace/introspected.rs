//! An introspected issuer that is alone no longer: other tokens than its own go elsewhere from then on.

use portcullis::lease::LeaseEnd;
use portcullis::test_util::{ManualClock, MockIssuer};
use portcullis::{Algorithm, Issuer};

use super::with;
use crate::support::endpoint::Endpoint;
use crate::support::introspection::{AS, good, issuer, server};
use crate::support::lease::lease_by;
use crate::support::{API, Requests as _, TestApp};

const OTHER: &str = "https://other.example";

#[tokio::test]
async fn an_issuer_that_is_added_judges_its_tokens_which_another_was_asked_about_before() {
    let clock = ManualClock::new();
    let mock = |name: &str| {
        let mock = MockIssuer::named(name).with_algorithms([Algorithm::ES256]);
        mock.with_clock(clock.clone())
    };
    let (own, other) = (mock(AS), mock(OTHER));
    let endpoint = Endpoint::saying(good()).await;
    let asked = || issuer(&endpoint).introspect_jwts();
    let server = server(asked(), &clock);
    let app = TestApp::new(&server);
    let own = own.token().audience(API).sign();
    let forged = other.token().audience(API).sign_with_wrong_key();
    let lacking = other.token().audience(API).without("iss").sign();
    for token in [&own, &forged, &lacking] {
        assert_eq!(app.verdict(token).await, "200", "it is asked about");
    }
    let mut lease = lease_by(&server, &forged).await.expect("admitted");
    let replace = |issuers: Vec<Issuer>| {
        let report = server.replace(with(issuers)).expect("sound");
        report.to_string()
    };
    assert_eq!(replace(vec![asked()]), "revision 2: 1 unchanged");
    assert_eq!(lease.end(), None);
    let report = replace(vec![asked(), other.trusted()]);
    assert_eq!(
        report,
        format!("revision 3: added {OTHER}; changed {AS} (introspect_jwts); 0 unchanged")
    );
    let verdict = app.verdict(&forged).await;
    assert_eq!(verdict, "401 invalid_token signature");
    let verdict = app.verdict(&lacking).await;
    assert!(verdict.starts_with("401 invalid_token"), "{verdict}");
    assert_eq!(lease.ended().await, LeaseEnd::IssuerReplaced);
    let good = other.token().audience(API).sign();
    for token in [&own, &good] {
        assert_eq!(app.verdict(token).await, "200");
    }
    // Where it was not alone before, nothing of it changes.
    let report = replace(vec![asked(), other.trusted().client_id("web")]);
    assert!(report.ends_with("; 1 unchanged"), "{report}");
}
