//! The memory of a verified token and its identity, for the bound of the token cache.
//!
//! 1. Counted is what is allocated for this token: the arena, lists, and strings that are not
//!    substrings of the arena because they had escapes.
//! 2. Not counted is what belongs to the configuration and is shared, such as a configured reach.

use std::sync::Arc;

use crate::model::ids::AccountId;
use crate::model::reach::Reach;
use crate::model::shared_str::HasTexts;
use crate::model::shared_str::{Arena, COUNTS, SharedStr};
use crate::verify::claims::verified_token::VerifiedToken;
use crate::verify::identity::kinds::{Identity, Tenant};
use crate::verify::identity::resolve::Identified;
use crate::verify::policy::issuer_policy::IssuerPolicy;

impl HasTexts for Identified {
    fn visit_texts(&mut self, visit: &mut dyn FnMut(&mut SharedStr)) {
        self.identity.visit_texts(visit);
        self.context.visit_texts(visit);
        if let Some(member) = &mut self.member {
            member.visit_texts(visit);
        }
    }
}

impl HasTexts for Identity {
    fn visit_texts(&mut self, visit: &mut dyn FnMut(&mut SharedStr)) {
        match self {
            Self::User(user) => {
                visit(user.user.text_mut());
                visit(user.subject.text_mut());
                user.role.visit_texts(visit);
                user.tenant.visit_texts(visit);
            }
            Self::Principal(principal) => {
                visit(principal.id.text_mut());
                visit(principal.subject.text_mut());
                // A list that is shared belongs to the configuration.
                if let Reach::Accounts(accounts) = &mut principal.reach {
                    let own = Arc::get_mut(accounts).unwrap_or_default();
                    for id in own {
                        visit(id.text_mut());
                    }
                }
            }
            Self::Client(client) => {
                visit(client.id.text_mut());
                client.tenant.visit_texts(visit);
            }
            Self::Subject(subject) => {
                if let Some(id) = &mut subject.id {
                    visit(id.text_mut());
                }
                if let Some(client) = &mut subject.client {
                    visit(client.text_mut());
                }
            }
        }
    }
}

impl HasTexts for Tenant {
    fn visit_texts(&mut self, visit: &mut dyn FnMut(&mut SharedStr)) {
        if let Some(account) = &mut self.account {
            visit(account.text_mut());
        }
        visit(self.workspace.text_mut());
    }
}

/// The heap memory of token and identity in bytes, without the two values themselves.
pub(crate) fn footprint(
    token: &VerifiedToken,
    identified: &Identified,
    rules: &IssuerPolicy,
) -> usize {
    let arena = token.arena();
    let context = identified.context.as_ref();
    let member = identified.member.as_ref();
    token.bytes()
        + member.map_or(0, |member| member.bytes(arena))
        + context.map_or(0, |text| text.bytes_beside(arena))
        + identity(&identified.identity, arena, rules)
}

fn identity(identity: &Identity, arena: &Arc<Arena>, rules: &IssuerPolicy) -> usize {
    match identity {
        Identity::User(user) => {
            user.user.bytes_beside(arena)
                + user.subject.bytes_beside(arena)
                + user
                    .role
                    .as_ref()
                    .map_or(0, |role: &SharedStr| role.bytes_beside(arena))
                + tenant(&user.tenant, arena)
        }
        Identity::Principal(principal) => {
            principal.id.bytes_beside(arena)
                + principal.subject.bytes_beside(arena)
                + reach(&principal.reach, arena, rules)
        }
        Identity::Client(client) => {
            let own = client.tenant.as_ref();
            client.id.bytes_beside(arena) + own.map_or(0, |own| tenant(own, arena))
        }
        Identity::Subject(subject) => {
            let id = subject.id.as_ref().map(|id| id.bytes_beside(arena));
            let client = subject.client.as_ref().map(|id| id.bytes_beside(arena));
            id.unwrap_or_default() + client.unwrap_or_default()
        }
    }
}

fn tenant(tenant: &Tenant, arena: &Arc<Arena>) -> usize {
    let account = tenant.account.as_ref();
    account.map_or(0, |id| id.bytes_beside(arena)) + tenant.workspace.bytes_beside(arena)
}

fn reach(reach: &Reach, arena: &Arc<Arena>, rules: &IssuerPolicy) -> usize {
    match reach {
        Reach::Accounts(accounts) if !is_configured(accounts, rules) => {
            let own = accounts.iter().map(|id| id.bytes_beside(arena));
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
