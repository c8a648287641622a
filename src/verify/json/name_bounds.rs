//! How many names of members a text may have.
//!
//! Names take more work than their bytes suggest, those with escapes most. In tokens their number is bounded;
//! messages and responses may have any, since their senders are known, and some of their writers escape every
//! name that is not ASCII. A list or an object within a list counts like a name.

use crate::verify::json::json_fault::JsonFault;

/// How many names a text may still have, at any depth.
#[derive(Clone, Copy)]
pub(in crate::verify) struct NameBounds {
    all: usize,
    escaped: u32,
}

impl NameBounds {
    /// For messages and responses.
    pub(super) const NONE: Self = Self {
        all: usize::MAX,
        escaped: u32::MAX,
    };

    /// For the header of a token. Real ones have less than 20 names.
    pub(in crate::verify) const HEADER: Self = Self::in_token(64);

    /// Real tokens have a few names with escapes, if PHP writes them: URLs as names.
    const ESCAPED: u32 = 128;

    /// The most names of a small payload.
    const SMALL_PAYLOAD: usize = 640;

    /// A larger payload may have one name for so many bytes.
    const BYTES_PER_NAME: usize = 20;

    /// For this payload of a token.
    pub(in crate::verify) fn of_payload(text: &str) -> Self {
        Self::in_token(Self::SMALL_PAYLOAD.max(text.len() / Self::BYTES_PER_NAME))
    }

    const fn in_token(all: usize) -> Self {
        Self {
            all,
            escaped: Self::ESCAPED,
        }
    }

    pub(super) fn count(&mut self) -> Result<(), JsonFault> {
        self.all = self.all.checked_sub(1).ok_or(JsonFault::TooManyNames)?;
        Ok(())
    }

    /// Counts a name among those with escapes.
    #[cold]
    pub(super) fn count_escaped(&mut self) -> Result<(), JsonFault> {
        let left = self.escaped.checked_sub(1);
        self.escaped = left.ok_or(JsonFault::TooManyNames)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verify::json::members::Members;
    use crate::verify::json::object::Object;

    fn in_token(text: &str) -> Result<(), JsonFault> {
        Object::parse_token_part(text, &mut Members::default(), NameBounds::of_payload(text))
            .map(drop)
    }

    #[test]
    fn names_in_a_header_are_fewer() {
        let text = |count: usize| {
            let members: Vec<String> = (0..count).map(|n| format!("\"{n}\":0")).collect();
            format!("{{{}}}", members.join(","))
        };
        let in_header = |text: &str| {
            Object::parse_token_part(text, &mut Members::default(), NameBounds::HEADER).map(drop)
        };
        assert_eq!(in_header(&text(64)), Ok(()));
        let more = text(64 + 1);
        assert_eq!(in_header(&more), Err(JsonFault::TooManyNames));
        assert_eq!(in_token(&more), Ok(()));
    }

    #[test]
    fn names_with_escapes_are_bounded_in_tokens_and_nowhere_else() {
        let text = |count: u32| {
            let members: Vec<String> = (0..count).map(|n| format!("\"\\u0061{n}\":0")).collect();
            format!("{{\"x\":[{{{}}}],\"y\":\"\\u0061\"}}", members.join(","))
        };
        assert_eq!(in_token(&text(128)), Ok(()));
        let more = in_token(&text(128 + 1));
        assert_eq!(more, Err(JsonFault::TooManyNames));
        let elsewhere = Object::parse_str(&text(1_000)).map(drop);
        assert_eq!(elsewhere, Ok(()));
    }

    #[test]
    fn names_are_bounded_in_tokens_and_nowhere_else() {
        let list = |element: &str, count: usize| {
            let elements = vec![element; count].join(",");
            format!("{{\"x\":[{elements}]}}")
        };
        // One name is that of the list itself.
        for (element, names) in [("[]", 1), ("{}", 1), ("{\"a\":0}", 2), ("{\"a\":[]}", 2)] {
            let most = 639 / names;
            assert_eq!(in_token(&list(element, most)), Ok(()), "{element}");
            let more = list(element, most + 1);
            assert_eq!(in_token(&more), Err(JsonFault::TooManyNames), "{element}");
            assert!(Object::parse_str(&more).is_ok(), "{element}");
        }
        // What takes little work is not counted, such as the names of groups.
        for element in ["\"a\"", "7", "-1", "null"] {
            assert_eq!(in_token(&list(element, 5_000)), Ok(()), "{element}");
        }
    }

    #[test]
    fn a_larger_token_may_have_a_name_for_every_20_bytes() {
        let text = |bytes: usize| {
            let members: Vec<String> = (0..1_000).map(|n| format!("\"{n:03}\":{{}}")).collect();
            let members = members.join(",");
            let text = "x".repeat(bytes - members.len() - "{,\"y\":\"\"}".len());
            format!("{{{members},\"y\":\"{text}\"}}")
        };
        assert_eq!(in_token(&text(20_020)), Ok(()));
        let less = in_token(&text(20_019));
        assert_eq!(less, Err(JsonFault::TooManyNames));
    }
}
