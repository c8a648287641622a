//! Client authentication: each method with its mistakes.

use http::StatusCode;
use portcullis::test_util::{Endpoint, ManualClock, TestClient};

use super::support::{basic, builder, http, post, posting, send, served, signed_in};

#[tokio::test]
async fn client_secret_that_is_wrong_or_of_an_unknown_client_is_refused_with_401() {
    let clock = ManualClock::new();
    let odd = TestClient::confidential("odd:client", "100% a+b&c=d: x");
    let server = builder(&clock)
        .client(odd)
        .client(
            TestClient::confidential("post", "s").token_endpoint_auth_method("client_secret_post"),
        )
        .serve()
        .await
        .expect("a free port");
    let token = format!("{}/token", server.url());
    let grant = ("grant_type", "client_credentials");
    for (id, secret, good) in [
        ("machine", "machine-secret", true),
        ("odd:client", "100% a+b&c=d: x", true),
        ("machine", "wrong", false),
        ("machine", "", false),
        ("unknown", "machine-secret", false),
        ("spa", "", false),
    ] {
        let by_basic = posting(&token, &[grant]).header("authorization", basic(id, secret));
        let in_form = [grant, ("client_id", id), ("client_secret", secret)];
        for answer in [send(by_basic).await, post(&token, &in_form).await] {
            if good {
                assert_eq!(answer.status, StatusCode::OK, "{id} {answer:?}");
            } else if id == "spa" && secret.is_empty() && answer.error().1 != "invalid_client" {
                // It named itself, and a public client has no client credentials.
                assert_eq!(answer.error(), (400, "unauthorized_client".into()));
            } else {
                assert_eq!(answer.error(), (401, "invalid_client".into()), "{id}");
                assert!(answer.header("www-authenticate").starts_with("Basic "));
            }
        }
    }
    // A client keeps to its method.
    let by_basic = posting(&token, &[grant]).header("authorization", basic("post", "s"));
    assert_eq!(send(by_basic).await.error(), (401, "invalid_client".into()));
    let in_form = [grant, ("client_id", "post"), ("client_secret", "s")];
    assert_eq!(post(&token, &in_form).await.status, StatusCode::OK);
}

#[tokio::test]
async fn client_that_authenticates_twice_or_not_at_all_is_refused() {
    let clock = ManualClock::new();
    let server = builder(&clock).serve().await.expect("a free port");
    let token = format!("{}/token", server.url());
    let grant = ("grant_type", "client_credentials");
    let machine = basic("machine", "machine-secret");
    let with = |fields: &[(&str, &str)], authorization: &str| {
        posting(&token, fields).header("authorization", authorization)
    };
    let twice = [
        grant,
        ("client_id", "machine"),
        ("client_secret", "machine-secret"),
    ];
    assert_eq!(
        send(with(&twice, &machine)).await.error(),
        (400, "invalid_request".into())
    );
    let other = [grant, ("client_id", "web")];
    assert_eq!(
        send(with(&other, &machine)).await.error(),
        (400, "invalid_request".into())
    );
    let same = [grant, ("client_id", "machine")];
    assert_eq!(send(with(&same, &machine)).await.status, StatusCode::OK);
    for wrong in ["Basic", "Basic !", "Basic bm8tY29sb24=", "Bearer x"] {
        assert_eq!(
            send(with(&[grant], wrong)).await.error(),
            (401, "invalid_client".into())
        );
    }
    assert_eq!(
        post(&token, &[grant]).await.error(),
        (401, "invalid_client".into())
    );
}

#[tokio::test]
async fn authorization_field_stands_in_a_request_once() {
    let server = served(&ManualClock::new()).await;
    let machine = basic("machine", "machine-secret");
    let fields = [("grant_type", "client_credentials")];
    let ask =
        || posting(&server.url_of(Endpoint::Token), &fields).header("authorization", &machine);
    assert_eq!(send(ask()).await.status, 200);
    let twice = send(ask().header("authorization", &machine)).await;
    assert_eq!(twice.error(), (400, "invalid_request".into()));
    let tokens = signed_in(&server).await;
    let token = tokens["access_token"].as_str().expect("a token");
    let bearer = format!("Bearer {token}");
    let ask = || {
        let request = http().get(server.url_of(Endpoint::UserInfo));
        request.header("authorization", &bearer)
    };
    assert_eq!(send(ask()).await.status, 200);
    let twice = send(ask().header("authorization", &bearer)).await;
    assert_eq!(twice.error(), (400, "invalid_request".into()));
}

#[tokio::test]
async fn parameters_of_a_request_are_at_most_256() {
    let server = served(&ManualClock::new()).await;
    for (count, problem) in [(200, "no client"), (300, "parameters")] {
        let names: Vec<String> = (0..count).map(|index| format!("p{index}")).collect();
        let fields: Vec<_> = names.iter().map(|name| (&**name, "x")).collect();
        let answer = post(&server.url_of(Endpoint::Token), &fields).await;
        let told = answer.json()["error_description"].to_string();
        assert!(told.contains(problem), "{answer:?}");
    }
}
