//! An agent acts for a user: its name stands in the user's token (`act`, RFC 8693).

use portcullis::test_util::MockIssuer;

use crate::Fault;
use crate::callers::{Call, READ};
use crate::table::Table;

const ASSISTANT: &str = "GET /app/workspaces/acme-prod/assistant";
const PASSWORD: &str = "POST /app/workspaces/acme-prod/password";

/// A user alone, through the agent that a route knows, and through another.
pub(crate) async fn show(table: &mut Table, pool: &MockIssuer) -> Result<(), Fault> {
    let user = pool.aworld_user();
    let known = user.clone().actor("assistant");
    let other = user.clone().actor("scraper");
    for (caller, request, token, expected) in [
        ("agent for a user", READ, &known, "200"),
        ("another agent", READ, &other, "200"),
        ("agent for a user", ASSISTANT, &known, "200"),
        ("another agent", ASSISTANT, &other, "403"),
        ("user, no agent", ASSISTANT, &user, "403"),
        ("user, no agent", PASSWORD, &user, "204"),
        ("agent for a user", PASSWORD, &known, "403"),
    ] {
        let call = Call::new(caller, request, [token.sign()], expected);
        table.ask(&call).await?;
    }
    Ok(())
}
