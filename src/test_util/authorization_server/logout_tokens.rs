//! Logout tokens, sent to the clients of a session that ends (OpenID Connect Back-Channel Logout 1.0).

use super::outgoing::post_form;
use super::state::Server;
use crate::test_util::keys::random_text;

/// Ends a session, with its tokens, and tells its clients; false where there is no such session.
///
/// This returns when each client has answered, or has let 5 seconds pass. What it answered changes nothing here
/// (section 2.8).
pub(super) async fn end_session(server: &Server, sid: &str) -> bool {
    let Some(session) = server.end_session(sid) else {
        return false;
    };
    let mut sent = Vec::new();
    for client in session.clients {
        let Some(uri) = client.backchannel_logout_uri.clone() else {
            continue;
        };
        let token = server.issuer.logout_token();
        let token = token
            .audience(&client.id)
            .subject(&session.user.subject)
            .claim("sid", sid)
            .claim("jti", random_text(24))
            .signed();
        // Section 2.5. A compact JWS needs no encoding in a form.
        let form = format!("logout_token={token}");
        sent.push(tokio::spawn(async move { post_form(&uri, form).await }));
    }
    for delivery in sent {
        // A client that cannot be told keeps the session until its tokens end.
        let _ = delivery.await;
    }
    true
}
