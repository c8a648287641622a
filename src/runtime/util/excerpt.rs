//! Excerpts of foreign text, for events and error messages.

/// At most so many characters of a text, escaped: control characters, quotes and direction marks of
/// a stranger do not reach a log or a terminal.
pub(crate) fn excerpt(text: &str, most_chars: usize) -> String {
    let end = text.char_indices().nth(most_chars);
    let cut = end.map_or(text, |(end, _)| text.get(..end).unwrap_or(text));
    cut.escape_debug().to_string()
}

/// A text as one line: control characters and direction marks are escaped, everything else stays.
#[cfg(feature = "serde")]
pub(crate) fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for one in text.chars() {
        // The marks and separators of Unicode that move or break what stands beside them.
        let is_mark = matches!(
            one,
            '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
        );
        if one.is_control() || is_mark {
            line.extend(one.escape_default());
        } else {
            line.push(one);
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn excerpt_cuts_by_characters_and_escapes_what_is_left() {
        assert_eq!(excerpt("plain", 160), "plain");
        assert_eq!(excerpt("äöü", 2), "äö");
        assert_eq!(excerpt("äöü", 3), "äöü");
        assert_eq!(excerpt("", 3), "");
        assert_eq!(excerpt("a\n\"b\u{202e}", 4), "a\\n\\\"b");
        assert_eq!(excerpt("\u{202e}x", 1), "\\u{202e}");
    }

    #[cfg(feature = "serde")]
    #[test]
    fn one_line_escapes_what_moves_or_breaks_a_line_and_nothing_else() {
        assert_eq!(one_line("`a`: \"é\", 'x'"), "`a`: \"é\", 'x'");
        assert_eq!(one_line("a\r\n\u{1b}[2J"), "a\\r\\n\\u{1b}[2J");
        assert_eq!(
            one_line("\u{202e}\u{2028}\u{85}"),
            "\\u{202e}\\u{2028}\\u{85}"
        );
    }
}
