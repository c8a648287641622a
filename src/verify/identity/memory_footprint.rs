//! The memory of a verified token and its identity, for the bound of the token cache.
//!
//! 1. Counted is what is allocated for this token: the payload, lists, and strings that are not
//!    substrings of the payload because they had escapes.
//! 2. Not counted is what belongs to the configuration and is shared, such as a configured reach.

use std::sync::Arc;

use crate::model::ids::AccountId;
use crate::model::reach::Reach;
use crate::model::shared_str::{COUNTS, SharedStr};
use crate::verify::claims::access_token::AccessToken;
use crate::verify::identity::kinds::{Identity, Tenant};
use crate::verify::identity::resolve::Identified;
use crate::verify::policy::issuer_policy::IssuerPolicy;

/// The heap memory of token and identity in bytes, without the two values themselves.
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

/// Whether a list is shared with the configuration.
fn is_configured(accounts: &Arc<[AccountId]>, rules: &IssuerPolicy) -> bool {
    rules.tenant.as_ref().is_some_and(|tenant| {
        let lists = [Some(&tenant.reach_list), tenant.limit.as_ref()];
        let mut lists = lists.into_iter().flatten();
        lists.any(|list| Arc::ptr_eq(&list.accounts, accounts))
    })
}
