//! Several foreign servers behind one API: each is judged by its own rules and keys.

use axum::routing::get;
use portcullis::{AccessToken, Issuer, ResourceServer};

use super::cognito::Pool;
use super::house::{Foreign, clock};
use super::oidc_provider::machine;
use crate::support::{API, Requests as _, TestApp};

#[tokio::test]
#[ignore = "needs oidc-provider, cognito-local, moto from tests/interop/install"]
async fn one_api_takes_tokens_of_three_servers_and_mixes_nothing_up() {
    let provider = Foreign::oidc_provider(0).await;
    let local = Foreign::cognito_local().await;
    let moto = Foreign::moto().await;
    let (first, second) = (Pool::of(&local).await, Pool::of(&moto).await);
    let (of_first, of_second) = (first.client().await, second.client().await);
    let keys = format!("{}/{}/.well-known/jwks.json", moto.url(), second.id);
    let server = ResourceServer::builder(API)
        .issuer(Issuer::rfc9068(provider.url()))
        .issuer(
            Issuer::cognito("local", &first.id)
                .client_id(&of_first)
                .endpoint(local.url()),
        )
        .issuer(
            Issuer::cognito("eu-west-1", &second.id)
                .client_id(&of_second)
                .key_set_url(keys),
        )
        .clock(clock())
        .build()
        .expect("sound")
        .connect()
        .await
        .expect("all are up");
    assert!(server.ready());
    let app = TestApp::behind(server.authenticate()).route(
        "/",
        get(|token: AccessToken| async move { token.issuer().to_owned() }),
    );

    let tokens = [
        machine(&provider, API).await,
        first.sign_in(&of_first).await.access,
        second.sign_in(&of_second).await.access,
    ];
    let issuers = [
        provider.url().to_owned(),
        format!("{}/{}", local.url(), first.id),
        format!("https://cognito-idp.eu-west-1.amazonaws.com/{}", second.id),
    ];
    for (token, issuer) in tokens.iter().zip(issuers) {
        assert_eq!(app.get("/", token).await.body, issuer);
    }
    // What one server signed, under the header of another: the key id is the other's.
    for (mine, other) in [(0, 1), (1, 2), (2, 0)] {
        let (_, signed) = tokens[mine].split_once('.').expect("parts");
        let (header, _) = tokens[other].split_once('.').expect("parts");
        let mixed = format!("{header}.{signed}");
        let verdict = app.get("/", &mixed).await.verdict();
        assert_eq!(verdict, "401 invalid_token unknown_key", "{mine} {other}");
    }
}
