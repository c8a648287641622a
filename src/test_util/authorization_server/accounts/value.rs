//! The users and clients as one value.

use std::collections::HashSet;

use serde::Deserialize;

use super::client::TestClient;
use super::json_place;
use super::user::TestUser;
use crate::test_util::authorization_server::error::AuthorizationServerError;

/// The users and clients of an [`AuthorizationServer`](crate::test_util::AuthorizationServer).
///
/// ```
/// use portcullis::test_util::Accounts;
///
/// let text = r#"{
///   "users": [{"subject": "alice", "name": "Alice", "claims": {"email": "alice@example.com"}}],
///   "clients": [{"id": "spa", "redirect_uris": ["http://localhost/callback"]}]
/// }"#;
/// assert!(Accounts::from_json(text).is_ok());
///
/// let error = Accounts::from_json(&text.replace("redirect_uris", "redirect_uri")).unwrap_err();
/// assert!(error.to_string().starts_with("`clients[0]"), "{error}");
/// assert!(error.to_string().contains("line 3"), "{error}");
/// ```
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
#[must_use]
pub struct Accounts {
    #[serde(default)]
    pub(in crate::test_util) users: Vec<TestUser>,
    #[serde(default)]
    pub(in crate::test_util) clients: Vec<TestClient>,
}

impl Accounts {
    /// No user and no client.
    pub fn none() -> Self {
        Self::default()
    }

    /// Reads a JSON object with `users` and `clients`.
    ///
    /// # Errors
    ///
    /// [`AuthorizationServerError::Accounts`], with path, line and column.
    pub fn from_json(text: &str) -> Result<Self, AuthorizationServerError> {
        let accounts: Self = serde_json::from_str(text).map_err(|error| {
            let (line, column) = (error.line(), error.column());
            let shown = error.to_string();
            let place = format!(" at line {line} column {column}");
            let path = json_place::path(text, line, column);
            let problem = shown.strip_suffix(&place).unwrap_or(&shown);
            // Serde shows the value of the wrong type.
            let problem = match path.split_once("].secret") {
                Some(_) if problem.starts_with("invalid type") => "the secret must be a string",
                _ => problem,
            };
            AuthorizationServerError::Accounts {
                problem: problem.to_owned(),
                path,
                line: Some(line),
                column: Some(column),
            }
        })?;
        accounts.check().map_err(|mut error| {
            if let AuthorizationServerError::Accounts {
                path, line, column, ..
            } = &mut error
            {
                (*line, *column) = json_place::find(text, path).unzip();
            }
            error
        })?;
        Ok(accounts)
    }

    /// Adds a user, in place of one with this subject.
    pub fn user(mut self, user: TestUser) -> Self {
        self.users.retain(|other| other.subject != user.subject);
        self.users.push(user);
        self
    }

    /// Adds a client, in place of one with this id.
    pub fn client(mut self, client: TestClient) -> Self {
        self.clients.retain(|other| other.id != client.id);
        self.clients.push(client);
        self
    }

    /// What is wrong with them.
    pub(in crate::test_util) fn check(&self) -> Result<(), AuthorizationServerError> {
        let users = self.users.iter().map(|user| (&user.subject, user.check()));
        check_all("users", "subject", users)?;
        let clients = self
            .clients
            .iter()
            .map(|client| (&client.id, client.check()));
        check_all("clients", "id", clients)
    }
}

/// The first item that is wrong in itself, or that has the key of an earlier one.
fn check_all<'a>(
    list: &str,
    key_name: &'static str,
    items: impl Iterator<Item = (&'a String, Result<(), (&'static str, String)>)>,
) -> Result<(), AuthorizationServerError> {
    let mut keys = HashSet::new();
    for (index, (key, checked)) in items.enumerate() {
        let checked = checked.and_then(|()| {
            let is_new = keys.insert(key);
            let twice = || (key_name, format!("`{key}` stands there twice"));
            is_new.then_some(()).ok_or_else(twice)
        });
        checked.map_err(|(member, problem)| AuthorizationServerError::Accounts {
            path: format!("{list}[{index}].{member}"),
            line: None,
            column: None,
            problem,
        })?;
    }
    Ok(())
}
