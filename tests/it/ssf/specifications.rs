//! The example tokens of SSF 1.0, CAEP 1.0, RISC 1.0 and RFC 8417, and what each ends here.

use portcullis::ResourceServer;
use portcullis::test_util::{ManualClock, MockIssuer};
use portcullis::time::UnixTime;
use serde_json::Value;

use super::{app, push};
use crate::support::API;

#[tokio::test]
async fn each_example_of_the_specifications_ends_what_it_names() {
    let examples: Vec<Value> =
        serde_json::from_str(include_str!("examples.json")).expect("the examples");
    assert_eq!(examples.len(), 25);
    for example in examples {
        let (claims, source) = (&example["claims"], &example["source"]);
        let text = |name: &str| claims[name].as_str().expect(name);
        let issued_at = claims["iat"].as_i64().expect("a number");
        // One example has a slip in its `iat`, which is in the year 2451.
        let now = UnixTime::from_secs(issued_at.min(1_800_000_000) + 60);
        let clock = ManualClock::at(now);
        let issuer = MockIssuer::named(text("iss"))
            .with_algorithms([portcullis::Algorithm::ES256])
            .with_clock(clock.clone());
        let audience = match &claims["aud"] {
            Value::Array(all) => all[0].as_str(),
            one => one.as_str(),
        };
        let server = ResourceServer::builder(API)
            .issuer(issuer.trusted())
            .clock(clock)
            .earliest_time(UnixTime::from_secs(0))
            .ssf_transmitter(
                issuer
                    .transmitter()
                    .audience(audience.expect("an audience")),
            )
            .build()
            .expect("sound");
        let set = issuer.logout_token().header("typ", "secevent+jwt");
        let payload = claims.to_string();
        let answer = push(&app(&server), set.payload_json(payload).sign()).await;
        let entries = server.revocations().list();
        let mut revoked: Vec<String> = entries
            .iter()
            .map(portcullis::revocation::RevocationEntry::revocation)
            .map(|one| format!("{} {}", one.kind().as_str(), one.id().unwrap_or_default()))
            .collect();
        revoked.sort();
        let status = server.ssf_status();
        let status = &status.transmitters()[0];
        let tally = (
            status.applied(),
            status.ignored(),
            status.unmapped(),
            status.foreign(),
        );
        let expected = example["expected"].as_str().expect("a text");
        let (code, counts) = match expected {
            "refused" => (400, (0, 0, 0, 0)),
            "ignored" => (202, (0, 1, 0, 0)),
            "unmapped" => (202, (0, 0, 1, 0)),
            "foreign" => (202, (0, 0, 0, 1)),
            _ => (202, (1, 0, 0, 0)),
        };
        assert_eq!(answer.status.as_u16(), code, "{source}: {}", answer.body);
        assert_eq!(tally, counts, "{source}");
        match expected.split_once(' ') {
            None => assert!(revoked.is_empty(), "{source}: {revoked:?}"),
            Some(_) => assert_eq!(revoked.join(", "), expected, "{source}"),
        }
    }
}
