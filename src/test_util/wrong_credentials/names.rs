//! Wrong credentials by their names.

use crate::test_util::wrong_credentials::rows;
use crate::test_util::wrong_credentials::settings::WrongCredentials;

impl WrongCredentials {
    /// The names of all wrong credentials, in the order in which they are sent.
    pub fn names() -> impl Iterator<Item = &'static str> {
        rows::all().map(|row| row.name)
    }

    /// Leaves out the credential of this name, such as `token_in_cookie` where the application reads a
    /// cookie on purpose.
    ///
    /// # Panics
    ///
    /// When there is no such name.
    pub fn skip(mut self, name: &str) -> Self {
        let known = Self::names().find(|known| *known == name);
        let known = known.unwrap_or_else(|| unknown_name(name));
        self.skipped.push(known);
        self
    }
}

#[allow(clippy::panic)] // Documented.
fn unknown_name(name: &str) -> &'static str {
    panic!("there is no wrong credential `{name}`; see `WrongCredentials::names()`")
}
