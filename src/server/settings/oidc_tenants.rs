//! Issuers of one authorization server that differ in one place: its tenants.
//!
//! 1. The template has exactly one place, and each tenant's id fills it as it stands.
//! 2. Tenants are listed. A token of another tenant is an unknown issuer's, whatever key signed it.
//! 3. The token names the tenant twice, in `iss` and in a claim, and both must agree.

use std::collections::HashSet;
use std::sync::Arc;

use crate::model::claim_path::ClaimPath;
use crate::model::url::issuer_template::{IssuerTemplate, is_filler};
use crate::server::settings::error::ConfigError;

const SETTING: &str = "oidc_tenants";

/// Issuers that differ in one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::server) struct OidcTenants {
    pub(in crate::server) template: String,
    /// The claim that names the tenant of a token too.
    pub(in crate::server) claim: ClaimPath,
    pub(in crate::server) tenants: Vec<String>,
}

impl OidcTenants {
    /// The exact `iss` of each tenant, in their order.
    pub(in crate::server) fn identifiers(&self) -> Result<Vec<Arc<str>>, ConfigError> {
        let Some(template) = IssuerTemplate::parse(&self.template) else {
            return Err(ConfigError::new(
                SETTING,
                "the issuer needs exactly one place in braces for the tenant, such as `https://login.example.com/{tenant}/v2.0`",
            ));
        };
        if !template.is_in_path() {
            return Err(ConfigError::new(
                SETTING,
                "the tenant's place must be in the path; hosts are servers of their own, so configure each as an issuer",
            ));
        }
        if self.claim.is_blank() {
            return Err(ConfigError::new(
                SETTING,
                "the claim has no name; give the one that repeats the tenant, such as `tid`",
            ));
        }
        if self.tenants.is_empty() {
            return Err(ConfigError::missing(
                SETTING,
                "no tenant is trusted; name each by its id",
            ));
        }
        let mut seen = HashSet::new();
        for tenant in &self.tenants {
            let shown = tenant.escape_debug();
            if !is_filler(tenant) {
                return Err(ConfigError::new(
                    SETTING,
                    format!(
                        "the tenant id `{shown}` is not 1 to 256 letters, digits, `-`, `.`, `_` and `~`; give it as it stands in `iss`"
                    ),
                ));
            }
            if !seen.insert(tenant) {
                return Err(ConfigError::repeated(
                    SETTING,
                    format!("the tenant `{shown}` is named twice; name it once"),
                ));
            }
        }
        let filled = self.tenants.iter().map(|id| template.filled(id).into());
        Ok(filled.collect())
    }
}
