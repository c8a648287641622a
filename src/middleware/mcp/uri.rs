//! URIs of resources that more than one text may stand for (RFC 3986 section 6.2.2).

/// Whether no normalization of RFC 3986 section 6.2.2 changes this URI: a service that normalizes it
/// reads what the declaration was compared with. Two slashes in a row stay as they are.
pub(crate) fn is_normal(uri: &str) -> bool {
    let scheme = uri.split(':').next().unwrap_or_default();
    if scheme.bytes().any(|byte| byte.is_ascii_uppercase()) || uri.contains(['\\', '\0']) {
        return false;
    }
    let path = uri.split(['?', '#']).next().unwrap_or_default();
    let has_dots = path
        .split('/')
        .any(|segment| matches!(segment, "." | ".."));
    !has_dots && !has_needless_escape(uri)
}

/// An escape of a character that needs none, such as a letter or a dot, or one that is malformed.
fn has_needless_escape(uri: &str) -> bool {
    uri.split('%').skip(1).any(|rest| {
        let digits = rest.get(..2).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let byte = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        byte.is_none_or(|byte| {
            byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uri_that_could_mean_another_one_is_not_normal() {
        for uri in [
            "missions://all",
            "missions://2026/apollo?x=../y",
            "file:///a/b..c/.hidden",
            "file:///a%20b%2Fc",
            "missions://{id}",
            "missions://a//b",
            "",
        ] {
            assert!(is_normal(uri), "{uri}");
        }
        for uri in [
            "file:///public/../secret",
            "file:///public/./x",
            "file:///public/..",
            "file:///public/%2e%2e/secret",
            "file:///public/%73ecret",
            "file:///public\\..\\secret",
            "FILE:///public/x",
            "file:///a%2",
            "file:///a%zz",
            "file:///a%",
            "file:///a%é",
        ] {
            assert!(!is_normal(uri), "{uri}");
        }
    }
}
