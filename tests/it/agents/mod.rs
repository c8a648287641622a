//! Agents: the `act` claim (RFC 8693 section 4.1), guards, revocation, and who acts for whom.

mod claims;
mod delegation;
mod events;
mod guards;
mod revocation;

use axum::routing::get;
use portcullis::AccessToken;
use portcullis::ResourceServer;
use portcullis::extract::Actor;

use crate::support::TestApp;

/// `/` answers with the actors of the token, the current one first.
fn actors_app(server: &ResourceServer) -> TestApp {
    TestApp::behind(server.authenticate())
        .route("/", get(async |token: AccessToken| actors(&token)))
}

fn actors(token: &AccessToken) -> String {
    let Some(actor) = token.actor() else {
        return "none".to_owned();
    };
    let all = std::iter::once(actor).chain(actor.earlier());
    all.map(shown).collect::<Vec<_>>().join(" < ")
}

fn shown(actor: &Actor) -> String {
    let part = |part: Option<&str>| part.unwrap_or("-").to_owned();
    format!(
        "{} sub={} client={}",
        actor.issuer(),
        part(actor.subject()),
        part(actor.client_id())
    )
}
