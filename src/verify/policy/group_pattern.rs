//! A pattern that finds a tenant in a group's name.
//!
//! 1. Pattern and group are split at `/` and compared segment by segment, byte for byte.
//! 2. A placeholder matches one whole segment that is not empty.

/// A pattern such as `/tenants/{account}/{workspace}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::verify) struct GroupPattern(Vec<PatternPart>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum PatternPart {
    Fixed(Box<str>),
    Account,
    Workspace,
}

/// The tenant in a group that matches.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::verify) struct GroupMatch<'g> {
    pub(in crate::verify) account: Option<&'g str>,
    pub(in crate::verify) workspace: &'g str,
}

impl GroupPattern {
    pub(in crate::verify) fn new(pattern: &str) -> Self {
        let piece = |text: &str| match text {
            "{account}" => PatternPart::Account,
            "{workspace}" => PatternPart::Workspace,
            fixed => PatternPart::Fixed(fixed.into()),
        };
        Self(pattern.split('/').map(piece).collect())
    }

    pub(super) fn names_account(&self) -> bool {
        self.0.contains(&PatternPart::Account)
    }

    /// Whether the pattern can find one workspace, and at most one account.
    pub(super) fn is_valid(&self) -> bool {
        let count = |wanted: &PatternPart| self.0.iter().filter(|piece| *piece == wanted).count();
        let has_brace = |piece: &PatternPart| matches!(piece, PatternPart::Fixed(text) if text.contains(['{', '}']));
        count(&PatternPart::Workspace) == 1
            && count(&PatternPart::Account) <= 1
            && !self.0.iter().any(has_brace)
    }

    pub(in crate::verify) fn find<'g>(&self, group: &'g str) -> Option<GroupMatch<'g>> {
        let (mut account, mut workspace) = (None, None);
        let mut stated = group.split('/');
        for piece in &self.0 {
            let text = stated.next()?;
            match piece {
                PatternPart::Fixed(fixed) if **fixed == *text => {}
                PatternPart::Account if !text.is_empty() => account = Some(text),
                PatternPart::Workspace if !text.is_empty() => workspace = Some(text),
                PatternPart::Fixed(_) | PatternPart::Account | PatternPart::Workspace => {
                    return None;
                }
            }
        }
        if stated.next().is_some() {
            return None;
        }
        workspace.map(|workspace| GroupMatch { account, workspace })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_fits_as_a_whole_or_not_at_all() {
        let pattern = GroupPattern::new("/tenants/{account}/{workspace}");
        assert!(pattern.is_valid() && pattern.names_account());
        assert_eq!(
            pattern.find("/tenants/acme/prod"),
            Some(GroupMatch {
                account: Some("acme"),
                workspace: "prod"
            })
        );
        for other in [
            "",
            "/",
            "/tenants/acme",
            "/tenants/acme/",
            "/tenants//prod",
            "/tenants/acme/prod/",
            "/tenants/acme/prod/editors",
            "tenants/acme/prod",
            "/Tenants/acme/prod",
            "/x/tenants/acme/prod",
        ] {
            assert_eq!(pattern.find(other), None, "{other}");
        }
    }

    #[test]
    fn a_pattern_names_one_workspace_by_a_whole_piece() {
        for bad in [
            "",
            "/tenants",
            "{workspace}/{workspace}",
            "{account}/{account}/{workspace}",
            "ws-{workspace}",
            "{tenant}/{workspace}",
        ] {
            assert!(!GroupPattern::new(bad).is_valid(), "{bad}");
        }
        let alone = GroupPattern::new("{workspace}");
        assert!(alone.is_valid() && !alone.names_account());
        assert_eq!(
            alone.find("prod").map(|found| found.workspace),
            Some("prod")
        );
    }
}
