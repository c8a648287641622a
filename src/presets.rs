//! Ready-made settings for providers: each is a few lines over the settings of
//! [`Issuer`](crate::Issuer) and [`TenantClaims`](crate::TenantClaims).
//!
//! A preset sets what the tokens of a provider look like: the form of `iss`, where the scope, the
//! roles and the client id are, where keys come from. It does not set the audience: add an
//! [`audience`](crate::Issuer::audience), or a [`client_id`](crate::Issuer::client_id) for Cognito.
//! Whatever a preset sets is a default that the same setter of `Issuer` or `TenantClaims` replaces.
//!
//! | provider | issuer | tenant rules |
//! |---|---|---|
//! | Amazon Cognito | [`cognito`](crate::presets::cognito()) | [`aworld`](crate::presets::aworld()) |
//! | Auth0 | [`auth0`](crate::presets::auth0()) | [`auth0_organizations`](crate::presets::auth0_organizations()) |
//! | Axway API Gateway | `axway`, `axway_dialect` (feature `jwks`) | |
//! | Keycloak | [`keycloak`](crate::presets::keycloak()) | [`keycloak_groups`](crate::presets::keycloak_groups()) |
//! | Microsoft Entra ID | [`entra`](crate::presets::entra()), [`entra_tenants`](crate::presets::entra_tenants()) | [`entra_directories`](crate::presets::entra_directories()) |
//! | Okta | [`okta`](crate::presets::okta()) | |
//! | Safewhere Identify | [`safewhere`](crate::presets::safewhere()) | |
//! | AWS IAM, workloads | [`aws_workload`](crate::presets::aws_workload()) | |
//! | GitHub Actions | [`github_actions`](crate::presets::github_actions()) | |
//! | GitLab CI/CD | [`gitlab`](crate::presets::gitlab()) | |
//! | Google Cloud, workloads | [`google_workload`](crate::presets::google_workload()) | |
//! | Kubernetes service accounts | [`kubernetes`](crate::presets::kubernetes()), [`managed_kubernetes`](crate::presets::managed_kubernetes()) | |
//! | SPIFFE | [`spiffe`](crate::presets::spiffe()) | |
//! | ZITADEL | [`zitadel`](crate::presets::zitadel()) | |
//!
//! An issuer of a profile, and not of a product: [`Issuer::fapi2`](crate::Issuer::fapi2) for the FAPI 2.0
//! Security Profile. Any other OpenID Provider: [`Issuer::oidc`](crate::Issuer::oidc), or
//! [`Issuer::rfc9068`](crate::Issuer::rfc9068) where it follows the JWT profile for access tokens.
//! The manual's chapter on [providers](crate::manual::providers) has the notes for each.
//!
//! ```
//! use portcullis::{ResourceServer, presets};
//!
//! let server = ResourceServer::builder("https://api.example.com")
//!     .issuer(presets::keycloak("https://id.example.com", "main").audience("my-api"));
//! # #[cfg(feature = "jwks")]
//! assert!(server.build().is_ok());
//! ```

pub use crate::server::presets::issuers::{
    auth0, cognito, entra, entra_tenants, keycloak, okta, safewhere, zitadel,
};
#[cfg(feature = "jwks")]
pub use crate::server::presets::issuers::{axway, axway_dialect};
pub use crate::server::presets::tenants::{
    auth0_organizations, aworld, entra_directories, keycloak_groups,
};
pub use crate::server::presets::workloads::{
    aws_workload, github_actions, gitlab, google_workload, kubernetes, managed_kubernetes, spiffe,
};
