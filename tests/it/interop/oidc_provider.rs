//! `oidc-provider`: RFC 9068 tokens, resource indicators, sign-in, rotation and outage.
//!
//! 1. A machine's token comes by client credentials, a user's by code and PKCE, through the
//!    provider's own sign-in and consent pages.
//! 2. The last part of a resource's path names the format of its tokens; see `server.mjs`.

use std::time::Duration;

use aws_lc_rs::digest;
use axum::routing::get;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use portcullis::error::ConnectError;
use portcullis::status::KeySetState;
use portcullis::test_util::{DpopKey, TestCertificate};
use portcullis::{Algorithm, Claims, Identity, InGroup, InRole, Issuer, ResourceServer, Scoped};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::house::{
    Foreign, builder, client, clock, connected, form, free_port, json as answer_of, names, opened,
    post, posting, serve, text,
};
use crate::support::{API, Requests as _, TestApp};

portcullis::scopes! {
    Read = "missions/read";
    Write = "missions/write";
}

portcullis::roles! {
    Editor = "editor";
    Staff = "staff";
}

const SIGNED_IN: &str = "https://app.example.com/signed-in";

#[derive(serde::Deserialize)]
struct Standard {
    iss: String,
    client_id: String,
}

fn app(server: &ResourceServer) -> TestApp {
    TestApp::behind(server.authenticate())
        .route("/whoami", get(whoami))
        .route("/read", get(|_: Scoped<Read>| async {}))
        .route("/write", get(|_: Scoped<Write>| async {}))
        .route("/editor", get(|_: InRole<Editor>| async {}))
        .route("/staff", get(|_: InGroup<Staff>| async {}))
        .route(
            "/claims",
            get(|Claims(claims): Claims<Standard>| async move {
                format!("{} {}", claims.iss, claims.client_id)
            }),
        )
        .public("/ready", server.readiness())
}

async fn whoami(identity: Identity) -> String {
    match identity {
        Identity::Client(client) => format!("client {}", client.id()),
        Identity::Subject(subject) => format!(
            "subject {} by {}",
            subject.id().map(ToString::to_string).unwrap_or_default(),
            subject
                .client()
                .map(ToString::to_string)
                .unwrap_or_default()
        ),
        other => format!("{other:?}"),
    }
}

fn machines_request(resource: &str) -> [(&str, &str); 5] {
    [
        ("client_id", "machine"),
        ("client_secret", "machine-secret"),
        ("grant_type", "client_credentials"),
        ("resource", resource),
        ("scope", "missions/read"),
    ]
}

/// A machine's token for this resource.
pub(super) async fn machine(provider: &Foreign, resource: &str) -> String {
    let url = format!("{}/token", provider.url());
    text(
        &post(&url, &machines_request(resource)).await,
        "access_token",
    )
}

/// A machine's token for this resource, bound to this key (RFC 9449 section 5).
pub(super) async fn bound_to_key(provider: &Foreign, resource: &str, key: &DpopKey) -> String {
    let url = format!("{}/token", provider.url());
    let request = posting(&url, &machines_request(resource));
    let request = request.header("dpop", key.proof("POST", &url).sign());
    let answer = answer_of(request).await;
    assert_eq!(text(&answer, "token_type"), "DPoP");
    text(&answer, "access_token")
}

/// A machine's token for this resource, bound to this certificate (RFC 8705 section 3).
pub(super) async fn bound_to_certificate(
    provider: &Foreign,
    resource: &str,
    certificate: &TestCertificate,
) -> String {
    let mut fields = machines_request(resource);
    fields[0] = ("client_id", "machine-with-certificate");
    let request = posting(&format!("{}/token", provider.url()), &fields);
    let field = format!(":{}:", STANDARD.encode(certificate.der()));
    let answer = answer_of(request.header("client-cert", field)).await;
    assert_eq!(text(&answer, "token_type"), "Bearer");
    text(&answer, "access_token")
}

/// What a user gets who signs in: access, ID and refresh token. Without a resource the access
/// token is for the provider itself.
async fn sign_in(provider: &Foreign, account: &str, resource: Option<&str>) -> Value {
    sign_in_with("app", provider, account, resource).await
}

/// The same, with this client.
pub(super) async fn sign_in_with(
    app: &str,
    provider: &Foreign,
    account: &str,
    resource: Option<&str>,
) -> Value {
    let verifier = "a-verifier-of-more-than-forty-three-characters";
    let challenge = digest::digest(&digest::SHA256, verifier.as_bytes());
    let challenge = URL_SAFE_NO_PAD.encode(challenge);
    let mut fields = vec![
        ("client_id", app),
        ("response_type", "code"),
        ("redirect_uri", SIGNED_IN),
        ("prompt", "consent"),
        ("nonce", "a-nonce"),
        ("code_challenge", &challenge),
        ("code_challenge_method", "S256"),
    ];
    match resource {
        Some(resource) => {
            fields.push(("scope", "openid offline_access missions/read"));
            fields.push(("resource", resource));
        }
        None => fields.push(("scope", "openid offline_access")),
    }
    let start = format!("{}/auth?{}", provider.url(), form(&fields));
    let code = code_of_sign_in(provider, start, account).await;
    post(
        &format!("{}/token", provider.url()),
        &[
            ("client_id", app),
            ("grant_type", "authorization_code"),
            ("code", &code),
            ("code_verifier", verifier),
            ("redirect_uri", SIGNED_IN),
        ],
    )
    .await
}

/// Goes where a browser would go, signs in and consents; gives the code at the end of the way.
async fn code_of_sign_in(provider: &Foreign, start: String, account: &str) -> String {
    let client = client();
    let mut cookies: Vec<(String, String)> = Vec::new();
    let mut request = client.get(start);
    // Sign-in, consent and what lies between take eight steps.
    for _ in 0..12 {
        let jar: Vec<String> = cookies.iter().map(|(n, v)| format!("{n}={v}")).collect();
        let answer = request.header("cookie", jar.join("; ")).send().await;
        let answer = answer.expect("the provider answers");
        for field in answer.headers().get_all("set-cookie") {
            let field = field.to_str().expect("text");
            let pair = field.split(';').next().unwrap_or_default();
            let (name, value) = pair.split_once('=').expect("a cookie");
            cookies.retain(|(other, _)| other != name);
            if !value.is_empty() {
                cookies.push((name.to_owned(), value.to_owned()));
            }
        }
        if let Some(location) = answer.headers().get("location") {
            let location = location.to_str().expect("text");
            let next = answer.url().join(location).expect("a URL");
            if next.as_str().starts_with(SIGNED_IN) {
                let code = next.query_pairs().find(|(name, _)| name == "code");
                return code.expect("a code").1.into_owned();
            }
            request = client.get(next);
            continue;
        }
        let page = answer.url().clone();
        let html = answer.text().await.expect("a page");
        let fields: &[(&str, &str)] = if html.contains("value=\"login\"") {
            &[("prompt", "login"), ("login", account), ("password", "any")]
        } else if html.contains("value=\"consent\"") {
            &[("prompt", "consent")]
        } else {
            panic!("neither sign-in nor consent: {html}");
        };
        request = client
            .post(page)
            .header("content-type", "application/x-www-form-urlencoded")
            .body(form(fields));
    }
    panic!("{} never sent the user back", provider.url());
}

#[tokio::test]
#[ignore = "needs oidc-provider from tests/interop/install"]
async fn a_machines_token_is_a_client_and_goes_as_far_as_its_scope_and_audience() {
    let provider = Foreign::oidc_provider(0).await;
    let clock = clock();
    let app = app(&connected(Issuer::rfc9068(provider.url()), &clock).await);
    let token = machine(&provider, API).await;

    let (header, payload) = opened(&token);
    assert_eq!(
        header,
        json!({"alg": "RS256", "typ": "at+jwt", "kid": "first"})
    );
    assert_eq!(
        names(&payload),
        [
            "aud",
            "client_id",
            "exp",
            "iat",
            "iss",
            "jti",
            "scope",
            "sub"
        ]
    );
    assert_eq!(payload["aud"], API);

    assert_eq!(app.get("/whoami", &token).await.body, "client machine");
    assert_eq!(
        app.get("/claims", &token).await.body,
        format!("{} machine", provider.url())
    );
    assert_eq!(app.get("/read", &token).await.verdict(), "200");
    let answer = app.get("/write", &token).await;
    assert_eq!(answer.verdict(), "403 insufficient_scope");
    let challenge = answer.challenge();
    assert!(
        challenge.contains("scope=\"missions/write\""),
        "{challenge}"
    );
    assert_eq!(
        app.get("/editor", &token).await.verdict(),
        "403 wrong_caller"
    );

    let bound = bound_to_key(&provider, API, &DpopKey::generate()).await;
    assert_eq!(names(&opened(&bound).1["cnf"]), ["jkt"]);
    assert_eq!(
        app.get("/read", &bound).await.verdict(),
        "401 invalid_token binding",
        "without a proof"
    );
    let other = machine(&provider, "https://api.example.com/other").await;
    assert_eq!(
        app.get("/read", &other).await.verdict(),
        "401 invalid_token audience"
    );
    let (signed, _) = token.rsplit_once('.').expect("a signature");
    let (_, signature) = other.rsplit_once('.').expect("a signature");
    assert_eq!(
        app.get("/read", &format!("{signed}.{signature}"))
            .await
            .verdict(),
        "401 invalid_token signature"
    );

    clock.advance(Duration::from_secs(3600));
    assert_eq!(
        app.get("/read", &token).await.verdict(),
        "200",
        "30 s of leeway"
    );
    clock.advance(Duration::from_secs(40));
    assert_eq!(
        app.get("/read", &token).await.verdict(),
        "401 invalid_token expired"
    );
}

#[tokio::test]
#[ignore = "needs oidc-provider from tests/interop/install"]
async fn of_what_a_user_gets_at_sign_in_the_access_token_alone_is_admitted() {
    let provider = Foreign::oidc_provider(0).await;
    let clock = clock();
    let tokens = sign_in(&provider, "alice", Some(API)).await;
    let (access, id) = (text(&tokens, "access_token"), text(&tokens, "id_token"));
    let refresh = text(&tokens, "refresh_token");

    let (header, payload) = opened(&access);
    assert_eq!(header["typ"], "at+jwt");
    assert_eq!(
        names(&payload),
        [
            "aud",
            "client_id",
            "exp",
            "groups",
            "iat",
            "iss",
            "jti",
            "roles",
            "scope",
            "sub"
        ]
    );
    let (header, payload) = opened(&id);
    assert_eq!(header, json!({"alg": "RS256", "kid": "first"}));
    assert_eq!(
        names(&payload),
        ["aud", "email", "exp", "iat", "iss", "nonce", "sub"]
    );

    // The last has the client's id configured as an audience: a `nonce` that
    // nothing of an access token stands beside still marks the ID token.
    let oidc = Issuer::oidc(provider.url());
    let mistaken = oidc.clone().audience(API).audience("app");
    for (issuer, fault) in [
        (Issuer::rfc9068(provider.url()), "token_type"),
        (oidc, "token_use"),
        (mistaken, "token_use"),
    ] {
        let app = app(&connected(issuer.clone(), &clock).await);
        assert_eq!(
            app.get("/whoami", &access).await.body,
            "subject alice by app"
        );
        for path in ["/read", "/editor", "/staff"] {
            assert_eq!(app.get(path, &access).await.verdict(), "200", "{path}");
        }
        assert_eq!(
            app.get("/write", &access).await.verdict(),
            "403 insufficient_scope"
        );
        assert_eq!(
            app.get("/read", &id).await.verdict(),
            format!("401 invalid_token {fault}"),
            "{issuer:?}"
        );
        assert_eq!(
            app.get("/read", &refresh).await.verdict(),
            "401 invalid_token malformed"
        );
    }

    let app = app(&connected(Issuer::rfc9068(provider.url()), &clock).await);
    let own = text(&sign_in(&provider, "bob", None).await, "access_token");
    assert_eq!(own.matches('.').count(), 0, "for the provider: opaque");
    assert_eq!(
        app.get("/read", &own).await.verdict(),
        "401 invalid_token malformed"
    );
    let renewed = post(
        &format!("{}/token", provider.url()),
        &[
            ("client_id", "app"),
            ("grant_type", "refresh_token"),
            ("refresh_token", &refresh),
            ("resource", API),
        ],
    )
    .await;
    assert_eq!(
        app.get("/whoami", &text(&renewed, "access_token"))
            .await
            .body,
        "subject alice by app"
    );
}

#[tokio::test]
#[ignore = "needs oidc-provider from tests/interop/install"]
async fn every_family_of_algorithms_is_verified_and_only_where_it_is_allowed() {
    let provider = Foreign::oidc_provider(0).await;
    let clock = clock();
    let at = |format: &str| format!("https://api.example.com/{format}");
    let all = [
        "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA",
        "Ed25519",
    ];
    let audiences = |issuer: Issuer| {
        let others = ["HS256", "encrypted", "opaque"];
        all.iter()
            .chain(&others)
            .fold(issuer, |issuer, name| issuer.audience(at(name)))
    };
    let any = audiences(Issuer::rfc9068(provider.url()));
    let one = any.clone().algorithms([Algorithm::ES256]);
    let any = connected(any, &clock).await;
    assert_eq!(
        any.key_set_status()[0].keys(),
        5,
        "one RSA key, three curves, Ed25519"
    );
    let (any, one) = (app(&any), app(&connected(one, &clock).await));
    for name in all {
        let token = machine(&provider, &at(name)).await;
        assert_eq!(opened(&token).0["alg"], name);
        assert_eq!(any.get("/read", &token).await.verdict(), "200", "{name}");
        let expected = if name == "ES256" {
            "200"
        } else {
            "401 invalid_token algorithm"
        };
        assert_eq!(one.get("/read", &token).await.verdict(), expected, "{name}");
    }
    for (name, parts, fault) in [
        ("HS256", 3, "algorithm"),
        ("encrypted", 5, "encrypted"),
        ("opaque", 1, "malformed"),
    ] {
        let token = machine(&provider, &at(name)).await;
        assert_eq!(token.split('.').count(), parts, "{name}");
        assert_eq!(
            any.get("/read", &token).await.verdict(),
            format!("401 invalid_token {fault}"),
            "{name}"
        );
    }
}

/// Sends each of the present tokens, over and over, until there are none; counts the rounds.
async fn keep_asking(
    url: String,
    tokens: watch::Receiver<Vec<String>>,
    rounds: watch::Sender<usize>,
) {
    let client = client();
    // Bounded, should the test forget to stop it.
    for _ in 0..100_000 {
        let present = tokens.borrow().clone();
        if present.is_empty() {
            return;
        }
        for token in present {
            let answer = client.get(&url).bearer_auth(token).send().await;
            assert_eq!(answer.expect("an answer").status(), 200);
        }
        rounds.send_modify(|rounds| *rounds += 1);
    }
}

/// A server that is asked without a break, by three callers over real connections.
struct Traffic {
    tokens: watch::Sender<Vec<String>>,
    rounds: watch::Receiver<usize>,
    callers: JoinSet<()>,
}

impl Traffic {
    async fn with(app: TestApp, token: &str) -> Self {
        let url = format!("{}/read", serve(app.into()).await);
        let (tokens, present) = watch::channel(vec![token.to_owned()]);
        let (count, rounds) = watch::channel(0);
        let mut callers = JoinSet::new();
        for _ in 0..3 {
            callers.spawn(keep_asking(url.clone(), present.clone(), count.clone()));
        }
        Self {
            tokens,
            rounds,
            callers,
        }
    }

    /// Ends after further rounds, all of which were admitted.
    async fn goes_on(&mut self) {
        let goal = *self.rounds.borrow() + 30;
        tokio::select! {
            done = self.rounds.wait_for(|rounds| *rounds >= goal) => {
                done.expect("callers count");
            }
            // A caller ends before it is told to only by a refusal.
            ended = self.callers.join_next() => panic!("a good token was refused: {ended:?}"),
        }
    }

    fn send(&self, tokens: &[&str]) {
        let tokens = tokens.iter().map(ToString::to_string).collect();
        self.tokens.send(tokens).expect("callers listen");
    }

    async fn stop(mut self) {
        self.send(&[]);
        while let Some(ended) = self.callers.join_next().await {
            ended.expect("every good token was admitted");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs oidc-provider from tests/interop/install"]
async fn while_keys_rotate_no_good_token_is_refused_and_a_dropped_key_is_none() {
    let mut provider = Foreign::oidc_provider(0).await;
    let clock = clock();
    let server = connected(Issuer::rfc9068(provider.url()), &clock).await;
    let app = app(&server);
    let old = machine(&provider, API).await;
    let mut traffic = Traffic::with(app.clone(), &old).await;
    traffic.goes_on().await;

    provider.tell("keys second first").await;
    let new = machine(&provider, API).await;
    assert_eq!(opened(&new).0["kid"], "second");
    assert_eq!(
        server.key_set_status()[0].keys(),
        5,
        "no key set was fetched anew"
    );
    traffic.send(&[&old, &new]);
    traffic.goes_on().await;
    assert_eq!(
        server.key_set_status()[0].keys(),
        6,
        "by the first new token"
    );

    provider.tell("keys second").await;
    traffic.goes_on().await; // the old key too, until the set is fetched anew
    traffic.send(&[&new]);
    traffic.goes_on().await; // the old token is sent no more
    server.refresh_now().await.expect("the provider is up");
    assert_eq!(server.key_set_status()[0].keys(), 5);
    clock.advance(Duration::from_secs(31)); // past the cooldown, so that it may be asked
    assert_eq!(
        app.get("/read", &old).await.verdict(),
        "401 invalid_token unknown_key"
    );
    traffic.goes_on().await;
    traffic.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs oidc-provider from tests/interop/install"]
async fn while_the_provider_is_gone_its_tokens_stay_good_and_a_new_one_of_its_name_is_followed() {
    let provider = Foreign::oidc_provider(0).await;
    let clock = clock();
    let issuer = provider.url().to_owned();
    let port = issuer
        .rsplit_once(':')
        .and_then(|(_, port)| port.parse().ok());
    let server = connected(Issuer::rfc9068(&issuer), &clock).await;
    let app = app(&server);
    let old = machine(&provider, API).await;
    let mut traffic = Traffic::with(app.clone(), &old).await;
    traffic.goes_on().await;
    drop(provider);
    assert!(server.refresh_now().await.is_err());
    traffic.goes_on().await;
    assert_eq!(app.send("/ready", &[]).await.status, 200);

    // It comes back without its keys: the same key ids, other keys.
    let provider = Foreign::oidc_provider(port.expect("a port")).await;
    assert_eq!(provider.url(), issuer);
    let new = machine(&provider, API).await;
    assert_eq!(
        app.get("/read", &new).await.verdict(),
        "401 invalid_token signature"
    );
    traffic.goes_on().await;
    traffic.stop().await;
    server.refresh_now().await.expect("the provider is up");
    assert_eq!(app.get("/read", &new).await.verdict(), "200");
    assert_eq!(
        app.get("/read", &old).await.verdict(),
        "401 invalid_token signature"
    );
}

#[tokio::test]
#[ignore = "needs oidc-provider from tests/interop/install"]
async fn a_provider_that_is_down_at_the_start_is_an_outage_until_it_is_up() {
    let port = free_port();
    let provider = Foreign::oidc_provider(port).await;
    let token = machine(&provider, API).await;
    let issuer = Issuer::rfc9068(provider.url());
    drop(provider);

    let clock = clock();
    let server = connected(issuer, &clock).await;
    let app = app(&server);
    let answer = app.get("/read", &token).await;
    assert_eq!(answer.verdict(), "503 unavailable keys_not_loaded");
    assert!(answer.header("retry-after").is_some());
    assert_eq!(app.send("/ready", &[]).await.status, 503);
    assert_eq!(server.key_set_status()[0].state(), KeySetState::NeverLoaded);

    let provider = Foreign::oidc_provider(port).await;
    clock.advance(Duration::from_secs(31));
    let token = machine(&provider, API).await;
    assert_eq!(app.get("/read", &token).await.verdict(), "200");
    assert_eq!(app.send("/ready", &[]).await.status, 200);
    assert_eq!(server.key_set_status()[0].state(), KeySetState::Fresh);
}

#[tokio::test]
#[ignore = "needs oidc-provider from tests/interop/install"]
async fn an_issuer_that_is_configured_by_almost_its_name_is_found_at_the_start() {
    let provider = Foreign::oidc_provider(0).await;
    let clock = clock();
    let connect = async |issuer: &str| {
        let server = builder(Issuer::rfc9068(issuer), &clock).build();
        server.expect("sound").connect().await
    };
    let exact = connect(provider.url()).await.expect("its name");
    let token = machine(&provider, API).await;
    assert_eq!(app(&exact).get("/read", &token).await.verdict(), "200");
    let almost = format!("{}/", provider.url());
    match connect(&almost).await {
        Err(ConnectError::IssuerMismatch {
            configured, found, ..
        }) => assert_eq!((&*configured, &*found), (&*almost, provider.url())),
        other => panic!("{other:?}"),
    }
}
