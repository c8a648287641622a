//! A payload as the application's own types, each read once.

use std::any::{Any, TypeId};
use std::sync::{Arc, OnceLock};

use serde::de::DeserializeOwned;

use super::misfit::misfit;
use crate::model::rejection::TokenFault;
use crate::model::token_error::TokenError;

/// What was read of a payload, one place for each type that the application asks for.
#[derive(Default)]
pub(super) struct CustomClaims {
    value: OnceLock<(TypeId, Arc<dyn Any + Send + Sync>)>,
    next: OnceLock<Box<CustomClaims>>,
}

impl CustomClaims {
    pub(super) fn read<T>(&self, payload: &str) -> Result<Arc<T>, TokenError>
    where
        T: DeserializeOwned + Send + Sync + 'static,
    {
        let mut place = self;
        loop {
            match place.value.get() {
                Some((held, value)) if *held == TypeId::of::<T>() => {
                    return Arc::clone(value)
                        .downcast()
                        .map_err(|_| TokenFault::CustomClaims.into());
                }
                Some(_) => place = place.next.get_or_init(Box::default),
                None => {
                    let read: Arc<T> = serde_json::from_str(payload)
                        .map(Arc::new)
                        .map_err(|_| misfit::<T>(payload))?;
                    // Another request may have been first; then the loop finds its value.
                    let _ = place.value.set((TypeId::of::<T>(), read));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        let first: Arc<A> = custom.read(payload).expect("fits");
        let other: Arc<B> = custom.read(payload).expect("fits");
        let again: Arc<A> = custom.read("not read again").expect("held");
        let other_again: Arc<B> = custom.read("not read again").expect("held");
        assert_eq!(first.a, 1);
        assert!(Arc::ptr_eq(&first, &again) && Arc::ptr_eq(&other, &other_again));
        assert!(custom.read::<Vec<u8>>(payload).is_err());
    }
}
