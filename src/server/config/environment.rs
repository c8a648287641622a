//! A configuration from environment variables: `PORTCULLIS__ISSUER__0__LEEWAY=10s`.
//!
//! 1. The steps of a member's path stand behind the prefix, with two underscores before each, in upper
//!    or lower case. A number is a place in a list; places begin with 0 and have no gap.
//! 2. A variable that is empty is absent.

use std::collections::BTreeMap;

use crate::server::config::error::NodeError;
use crate::server::config::node::Node;

/// What stands between the steps of a path. Member names have single underscores.
const SEPARATOR: &str = "__";

/// More steps than any member's path has.
const MOST_STEPS: usize = 32;

/// Whether a variable of this name is a member.
pub(in crate::server::config) fn is_member(prefix: &str, name: &str) -> bool {
    path_of(prefix, name).is_some()
}

fn path_of<'n>(prefix: &str, name: &'n str) -> Option<&'n str> {
    name.strip_prefix(prefix)?.strip_prefix(SEPARATOR)
}

/// The tree of the variables whose names begin with this prefix.
///
/// # Errors
///
/// A name without a member, a member that is text and has members too, a list with a gap.
pub(in crate::server::config) fn tree_of(
    prefix: &str,
    variables: impl IntoIterator<Item = (String, String)>,
) -> Result<Node, NodeError> {
    let mut root = VariableTree::default();
    for (name, value) in variables {
        let Some(path) = path_of(prefix, &name) else {
            continue;
        };
        if value.is_empty() {
            continue;
        }
        let path = path.to_ascii_lowercase();
        let is_short = path.split(SEPARATOR).nth(MOST_STEPS).is_none();
        if !is_short || !root.insert(path.split(SEPARATOR), value) {
            return Err(NodeError::new(format!(
                "the variable `{name}` has an empty step or more than {MOST_STEPS}, is there twice, or contradicts another that names a part of it; keep one of them"
            )));
        }
    }
    root.into_node(prefix)
}

#[derive(Default)]
struct VariableTree {
    value: Option<String>,
    members: BTreeMap<String, Self>,
}

impl VariableTree {
    /// Whether there was room for it.
    fn insert<'p>(&mut self, mut path: impl Iterator<Item = &'p str>, value: String) -> bool {
        let Some(step) = path.next() else {
            let is_free = self.value.is_none() && self.members.is_empty();
            self.value = Some(value);
            return is_free;
        };
        if step.is_empty() || self.value.is_some() {
            return false;
        }
        let member = self.members.entry(step.to_owned()).or_default();
        member.insert(path, value)
    }

    fn into_node(self, name: &str) -> Result<Node, NodeError> {
        if let Some(value) = self.value {
            return Ok(Node::Variable(value));
        }
        let is_place = |name: &String| name.bytes().all(|one| one.is_ascii_digit());
        if self.members.is_empty() || !self.members.keys().all(is_place) {
            let members = self.members.into_iter().map(|(name, branch)| {
                let node = branch.into_node(&name).map_err(|error| error.within(&name));
                Ok((name, node?))
            });
            return Ok(Node::Members(members.collect::<Result<_, _>>()?));
        }
        let mut places = BTreeMap::new();
        for (place, branch) in self.members {
            // `0` and `00` are one place.
            let number: usize = place.parse().map_err(|_| gap(name))?;
            if places.insert(number, branch).is_some() {
                return Err(gap(name));
            }
        }
        let mut list = Vec::new();
        for (number, branch) in places {
            if number != list.len() {
                return Err(gap(name));
            }
            list.push(branch.into_node(name).map_err(|error| error.at(number))?);
        }
        Ok(Node::List(list))
    }
}

fn gap(name: &str) -> NodeError {
    NodeError::new(format!(
        "the places of the list `{name}` have a gap; number them 0, 1, 2 and so on"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(variables: &[(&str, &str)]) -> Result<String, String> {
        let owned = variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        match tree_of("APP", owned) {
            Ok(node) => Ok(format!("{node:?}")),
            Err(error) => Err(error.to_string()),
        }
    }

    #[test]
    fn environment_names_members_and_places() {
        let found = tree(&[
            ("APP__ISSUER__1__OIDC", "b"),
            ("APP__ISSUER__0__OIDC", "a"),
            ("APP__MAX_TOKEN_BYTES", "2048"),
            ("APP__EMPTY", ""),
            ("APP_OTHER", "x"),
            ("APPLE__X", "x"),
            ("OTHER__APP", "x"),
        ]);
        let expected = r#"Members([("issuer", List([Members([("oidc", Variable("a"))]), Members([("oidc", Variable("b"))])])), ("max_token_bytes", Variable("2048"))])"#;
        assert_eq!(found.as_deref(), Ok(expected));
    }

    #[test]
    fn environment_refuses_gaps_and_contradictions() {
        assert!(tree(&[("APP__ISSUER__1__OIDC", "b")]).is_err());
        assert!(tree(&[("APP__A__0", "x"), ("APP__A__00", "y")]).is_err());
        assert!(tree(&[("APP__A", "x"), ("APP__A__B", "y")]).is_err());
        assert!(tree(&[("APP__A__B", "x"), ("APP__A", "y")]).is_err());
        assert!(tree(&[("APP__A", "x"), ("APP__a", "y")]).is_err());
        assert!(tree(&[("APP__", "x")]).is_err());
        assert!(tree(&[("APP__A____B", "x")]).is_err());
        assert!(tree(&[("APP__A__0", "x"), ("APP__A__1", "y")]).is_ok());
        let deep = |steps| tree(&[(&*format!("APP{}", "__A".repeat(steps)), "x")]);
        assert!(deep(MOST_STEPS).is_ok());
        // It is walked step by step, each on the stack.
        for steps in [MOST_STEPS + 1, 100_000] {
            assert!(deep(steps).is_err(), "{steps}");
        }
    }
}
