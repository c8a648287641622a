//! Text for a form's body and for credentials that are made like one
//! (`application/x-www-form-urlencoded`, RFC 6749 appendix B).

/// A pair, encoded once, behind what was written before.
pub(crate) fn push_pair(form: &mut String, name: &str, value: &str) {
    if !form.is_empty() {
        form.push('&');
    }
    push(form, name);
    form.push('=');
    push(form, value);
}

/// Everything but letters, digits and `-._` is written in hexadecimal, a space as `+`.
pub(crate) fn push(form: &mut String, text: &str) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let digit = |four: u8| char::from(HEX.get(usize::from(four)).copied().unwrap_or(b'0'));
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' => {
                form.push(char::from(byte));
            }
            b' ' => form.push('+'),
            other => {
                form.push('%');
                form.push(digit(other >> 4));
                form.push(digit(other & 15));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_encoded_once_and_cannot_become_another_pair() {
        let mut form = String::new();
        push_pair(&mut form, "token", "a+b/c==");
        push_pair(&mut form, "x", "&token=y%26 ~\u{a3}");
        assert_eq!(form, "token=a%2Bb%2Fc%3D%3D&x=%26token%3Dy%2526+%7E%C2%A3");
    }

    #[test]
    fn the_example_of_the_appendix_is_encoded_as_it_says() {
        let mut form = String::new();
        push(&mut form, " %&+\u{a3}\u{20ac}");
        assert_eq!(form, "+%25%26%2B%C2%A3%E2%82%AC");
    }
}
