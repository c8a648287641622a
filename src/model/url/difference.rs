//! How two identifiers of an issuer differ, for an operator: often it is a slash.

use http::Uri;

/// The difference of two URLs, the smallest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum UrlDifference {
    FinalSlash,
    LetterCase,
    Scheme,
    Port,
    Path,
    Host,
    /// In more than one part, or one of them is no URL.
    Several,
}

impl UrlDifference {
    /// Compares; `None` where both are the same, byte for byte.
    pub(crate) fn of(configured: &str, found: &str) -> Option<Self> {
        if configured == found {
            return None;
        }
        Some(Self::of_unequal(configured, found))
    }

    fn of_unequal(configured: &str, found: &str) -> Self {
        if configured.trim_end_matches('/') == found.trim_end_matches('/') {
            return Self::FinalSlash;
        }
        if configured.eq_ignore_ascii_case(found) {
            return Self::LetterCase;
        }
        let (Ok(one), Ok(other)) = (configured.parse::<Uri>(), found.parse::<Uri>()) else {
            return Self::Several;
        };
        if one.scheme().is_none() || other.scheme().is_none() {
            return Self::Several;
        }
        let differs = [
            (one.scheme() != other.scheme(), Self::Scheme),
            (one.host() != other.host(), Self::Host),
            (one.port_u16() != other.port_u16(), Self::Port),
            (one.path_and_query() != other.path_and_query(), Self::Path),
        ];
        let mut parts = differs.iter().filter(|(differs, _)| *differs);
        match (parts.next(), parts.next()) {
            (Some((_, part)), None) => *part,
            _ => Self::Several,
        }
    }

    /// A stable name.
    #[cfg_attr(not(feature = "jwks"), allow(dead_code))]
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::FinalSlash => "slash",
            Self::LetterCase => "letter_case",
            Self::Scheme => "scheme",
            Self::Port => "port",
            Self::Path => "path",
            Self::Host => "host",
            Self::Several => "several",
        }
    }

    /// What differs, in words that follow "they differ in".
    pub(crate) const fn words(self) -> &'static str {
        match self {
            Self::FinalSlash => "the slash at the end",
            Self::LetterCase => "upper and lower case",
            Self::Scheme => "the scheme",
            Self::Port => "the port",
            Self::Path => "the path",
            Self::Host => "the host",
            Self::Several => "more than one part",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn difference_is_the_one_part_that_differs() {
        const ISSUER: &str = "https://id.example.com/realms/main";
        for (found, expected) in [
            (ISSUER, None),
            (
                "https://id.example.com/realms/main/",
                Some(UrlDifference::FinalSlash),
            ),
            (
                "https://id.example.com/Realms/main",
                Some(UrlDifference::LetterCase),
            ),
            (
                "http://id.example.com/realms/main",
                Some(UrlDifference::Scheme),
            ),
            (
                "https://id.example.com:8443/realms/main",
                Some(UrlDifference::Port),
            ),
            (
                "https://id.example.com/realms/other",
                Some(UrlDifference::Path),
            ),
            (
                "https://sso.example.com/realms/main",
                Some(UrlDifference::Host),
            ),
            ("https://sso.example.com/", Some(UrlDifference::Several)),
            ("accounts.google.com", Some(UrlDifference::Several)),
            ("", Some(UrlDifference::Several)),
        ] {
            assert_eq!(UrlDifference::of(ISSUER, found), expected, "{found}");
        }
    }
}
