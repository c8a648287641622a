//! How much memory a verified token and its caller take, for caches that are bounded by it.
//!
//! 1. Everything is counted that is allocated for this token: its payload, lists, and the texts
//!    that are no pieces of the payload because they were written with escapes.
//! 2. What belongs to the configuration is not: the reach that a setting gives is there once.

use std::sync::Arc;

use crate::model::ids::AccountId;
use crate::model::reach::Reach;
use crate::model::shared_str::{COUNTS, SharedStr};
use crate::verify::claims::access_token::AccessToken;
use crate::verify::identity::kinds::{Identity, Tenant};
use crate::verify::identity::resolve::Identified;
use crate::verify::policy::issuer_policy::IssuerPolicy;

/// The memory that token and caller take, but for these two values themselves.
pub(crate) fn footprint(
    token: &AccessToken,
    identified: &Identified,
    rules: &IssuerPolicy,
) -> usize {
    let payload = token.payload_text();
    let context = identified.context.as_ref();
    let member = identified.member.as_ref();
    token.bytes()
        + member.map_or(0, |member| member.bytes(payload))
        + context.map_or(0, |text| text.bytes_beside(payload))
        + identity(&identified.identity, payload, rules)
}

fn identity(identity: &Identity, payload: &Arc<str>, rules: &IssuerPolicy) -> usize {
    match identity {
        Identity::User(user) => {
            user.user.bytes_beside(payload)
                + user.subject.bytes_beside(payload)
                + user
                    .role
                    .as_ref()
                    .map_or(0, |role: &SharedStr| role.bytes_beside(payload))
                + tenant(&user.tenant, payload)
        }
        Identity::Principal(principal) => {
            principal.id.bytes_beside(payload)
                + principal.subject.bytes_beside(payload)
                + reach(&principal.reach, payload, rules)
        }
        Identity::Client(client) => {
            let own = client.tenant.as_ref();
            client.id.bytes_beside(payload) + own.map_or(0, |own| tenant(own, payload))
        }
        Identity::Subject(subject) => {
            let id = subject.id.as_ref().map(|id| id.bytes_beside(payload));
            let client = subject.client.as_ref().map(|id| id.bytes_beside(payload));
            id.unwrap_or_default() + client.unwrap_or_default()
        }
    }
}

fn tenant(tenant: &Tenant, payload: &Arc<str>) -> usize {
    let account = tenant.account.as_ref();
    account.map_or(0, |id| id.bytes_beside(payload)) + tenant.workspace.bytes_beside(payload)
}

fn reach(reach: &Reach, payload: &Arc<str>, rules: &IssuerPolicy) -> usize {
    match reach {
        Reach::Accounts(accounts) if !is_configured(accounts, rules) => {
            let own = accounts.iter().map(|id| id.bytes_beside(payload));
            COUNTS + accounts.len() * size_of::<AccountId>() + own.sum::<usize>()
        }
        Reach::Accounts(_) | Reach::EveryAccount => 0,
    }
}

/// Whether a list is the configuration's own.
fn is_configured(accounts: &Arc<[AccountId]>, rules: &IssuerPolicy) -> bool {
    rules.tenant.as_ref().is_some_and(|tenant| {
        let lists = [Some(&tenant.reach_list), tenant.limit.as_ref()];
        let mut lists = lists.into_iter().flatten();
        lists.any(|list| Arc::ptr_eq(&list.accounts, accounts))
    })
}
