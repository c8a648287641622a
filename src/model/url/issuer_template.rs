//! An identifier with one place left open, such as `https://login.example.com/{tenant}/v2.0`.
//!
//! 1. The place is a name in braces; no other brace stands anywhere.
//! 2. What fills it is 1 to 256 unreserved characters of RFC 3986 section 2.3, and is neither
//!    `.` nor `..`: nothing that could end the place, or be read as another one.
//! 3. The name in the braces means nothing. Two templates are equal when all else is.

/// Longer than the id of any tenant.
const MAX_FILLER_BYTES: usize = 256;

/// An issuer identifier with one placeholder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct IssuerTemplate<'t> {
    before: &'t str,
    after: &'t str,
}

impl<'t> IssuerTemplate<'t> {
    /// `None` for a text without a place, or with several.
    pub(crate) fn parse(text: &'t str) -> Option<Self> {
        let (before, rest) = text.split_once('{')?;
        let (name, after) = rest.split_once('}')?;
        let odd = [before, name, after]
            .iter()
            .any(|part| part.contains(['{', '}']));
        (!odd && !name.is_empty()).then_some(Self { before, after })
    }

    /// Whether the place lies behind the host, where there is one.
    pub(crate) fn is_in_path(self) -> bool {
        let authority = self.before.split_once("://");
        authority.is_none_or(|(_, rest)| rest.contains('/'))
    }

    /// The identifier with the place filled.
    pub(crate) fn filled(self, filler: &str) -> String {
        [self.before, filler, self.after].concat()
    }

    /// Whether filling the place gives this identifier.
    pub(crate) fn gives(self, identifier: &str) -> bool {
        identifier
            .strip_prefix(self.before)
            .and_then(|rest| rest.strip_suffix(self.after))
            .is_some_and(is_filler)
    }
}

/// Whether a text may fill a place.
pub(crate) fn is_filler(text: &str) -> bool {
    let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    (1..=MAX_FILLER_BYTES).contains(&text.len())
        && text.bytes().all(unreserved)
        && !matches!(text, "." | "..")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_has_one_place() {
        let template =
            IssuerTemplate::parse("https://login.example.com/{tenant}/v2.0").expect("one");
        assert_eq!(template.filled("t-1"), "https://login.example.com/t-1/v2.0");
        assert_eq!(
            IssuerTemplate::parse("https://login.example.com/{tenantid}/v2.0"),
            Some(template)
        );
        assert_ne!(
            IssuerTemplate::parse("https://login.example.com/{tenant}/"),
            Some(template)
        );
        for none in [
            "",
            "https://a",
            "{",
            "}",
            "}{",
            "a{}b",
            "{a}{b}",
            "{a}/{",
            "{a}/}",
            "{{a}}",
            "}{a}",
        ] {
            assert_eq!(IssuerTemplate::parse(none), None, "{none}");
        }
    }

    #[test]
    fn a_place_in_the_host_is_not_in_the_path() {
        for (text, in_path) in [
            ("https://login.example.com/{tenant}", true),
            ("https://login.example.com/a/{tenant}/v2.0", true),
            ("urn:example:{tenant}", true),
            ("https://{tenant}.example.com/", false),
            ("https://login.{tenant}", false),
            ("https://{tenant}", false),
        ] {
            let template = IssuerTemplate::parse(text).expect("a template");
            assert_eq!(template.is_in_path(), in_path, "{text}");
        }
    }

    #[test]
    fn a_place_holds_one_segment_and_nothing_that_ends_it() {
        let template =
            IssuerTemplate::parse("https://login.example.com/{tenant}/v2.0").expect("one");
        for (identifier, given) in [
            ("https://login.example.com/t-1/v2.0", true),
            ("https://login.example.com/a.b_c~d/v2.0", true),
            ("https://login.example.com//v2.0", false),
            ("https://login.example.com/../v2.0", false),
            ("https://login.example.com/a/b/v2.0", false),
            ("https://login.example.com/a%2fb/v2.0", false),
            ("https://login.example.com/{tenant}/v2.0", false),
            ("https://login.example.com/t-1/v2.0/", false),
            ("https://login.example.com/v2.0", false),
        ] {
            assert_eq!(template.gives(identifier), given, "{identifier}");
        }
        assert!(is_filler(&"a".repeat(256)) && !is_filler(&"a".repeat(257)));
    }
}
