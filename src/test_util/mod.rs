//! Tools to test applications that this library guards: an issuer, its tokens, and a clock.
//!
//! 1. Nothing here needs a network; what serves, serves on loopback.
//! 2. Nothing here needs real time to pass: tests move a [`ManualClock`] and wait for events.
//! 3. Every token that must be refused can be ordered as easily as a good one.
//! 4. These are tools for tests: where they cannot go on, they panic and say why. Keys live in
//!    memory and guard nothing.
//!
//! # How to test an application
//!
//! Build the router as in production, with a [`MockIssuer`] in place of the real one:
//!
//! ```
//! use axum::{Router, body::Body, routing::get};
//! use http::{Request, StatusCode, header::AUTHORIZATION};
//! use portcullis::test_util::{ManualClock, MockIssuer};
//! use portcullis::{AccessToken, ResourceServer};
//! use std::time::Duration;
//! use tower::ServiceExt as _;
//!
//! async fn whoami(token: AccessToken) -> String {
//!     token.subject().map(ToString::to_string).unwrap_or_default()
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let clock = ManualClock::new();
//! let issuer = MockIssuer::new().with_clock(clock.clone());
//! let server = ResourceServer::builder("https://api.example.com")
//!     .issuer(issuer.trusted())
//!     .clock(clock.clone())
//!     .build()?;
//! let app = Router::new()
//!     .route("/whoami", get(whoami))
//!     .layer(server.authenticate());
//!
//! let status = async |token: &str| {
//!     let request = Request::get("/whoami")
//!         .header(AUTHORIZATION, format!("Bearer {token}"))
//!         .body(Body::empty())
//!         .unwrap();
//!     app.clone().oneshot(request).await.unwrap().status()
//! };
//! let token = issuer.token().subject("alice").scope("app/read");
//! assert_eq!(status(&token.sign()).await, StatusCode::OK);
//! assert_eq!(status(&token.sign_with_wrong_key()).await, StatusCode::UNAUTHORIZED);
//! assert_eq!(status(&token.unsigned()).await, StatusCode::UNAUTHORIZED);
//! assert_eq!(status(&issuer.id_token().sign()).await, StatusCode::UNAUTHORIZED);
//!
//! clock.advance(Duration::from_secs(2 * 3600));
//! assert_eq!(status(&token.sign()).await, StatusCode::UNAUTHORIZED, "expired");
//! # Ok(())
//! # }
//! ```
//!
//! To see what the application does when keys rotate or the issuer is down,
//! [`serve`](MockIssuer::serve) it and use [`ServedIssuer::trusted`]; [`Fault`] lists the ways
//! in which it can fail, and [`Endpoint`] the places. A served issuer also answers for its tokens,
//! those included that only it can read: [`TokenBuilder::issue`].

// In the order in which they may name each other.
mod release_guard;
mod percent_encoding;
mod clock;
mod keys;
mod certificate;
mod expiring_map;
mod proof;
mod issuer;
mod tokens;
mod served;
mod openapi_check;
mod extraction;
mod wrong_credentials;
mod authorization_server;

pub use authorization_server::{
    Accounts, AuthorizationServer, AuthorizationServerDanger, AuthorizationServerError,
    ServedAuthorizationServer, TestClient, TestUser, TlsPeer,
};
pub use certificate::TestCertificate;
pub use clock::ManualClock;
pub use extraction::{Extraction, ExtractionRefusal};
pub use issuer::MockIssuer;
#[cfg(feature = "status-list")]
pub use issuer::StatusListFault;
pub use openapi_check::{OpenApiCheck, OpenApiFault, OpenApiFaults};
pub use proof::{DpopKey, ProofBuilder};
pub use served::{Endpoint, Fault, ServedIssuer};
#[cfg(feature = "status-list")]
pub use tokens::MockStatusList;
pub use tokens::TokenBuilder;
pub use wrong_credentials::{WrongCredentials, WrongCredentialsFault, WrongCredentialsFaults};

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::body::Body;
    use axum::routing::get;
    use http::{Request, StatusCode, header::AUTHORIZATION};
    use tower::ServiceExt as _;

    use super::*;
    use crate::{Algorithm, Identity, Issuer, ResourceServer, TenantClaims};

    async fn caller(identity: Identity) -> &'static str {
        match identity {
            Identity::User(_) => "user",
            Identity::Principal(_) => "principal",
            Identity::Client(_) => "client",
            Identity::Subject(_) => "subject",
        }
    }

    async fn answer(server: &ResourceServer, context: &str, token: &str) -> String {
        let mut layer = server.authenticate();
        if !context.is_empty() {
            layer = layer.context(context);
        }
        let app = Router::new().route("/", get(caller)).layer(layer);
        let request = Request::get("/")
            .header(AUTHORIZATION, format!("Bearer {token}"))
            .body(Body::empty())
            .unwrap();
        let answer = app.oneshot(request).await.unwrap();
        if answer.status() != StatusCode::OK {
            return answer.status().as_u16().to_string();
        }
        let body = axum::body::to_bytes(answer.into_body(), 100).await.unwrap();
        String::from_utf8(body.to_vec()).unwrap()
    }

    fn server(issuer: Issuer, clock: &ManualClock) -> ResourceServer {
        ResourceServer::builder(MockIssuer::AUDIENCE)
            .issuer(issuer)
            .clock(clock.clone())
            .build()
            .unwrap()
    }

    /// One of each kind, with what its machines are without rules for tenants.
    fn kinds() -> [(MockIssuer, &'static str); 7] {
        const DIRECTORY: &str = "72f988bf-86f1-41af-91ab-2d7cd011db47";
        [
            (
                MockIssuer::new().with_algorithms(Algorithm::all()),
                "client",
            ),
            (
                MockIssuer::rfc9068("https://as.example").with_algorithms([Algorithm::ES256]),
                "client",
            ),
            (
                MockIssuer::cognito("eu-west-1", "eu-west-1_AbCdEf"),
                "client",
            ),
            // Their machines have a subject that is not the client.
            (
                MockIssuer::keycloak("https://id.example.com/", "main"),
                "subject",
            ),
            (MockIssuer::entra(DIRECTORY), "subject"),
            (MockIssuer::auth0("example.eu.auth0.com"), "subject"),
            (MockIssuer::okta("example.okta.com", "default"), "client"),
        ]
    }

    #[tokio::test]
    async fn each_kind_of_issuer_is_trusted_and_its_bad_tokens_are_not() {
        let clock = ManualClock::new();
        for (issuer, machine) in kinds() {
            let issuer = issuer.with_clock(clock.clone());
            let server = server(issuer.trusted(), &clock);
            let token = issuer.token();
            assert_eq!(
                answer(&server, "", &token.sign()).await,
                "subject",
                "{issuer:?}"
            );
            assert_eq!(
                answer(&server, "", &issuer.client_token().sign()).await,
                machine,
                "{issuer:?}"
            );
            for (at, bad) in [
                token.sign_with_wrong_key(),
                token.sign_with_unknown_key(),
                token.unsigned(),
                token.with_hmac_of_public_key(),
                token.tampered_payload(),
                token.tampered_signature(),
                token.truncated(),
                token.clone().expired().sign(),
                token.clone().not_before_in(HOUR).sign(),
                token.clone().without("exp").sign(),
                token.clone().issuer("https://other.example").sign(),
                token.clone().audience("https://other.example").sign(),
                issuer.id_token().sign(),
                issuer.refresh_token(),
            ]
            .iter()
            .enumerate()
            {
                assert_eq!(answer(&server, "", bad).await, "401", "{issuer:?} {at}");
            }
        }
    }

    #[tokio::test]
    async fn id_tokens_of_a_vendor_for_the_api_itself_are_refused_where_they_have_a_mark() {
        let clock = ManualClock::new();
        for (issuer, _) in kinds() {
            let issuer = issuer.with_clock(clock.clone());
            let server = server(issuer.trusted(), &clock);
            let id_token = issuer.id_token().audience(issuer.audience()).sign();
            assert_eq!(answer(&server, "", &id_token).await, "401", "{issuer:?}");
        }
    }

    async fn granted(token: crate::AccessToken, role: Option<crate::InRole<Admin>>) -> String {
        let client = token.client_id().map(ToString::to_string);
        let scope: Vec<_> = token
            .scope()
            .iter()
            .map(|scope| scope.to_string())
            .collect();
        format!(
            "{} {} {}",
            client.unwrap_or_default(),
            scope.join(","),
            role.is_some()
        )
    }

    crate::roles! { Admin = "admin"; }

    #[tokio::test]
    async fn the_presets_find_client_scope_and_roles_where_the_vendor_writes_them() {
        let clock = ManualClock::new();
        for (issuer, _) in kinds() {
            let issuer = issuer.with_clock(clock.clone());
            let app = Router::new()
                .route("/", get(granted))
                .layer(server(issuer.trusted(), &clock).authenticate());
            let token = issuer.token();
            let told = token
                .client(MockIssuer::PORTAL_CLIENT_ID)
                .scope("app/read app/write")
                .roles(["admin"])
                .sign();
            let request = Request::get("/")
                .header(AUTHORIZATION, format!("Bearer {told}"))
                .body(Body::empty())
                .unwrap();
            let answer = app.oneshot(request).await.unwrap();
            let body = axum::body::to_bytes(answer.into_body(), 200).await.unwrap();
            assert_eq!(
                body, "7portal23456789 app/read,app/write true",
                "{issuer:?}"
            );
        }
    }

    #[tokio::test]
    async fn every_algorithm_is_verified() {
        let clock = ManualClock::new();
        let issuer = MockIssuer::new()
            .with_clock(clock.clone())
            .with_algorithms(Algorithm::all());
        let trusted = issuer.trusted().algorithms(Algorithm::all());
        let server = server(trusted, &clock);
        for algorithm in Algorithm::all() {
            let token = issuer.token().algorithm(algorithm).sign();
            assert_eq!(answer(&server, "", &token).await, "subject", "{algorithm}");
        }
    }

    #[tokio::test]
    async fn the_callers_of_aworld_are_who_they_say() {
        let clock = ManualClock::new();
        let issuer = MockIssuer::cognito("eu-west-1", "eu-west-1_AbCdEf").with_clock(clock.clone());
        let rules = TenantClaims::aworld().portal_client(MockIssuer::PORTAL_CLIENT_ID);
        let server = server(issuer.trusted().tenant_claims(rules), &clock);
        assert_eq!(
            answer(&server, "app", &issuer.aworld_user().sign()).await,
            "user"
        );
        assert_eq!(
            answer(&server, "app", &issuer.aworld_client().sign()).await,
            "client"
        );
        assert_eq!(
            answer(&server, "portal", &issuer.aworld_principal().sign()).await,
            "principal"
        );
        let elsewhere = issuer.aworld_user().context("dashboard").sign();
        assert_eq!(answer(&server, "app", &elsewhere).await, "403");
    }

    #[tokio::test]
    async fn a_served_issuer_is_found_and_followed() {
        for (issuer, _) in kinds() {
            let clock = ManualClock::new();
            let issuer = issuer.with_clock(clock.clone()).serve().await;
            let server = server(issuer.trusted(), &clock).connect().await.unwrap();
            assert_eq!(
                answer(&server, "", &issuer.token().sign()).await,
                "subject",
                "{issuer:?}"
            );
            issuer.rotate();
            clock.advance(HOUR / 60); // past the cooldown
            assert_eq!(answer(&server, "", &issuer.token().sign()).await, "subject");
            assert_eq!(issuer.fetches(), 2);
        }
    }

    #[tokio::test]
    async fn a_broken_issuer_is_an_outage() {
        let clock = ManualClock::new();
        let issuer = MockIssuer::new().with_clock(clock.clone()).serve().await;
        issuer.break_with(Fault::Refuse);
        let server = server(issuer.trusted(), &clock).connect().await.unwrap();
        assert_eq!(answer(&server, "", &issuer.token().sign()).await, "503");
        issuer.recover();
        clock.advance(HOUR / 60);
        assert_eq!(answer(&server, "", &issuer.token().sign()).await, "subject");
    }

    const HOUR: std::time::Duration = std::time::Duration::from_secs(3600);
}
