//! `application/x-www-form-urlencoded` (RFC 6749 appendix B): encoding, and strict decoding.

#[cfg(feature = "axum")]
use std::borrow::Cow;

#[cfg(feature = "jwks")]
use form_urlencoded::byte_serialize;

/// Appends a pair to a form; name and value are encoded once.
#[cfg(feature = "jwks")]
pub(crate) fn push_pair(form: &mut String, name: &str, value: &str) {
    if !form.is_empty() {
        form.push('&');
    }
    push(form, name);
    form.push('=');
    push(form, value);
}

/// Appends a text, encoded: everything except letters, digits and `*-._` as `%XX`, a space as `+`.
#[cfg(feature = "jwks")]
pub(crate) fn push(form: &mut String, text: &str) {
    form.extend(byte_serialize(text.as_bytes()));
}

/// The value of a field that a form must hold exactly once. `None` where it is absent, stands there
/// twice, has no `=`, or where an escape in any name or in its value is broken.
#[cfg(feature = "axum")]
pub(crate) fn single_value<'f>(form: &'f [u8], field: &str) -> Option<Cow<'f, [u8]>> {
    let mut found = None;
    for pair in form.split(|byte| *byte == b'&') {
        let end = pair.iter().position(|byte| *byte == b'=');
        let (name, value) = pair.split_at_checked(end.unwrap_or(pair.len()))?;
        if *decoded(name)? == *field.as_bytes() {
            let value = value.strip_prefix(b"=")?;
            if found.replace(decoded(value)?).is_some() {
                return None;
            }
        }
    }
    found
}

/// A name or value, decoded; `None` where `%` is not followed by two hexadecimal digits. The
/// crate `form_urlencoded` lets such a `%` stand for itself.
#[cfg(feature = "axum")]
fn decoded(text: &[u8]) -> Option<Cow<'_, [u8]>> {
    if !text.iter().any(|byte| b"%+".contains(byte)) {
        return Some(text.into());
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [first, behind @ ..] = rest {
        rest = behind;
        let byte = match (first, behind) {
            (b'+', _) => b' ',
            (b'%', [high, low, behind @ ..]) => {
                rest = behind;
                let digit = |byte: &u8| char::from(*byte).to_digit(16);
                u8::try_from(digit(high)? * 16 + digit(low)?).ok()?
            }
            (b'%', _) => return None,
            (plain, _) => *plain,
        };
        bytes.push(byte);
    }
    Some(bytes.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(feature = "jwks")]
    #[test]
    fn form_text_is_encoded_once_and_cannot_become_another_pair() {
        let mut form = String::new();
        push_pair(&mut form, "token", "a+b/c==");
        push_pair(&mut form, "x", "&token=y%26 ~\u{a3}");
        assert_eq!(form, "token=a%2Bb%2Fc%3D%3D&x=%26token%3Dy%2526+%7E%C2%A3");
    }

    #[cfg(feature = "jwks")]
    #[test]
    fn form_example_of_the_appendix_is_encoded_as_it_says() {
        let mut form = String::new();
        push(&mut form, " %&+\u{a3}\u{20ac}");
        assert_eq!(form, "+%25%26%2B%C2%A3%E2%82%AC");
    }

    #[cfg(feature = "axum")]
    #[test]
    fn form_is_read_strictly_and_holds_the_field_once() {
        for (form, expected) in [
            ("logout_token=a.b.c", Some("a.b.c")),
            ("x=1&logout_token=a.b.c&y", Some("a.b.c")),
            ("logout_token=a%2Eb%2ec", Some("a.b.c")),
            ("logout%5Ftoken=a.b.c", Some("a.b.c")),
            ("logout_token=a+b", Some("a b")),
            ("logout_token=a=b", Some("a=b")),
            ("logout_token=", Some("")),
            ("x=%ff&logout_token=a", Some("a")),
            ("logout_token", None),
            ("", None),
            ("Logout_token=a", None),
            (" logout_token=a", None),
            ("logout_token=a&logout_token=a", None),
            ("logout_token=a&logout%5ftoken=b", None),
            ("logout_token=a&logout_token", None),
            ("logout_token=%", None),
            ("logout_token=%2", None),
            ("logout_token=%2x", None),
            ("logout_token=%+1", None),
            ("logout_token=a&%=b", None),
        ] {
            let found = single_value(form.as_bytes(), "logout_token");
            assert_eq!(found.as_deref(), expected.map(str::as_bytes), "{form}");
        }
    }
}
