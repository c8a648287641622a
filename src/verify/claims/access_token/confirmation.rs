//! The `cnf` claim: the keys that a token is bound to (RFC 7800 section 3, RFC 9449 section 6,
//! RFC 8705 section 3.1).
//!
//! 1. A method that is known must be well-formed; every method that is known must be proven.
//! 2. Other members are ignored (RFC 7800 section 3.1), but a `cnf` without a known one is refused:
//!    the token is bound to something that cannot be checked.

use std::fmt;

use base64_simd::URL_SAFE_NO_PAD;

use crate::model::error::rejection::TokenFault;
use crate::model::error::rejection_detail::{Problem, RejectionDetail};
use crate::model::error::token_error::TokenError;
use crate::verify::json::object::{Object, Value};

/// The keys that a token is bound to: its `cnf` claim, of a JWT or of an introspection response.
///
/// A request was accepted only with a proof of each of them, so a handler need not check anything.
#[derive(Clone, Copy, PartialEq, Eq)]
#[doc(alias("cnf", "jkt", "x5t#S256"))]
#[must_use]
pub struct Confirmation {
    jwk_thumbprint: Option<[u8; 32]>,
    certificate_thumbprint: Option<[u8; 32]>,
}

impl Confirmation {
    /// The SHA-256 thumbprint of the DPoP key (`jkt`, RFC 7638).
    #[doc(alias = "jkt")]
    #[must_use]
    pub const fn jwk_thumbprint(&self) -> Option<&[u8; 32]> {
        self.jwk_thumbprint.as_ref()
    }

    /// The SHA-256 of the client certificate in DER (`x5t#S256`, RFC 8705 section 3.1).
    #[doc(alias = "x5t#S256")]
    #[must_use]
    pub const fn certificate_thumbprint(&self) -> Option<&[u8; 32]> {
        self.certificate_thumbprint.as_ref()
    }

    /// Reads the claim. `null` counts as absent in an introspection response alone.
    pub(in crate::verify) fn read(
        claims: &Object<'_>,
        is_introspected: bool,
    ) -> Result<Option<Self>, TokenError> {
        let members = match claims.get_even_if_empty("cnf") {
            None => return Ok(None),
            Some(Value::Null) if is_introspected => return Ok(None),
            Some(Value::Object(text)) => Object::parse_str(text),
            Some(other) => return Err(not_an_object(other)),
        };
        // INVARIANT: the whole payload was parsed.
        let members = members.map_err(|_| TokenError::from(TokenFault::Binding))?;
        let confirmation = Self {
            jwk_thumbprint: thumbprint(&members, "jkt", "cnf.jkt")?,
            certificate_thumbprint: thumbprint(&members, "x5t#S256", "cnf.x5t#S256")?,
        };
        if confirmation.jwk_thumbprint.is_none() && confirmation.certificate_thumbprint.is_none() {
            let detail = RejectionDetail::new()
                .with_claim("cnf")
                .with_expected("jkt | x5t#S256")
                .with_found("neither");
            return Err(TokenError::new(TokenFault::Binding, detail));
        }
        Ok(Some(confirmation))
    }
}

/// Not the thumbprints: they identify the client's key.
impl fmt::Debug for Confirmation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Confirmation")
            .field("has_jwk_thumbprint", &self.jwk_thumbprint.is_some())
            .field(
                "has_certificate_thumbprint",
                &self.certificate_thumbprint.is_some(),
            )
            .finish()
    }
}

/// Checks an introspection response: a token of the type `DPoP` is bound to a key (RFC 9449 s6.2), so
/// one without a key is refused.
#[cfg(feature = "jwks")]
pub(in crate::verify) fn check_dpop_type(
    claims: &Object<'_>,
    confirmation: Option<&Confirmation>,
) -> Result<(), TokenError> {
    let kind = claims.get("token_type").and_then(Value::as_text);
    let is_dpop = kind.is_some_and(|kind| kind.eq_ignore_ascii_case("DPoP"));
    let has_key = confirmation.is_some_and(|keys| keys.jwk_thumbprint.is_some());
    if is_dpop && !has_key {
        let missing = TokenError::about(TokenFault::Binding, "cnf.jkt", Problem::Missing);
        return Err(missing);
    }
    Ok(())
}

/// RFC 9449 s6.1, RFC 8705 s3.1: base64url of 32 bytes, without padding.
fn thumbprint(
    confirmation: &Object<'_>,
    member: &str,
    claim: &'static str,
) -> Result<Option<[u8; 32]>, TokenError> {
    let Some(value) = confirmation.get(member) else {
        return Ok(None);
    };
    let text = value.as_text();
    let bytes = text.and_then(|text| URL_SAFE_NO_PAD.decode_to_vec(text.as_bytes()).ok());
    let hash = bytes.and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
    match hash {
        Some(hash) => Ok(Some(hash)),
        None => Err(
            TokenError::about(TokenFault::Binding, claim, Problem::Malformed)
                .expecting("32 bytes in base64url without padding"),
        ),
    }
}

#[cold]
fn not_an_object(found: Value<'_>) -> TokenError {
    let detail = RejectionDetail::new()
        .with_claim("cnf")
        .with_problem(Problem::WrongType)
        .with_expected("object")
        .with_found(found.type_name());
    TokenError::new(TokenFault::Binding, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, is_introspected: bool) -> Result<Option<Confirmation>, TokenFault> {
        let claims = Object::parse_str(text).expect("json");
        Confirmation::read(&claims, is_introspected).map_err(TokenFault::from)
    }

    #[test]
    fn known_methods_are_read_and_others_are_ignored() {
        let zeros = "A".repeat(43);
        let jkt = format!(r#"{{"cnf":{{"jkt":"{zeros}","kid":"x"}}}}"#);
        let found = read(&jkt, false).expect("good").expect("bound");
        assert_eq!(found.jwk_thumbprint(), Some(&[0; 32]));
        assert_eq!(found.certificate_thumbprint(), None);
        let both = format!(r#"{{"cnf":{{"jkt":"{zeros}","x5t#S256":"{zeros}"}}}}"#);
        let found = read(&both, false).expect("good").expect("bound");
        assert!(found.certificate_thumbprint().is_some() && found.jwk_thumbprint().is_some());
        assert_eq!(read("{}", false), Ok(None));
        assert_eq!(read(r#"{"cnf":null}"#, true), Ok(None));
    }

    #[test]
    fn a_confirmation_that_cannot_be_checked_is_refused() {
        let zeros = "A".repeat(43);
        for cnf in [
            "null".to_owned(),
            "{}".to_owned(),
            "\"x\"".to_owned(),
            "[]".to_owned(),
            r#"{"kid":"x"}"#.to_owned(),
            r#"{"jkt":null}"#.to_owned(),
            r#"{"jkt":""}"#.to_owned(),
            r#"{"jkt":5}"#.to_owned(),
            format!(r#"{{"jkt":"{zeros}="}}"#),
            format!(r#"{{"jkt":"{zeros}A"}}"#),
            format!(r#"{{"jkt":"{}B"}}"#, "A".repeat(42)),
            format!(r#"{{"jkt":"{zeros}","x5t#S256":"00"}}"#),
            format!(r#"{{"x5t#S256":"{}"}}"#, "0".repeat(64)),
            format!(r#"{{"x5t":"{zeros}"}}"#),
        ] {
            let claims = format!(r#"{{"cnf":{cnf}}}"#);
            assert_eq!(read(&claims, false), Err(TokenFault::Binding), "{cnf}");
            if cnf != "null" {
                assert_eq!(read(&claims, true), Err(TokenFault::Binding), "{cnf}");
            }
        }
    }
}
