//! A token that was good a moment ago is taken back: here, not at its issuer.

use portcullis::ResourceServer;
use portcullis::revocation::Revocation;
use portcullis::test_util::MockIssuer;

use crate::Fault;
use crate::callers::{Call, READ};
use crate::table::Table;

/// One signed token and one opaque one, each seen before and so remembered.
pub(crate) async fn show(
    table: &mut Table,
    pool: &MockIssuer,
    gateway: &MockIssuer,
    server: &ResourceServer,
) -> Result<(), Fault> {
    let signed = pool.aworld_user().claim("jti", "stolen-1").sign();
    let opaque = gateway.aworld_user().claim("jti", "stolen-2").issue();
    let other = pool.aworld_user().sign();
    for (caller, token) in [("user", &signed), ("user, opaque token", &opaque)] {
        let call = Call::new(caller, READ, [token.clone()], "200");
        table.ask(&call).await?;
    }
    let revocations = server.revocations();
    revocations.revoke(Revocation::token(&pool.issuer(), "stolen-1"))?;
    revocations.revoke(Revocation::token(&gateway.issuer(), "stolen-2"))?;
    for (caller, token, expected) in [
        ("user, revoked", signed, "401 invalid_token"),
        ("user, opaque and revoked", opaque, "401 invalid_token"),
        ("user, another token", other, "200"),
    ] {
        table
            .ask(&Call::new(caller, READ, [token], expected))
            .await?;
    }
    Ok(())
}
