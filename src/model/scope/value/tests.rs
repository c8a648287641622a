use proptest::prelude::*;

use super::*;

#[test]
fn only_spaces_separate_tokens() {
    for separator in ["\t", "\n", "\u{a0}", "\u{2003}", ","] {
        let scope = Scope::from_claim(SharedStr::new(&format!("a{separator}b")));
        assert!(
            !scope.contains("a") && !scope.contains("b"),
            "{separator:?}"
        );
    }
    let scope = Scope::from_claim(SharedStr::new(" a  b "));
    assert!(scope.contains("a") && scope.contains("b") && !scope.contains(""));
}

#[test]
fn a_strict_scope_has_single_spaces_and_no_blank_ends() {
    for good in ["a", "a b", "https://x.example/a!b"] {
        assert!(good.parse::<Scope>().is_ok(), "{good:?}");
    }
    for bad in ["", " ", " a", "a ", "a  b", "a\"b", "a\\b", "a\tb", "ä"] {
        assert!(bad.parse::<Scope>().is_err(), "{bad:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn scopes_are_read_as_the_grammar_says(text in "[a-c\u{e9}:/!\"\\\\\t ]{0,8}") {
        // RFC 6749 s3.3, as a slow reader sees it.
        let sound = |part: &str| {
            !part.is_empty()
                && part.chars().all(|one| one.is_ascii_graphic() && one != '"' && one != '\\')
        };
        prop_assert_eq!(text.parse::<Scope>().is_ok(), text.split(' ').all(sound));
        let lenient = Scope::from_claim(SharedStr::new(&text));
        let expected: Vec<&str> = text.split(' ').filter(|part| sound(part)).collect();
        let found: Vec<&str> = lenient.iter().map(ScopeToken::as_str).collect();
        prop_assert_eq!(found, expected);
    }
}
