//! Tokens that are bound to their client's key (DPoP, RFC 9449): a thief lacks the key.

use axum::Router;
use axum::routing::get;
use portcullis::binding::Dpop;
use portcullis::observe::DecisionRecords;
use portcullis::test_util::{DpopKey, MockIssuer, ProofBuilder};
use portcullis::{Issuer, ResourceServer, TenantClaims, WorkspaceAccess};

use crate::api::app_layer;
use crate::callers::READ;
use crate::table::Table;
use crate::{Fault, client};

const EXPORT: &str = "GET /app/workspaces/acme-prod/export";
const LEDGER: &str = "GET /ledger/workspaces/acme-prod";

/// A server of its own, which demands its nonce in each proof.
pub(crate) async fn server(
    trusted: Issuer,
    origin: &str,
    records: DecisionRecords,
) -> Result<ResourceServer, Fault> {
    let server = ResourceServer::builder("https://api.example.com")
        .issuer(trusted.tenant_claims(TenantClaims::aworld()))
        .public_origin(origin)
        .dpop(Dpop::accepted().require_nonces())
        .decision_records(records)
        .build()?
        .connect()
        .await?;
    Ok(server)
}

/// Routes behind it.
pub(crate) fn routes(server: &ResourceServer) -> Router {
    let ledger = Router::new()
        .route(
            "/workspaces/{workspace_id}",
            get(async |access: WorkspaceAccess| format!("ledger of {}\n", access.workspace())),
        )
        .route_layer(app_layer(server));
    Router::new().nest("/ledger", ledger)
}

/// What a request sends.
enum Sent<'s> {
    Bearer(&'s str),
    /// A token under the scheme `DPoP`, and a proof.
    Dpop(&'s str, Option<String>),
}

/// A user's client with its key, and a thief who has read its requests.
pub(crate) async fn show(table: &mut Table, pool: &MockIssuer, origin: &str) -> Result<(), Fault> {
    let (key, thief) = (DpopKey::generate(), DpopKey::generate());
    let bound = pool.aworld_user().bound_to_key(&key).sign();
    let bearer = pool.aworld_user().sign();
    let proof = |key: &DpopKey, line: &str| -> ProofBuilder {
        let (method, path) = client::split(line);
        let proof = key.proof(method, &format!("{origin}{path}"));
        proof.access_token(&bound)
    };
    let read = proof(&key, READ).sign();
    for (caller, line, sent, expected) in [
        (
            "client with its proof",
            READ,
            Sent::Dpop(&bound, Some(read.clone())),
            "200",
        ),
        // The thief has the token and a proof that was used.
        (
            "thief, the same proof",
            READ,
            Sent::Dpop(&bound, Some(read)),
            "401 invalid_dpop_proof",
        ),
        (
            "thief, no proof",
            READ,
            Sent::Dpop(&bound, None),
            "401 invalid_dpop_proof",
        ),
        (
            "thief, as a bearer token",
            READ,
            Sent::Bearer(&bound),
            "401 invalid_token",
        ),
        (
            "thief, proof by its key",
            READ,
            Sent::Dpop(&bound, Some(proof(&thief, READ).sign())),
            "401 invalid_token",
        ),
        (
            "thief, proof for missions",
            EXPORT,
            Sent::Dpop(&bound, Some(proof(&key, READ).sign())),
            "401 invalid_dpop_proof",
        ),
        (
            "client, a further proof",
            READ,
            Sent::Dpop(&bound, Some(proof(&key, READ).sign())),
            "200",
        ),
        // A route that takes bound tokens alone.
        (
            "client, bound route",
            EXPORT,
            Sent::Dpop(&bound, Some(proof(&key, EXPORT).sign())),
            "200",
        ),
        (
            "bearer, bound route",
            EXPORT,
            Sent::Bearer(&bearer),
            "401 invalid_token",
        ),
        ("bearer, other route", READ, Sent::Bearer(&bearer), "200"),
    ] {
        ask(table, caller, line, sent, expected).await?;
    }
    let first = Sent::Dpop(&bound, Some(proof(&key, LEDGER).sign()));
    let answer = ask(
        table,
        "client, no nonce",
        LEDGER,
        first,
        "401 use_dpop_nonce",
    )
    .await?;
    let nonce = answer.nonce().unwrap_or_default();
    let again = proof(&key, LEDGER).nonce(nonce).sign();
    let again = Sent::Dpop(&bound, Some(again));
    ask(table, "client, with the nonce", LEDGER, again, "200").await?;
    Ok(())
}

async fn ask(
    table: &mut Table,
    caller: &str,
    line: &str,
    sent: Sent<'_>,
    expected: &str,
) -> Result<client::Answer, Fault> {
    let mut fields = Vec::new();
    match sent {
        Sent::Bearer(token) => fields.push(("authorization", format!("Bearer {token}"))),
        Sent::Dpop(token, proof) => {
            fields.push(("authorization", format!("DPoP {token}")));
            fields.extend(proof.map(|proof| ("dpop", proof)));
        }
    }
    let answer = client::send_fields(table.address(), line, &fields).await?;
    table.line(caller, line, &answer.to_string(), expected)?;
    Ok(answer)
}
