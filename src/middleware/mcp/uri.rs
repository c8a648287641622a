//! URIs of resources that more than one text may stand for (RFC 3986 section 6.2.2).

/// Whether no normalization of RFC 3986 section 6.2.2 changes this URI, and no reader of URLs or of
/// files takes it for another one: a service that normalizes it reads what the declaration was compared
/// with. Two slashes in a row stay as they are, but for files.
pub(crate) fn is_normal(uri: &str) -> bool {
    let (scheme, rest) = uri.split_once(':').unwrap_or((uri, ""));
    if scheme.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return false;
    }
    // Parsers of URLs drop tabs and line ends anywhere, and blanks at the end.
    let is_dropped = |byte: u8| byte.is_ascii_control() || byte == b'\\';
    if uri.bytes().any(is_dropped) || uri.ends_with(' ') {
        return false;
    }
    let path = uri.split(['?', '#']).next().unwrap_or_default();
    let path = path.to_ascii_uppercase();
    // A service that decodes the path finds the segment.
    let segments = path.split("%2F").flat_map(|part| part.split("%5C"));
    let mut segments = segments.flat_map(|part| part.split('/'));
    if segments.any(|segment| matches!(segment, "." | "..")) || path.contains("%00") {
        return false;
    }
    !has_needless_escape(uri) && has_plain_authority(scheme, rest)
}

/// Whether the host of a URL has one spelling alone, and a file's path one.
fn has_plain_authority(scheme: &str, rest: &str) -> bool {
    let default_port = match scheme {
        "http" | "ws" => ":80",
        "https" | "wss" => ":443",
        "ftp" => ":21",
        "file" => "",
        _ => return true,
    };
    let Some(rest) = rest.strip_prefix("//") else {
        return false;
    };
    let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let is_plain = |byte: u8| {
        byte.is_ascii_lowercase()
            || byte.is_ascii_digit()
            || matches!(byte, b'-' | b'.' | b':' | b'[' | b']')
    };
    if !authority.bytes().all(is_plain) {
        return false;
    }
    if scheme == "file" {
        // No name of a file has a slash, and two of them are one.
        let is_one = !path.contains("//") && !path.contains("%2F") && !path.contains("%2f");
        return authority != "localhost" && is_one;
    }
    let host = authority.split(':').next().unwrap_or_default();
    !host.is_empty()
        && !host.ends_with('.')
        && !authority.ends_with(':')
        && !authority.ends_with(default_port)
}

/// An escape of a character that needs none, such as a letter or a dot, or one that is malformed.
fn has_needless_escape(uri: &str) -> bool {
    uri.split('%').skip(1).any(|rest| {
        let digits = rest
            .get(..2)
            .filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
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
            "file:///a%20b/c d",
            "missions://a%2Fb",
            "missions://Apollo/11",
            "https://host.example:8443/A",
            "http://[::1]/x",
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
            "missions://a\tb",
            "missions://a\nb",
            "missions://a ",
            "missions://a/..%2Fsecret",
            "missions://a/%2f..%5csecret",
            "missions://a%00",
            "file:///a%2Fb",
            "file:////secret",
            "file:///a//b",
            "file://localhost/a",
            "file:/a",
            "https://HOST.example/",
            "https://u@host.example/",
            "https:///host.example/",
            "https://host.example:443/",
            "https://host.example:/",
            "https://host.example./",
            "https://ho\u{17f}t.example/",
        ] {
            assert!(!is_normal(uri), "{uri}");
        }
    }
}
