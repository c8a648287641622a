//! Members that say which kind of issuer it is, where one text does not.

use crate::model::claim_path::ClaimPath;
use crate::model::requirement::claim_value::ClaimValue;
use crate::server::config::error::NodeError;
use crate::server::config::place::PublicText;
use crate::server::config::setting::{RequiredValue, Setting, Several, is_its_own_value};
use crate::server::presets::{issuers as presets, workloads};
use crate::server::settings::issuer::value::Issuer;

/// An Amazon Cognito user pool.
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table with `region` and `pool_id`")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(in crate::server::config) struct CognitoPool {
    /// Its region, such as `eu-west-1`.
    region: String,
    /// Its id, such as `eu-west-1_AbCdEf`.
    pool_id: String,
}

impl Setting for CognitoPool {
    type Value = Issuer;

    fn value(self) -> Result<Issuer, NodeError> {
        Ok(Issuer::cognito(self.region, self.pool_id))
    }
}

/// Several tenants of one authorization server.
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(
    deny_unknown_fields,
    expecting = "a table with `issuer`, `tenant_claim` and `tenants`"
)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(in crate::server::config) struct TenantFamily {
    /// Their identifier with one place in braces.
    issuer: String,
    /// The claim that must equal the tenant's id.
    tenant_claim: ClaimPath,
    /// The ids of the tenants.
    tenants: Several<String>,
}

impl Setting for TenantFamily {
    type Value = Issuer;

    fn value(self) -> Result<Issuer, NodeError> {
        let tenants = self.tenants.value()?;
        Ok(Issuer::oidc_tenants(
            self.issuer,
            self.tenant_claim,
            tenants,
        ))
    }
}

/// A realm of Keycloak.
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table with `base_url` and `realm`")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(in crate::server::config) struct KeycloakRealm {
    /// Keycloak's base URL, such as `https://id.example.com`.
    base_url: String,
    realm: String,
}

impl Setting for KeycloakRealm {
    type Value = Issuer;

    fn value(self) -> Result<Issuer, NodeError> {
        Ok(presets::keycloak(self.base_url, self.realm))
    }
}

/// A custom authorization server of Okta.
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(
    deny_unknown_fields,
    expecting = "a table with `domain` and `authorization_server`"
)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(in crate::server::config) struct OktaServer {
    /// The domain of the organization, such as `example.okta.com`.
    domain: String,
    /// The authorization server, such as `default`.
    authorization_server: String,
}

impl Setting for OktaServer {
    type Value = Issuer;

    fn value(self) -> Result<Issuer, NodeError> {
        Ok(presets::okta(self.domain, self.authorization_server))
    }
}

/// Jobs of one namespace of GitLab.
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(
    deny_unknown_fields,
    expecting = "a table with `base_url` and `namespace_path`"
)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(in crate::server::config) struct GitlabNamespace {
    /// The base URL of the instance, such as `https://gitlab.com`.
    base_url: String,
    /// The path of the group or user.
    namespace_path: String,
}

impl Setting for GitlabNamespace {
    type Value = Issuer;

    fn value(self) -> Result<Issuer, NodeError> {
        Ok(workloads::gitlab(self.base_url, self.namespace_path))
    }
}

/// A claim, and the value that it must have.
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table with `claim` and `value`")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(in crate::server::config) struct RequiredClaimTable {
    claim: ClaimPath,
    value: RequiredValue,
}

impl Setting for RequiredClaimTable {
    type Value = (ClaimPath, ClaimValue);

    fn value(self) -> Result<Self::Value, NodeError> {
        Ok((self.claim, self.value.value()?))
    }
}

/// A header parameter, and the value that it must have.
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table with `name` and `value`")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(in crate::server::config) struct RequiredHeaderTable {
    pub(in crate::server::config) name: String,
    pub(in crate::server::config) value: String,
}

is_its_own_value!(RequiredHeaderTable);

/// A public key with its id.
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table with `key_id` and `pem`")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(in crate::server::config) struct NamedKey {
    key_id: String,
    pem: PublicText,
}

impl Setting for NamedKey {
    type Value = (String, String);

    fn value(self) -> Result<Self::Value, NodeError> {
        let pem = self.pem.value();
        Ok((self.key_id, pem.map_err(|error| error.within("pem"))?))
    }
}
