//! The key of a caller stays when its token is renewed, and differs for every other caller.

use axum::routing::get;
use portcullis::AccessToken;
use portcullis::test_util::MockIssuer;

use crate::support::{Requests as _, TestApp, trusting};

#[tokio::test]
async fn key_of_a_caller_outlives_its_token_and_is_nobody_elses() {
    let issuer = MockIssuer::new();
    let other = MockIssuer::named("https://other.test");
    let pool = MockIssuer::cognito("eu-west-1", "eu-west-1_AbCdEf");
    let server = trusting([issuer.trusted(), other.trusted(), pool.trusted()]);
    let show = async |token: AccessToken| match token.caller_key() {
        Some(key) => key.to_string(),
        None => "none".to_owned(),
    };
    let app = TestApp::behind(server.authenticate()).route("/", get(show));
    let key = async |token: String| app.get("/", &token).await.body_or_verdict();
    let alice = || issuer.token().subject("alice").client("web");

    let first = key(alice().sign()).await;
    assert_eq!(first.len(), 43);
    let renewed = alice().scope("more").claim("jti", "another").sign();
    assert_eq!(key(renewed).await, first);
    for (name, token) in [
        ("subject", alice().subject("bob").sign()),
        ("client", alice().client("app").sign()),
        (
            "no client",
            alice().without("client_id").without("azp").sign(),
        ),
        ("no subject", alice().without("sub").sign()),
        (
            "issuer",
            other.token().subject("alice").client("web").sign(),
        ),
    ] {
        assert_ne!(key(token).await, first, "{name}");
    }
    let nobody = alice().without("sub").without("client_id").without("azp");
    assert_eq!(key(nobody.sign()).await, "none");
    // Both forms of a pool are one issuer.
    let form = pool.issuer().replace("cognito-idp", "issuer-cognito-idp");
    let (one, two) = (pool.token().sign(), pool.token().issuer(&form).sign());
    assert_eq!(key(one).await, key(two).await);
}
