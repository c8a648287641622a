//! Lists of accounts, each item checked where it stands, so that a reader can tell the place.

use std::collections::HashSet;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{DeserializeOwned, DeserializeSeed, Deserializer, Error, SeqAccess, Visitor};

use super::client::TestClient;
use super::user::TestUser;

pub(super) fn users<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<TestUser>, D::Error> {
    from.deserialize_seq(Items(PhantomData))
}

pub(super) fn clients<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<TestClient>, D::Error> {
    from.deserialize_seq(Items(PhantomData))
}

trait Item: DeserializeOwned {
    const WORDS: &'static str;

    fn key(&self) -> (&'static str, &str);

    fn problem(&self) -> Result<(), String>;
}

impl Item for TestUser {
    const WORDS: &'static str = "a list of users";

    fn key(&self) -> (&'static str, &str) {
        ("subject", &self.subject)
    }

    fn problem(&self) -> Result<(), String> {
        self.check()
    }
}

impl Item for TestClient {
    const WORDS: &'static str = "a list of clients";

    fn key(&self) -> (&'static str, &str) {
        ("id", &self.id)
    }

    fn problem(&self) -> Result<(), String> {
        self.check()
            .map_err(|(member, problem)| format!("`{member}`: {problem}"))
    }
}

/// Reads an item and checks it, so that the place of an error is the end of the item.
struct Checked<'a, T> {
    keys: &'a mut HashSet<String>,
    item: PhantomData<T>,
}

impl<'de, T: Item> DeserializeSeed<'de> for Checked<'_, T> {
    type Value = T;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<T, D::Error> {
        let item = T::deserialize(from)?;
        item.problem().map_err(D::Error::custom)?;
        let (member, key) = item.key();
        if !self.keys.insert(key.to_owned()) {
            let problem = format!("`{member}`: `{key}` stands there twice");
            return Err(D::Error::custom(problem));
        }
        Ok(item)
    }
}

struct Items<T>(PhantomData<T>);

impl<'de, T: Item> Visitor<'de> for Items<T> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(T::WORDS)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Vec<T>, A::Error> {
        let (mut all, mut keys) = (Vec::new(), HashSet::new());
        loop {
            let checked = Checked {
                keys: &mut keys,
                item: PhantomData,
            };
            match items.next_element_seed(checked)? {
                Some(item) => all.push(item),
                None => return Ok(all),
            }
        }
    }
}
