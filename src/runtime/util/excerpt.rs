//! Excerpts of foreign text, for events and error messages.

/// At most so many characters of a text, escaped: control characters, quotes and direction marks of
/// a stranger do not reach a log or a terminal.
pub(crate) fn excerpt(text: &str, most_chars: usize) -> String {
    let end = text.char_indices().nth(most_chars);
    let cut = end.map_or(text, |(end, _)| text.get(..end).unwrap_or(text));
    cut.escape_debug().to_string()
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
}
