//! What the user and the scripts do, in their order: each step with the answer that it must get.

use std::io::{self, Write as _};
use std::time::Duration;

use portcullis::test_util::{DpopKey, ManualClock};

use super::browser::Browser;
use super::front_end::FIRST_SCOPE;
use super::{Fault, SetUp};

pub(crate) async fn run(set_up: &SetUp, dpop: bool, clock: &ManualClock) -> Result<(), Fault> {
    let mut browser = Browser::new(set_up)?;
    if dpop {
        writeln!(io::stdout(), "\nwith tokens that are bound to a key")?;
        browser.key = Some(DpopKey::generate().with_clock(clock.clone()));
    }
    browser.page().await?;
    show(
        "a preflight",
        &browser.preflight().await?,
        "200 authorization,content-type,dpop",
    )?;

    show(
        "nobody is signed in",
        &browser.call("GET", "/orders").await?,
        "401",
    )?;
    let first = browser.sign_in(FIRST_SCOPE, "").await?;
    show("signed in", &first, "openid orders:read")?;
    show(
        "list orders",
        &browser.call("GET", "/orders").await?,
        "200 orders of alice",
    )?;

    let refused = browser.call("POST", "/orders").await?;
    show(
        "place an order",
        &refused,
        "403 insufficient_scope scope=orders:write",
    )?;
    // The session of the authorization server answers: the user is not asked again.
    let more = browser
        .sign_in(&format!("{FIRST_SCOPE} orders:write"), "")
        .await?;
    show("more scope", &more, "openid orders:read orders:write")?;
    show(
        "the order again",
        &browser.call("POST", "/orders").await?,
        "200 the order is placed",
    )?;

    clock.advance(Duration::from_secs(300)); // the access token lives for a minute
    show(
        "five minutes later",
        &browser.call("GET", "/orders").await?,
        "401 invalid_token",
    )?;
    let old = browser.refresh_token.clone();
    show("refresh", &browser.refresh(&old).await?, "200")?;
    show(
        "the same call again",
        &browser.call("GET", "/orders").await?,
        "200 orders of alice",
    )?;
    if old == browser.refresh_token {
        return Err("the refresh token is not rotated".into());
    }

    let refused = browser.call("POST", "/refunds").await?;
    let expected =
        "401 insufficient_user_authentication scope=orders:write acr_values=mfa max_age=300";
    show("refund an order", &refused, expected)?;
    let scope = format!("{FIRST_SCOPE} orders:write");
    browser
        .sign_in(&scope, "&acr_values=mfa&max_age=300")
        .await?;
    show(
        "after a second factor",
        &browser.call("POST", "/refunds").await?,
        "200 the money is on its way",
    )?;

    let current = browser.refresh_token.clone();
    show("sign out", &browser.revoke(&current).await?, "200")?;
    show(
        "refresh after it",
        &browser.refresh(&current).await?,
        "400 invalid_grant",
    )?;
    let seen = browser.end_session().await?;
    show("and of its session", &seen, "back at the page")?;
    // The API was told (back-channel logout); else the token would be good for the rest of its minute.
    let refused = browser.call("GET", "/orders").await?;
    show("the access token", &refused, "401 invalid_token")?;

    // A refresh token that is used twice was stolen: the session ends.
    browser.sign_in(FIRST_SCOPE, "").await?;
    let stolen = browser.refresh_token.clone();
    show("refresh", &browser.refresh(&stolen).await?, "200")?;
    show(
        "the old refresh token",
        &browser.refresh(&stolen).await?,
        "400 invalid_grant",
    )?;
    let current = browser.refresh_token.clone();
    show(
        "and now the new one, too",
        &browser.refresh(&current).await?,
        "400 invalid_grant",
    )?;
    Ok(())
}

/// Prints what was seen, and fails where it is not what was expected.
fn show(what: &str, seen: &str, expected: &str) -> Result<(), Fault> {
    writeln!(io::stdout(), "{what:<26}  {seen}")?;
    if seen == expected {
        return Ok(());
    }
    Err(format!("{what}: `{seen}` in place of `{expected}`").into())
}
