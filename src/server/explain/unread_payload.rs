//! A token whose key no issuer has, with a payload that cannot be read: the decision on it does not notice
//! the second fault.

use crate::model::decision::explained_check::Check;
use crate::model::error::rejection::{Rejection, RejectionKind, TokenFault};
use crate::server::explain::explanation::Step;
use crate::server::explain::record::Record;

/// Explains the refusal of such a token: the fault of its payload, and the `refusal` that is the answer.
/// `behind` are the checks behind that of the issuer.
pub(super) fn explain_unread_payload(
    record: &mut Record,
    fault: &Rejection,
    refusal: Rejection,
    behind: &[Check],
) {
    record.push(Step::failed(Check::Syntax, fault));
    let check = match refusal.kind() {
        RejectionKind::InvalidToken(TokenFault::UnknownIssuer) => Check::Issuer,
        RejectionKind::InvalidToken(TokenFault::Expired) => Check::Expiry,
        _ => Check::Key,
    };
    let mut refusal = Some(refusal);
    for one in [Check::Issuer].iter().chain(behind) {
        match refusal.take_if(|_| *one == check) {
            Some(refusal) => record.refuse(check, refusal),
            None => record.skip(&[*one], "the payload cannot be read"),
        }
    }
}

#[cfg(all(test, feature = "test-util"))]
mod tests {
    use http::Request;

    use crate::model::decision::explained_check::Check;
    use crate::model::error::rejection::TokenFault;
    use crate::server::explain::explanation::{Conclusion, Step};
    use crate::server::resource_server::ResourceServer;
    use crate::test_util::MockIssuer;
    use crate::verify::request::credential::Credential;

    const API: &str = "https://api.example.com";

    #[test]
    fn unread_payload_of_a_token_with_an_unknown_key_is_told_beside_the_answer() {
        let issuer = MockIssuer::new();
        let server = ResourceServer::builder(API).issuer(issuer.trusted());
        let server = server.build().expect("sound settings");
        let own = issuer.issuer();
        for (payload, fault, check) in [
            (
                format!(r#"{{"iss":"{own}","x":01}}"#),
                TokenFault::UnknownKey,
                "key",
            ),
            (
                format!(r#"{{"iss":"{own}","x":1,"x":2}}"#),
                TokenFault::UnknownKey,
                "key",
            ),
            (
                format!(r#"{{"iss":"{own}","exp":1,"x":]}}"#),
                TokenFault::Expired,
                "expiry",
            ),
            (
                r#"{"iss":"https://a.test","x":+}"#.to_owned(),
                TokenFault::UnknownIssuer,
                "issuer",
            ),
        ] {
            let token = issuer.token().key_id("stranger").payload_json(&*payload);
            let token = token.sign();
            let credential = Credential::bare(token.as_bytes()).expect("it is not empty");
            let rejection = server.authenticate_credential(credential).err();
            let rejection = rejection.expect("a refusal");
            assert_eq!(rejection.kind(), fault.into(), "{payload}");
            let request = Request::get("/").header("authorization", format!("Bearer {token}"));
            let (parts, ()) = request.body(()).expect("a request").into_parts();
            let explanation = server.explain(&parts);
            let Conclusion::Refused(told) = explanation.conclusion() else {
                panic!("it is refused: {explanation}");
            };
            assert_eq!(told, &rejection, "{payload}");
            let failed = explanation.failures().map(Step::check);
            let failed: Vec<&str> = failed.map(Check::as_str).collect();
            assert_eq!(failed, ["syntax", check], "{payload}");
        }
    }
}
