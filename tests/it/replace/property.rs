//! Any sequence of replacements gives the verdicts of a server built afresh with the last configuration.

use std::time::Duration;

use portcullis::test_util::MockIssuer;
use portcullis::{Algorithm, Issuer, ResourceServer, ResourceServerBuilder};
use proptest::prelude::*;

use super::with;
use crate::support::{API, Requests as _, TestApp};

const NAMES: [&str; 3] = [
    "https://one.example",
    "https://two.example",
    "https://three.example",
];

/// The settings of one issuer: whether it is there, and which rules it has.
#[derive(Clone, Copy, Debug)]
struct Choice {
    is_trusted: bool,
    /// `None`: every client.
    client: Option<&'static str>,
    audience: Option<&'static str>,
    has_new_key: bool,
    has_alias: bool,
    leeway: u64,
}

fn choice() -> impl Strategy<Value = Choice> {
    let client = prop_oneof![Just(None), Just(Some("web")), Just(Some("cli"))];
    let audience = prop_oneof![Just(None), Just(Some("https://other.example"))];
    let flags = (any::<bool>(), any::<bool>(), any::<bool>());
    let all = (flags, client, audience, 0..2_u64);
    all.prop_map(|(flags, client, audience, leeway)| Choice {
        is_trusted: flags.0,
        client,
        audience,
        has_new_key: flags.1,
        has_alias: flags.2,
        leeway: 30 + 60 * leeway,
    })
}

struct World {
    /// Each issuer before and after the rotation of its key.
    mocks: Vec<[MockIssuer; 2]>,
    tokens: Vec<String>,
}

impl World {
    fn new() -> Self {
        let mocks: Vec<_> = NAMES
            .iter()
            .map(|name| {
                [(); 2].map(|()| MockIssuer::named(*name).with_algorithms([Algorithm::ES256]))
            })
            .collect();
        let mut tokens = Vec::new();
        for mock in mocks.iter().flatten() {
            let token = || mock.token().audience(API).client("web");
            let of = |client| token().client(client);
            let expired = Duration::from_secs(3600 + 60);
            for token in [
                of("web"),
                of("cli"),
                token().audience("https://other.example"),
                token().issuer(&format!("{}/alias", mock.issuer())),
                token()
                    .issued_ago(expired)
                    .expires_in(Duration::from_secs(0)),
                token().issuer("https://nobody.example"),
            ] {
                tokens.push(token.sign());
            }
            tokens.push(token().sign_with_wrong_key());
        }
        Self { mocks, tokens }
    }

    fn configuration(&self, choices: &[Choice]) -> ResourceServerBuilder {
        let trusted = self
            .mocks
            .iter()
            .zip(choices)
            .filter(|(_, choice)| choice.is_trusted);
        let issuers: Vec<Issuer> = trusted
            .map(|(mocks, choice)| {
                let mock = &mocks[usize::from(choice.has_new_key)];
                let mut issuer = mock.trusted().leeway(Duration::from_secs(choice.leeway));
                if let Some(client) = choice.client {
                    issuer = issuer.client_id(client);
                }
                if let Some(audience) = choice.audience {
                    issuer = issuer.audience(audience);
                }
                if choice.has_alias {
                    issuer = issuer.also_named(format!("{}/alias", mock.issuer()));
                }
                issuer
            })
            .collect();
        with(issuers)
    }

    async fn verdicts(&self, server: &ResourceServer) -> Vec<String> {
        let app = TestApp::new(server);
        let mut all = Vec::new();
        for token in &self.tokens {
            all.push(app.verdict(token).await);
        }
        all
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn replacements_give_the_verdicts_of_a_server_built_afresh(
        sequence in prop::collection::vec([choice(), choice(), choice()], 1..8),
    ) {
        let world = World::new();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let first = with([MockIssuer::named("https://first.example").trusted()]);
            let server = first.build().expect("sound");
            for choices in &sequence {
                let is_sound = choices.iter().any(|choice| choice.is_trusted);
                let replaced = server.replace(world.configuration(choices));
                assert_eq!(replaced.is_ok(), is_sound, "{replaced:?}");
                if !is_sound {
                    continue;
                }
                let afresh = world.configuration(choices).build().expect("sound");
                let expected = world.verdicts(&afresh).await;
                // Twice: now they are remembered.
                for _ in 0..2 {
                    assert_eq!(world.verdicts(&server).await, expected, "{choices:?}");
                }
            }
        });
    }
}
