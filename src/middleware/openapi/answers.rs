//! The refusals of an operation's guards, as a document states them.

use crate::middleware::openapi::demand::{Demand, Demands, DocumentedBinding};

/// One refusal.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) description: String,
    /// Name and description.
    pub(super) header: Option<(&'static str, &'static str)>,
}

const CHALLENGE: (&str, &str) = (
    "WWW-Authenticate",
    "The challenge: error code, demanded scope, and the address of the resource's metadata.",
);

/// The header parameter of operations whose token is bound to a key.
pub(super) const DPOP_HEADER: (&str, &str) = (
    "DPoP",
    "A proof that the client has the key of the token, made for this request (RFC 9449 section 4).",
);

/// The answers of the layer and of these guards, by status.
pub(super) fn answers(demands: &Demands) -> [Answer; 4] {
    [
        Answer {
            status: 400,
            description: "The request sends its credentials in a way that is not allowed."
                .to_owned(),
            header: Some(CHALLENGE),
        },
        Answer {
            status: 401,
            description: sentences(
                "No token was sent, or the token is not valid.",
                demands.0.iter().flat_map(authentication),
            ),
            header: Some(CHALLENGE),
        },
        Answer {
            status: 403,
            description: sentences(
                "The caller may not do this.",
                demands.0.iter().flat_map(authorization),
            ),
            header: Some(CHALLENGE),
        },
        Answer {
            status: 503,
            description: "The token could not be checked. The client keeps it and tries again."
                .to_owned(),
            header: Some(("Retry-After", "Seconds until the next attempt.")),
        },
    ]
}

fn sentences(first: &str, rest: impl Iterator<Item = String>) -> String {
    std::iter::once(first.to_owned())
        .chain(rest)
        .collect::<Vec<_>>()
        .join(" ")
}

/// What a 401 can mean beside a bad token.
fn authentication(demand: &Demand) -> Vec<String> {
    let mut all = Vec::new();
    match demand.binding {
        Some(DocumentedBinding::Any) => {
            all.push(
                "The token must be bound to a DPoP key or to a client certificate.".to_owned(),
            );
        }
        Some(DocumentedBinding::Dpop) => {
            all.push("The token must be bound to a DPoP key.".to_owned());
        }
        Some(DocumentedBinding::MutualTls) => {
            all.push("The token must be bound to a client certificate.".to_owned());
        }
        None => {}
    }
    if !demand.acr_values.is_empty() {
        let values = alternatives(&demand.acr_values);
        all.push(format!("The user must have signed in with `acr` {values}."));
    }
    if let Some(age) = demand.max_age {
        all.push(format!("The user must have signed in at most {age} s ago."));
    }
    all
}

/// What a 403 can mean.
fn authorization(demand: &Demand) -> Vec<String> {
    let mut all = Vec::new();
    if !demand.scopes.is_empty() {
        let mut demanded = format!(
            "The token must have the scope {}",
            alternatives(&demand.scopes)
        );
        if !demand.roles_in_place_of_scopes.is_empty() {
            let roles = alternatives(&demand.roles_in_place_of_scopes);
            demanded = format!("{demanded}, or in its place the role {roles}");
        }
        demanded.push('.');
        all.push(demanded);
    }
    for (what, names) in [
        ("have the role", &demand.roles),
        ("be in the group", &demand.groups),
        ("be a", &demand.callers),
    ] {
        if !names.is_empty() {
            all.push(format!("The caller must {what} {}.", alternatives(names)));
        }
    }
    if let Some(actor) = &demand.actor {
        all.push(format!("The token must name {actor} (`act`)."));
    }
    if demand.tenant {
        all.push("The caller must reach the tenant.".to_owned());
    }
    all
}

fn alternatives(names: &[String]) -> String {
    let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    names.join(" or ")
}
