//! The accounts that a principal reaches.

use std::sync::Arc;

use crate::model::ids::AccountId;

/// The accounts in which a [`Principal`](crate::tenant::Principal) may act.
///
/// Default deny: without a setting or a claim it is [`Accounts`](Self::Accounts) with an empty list,
/// never every account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reach {
    /// These accounts and no other; there may be none.
    Accounts(Arc<[AccountId]>),
    /// Every account. Only an explicit setting of the issuer's tenant rules grants it.
    EveryAccount,
}

impl Reach {
    /// Whether this account is within reach.
    #[must_use]
    pub fn includes(&self, account: &AccountId) -> bool {
        match self {
            Self::Accounts(accounts) => accounts.contains(account),
            Self::EveryAccount => true,
        }
    }

    /// Whether no account at all is within reach.
    #[cfg_attr(not(feature = "axum"), allow(dead_code))]
    pub(crate) fn is_empty(&self) -> bool {
        matches!(self, Self::Accounts(accounts) if accounts.is_empty())
    }

    /// The intersection with a limit: these accounts, tested by `allows`.
    pub(crate) fn among(
        self,
        limit: &Arc<[AccountId]>,
        allows: impl Fn(&AccountId) -> bool,
    ) -> Self {
        match self {
            Self::EveryAccount => Self::Accounts(Arc::clone(limit)),
            Self::Accounts(accounts) if accounts.iter().all(&allows) => Self::Accounts(accounts),
            Self::Accounts(accounts) => {
                Self::Accounts(accounts.iter().filter(|one| allows(one)).cloned().collect())
            }
        }
    }
}

impl Default for Reach {
    fn default() -> Self {
        Self::Accounts(Arc::from([]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accounts(names: &[&str]) -> Arc<[AccountId]> {
        names
            .iter()
            .map(|name| AccountId::new(name).expect("an id"))
            .collect()
    }

    #[test]
    fn a_limit_only_takes_away() {
        let within = |reach: Reach, limit: &Arc<[AccountId]>| {
            reach.among(limit, |account| limit.contains(account))
        };
        let limit = accounts(&["acme", "globex"]);
        assert_eq!(
            within(Reach::EveryAccount, &limit),
            Reach::Accounts(limit.clone())
        );
        assert_eq!(
            within(Reach::Accounts(accounts(&["acme", "initech"])), &limit),
            Reach::Accounts(accounts(&["acme"]))
        );
        assert!(within(Reach::default(), &limit).is_empty());
        assert!(within(Reach::EveryAccount, &accounts(&[])).is_empty());
    }
}
