//! The function with events of API Gateway and of load balancers, through the real runtime loop.

mod event;
mod runtime_api;

use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use event::{Call, HOST, Origin, body, field, status};
use portcullis::test_util::{DpopKey, MockIssuer, ServedIssuer};
use runtime_api::Function;
use serde_json::json;

const ORIGINS: [Origin; 3] = [Origin::HttpApi, Origin::RestApi, Origin::LoadBalancer];

/// The user pool, and the function that trusts it.
async fn start(variables: &[(&str, &str)]) -> (ServedIssuer, Function) {
    let pool = MockIssuer::cognito("eu-west-1", "eu-west-1_AbCdEf")
        .serve()
        .await;
    let key_set_url = pool.key_set_url();
    let mut all = vec![
        ("PORTCULLIS__RESOURCE", "https://api.example.com"),
        ("PORTCULLIS__ISSUER__0__COGNITO__REGION", "eu-west-1"),
        (
            "PORTCULLIS__ISSUER__0__COGNITO__POOL_ID",
            "eu-west-1_AbCdEf",
        ),
        ("PORTCULLIS__ISSUER__0__CLIENT_ID", MockIssuer::CLIENT_ID),
        // Not in production: Cognito's own address.
        ("PORTCULLIS__ISSUER__0__KEY_SET_URL", &key_set_url),
    ];
    all.extend_from_slice(variables);
    let function = Function::start(&all).await;
    (pool, function)
}

#[tokio::test]
async fn events_of_each_origin_are_answered_alike() {
    let (pool, mut function) = start(&[]).await;
    let reader = pool.token().scope("missions/read");
    let good = reader.sign();
    let list = || Call::get("/missions");
    for origin in ORIGINS {
        let answer = function.invoke(list().event(origin)).await;
        assert_eq!(status(&answer), 401, "{origin:?}");
        let challenge = field(&answer, "www-authenticate").expect("a challenge");
        assert_eq!(challenge, "Bearer realm=\"https://api.example.com\"");

        let answer = function.invoke(list().bearer(&good).event(origin)).await;
        assert_eq!(status(&answer), 200, "{origin:?}: {answer}");
        assert_eq!(body(&answer)["caller"], MockIssuer::SUBJECT);

        let show = Call::get("/missions/apollo%2011").bearer(&good);
        let answer = function.invoke(show.event(origin)).await;
        assert_eq!(body(&answer)["mission"], "apollo 11", "{origin:?}");

        for (what, token, expected, error) in [
            ("an ID token", pool.id_token().sign(), 401, "invalid_token"),
            (
                "expired",
                reader.clone().expired().sign(),
                401,
                "invalid_token",
            ),
            ("altered", reader.tampered_signature(), 401, "invalid_token"),
            (
                "another client",
                reader.clone().client("another").sign(),
                401,
                "invalid_token",
            ),
            (
                "another scope",
                pool.token().scope("other").sign(),
                403,
                "insufficient_scope",
            ),
        ] {
            let answer = function.invoke(list().bearer(&token).event(origin)).await;
            assert_eq!(status(&answer), expected, "{origin:?}, {what}");
            let challenge = field(&answer, "www-authenticate").unwrap_or_default();
            assert!(challenge.contains(error), "{origin:?}, {what}: {challenge}");
        }
    }
}

#[tokio::test]
async fn two_credentials_are_refused() {
    let (pool, mut function) = start(&[]).await;
    let token = pool.token().scope("missions/read");
    let (first, second) = (token.sign(), token.clone().subject("another").sign());
    let twice = Call::get("/missions").bearer(&first).bearer(&second);
    for origin in ORIGINS {
        let answer = function.invoke(twice.event(origin)).await;
        assert_eq!(status(&answer), 400, "{origin:?}");
        let challenge = field(&answer, "www-authenticate").unwrap_or_default();
        assert!(
            challenge.contains("invalid_request"),
            "{origin:?}: {challenge}"
        );
    }
    // The load balancer itself has dropped the first one.
    let origin = Origin::LoadBalancerWithoutMultiValue;
    let answer = function.invoke(twice.event(origin)).await;
    assert_eq!(status(&answer), 200);
    assert_eq!(body(&answer)["caller"], "another");
}

#[tokio::test]
async fn bodies_in_base64_are_decoded_behind_the_layer() {
    let (pool, mut function) = start(&[]).await;
    let editor = pool.token().scope("missions/read missions/write").sign();
    let reader = pool.token().scope("missions/read").sign();
    let mission = json!({ "name": "Ares Ⅰ" });
    let mut add = Call::get("/missions").field("content-type", "application/json");
    add.method = "POST";
    add.body = Some(BASE64_STANDARD.encode(mission.to_string()));
    for origin in ORIGINS {
        let answer = function
            .invoke(add.clone().bearer(&editor).event(origin))
            .await;
        assert_eq!(status(&answer), 200, "{origin:?}: {answer}");
        assert_eq!(body(&answer)["added"], mission, "{origin:?}");
        let answer = function
            .invoke(add.clone().bearer(&reader).event(origin))
            .await;
        assert_eq!(status(&answer), 403, "{origin:?}");
    }
}

#[tokio::test]
async fn paths_have_the_stage_unless_a_variable_leaves_it_out() {
    let (pool, mut function) = start(&[]).await;
    let token = pool.token().scope("missions/read").sign();
    let mut list = Call::get("/missions").bearer(&token);
    list.stage = "prod";
    // `lambda_http` puts the stage before the path of a REST API, and leaves it in that of an HTTP API.
    for origin in [Origin::HttpApi, Origin::RestApi] {
        assert_eq!(
            status(&function.invoke(list.event(origin)).await),
            404,
            "{origin:?}"
        );
    }

    let (pool, mut function) = start(&[("AWS_LAMBDA_HTTP_IGNORE_STAGE_IN_PATH", "1")]).await;
    let token = pool.token().scope("missions/read").sign();
    let mut list = Call::get("/missions").bearer(&token);
    list.stage = "prod";
    let answer = function.invoke(list.event(Origin::RestApi)).await;
    assert_eq!(status(&answer), 200, "{answer}");
    // The variable takes nothing away: an HTTP API wants the stage `$default`, or routes below `/prod`.
    assert_eq!(
        status(&function.invoke(list.event(Origin::HttpApi)).await),
        404
    );
}

#[tokio::test]
async fn proofs_name_the_url_of_the_client_with_its_stage() {
    let origin = format!("https://{HOST}");
    let (pool, mut function) = start(&[
        ("AWS_LAMBDA_HTTP_IGNORE_STAGE_IN_PATH", "1"),
        ("PORTCULLIS__DPOP__ACCEPTED", "true"),
        ("PORTCULLIS__PUBLIC_ORIGIN", &origin),
        ("PORTCULLIS__PUBLIC_PATH__PUBLIC", "/prod"),
    ])
    .await;
    let key = DpopKey::generate();
    let token = pool
        .token()
        .scope("missions/read")
        .bound_to_key(&key)
        .sign();
    let call = |url: &str| {
        let proof = key.proof("GET", url).access_token(&token).sign();
        let mut call = Call::get("/missions");
        call.stage = "prod";
        call.field("authorization", format!("DPoP {token}"))
            .field("dpop", proof)
    };
    let good = call(&format!("{origin}/prod/missions"));
    let answer = function.invoke(good.event(Origin::RestApi)).await;
    assert_eq!(status(&answer), 200, "{answer}");
    for (what, wrong) in [
        ("the proof again", good),
        ("without the stage", call(&format!("{origin}/missions"))),
        (
            "another host",
            call("https://api.example.com/prod/missions"),
        ),
    ] {
        let answer = function.invoke(wrong.event(Origin::RestApi)).await;
        assert_eq!(status(&answer), 401, "{what}");
        let challenge = field(&answer, "www-authenticate").unwrap_or_default();
        assert!(
            challenge.contains("invalid_dpop_proof"),
            "{what}: {challenge}"
        );
    }
    // Both challenges, in one field.
    for gateway in ORIGINS {
        let answer = function.invoke(Call::get("/missions").event(gateway)).await;
        let challenge = field(&answer, "www-authenticate").unwrap_or_default();
        assert!(
            challenge.starts_with("Bearer ") && challenge.contains(", DPoP "),
            "{gateway:?}: {challenge}"
        );
    }
}

/// Timers do not run while the environment is frozen. A key that was never seen is found by the request.
#[tokio::test]
async fn keys_that_rotate_while_the_function_is_frozen_are_found() {
    let cooldown = ("PORTCULLIS__ISSUER__0__UNKNOWN_KEY_COOLDOWN", "1s");
    let (pool, mut function) = start(&[cooldown]).await;
    let list = |token: &str| Call::get("/missions").bearer(token).event(Origin::HttpApi);
    let before = pool.token().scope("missions/read").sign();
    assert_eq!(status(&function.invoke(list(&before)).await), 200);

    function.signal("STOP").await;
    pool.rotate();
    let after = pool.token().scope("missions/read").sign();
    function.signal("CONT").await;
    // Within the cooldown of the fetch before, the answer is 503 and not 401: the token was not judged.
    for _ in 0..100 {
        let answer = function.invoke(list(&after)).await;
        if status(&answer) == 200 {
            return;
        }
        assert_eq!(status(&answer), 503, "{answer}");
        assert!(field(&answer, "retry-after").is_some());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("the key is not found");
}

/// What `connect()` means here: it never fails because the issuer is down.
#[tokio::test]
async fn a_function_that_starts_while_its_keys_cannot_be_had_answers_503() {
    let nothing = (
        "PORTCULLIS__ISSUER__0__KEY_SET_URL",
        "http://127.0.0.1:9/keys",
    );
    let (pool, mut function) = start(&[nothing]).await;
    let token = pool.token().scope("missions/read").sign();
    for origin in ORIGINS {
        let call = Call::get("/missions");
        let answer = function
            .invoke(call.clone().bearer(&token).event(origin))
            .await;
        assert_eq!(status(&answer), 503, "{origin:?}: {answer}");
        assert!(field(&answer, "retry-after").is_some(), "{origin:?}");
        assert_eq!(
            status(&function.invoke(call.event(origin)).await),
            401,
            "{origin:?}"
        );
    }
}

/// An instance without any network: the key set is part of its configuration.
#[tokio::test]
async fn static_keys_need_no_fetch() {
    let pool = MockIssuer::cognito("eu-west-1", "eu-west-1_AbCdEf");
    let mut function = Function::start(&[
        ("PORTCULLIS__RESOURCE", "https://api.example.com"),
        ("PORTCULLIS__ISSUER__0__COGNITO__REGION", "eu-west-1"),
        (
            "PORTCULLIS__ISSUER__0__COGNITO__POOL_ID",
            "eu-west-1_AbCdEf",
        ),
        ("PORTCULLIS__ISSUER__0__CLIENT_ID", MockIssuer::CLIENT_ID),
        ("PORTCULLIS__ISSUER__0__KEY_SET", &pool.key_set()),
    ])
    .await;
    let call = |token: &str| Call::get("/missions").bearer(token).event(Origin::HttpApi);
    let before = pool.token().scope("missions/read").sign();
    assert_eq!(status(&function.invoke(call(&before)).await), 200);
    // A key that is not among them is not waited for: a rotation needs a deployment.
    pool.rotate();
    let after = pool.token().scope("missions/read").sign();
    assert_eq!(status(&function.invoke(call(&after)).await), 401);
    assert_eq!(status(&function.invoke(call(&before)).await), 200);
}
