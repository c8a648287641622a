use super::*;

fn parse(json: &str) -> SubjectIdentifier {
    SubjectIdentifier::parse(json).unwrap()
}

#[test]
fn each_registered_format_is_read() {
    for (json, format) in [
        (
            r#"{"format":"account","uri":"acct:a@example.com"}"#,
            "account",
        ),
        (r#"{"format":"email","email":"a@example.com"}"#, "email"),
        (
            r#"{"format":"iss_sub","iss":"https://i","sub":"1"}"#,
            "iss_sub",
        ),
        (r#"{"format":"opaque","id":"1"}"#, "opaque"),
        (
            r#"{"format":"phone_number","phone_number":"+1"}"#,
            "phone_number",
        ),
        (r#"{"format":"did","url":"did:example:1"}"#, "did"),
        (r#"{"format":"uri","uri":"urn:x"}"#, "uri"),
        (
            r#"{"format":"jwt_id","iss":"https://i","jti":"1"}"#,
            "jwt_id",
        ),
        (
            r#"{"format":"saml_assertion_id","issuer":"https://i","assertion_id":"_1"}"#,
            "saml_assertion_id",
        ),
        (
            r#"{"format":"ip-addresses","ip-addresses":["10.0.0.1"]}"#,
            "ip-addresses",
        ),
        (
            r#"{"format":"aliases","identifiers":[{"format":"opaque","id":"1"}]}"#,
            "aliases",
        ),
        (
            r#"{"format":"complex","user":{"format":"opaque","id":"1"}}"#,
            "complex",
        ),
        (
            r#"{"format":"catalog_item","catalog_id":"c0384"}"#,
            "catalog_item",
        ),
    ] {
        assert_eq!(parse(json).format(), format);
    }
}

#[test]
fn a_known_format_without_its_members_is_no_subject() {
    for json in [
        "[]",
        "{}",
        r#"{"format":1}"#,
        r#"{"format":""}"#,
        r#"{"format":"email"}"#,
        r#"{"format":"email","email":""}"#,
        r#"{"format":"email","email":["a@example.com"]}"#,
        r#"{"format":"email","email":"a","email":"b"}"#,
        r#"{"format":"iss_sub","iss":"https://i"}"#,
        r#"{"format":"jwt_id","jti":"1"}"#,
        r#"{"format":"aliases"}"#,
        r#"{"format":"aliases","identifiers":[]}"#,
        r#"{"format":"aliases","identifiers":["1"]}"#,
        r#"{"format":"aliases","identifiers":[{"format":"aliases","identifiers":[]}]}"#,
        r#"{"format":"complex"}"#,
        r#"{"format":"complex","user":{"id":"1"}}"#,
        r#"{"format":"complex","user":{"format":"complex","user":{"format":"opaque","id":"1"}}}"#,
        r#"{"format":"ip-addresses","ip-addresses":"10.0.0.1"}"#,
        r#"{"format":"ip-addresses","ip-addresses":[1]}"#,
        r#"{"format":"ip-addresses","ip-addresses":[]}"#,
    ] {
        assert!(SubjectIdentifier::parse(json).is_err(), "{json}");
    }
    let long = format!(r#"{{"format":"opaque","id":"{}"}}"#, "x".repeat(1025));
    assert!(SubjectIdentifier::parse(&long).is_err());
    let many = vec![r#"{"format":"opaque","id":"1"}"#; 33].join(",");
    let many = format!(r#"{{"format":"aliases","identifiers":[{many}]}}"#);
    assert!(SubjectIdentifier::parse(&many).is_err());
}

#[test]
fn members_of_a_complex_subject_are_found_by_name_and_others_are_ignored() {
    let subject = parse(
        r#"{"format":"complex","note":"x","session":{"format":"opaque","id":"s"},"seat":{"format":"seat"}}"#,
    );
    assert_eq!(subject.member("session").unwrap().format(), "opaque");
    assert_eq!(subject.member("seat").unwrap().format(), "seat");
    assert!(subject.member("note").is_none() && subject.member("user").is_none());
    assert!(subject.member("session").unwrap().member("id").is_none());
}

#[test]
fn drafts_name_the_format_differently() {
    let read = |json| SubjectIdentifier::parse_event_member(json).unwrap();
    let google = read(r#"{"subject_type":"iss-sub","iss":"https://i","sub":"1"}"#);
    assert_eq!(google.format(), "iss_sub");
    let complex = read(r#"{"user":{"format":"opaque","id":"1"}}"#);
    assert_eq!(complex.member("user").unwrap().format(), "opaque");
    assert_eq!(read(r#"{"format":"opaque","id":"1"}"#).format(), "opaque");
    assert!(SubjectIdentifier::parse(r#"{"user":{"format":"opaque","id":"1"}}"#).is_err());
}

#[test]
fn debug_shows_no_value() {
    let subject = parse(r#"{"format":"complex","user":{"format":"email","email":"secret@x"}}"#);
    let shown = format!("{subject:?}");
    assert!(!shown.contains("secret"), "{shown}");
    assert!(shown.contains("user") && shown.contains("email"));
}
