use http::Request;
use http::header::AUTHORIZATION;
use proptest::prelude::*;

use super::*;
use crate::verify::jose::scratch::Scratch;
use crate::verify::request::request_parts::RequestParts;
use crate::verify::request::token_sources::TokenSources;

/// RFC 7515 section 2 and RFC 4648 section 5, bit by bit.
fn reference(part: &str) -> Option<Vec<u8>> {
    const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut bits = Vec::new();
    for one in part.chars() {
        let value = ALPHABET.find(one)?;
        bits.extend((0..6).rev().map(|bit| value >> bit & 1 == 1));
    }
    let whole = bits.len() / 8 * 8;
    // Fewer than six bits are left over, and they are zero.
    if bits.len() - whole >= 6 || bits[whole..].contains(&true) {
        return None;
    }
    let byte = |eight: &[bool]| eight.iter().fold(0, |sum, bit| sum << 1 | u8::from(*bit));
    Some(bits[..whole].chunks(8).map(byte).collect())
}

fn decoded(token: &str) -> Result<(String, String, Vec<u8>), RejectionKind> {
    let value = format!("Bearer {token}").parse().expect("a header value");
    let mut request = Request::new(());
    request.headers_mut().insert(AUTHORIZATION, value);
    let parts = RequestParts::of(&request);
    let credential = Credential::find(&TokenSources::default(), parts)?;
    let credential = credential.expect("a field was sent");
    let mut scratch = ScratchParts::default();
    // Room that a longer token has used before.
    scratch.payload.resize(64, b'x');
    let compact = Compact::decode(credential, 16 * 1024, &mut scratch)?;
    let signed = std::str::from_utf8(compact.signing_input).expect("ascii");
    assert!(token.starts_with(signed) && token[signed.len()..].starts_with('.'));
    Ok((
        compact.header.to_owned(),
        compact.payload.to_owned(),
        compact.signature.decoded(<[u8]>::to_vec).expect("sound"),
    ))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn tokens_are_taken_apart_as_the_reference_takes_them_apart(
        token in prop_oneof![
            "[A-Za-z0-9_-]{0,6}(\\.[A-Za-z0-9_-]{0,6}){0,5}",
            "[A-Da-d0-3._=+/~,%-]{1,12}",
        ],
    ) {
        prop_assume!(!token.is_empty());
        let parts: Vec<&str> = token.split('.').collect();
        let expected = match parts.as_slice() {
            [header, payload, signature] => reference(header)
                .and_then(|bytes| String::from_utf8(bytes).ok())
                .zip(reference(payload).and_then(|bytes| String::from_utf8(bytes).ok()))
                .zip(reference(signature))
                .map(|((header, payload), signature)| (header, payload, signature)),
            _ => None,
        };
        match decoded(&token) {
            Ok(parts) => prop_assert_eq!(Some(parts), expected),
            Err(kind) => {
                prop_assert_eq!(None, expected);
                let is_token = is_b64token(token.as_bytes());
                let blames_request = matches!(kind, RejectionKind::InvalidRequest(_));
                prop_assert_eq!(blames_request, !is_token);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_credential_without_a_dot_is_a_bad_token_or_no_token(
        text in prop_oneof![
            "[A-Za-z0-9_~+/=-]{1,80}",
            "[A-Za-z0-9_-]{1,80}={0,3}[a=%]{0,1}",
            "[A-Za-z0-9_-]{28,40}[,%\u{e9}][A-Za-z0-9_-]{0,40}",
        ],
    ) {
        let credential = Credential::bare(text.as_bytes()).expect("it is not empty");
        let rejection = Compact::undivided(credential, 16 * 1024);
        let (kind, is_explained) = if is_b64token(text.as_bytes()) {
            (TokenFault::Malformed.into(), true)
        } else {
            (RequestFault::NotAToken.into(), false)
        };
        prop_assert_eq!(rejection.kind(), kind, "{}", text);
        prop_assert_eq!(rejection.detail().is_some(), is_explained);
    }
}

/// What is read of a token's header, through buffers that may hold an earlier token's.
fn header_of(token: &[u8], scratch: &mut Scratch) -> Result<String, Rejection> {
    let Scratch { parts, members } = scratch;
    let compact = Compact::decode_parts(token, parts)?;
    let unverified = Unverified::read(&compact, members)?;
    let typ = unverified.header().get("typ").and_then(Value::as_text);
    let (algorithm, id) = (unverified.algorithm(), unverified.key_id());
    Ok(format!(
        "{algorithm} {id:?} {typ:?} {:?}",
        unverified.claimed_issuer()
    ))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_header_is_read_alike_whatever_was_read_before(
        tokens in prop::collection::vec((0_usize..16, any::<bool>()), 1..12),
    ) {
        let long = format!(r#"{{"alg":"RS256","kid":"{}"}}"#, "k".repeat(257));
        let headers: [&[u8]; 15] = [
            br#"{"alg":"RS256","kid":"a","typ":"at+jwt"}"#,
            br#"{"alg":"RS256","kid":"b","typ":"at+jwt"}"#,
            br#"{"alg":"ES256","kid":"a"}"#,
            br#"{"alg":"RS256"}"#,
            br#"{"alg":"RS256","kid":"\u0061"}"#,
            br#"{"alg":"RS256","kid":7}"#,
            br#"{"alg":"RS256","alg":"RS256"}"#,
            br#"{"alg":"none"}"#,
            br#"{"alg":"RS256","crit":["x"]}"#,
            br#"{"alg":"RS256","b64":false}"#,
            long.as_bytes(),
            b"{\"alg\":\"RS256\"",
            b"\xff",
            b"{}",
            b"",
        ];
        let mut shared = Scratch::default();
        for (which, is_named) in tokens {
            let header = headers.get(which).map_or_else(
                || "%".to_owned(),
                |header| URL_SAFE_NO_PAD.encode_to_string(header),
            );
            let payload: &[u8] = if is_named { br#"{"iss":"i"}"# } else { b"{" };
            let token = format!("{header}.{}.AAAA", URL_SAFE_NO_PAD.encode_to_string(payload));
            let fresh = header_of(token.as_bytes(), &mut Scratch::default());
            prop_assert_eq!(header_of(token.as_bytes(), &mut shared), fresh, "{}", token);
        }
    }
}
