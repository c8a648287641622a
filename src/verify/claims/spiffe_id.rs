//! SPIFFE IDs: the subjects of JWT-SVIDs.
//!
//! 1. `spiffe://`, the trust domain and the path of the workload (SPIFFE-ID section 2), at most 2,048
//!    bytes. The trust domain has lower-case letters, digits, `-`, `.` and `_`; a segment of the path has
//!    letters of both cases too, and is not empty, `.` or `..`. There is no port, query or fragment.
//! 2. The trust domain is the issuer of a JWT-SVID, which need not have an `iss` (JWT-SVID section 3).

use crate::model::error::rejection::TokenFault;
use crate::model::error::token_error::TokenError;
use crate::verify::json::claim_error::differs;
use crate::verify::json::object::{Object, Value};
use crate::verify::policy::issuer_policy::IssuerPolicy;

const SCHEME: &str = "spiffe://";

/// The longest SPIFFE ID, and the longest trust domain (SPIFFE-ID section 2.3).
const MAX_BYTES: (usize, usize) = (2048, 255);

/// The trust domain of a workload's SPIFFE ID, with the scheme: `spiffe://example.org`.
pub(crate) fn trust_domain(id: &str) -> Option<&str> {
    let rest = id
        .strip_prefix(SCHEME)
        .filter(|_| id.len() <= MAX_BYTES.0)?;
    let (name, path) = rest.split_once('/')?;
    let is_word = |segment: &str| {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
        !matches!(segment, "" | "." | "..") && segment.bytes().all(plain)
    };
    let is_sound = is_trust_domain(name) && path.split('/').all(is_word);
    is_sound.then(|| id.get(..SCHEME.len() + name.len()))?
}

/// Whether a text is the name of a trust domain, without the scheme.
pub(crate) fn is_trust_domain(name: &str) -> bool {
    let plain =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-._".contains(&byte);
    (1..=MAX_BYTES.1).contains(&name.len()) && name.bytes().all(plain)
}

// JWT-SVID s3.1: the subject is a workload of the trust domain whose keys have signed.
pub(super) fn check_svid(claims: &Object<'_>, rules: &IssuerPolicy) -> Result<(), TokenError> {
    let found = claims.get("sub");
    let subject = found.and_then(Value::as_text);
    let domain = subject.as_deref().and_then(trust_domain);
    if domain == Some(&*rules.realm) {
        return Ok(());
    }
    let expected = format!("{}/<path>", rules.realm);
    Err(differs(TokenFault::Claims, "sub", found, expected).by_setting("spiffe"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spiffe_id_has_a_trust_domain_and_a_path() {
        for good in [
            "spiffe://example.org/a",
            "spiffe://example.org/ns/default/sa/api",
            "spiffe://example.org/A.b-c_9/...",
        ] {
            assert_eq!(trust_domain(good), Some("spiffe://example.org"), "{good}");
        }
        assert_eq!(trust_domain("spiffe://a_b-9/x"), Some("spiffe://a_b-9"));
        let long = format!("spiffe://example.org/{}", "a".repeat(2027));
        assert!(trust_domain(&long).is_some());
        let longer = format!("{long}a");
        for bad in [
            "",
            "spiffe://",
            "spiffe:///a",
            "spiffe://example.org",
            "spiffe://example.org/",
            "spiffe://example.org/a/",
            "spiffe://example.org//a",
            "spiffe://example.org/./a",
            "spiffe://example.org/../a",
            "spiffe://example.org/a?b",
            "spiffe://example.org/a#b",
            "spiffe://example.org/a%20b",
            "spiffe://example.org:443/a",
            "spiffe://user@example.org/a",
            "spiffe://Example.org/a",
            "SPIFFE://example.org/a",
            "https://example.org/a",
            " spiffe://example.org/a",
            &*longer,
        ] {
            assert_eq!(trust_domain(bad), None, "{bad}");
        }
        assert!(is_trust_domain(&"a".repeat(255)));
        assert!(!is_trust_domain(&"a".repeat(256)));
    }
}
