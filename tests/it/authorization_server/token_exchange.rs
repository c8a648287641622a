//! Token exchange (RFC 8693): who acts for whom, and how far the new token reaches.

use axum::Router;
use axum::routing::get;
use portcullis::extract::OnBehalfOf;
use portcullis::test_util::{
    Accounts, ManualClock, ServedAuthorizationServer, TestClient, TestUser,
};
use portcullis::{ResourceServer, WorkspaceAccess};
use serde_json::{Value, json};

use super::support::{Answer, builder, code, payload, post, redeem, served, signed_in};
use crate::support::API;

const GRANT: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";
const ID_TOKEN: &str = "urn:ietf:params:oauth:token-type:id_token";
const REFRESH_TOKEN: &str = "urn:ietf:params:oauth:token-type:refresh_token";

/// Sends an exchange by the client `machine`, with these parameters beside or in place of its own.
async fn exchange(
    server: &ServedAuthorizationServer,
    subject: &Value,
    changed: &[(&str, &str)],
) -> Answer {
    let mut fields = vec![
        ("grant_type", GRANT),
        ("client_id", "machine"),
        ("client_secret", "machine-secret"),
        ("subject_token", subject.as_str().unwrap_or("")),
        ("subject_token_type", ACCESS_TOKEN),
    ];
    fields.retain(|(name, _)| !changed.iter().any(|(other, _)| other == name));
    fields.extend(changed.iter().filter(|(_, value)| !value.is_empty()));
    post(&format!("{}/token", server.url()), &fields).await
}

/// An access token of the client `machine` for itself.
async fn own_token(server: &ServedAuthorizationServer) -> String {
    let fields = [
        ("grant_type", "client_credentials"),
        ("client_id", "machine"),
        ("client_secret", "machine-secret"),
    ];
    let answer = post(&format!("{}/token", server.url()), &fields).await;
    answer.json()["access_token"]
        .as_str()
        .expect("a token")
        .to_owned()
}

#[tokio::test]
async fn subject_token_with_an_actor_becomes_a_token_of_both() {
    let clock = ManualClock::new();
    let server = served(&clock).await;
    let signed_in = signed_in(&server).await;
    let actor = own_token(&server).await;
    let acting = [("actor_token", &*actor), ("actor_token_type", ACCESS_TOKEN)];
    let answer = exchange(&server, &signed_in["access_token"], &acting).await;
    let told = answer.json();
    assert_eq!(answer.status, 200, "{told}");
    assert_eq!(told["issued_token_type"], ACCESS_TOKEN);
    assert_eq!(told["token_type"], "Bearer");
    assert!(told.get("refresh_token").is_none());
    assert_eq!(answer.header("cache-control"), "no-store");
    let claims = payload(&told["access_token"]);
    assert_eq!(claims["sub"], "user-1");
    assert_eq!(claims["client_id"], "machine");
    assert_eq!(claims["act"], json!({"sub": "machine"}));
    assert_eq!(claims["workspaceId"], "acme-prod");
    assert_eq!(claims["sid"], payload(&signed_in["access_token"])["sid"]);

    // Exchanged again, the earlier actor is nested (s4.1).
    let again = exchange(&server, &told["access_token"], &acting)
        .await
        .json();
    let claims = payload(&again["access_token"]);
    assert_eq!(
        claims["act"],
        json!({"sub": "machine", "act": {"sub": "machine"}})
    );

    // An API of ours reads it.
    let api = ResourceServer::builder(API)
        .issuer(
            server
                .trusted()
                .tenant_claims(portcullis::TenantClaims::aworld()),
        )
        .clock(clock.clone())
        .build()
        .expect("sound")
        .connect()
        .await
        .expect("an issuer");
    let handler = async |access: WorkspaceAccess, who: OnBehalfOf| {
        format!("{} {}", access.workspace(), who.actor().is_some())
    };
    let app = Router::new()
        .route("/w/{workspace_id}", get(handler))
        .route_layer(api.authenticate().context("app"));
    let request = http::Request::get("/w/acme-prod")
        .header(
            "authorization",
            format!("Bearer {}", told["access_token"].as_str().expect("text")),
        )
        .body(axum::body::Body::empty())
        .expect("a request");
    let answer = tower::ServiceExt::oneshot(app, request)
        .await
        .expect("an answer");
    let body = axum::body::to_bytes(answer.into_body(), 1000)
        .await
        .expect("a body");
    assert_eq!(body, "acme-prod true");
}

#[tokio::test]
async fn subject_token_without_an_actor_is_impersonation_and_earlier_actors_stay() {
    let server = served(&ManualClock::new()).await;
    let signed_in = signed_in(&server).await;
    let told = exchange(
        &server,
        &signed_in["access_token"],
        &[("requested_token_type", JWT)],
    )
    .await;
    let told = told.json();
    assert_eq!(told["issued_token_type"], JWT);
    assert!(payload(&told["access_token"]).get("act").is_none());
    let delegated = server.token().actor("agent-1").sign();
    let told = exchange(&server, &json!(delegated), &[]).await.json();
    assert_eq!(
        payload(&told["access_token"])["act"],
        json!({"sub": "agent-1"})
    );
}

#[tokio::test]
async fn subject_token_types_are_taken_by_their_names() {
    let clock = ManualClock::new();
    let user = TestUser::new("user-1").claim("tier", "gold");
    let client = TestClient::confidential("machine", "machine-secret")
        .redirect_uri(super::support::CALLBACK)
        .grant_types([
            GRANT,
            "authorization_code",
            "refresh_token",
            "client_credentials",
        ]);
    let accounts = Accounts::none().user(user).client(client);
    let server = builder(&clock)
        .accounts(accounts)
        .serve()
        .await
        .expect("a port");
    let of_machine = [
        ("client_id", "machine"),
        ("client_secret", "machine-secret"),
    ];
    let code = code(&server, &of_machine[..1]).await;
    let told = redeem(&server, &code, &of_machine).await.json();
    for (member, kind) in [
        ("access_token", ACCESS_TOKEN),
        ("access_token", JWT),
        ("id_token", ID_TOKEN),
        ("refresh_token", REFRESH_TOKEN),
    ] {
        let answer = exchange(&server, &told[member], &[("subject_token_type", kind)]).await;
        assert_eq!(answer.status, 200, "{kind}: {answer:?}");
        let claims = payload(&answer.json()["access_token"]);
        assert_eq!(
            (&claims["sub"], &claims["tier"]),
            (&json!("user-1"), &json!("gold")),
            "{kind}"
        );
    }
    for (member, kind) in [
        ("access_token", "urn:ietf:params:oauth:token-type:saml2"),
        ("access_token", ID_TOKEN),
        ("access_token", REFRESH_TOKEN),
        ("id_token", ACCESS_TOKEN),
        ("refresh_token", JWT),
    ] {
        let answer = exchange(&server, &told[member], &[("subject_token_type", kind)]).await;
        assert_eq!(
            answer.error(),
            (400, "invalid_request".into()),
            "{member} {kind}"
        );
    }
    // Its subject signed out, so that nothing of the grant is good any more.
    let refresh = told["refresh_token"].as_str().expect("text");
    let revoked = [of_machine[0], of_machine[1], ("token", refresh)];
    assert_eq!(
        post(&format!("{}/revoke", server.url()), &revoked)
            .await
            .status,
        200
    );
    for (member, kind) in [
        ("access_token", ACCESS_TOKEN),
        ("refresh_token", REFRESH_TOKEN),
    ] {
        let answer = exchange(&server, &told[member], &[("subject_token_type", kind)]).await;
        assert_eq!(answer.error(), (400, "invalid_request".into()), "{kind}");
    }
}

#[tokio::test]
async fn exchanged_token_ends_with_the_grant_of_its_subject() {
    let server = served(&ManualClock::new()).await;
    let signed_in = signed_in(&server).await;
    let told = exchange(&server, &signed_in["access_token"], &[])
        .await
        .json();
    let token = told["access_token"].as_str().expect("text");
    let is_active = || {
        let told: Value = serde_json::from_str(&server.introspection(token)).expect("JSON");
        told["active"] == true
    };
    assert!(is_active());
    let refresh = signed_in["refresh_token"].as_str().expect("text");
    let fields = [("client_id", "spa"), ("token", refresh)];
    assert_eq!(
        post(&format!("{}/revoke", server.url()), &fields)
            .await
            .status,
        200
    );
    assert!(!is_active());
}

#[tokio::test]
async fn may_act_names_the_one_that_may() {
    let server = served(&ManualClock::new()).await;
    let actor = own_token(&server).await;
    let acting = [("actor_token", &*actor), ("actor_token_type", ACCESS_TOKEN)];
    let issuer = server.issuer();
    for (may_act, with_actor, is_good) in [
        (json!({"sub": "machine"}), true, true),
        (json!({"sub": "machine"}), false, true),
        (json!({"sub": "machine", "iss": issuer}), true, true),
        (
            json!({"sub": "machine", "iss": "https://other.example"}),
            true,
            false,
        ),
        (json!({"sub": "agent-1"}), true, false),
        (json!({"sub": "agent-1"}), false, false),
        (json!("machine"), true, false),
        (json!({}), true, false),
    ] {
        let subject = server.token().claim("may_act", &may_act).sign();
        let changed = if with_actor { &acting[..] } else { &[] };
        let answer = exchange(&server, &json!(subject), changed).await;
        if is_good {
            let claims = payload(&answer.json()["access_token"]);
            assert_eq!(claims["act"], json!({"sub": "machine"}), "{may_act}");
            assert!(claims.get("may_act").is_none());
        } else {
            assert_eq!(answer.error(), (400, "invalid_request".into()), "{may_act}");
        }
    }
}

#[tokio::test]
async fn exchange_gives_no_wider_scope_and_no_foreign_resource() {
    let server = served(&ManualClock::new()).await;
    let subject = json!(server.token().scope("app/read app/write").sign());
    let answer = exchange(&server, &subject, &[]).await.json();
    assert_eq!(answer["scope"], "app/read app/write");
    let answer = exchange(&server, &subject, &[("scope", "app/read")])
        .await
        .json();
    assert_eq!(answer["scope"], "app/read");
    let answer = exchange(&server, &subject, &[("scope", "app/read app/admin")]).await;
    assert_eq!(answer.error(), (400, "invalid_scope".into()));
    let bare = json!(server.token().sign());
    let answer = exchange(&server, &bare, &[("scope", "app/read")]).await;
    assert_eq!(answer.error(), (400, "invalid_scope".into()));
    for parameter in ["resource", "audience"] {
        let answer = exchange(&server, &subject, &[(parameter, API)])
            .await
            .json();
        assert_eq!(payload(&answer["access_token"])["aud"], API);
        let answer = exchange(&server, &subject, &[(parameter, "https://other.example")]).await;
        assert_eq!(
            answer.error(),
            (400, "invalid_target".into()),
            "{parameter}"
        );
    }
}

#[tokio::test]
async fn malformed_exchange_is_refused() {
    let server = served(&ManualClock::new()).await;
    let subject = json!(server.token().sign());
    assert_eq!(exchange(&server, &subject, &[]).await.status, 200);
    let expired = json!(server.token().expired().sign());
    let forged = json!(server.token().sign_with_wrong_key());
    let mut chained = server.token();
    for number in 0..8 {
        chained = chained.actor(&format!("agent-{number}"));
    }
    let chained = json!(chained.sign());
    let actor = own_token(&server).await;
    for (token, changed, error) in [
        (&expired, &[][..], "invalid_request"),
        (&forged, &[], "invalid_request"),
        (&json!("unknown"), &[], "invalid_request"),
        (&subject, &[("subject_token", "")], "invalid_request"),
        (&subject, &[("subject_token_type", "")], "invalid_request"),
        (&subject, &[("actor_token", &*actor)], "invalid_request"),
        (
            &subject,
            &[("actor_token_type", ACCESS_TOKEN)],
            "invalid_request",
        ),
        (
            &subject,
            &[
                ("actor_token", "unknown"),
                ("actor_token_type", ACCESS_TOKEN),
            ],
            "invalid_request",
        ),
        (
            &subject,
            &[("requested_token_type", REFRESH_TOKEN)],
            "invalid_request",
        ),
        (
            &chained,
            &[("actor_token", &*actor), ("actor_token_type", ACCESS_TOKEN)],
            "invalid_request",
        ),
        (
            &subject,
            &[("client_id", "web"), ("client_secret", "web-secret")],
            "unauthorized_client",
        ),
    ] {
        let answer = exchange(&server, token, changed).await;
        assert_eq!(answer.error(), (400, error.to_owned()), "{changed:?}");
    }
    let answer = exchange(&server, &subject, &[("client_secret", "wrong")]).await;
    assert_eq!(answer.error(), (401, "invalid_client".into()));
}
