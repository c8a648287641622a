//! What the tests with emulated Cognito user pools share: a pool, its clients and users.

use portcullis::{Claims, Identity, InGroup, ResourceServer, Scoped};

use axum::routing::get;
use serde_json::{Value, json};

use super::house::{Foreign, client, json as answer_of, text};
use crate::support::TestApp;

portcullis::scopes! {
    Read = "app/read";
    SelfService = "aws.cognito.signin.user.admin";
}

portcullis::roles! {
    Staff = "staff";
    Admin = "admin";
}

/// A user pool with one user, `alice@example.com`, of the group `staff`.
pub(super) struct Pool<'s> {
    emulator: &'s Foreign,
    pub(super) id: String,
}

/// What a sign-in gives.
pub(super) struct SignedIn {
    pub(super) access: String,
    pub(super) id: String,
    pub(super) refresh: String,
}

const USER: &str = "alice@example.com";
const PASSWORD: &str = "Aa1!of-no-secrecy";

impl<'s> Pool<'s> {
    pub(super) async fn of(emulator: &'s Foreign) -> Self {
        let created = call(emulator, "CreateUserPool", json!({"PoolName": "main"})).await;
        let id = text(&created["UserPool"], "Id");
        for (operation, fields) in [
            (
                "AdminCreateUser",
                json!({"MessageAction": "SUPPRESS", "UserAttributes": []}),
            ),
            (
                "AdminSetUserPassword",
                json!({"Password": PASSWORD, "Permanent": true}),
            ),
            ("CreateGroup", json!({"GroupName": "staff"})),
            ("AdminAddUserToGroup", json!({"GroupName": "staff"})),
        ] {
            let mut body = fields;
            body["UserPoolId"] = json!(id);
            if operation != "CreateGroup" {
                body["Username"] = json!(USER);
            }
            call(emulator, operation, body).await;
        }
        Self { emulator, id }
    }

    /// The id of a new app client.
    pub(super) async fn client(&self) -> String {
        let body = json!({
            "UserPoolId": self.id,
            "ClientName": "app",
            "ExplicitAuthFlows": ["ALLOW_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"],
        });
        let created = call(self.emulator, "CreateUserPoolClient", body).await;
        text(&created["UserPoolClient"], "ClientId")
    }

    /// Signs the user in through this app client.
    pub(super) async fn sign_in(&self, client_id: &str) -> SignedIn {
        let body = json!({
            "AuthFlow": "USER_PASSWORD_AUTH",
            "ClientId": client_id,
            "AuthParameters": {"USERNAME": USER, "PASSWORD": PASSWORD},
        });
        let answer = call(self.emulator, "InitiateAuth", body).await;
        let tokens = &answer["AuthenticationResult"];
        SignedIn {
            access: text(tokens, "AccessToken"),
            id: text(tokens, "IdToken"),
            refresh: text(tokens, "RefreshToken"),
        }
    }

    /// A new access token for this refresh token.
    pub(super) async fn renew(&self, client_id: &str, refresh: &str) -> String {
        let body = json!({
            "AuthFlow": "REFRESH_TOKEN_AUTH",
            "ClientId": client_id,
            "AuthParameters": {"REFRESH_TOKEN": refresh},
        });
        let answer = call(self.emulator, "InitiateAuth", body).await;
        text(&answer["AuthenticationResult"], "AccessToken")
    }
}

async fn call(emulator: &Foreign, operation: &str, body: Value) -> Value {
    let request = client()
        .post(format!("{}/", emulator.url()))
        .header("content-type", "application/x-amz-json-1.1")
        .header(
            "x-amz-target",
            format!("AWSCognitoIdentityProviderService.{operation}"),
        )
        // An emulator reads service and region here and checks no signature.
        .header(
            "authorization",
            "AWS4-HMAC-SHA256 Credential=nobody/20260101/eu-west-1/cognito-idp/aws4_request, \
             SignedHeaders=host, Signature=none",
        )
        .body(body.to_string());
    answer_of(request).await
}

#[derive(serde::Deserialize)]
struct Named {
    username: String,
}

/// An API behind a user pool.
pub(super) fn app(server: &ResourceServer) -> TestApp {
    TestApp::new(server)
        .route("/kind", get(kind))
        .route("/staff", get(|_: InGroup<Staff>| async {}))
        .route("/admin", get(|_: InGroup<Admin>| async {}))
        .route("/own", get(|_: Scoped<SelfService>| async {}))
        .route("/read", get(|_: Scoped<Read>| async {}))
        .route(
            "/name",
            get(|Claims(named): Claims<Named>| async move { named.username.clone() }),
        )
}

async fn kind(identity: Identity) -> String {
    match identity {
        Identity::Subject(subject) => {
            format!("subject by {}", subject.client().expect("a client id"))
        }
        other => format!("{other:?}"),
    }
}
