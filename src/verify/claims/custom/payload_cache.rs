//! A payload as the application's own types, each read once.

use std::any::{Any, TypeId};
use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, OnceLock};

use serde::de::DeserializeOwned;
use serde_json::Map;

use crate::model::error::rejection::TokenFault;
use crate::model::error::token_error::TokenError;
use crate::verify::claims::custom::payload_reader::{self, has_private_name};
use crate::verify::json::object::{Object, Value};

/// The deserialized payload, once for each type: a linked list of slots, each written once.
#[derive(Default)]
pub(in crate::verify) struct CustomClaims {
    first: OnceLock<Box<Slot>>,
}

/// The payload as one type, and the next slot.
struct Slot {
    held: TypeId,
    value: Arc<dyn Any + Send + Sync>,
    next: CustomClaims,
}

impl CustomClaims {
    /// The value of this type. `payload` is called where there is none yet.
    pub(in crate::verify) fn read<'p, T>(
        &self,
        payload: impl Fn() -> Result<Cow<'p, str>, TokenError>,
    ) -> Result<Arc<T>, TokenError>
    where
        T: DeserializeOwned + Send + Sync + 'static,
    {
        let mut place = self;
        loop {
            match place.first.get() {
                Some(slot) if slot.held == TypeId::of::<T>() => {
                    return Arc::clone(&slot.value)
                        .downcast()
                        .map_err(|_| TokenFault::CustomClaims.into());
                }
                Some(slot) => place = &slot.next,
                None => {
                    let read: Arc<T> = Arc::new(read_as(&payload()?)?);
                    // Another thread may have set it first; then the loop finds that value.
                    let _ = place.first.set(Box::new(Slot {
                        held: TypeId::of::<T>(),
                        value: read,
                        next: Self::default(),
                    }));
                }
            }
        }
    }
}

fn read_as<T>(payload: &str) -> Result<T, TokenError>
where
    T: DeserializeOwned + 'static,
{
    if has_private_name(payload) {
        return match any_members(payload) {
            Some(ordinary) => Ok(ordinary),
            None => payload_reader::read(payload),
        };
    }
    serde_json::from_str(payload).map_err(|_| payload_reader::deserialize_error::<T>(payload))
}

/// The payload as a JSON value, for `T` that accepts any members. It does not use `serde_json`'s
/// reader, for which some names are private.
fn any_members<T: 'static>(payload: &str) -> Option<T> {
    let members = || plain_members(&Object::parse_str(payload).ok()?);
    let wanted = TypeId::of::<T>();
    let made: Box<dyn Any> = if wanted == TypeId::of::<serde_json::Value>() {
        Box::new(serde_json::Value::Object(members()?))
    } else if wanted == TypeId::of::<Map<String, serde_json::Value>>() {
        Box::new(members()?)
    } else if wanted == TypeId::of::<HashMap<String, serde_json::Value>>() {
        Box::new(members()?.into_iter().collect::<HashMap<_, _>>())
    } else if wanted == TypeId::of::<BTreeMap<String, serde_json::Value>>() {
        Box::new(members()?.into_iter().collect::<BTreeMap<_, _>>())
    } else {
        return None;
    };
    made.downcast().ok().map(|made| *made)
}

fn plain_members(object: &Object<'_>) -> Option<Map<String, serde_json::Value>> {
    let members = object.members();
    members
        .map(|(name, value)| Some((name.into_owned(), plain(value)?)))
        .collect()
}

fn plain(value: Value<'_>) -> Option<serde_json::Value> {
    Some(match value {
        Value::Null => serde_json::Value::Null,
        Value::Bool(value) => value.into(),
        Value::Number(text) => serde_json::Value::Number(text.parse().ok()?),
        Value::String(quoted) => quoted.text().into_owned().into(),
        Value::Array(_) => value
            .elements()?
            .map(plain)
            .collect::<Option<Vec<_>>>()?
            .into(),
        Value::Object(text) => plain_members(&Object::parse_str(text).ok()?)?.into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_names_of_serde_json_are_ordinary_members() {
        const RAW: &str = "$serde_json::private::RawValue";
        const NUMBER: &str = "$serde_json::private::Number";
        #[derive(Debug, serde::Deserialize)]
        struct Field {
            x: serde_json::Value,
        }
        #[derive(Debug, serde::Deserialize)]
        struct UnreadRest {
            #[serde(flatten)]
            rest: BTreeMap<String, serde_json::Value>,
        }
        let lone = format!(r#"{{"{RAW}":"{{\"admin\":true}}"}}"#);
        let beside = format!(r#"{{"{RAW}":"{{\"admin\":true}}","sub":"u"}}"#);
        let nested = format!(r#"{{"x":{lone},"y":[{{"{NUMBER}":"7","a":1}}]}}"#);
        for payload in [&lone, &beside] {
            let read: serde_json::Value = read_as(payload).expect("fits");
            assert_eq!(read[RAW], "{\"admin\":true}", "{payload}");
            let read: Map<String, serde_json::Value> = read_as(payload).expect("fits");
            assert_eq!(read[RAW], "{\"admin\":true}", "{payload}");
            let read: BTreeMap<String, serde_json::Value> = read_as(payload).expect("fits");
            assert_eq!(read[RAW], "{\"admin\":true}", "{payload}");
            let read: HashMap<String, String> = read_as(payload).expect("fits");
            assert_eq!(read[RAW], "{\"admin\":true}", "{payload}");
        }
        let read: serde_json::Value = read_as(&nested).expect("fits");
        assert_eq!(read["x"][RAW], "{\"admin\":true}");
        assert_eq!(read["y"][0][NUMBER], "7");
        let many = format!(r#"{{"x":{beside}}}"#);
        let read: Field = read_as(&many).expect("fits");
        assert_eq!(read.x[RAW], "{\"admin\":true}");
        let read: UnreadRest = read_as(&beside).expect("fits");
        assert_eq!(read.rest[RAW], "{\"admin\":true}");
        // Any value would do there, and `serde_json` would look into this one: refused.
        assert!(read_as::<Field>(&nested).is_err());
        assert!(read_as::<UnreadRest>(&nested).is_err());
    }

    #[test]
    fn custom_claims_keep_one_value_for_each_type() {
        #[derive(serde::Deserialize)]
        struct A {
            a: u8,
        }
        #[derive(Debug, serde::Deserialize)]
        struct B {}
        let custom = CustomClaims::default();
        let payload = r#"{"a":1}"#;
        let first: Arc<A> = custom.read(|| Ok(payload.into())).expect("fits");
        let other: Arc<B> = custom.read(|| Ok(payload.into())).expect("fits");
        let again: Arc<A> = custom
            .read(|| Err(TokenFault::CustomClaims.into()))
            .expect("held");
        let other_again: Arc<B> = custom
            .read(|| Err(TokenFault::CustomClaims.into()))
            .expect("held");
        assert_eq!(first.a, 1);
        assert!(Arc::ptr_eq(&first, &again) && Arc::ptr_eq(&other, &other_again));
        assert!(custom.read::<Vec<u8>>(|| Ok(payload.into())).is_err());
    }
}
