//! Strings with escapes, as the text that they mean.

use std::str::Chars;

/// The characters that a string means, which the scanner found sound. Nothing is allocated.
#[derive(Clone)]
pub(super) struct Unescaped<'a>(Chars<'a>);

impl<'a> Unescaped<'a> {
    pub(super) fn of(raw: &'a str) -> Self {
        Self(raw.chars())
    }

    fn unit(&mut self) -> u32 {
        let digits = self.0.by_ref().take(4);
        let digits = digits.filter_map(|digit| digit.to_digit(16));
        digits.fold(0, |unit, digit| unit * 16 + digit)
    }
}

impl Iterator for Unescaped<'_> {
    type Item = char;

    fn next(&mut self) -> Option<char> {
        let next = self.0.next()?;
        if next != '\\' {
            return Some(next);
        }
        Some(match self.0.next()? {
            'u' => {
                let mut code = self.unit();
                if (0xD800..0xDC00).contains(&code) {
                    // INVARIANT: the other half of the pair follows, behind a backslash and a `u`.
                    self.0.nth(1);
                    let low = self.unit().wrapping_sub(0xDC00);
                    code = 0x1_0000 + ((code - 0xD800) << 10) + (low & 0x3FF);
                }
                char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER)
            }
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            itself => itself,
        })
    }
}

/// Resolves the escapes of a string that the scanner found sound.
pub(super) fn unescape(raw: &str) -> String {
    let mut text = String::with_capacity(raw.len());
    text.extend(Unescaped::of(raw));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unescape_gives_the_text_that_every_kind_of_escape_means() {
        for (raw, text) in [
            ("", ""),
            ("plain \u{e9}", "plain \u{e9}"),
            (r#"\"\\\/\b\f\n\r\t"#, "\"\\/\u{8}\u{c}\n\r\t"),
            (r"a\u0041\u00e9b", "aA\u{e9}b"),
            (r"\uD83D\ude00!", "\u{1f600}!"),
            (r"\uDBFF\uDFFF", "\u{10ffff}"),
            (r"\u0000", "\0"),
        ] {
            assert_eq!(unescape(raw), text, "{raw}");
        }
    }
}
