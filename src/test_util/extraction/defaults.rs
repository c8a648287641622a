//! The server of an extraction that names none.

#![allow(clippy::expect_used)] // Test tooling: a panic is the report.

use crate::tenant::{AccountId, LookupError, UserId, WorkspaceId};
use crate::tenant::{UserDirectory, WorkspaceDirectory};
use crate::test_util::extraction::settings::Extraction;
use crate::test_util::issuer::MockIssuer;
use crate::{ResourceServer, TenantClaims, WorkspaceAccess};

impl<S> Extraction<S> {
    /// The server that trusts the issuer of the token.
    pub(super) fn default_server(&self) -> ResourceServer {
        let issuer = self.issuer.as_ref().expect("a server, or a token");
        let mut trusted = issuer.trusted();
        if self.has_tenant_claims {
            trusted = trusted.tenant_claims(
                TenantClaims::aworld()
                    .portal_client(MockIssuer::PORTAL_CLIENT_ID)
                    .principals_reach(["acme"])
                    .delegation(),
            );
        }
        let builder = ResourceServer::builder(MockIssuer::AUDIENCE)
            .issuer(trusted)
            .clock(issuer.clock())
            .workspace_directory(Owners)
            .user_directory(Users);
        builder.build().expect("the settings of a mock issuer")
    }
}

/// `acme` owns `acme-prod`.
struct Owners;

impl WorkspaceDirectory for Owners {
    async fn owner(&self, workspace: &WorkspaceId) -> Result<Option<AccountId>, LookupError> {
        let is_known = workspace.as_str() == "acme-prod";
        Ok(is_known.then(|| AccountId::new("acme")).transpose()?)
    }
}

/// Every workspace has the user of the mock issuer.
struct Users;

impl UserDirectory for Users {
    async fn has_user(&self, _: &WorkspaceAccess, user: &UserId) -> Result<bool, LookupError> {
        Ok(user.as_str() == MockIssuer::SUBJECT)
    }
}
