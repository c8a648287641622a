use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use proptest::prelude::*;

use super::*;
use crate::verify::crypto::sha256::sha256;

use CertificateHeaderFault::{Contradicts, Malformed, SeveralCertificates, SeveralFields, TooLong};

const X_CERT: HeaderName = HeaderName::from_static("x-ssl-client-cert");

/// A SEQUENCE of one INTEGER in place of a certificate. Its base64 contains `+`, `/` and `=`.
const DER: [u8; 8] = [0x30, 6, 2, 4, 0x3f, 0xff, 0xfb, 0xef];
/// Another.
const OTHER: [u8; 5] = [0x30, 3, 2, 1, 2];

fn forms() -> [ClientCertificateHeader; 5] {
    [
        ClientCertificateHeader::Rfc9440,
        ClientCertificateHeader::Envoy,
        ClientCertificateHeader::NginxEscaped(X_CERT),
        ClientCertificateHeader::AwsPassthrough,
        ClientCertificateHeader::AwsVerify,
    ]
}

fn read_bytes(
    form: &ClientCertificateHeader,
    values: &[&[u8]],
) -> Result<Option<[u8; 32]>, CertificateHeaderFault> {
    let mut headers = HeaderMap::new();
    for value in values {
        let value = HeaderValue::from_bytes(value).expect("a value");
        headers.append(form.field(), value);
    }
    let certificate = form.read(&headers)?;
    Ok(certificate.map(|certificate| *certificate.thumbprint()))
}

fn read(
    form: &ClientCertificateHeader,
    value: &str,
) -> Result<Option<[u8; 32]>, CertificateHeaderFault> {
    read_bytes(form, &[value.as_bytes()])
}

fn pem(der: &[u8]) -> String {
    let base64 = STANDARD.encode(der);
    let lines: Vec<&str> = base64
        .as_bytes()
        .chunks(64)
        .map(|line| std::str::from_utf8(line).expect("base64"))
        .collect();
    let lines = lines.join("\n");
    format!("-----BEGIN CERTIFICATE-----\n{lines}\n-----END CERTIFICATE-----\n")
}

/// Escapes all except the unreserved characters and these.
fn escaped(text: &str, safe: &str) -> String {
    text.chars()
        .map(|one| match one {
            'a'..='z' | 'A'..='Z' | '0'..='9' | '-' | '.' | '_' | '~' => one.to_string(),
            _ if safe.contains(one) => one.to_string(),
            _ => format!("%{:02X}", u32::from(one)),
        })
        .collect()
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The field as the proxy of this form writes it.
fn written(form: &ClientCertificateHeader, der: &[u8]) -> String {
    let pem = pem(der);
    match form {
        ClientCertificateHeader::Rfc9440 => format!(":{}:", STANDARD.encode(der)),
        ClientCertificateHeader::Envoy => format!(
            "By=spiffe://a/b;Hash={};Cert=\"{}\";Subject=\"CN=a\\\"b\\\\,O=c\";URI=;DNS=a.example",
            hex(&sha256(der)),
            escaped(&pem, "")
        ),
        ClientCertificateHeader::NginxEscaped(_) => escaped(&pem, ""),
        ClientCertificateHeader::AwsVerify => escaped(&pem, "+=/"),
        ClientCertificateHeader::AwsPassthrough => {
            escaped(&[pem, self::pem(&OTHER)].concat(), "+=/")
        }
    }
}

#[test]
fn each_form_is_read_as_its_proxy_writes_it() {
    for form in forms() {
        let value = written(&form, &DER);
        assert_eq!(read(&form, &value), Ok(Some(sha256(&DER))), "{value}");
        assert_eq!(read(&form, &format!(" {value}\t")), Ok(Some(sha256(&DER))));
    }
}

#[test]
fn an_absent_or_empty_field_is_no_certificate() {
    for form in forms() {
        assert_eq!(read_bytes(&form, &[]), Ok(None));
        assert_eq!(read(&form, ""), Ok(None));
        assert_eq!(read(&form, "  "), Ok(None));
    }
}

#[test]
fn repeated_long_and_cut_fields_are_refused_in_every_form() {
    for form in forms() {
        let value = written(&form, &DER);
        let bytes = value.as_bytes();
        assert_eq!(read_bytes(&form, &[bytes, bytes]), Err(SeveralFields));
        assert_eq!(read_bytes(&form, &[bytes, b""]), Err(SeveralFields));
        assert_eq!(read(&form, &"a".repeat(MAX_BYTES + 1)), Err(TooLong));
        assert_eq!(read(&form, &"a".repeat(MAX_BYTES)), Err(Malformed));
        assert_eq!(read_bytes(&form, &[b"\xff"]), Err(Malformed));
        for end in 1..bytes.len() {
            let cut = &value[..end];
            let result = read(&form, cut);
            let whole_certificate = match form {
                // Envoy: the pairs behind the certificate say nothing about it.
                ClientCertificateHeader::Envoy => result.is_ok(),
                // The line end behind a block, and a chain without its second block.
                _ => ["END%20CERTIFICATE-----", "END%20CERTIFICATE-----%0A"]
                    .iter()
                    .any(|end| cut.ends_with(end)),
            };
            assert_eq!(result.is_ok(), whole_certificate, "{cut}");
            if result.is_ok() {
                assert_eq!(result, Ok(Some(sha256(&DER))), "{cut}");
            }
        }
        for garbage in ["a", ",", ";", " a", "%20", "\"", ":"] {
            let after = format!("{value}{garbage}");
            let before = format!("{garbage}{value}");
            let is_envoy = form == ClientCertificateHeader::Envoy;
            // Envoy: `aBy` is another key, and `DNS=a.examplea` another name.
            let is_key = is_envoy && garbage.trim() == "a";
            assert_eq!(read(&form, &before).is_ok(), is_key, "{before}");
            let is_name = is_envoy && ["a", " a", "%20", ":"].contains(&garbage);
            assert_eq!(read(&form, &after).is_ok(), is_name, "{after}");
        }
    }
}

#[test]
fn a_byte_sequence_is_one_der_sequence_between_colons() {
    let form = ClientCertificateHeader::Rfc9440;
    let base64 = STANDARD.encode(DER);
    let unpadded = base64.trim_end_matches('=');
    for good in [format!(":{base64}:"), format!(":{unpadded}:")] {
        assert_eq!(read(&form, &good), Ok(Some(sha256(&DER))), "{good}");
    }
    let trailing = STANDARD.encode([&DER[..], &[0]].concat());
    let short = STANDARD.encode(&DER[..7]);
    let octets = STANDARD.encode([4, 1, 0]);
    let urlsafe = base64.replace('+', "-").replace('/', "_");
    assert_ne!(urlsafe, base64);
    for bad in [
        base64.clone(),
        format!(":{base64}"),
        format!("{base64}:"),
        "::".to_owned(),
        ":".to_owned(),
        format!(":{trailing}:"),
        format!(":{short}:"),
        format!(":{octets}:"),
        format!(":{urlsafe}:"),
        format!(": {base64}:"),
        format!(":{base64}:;a=1"),
        format!(":{base64}:, :{base64}:"),
        format!("\"{base64}\""),
    ] {
        assert_eq!(read(&form, &bad), Err(Malformed), "{bad}");
    }
}

#[test]
fn pem_is_one_certificate_block_and_nothing_else() {
    let form = ClientCertificateHeader::NginxEscaped(X_CERT);
    let good = pem(&DER);
    let base64 = STANDARD.encode(DER);
    for accepted in [
        good.clone(),
        good.replace('\n', "\r\n"),
        good.trim_end().to_owned(),
    ] {
        let value = escaped(&accepted, "");
        assert_eq!(read(&form, &value), Ok(Some(sha256(&DER))), "{accepted:?}");
        let value = escaped(&accepted, "+=/");
        assert_eq!(read(&form, &value), Ok(Some(sha256(&DER))), "{accepted:?}");
    }
    // A plus is no space, in the label and in base64.
    assert_eq!(
        read(&form, &escaped(&good, "").replace("%20", "+")),
        Err(Malformed)
    );
    let twice = [&*good, &pem(&OTHER)].concat();
    assert_eq!(read(&form, &escaped(&twice, "")), Err(SeveralCertificates));
    for bad in [
        good.replace("CERTIFICATE", "TRUSTED CERTIFICATE"),
        good.replace("CERTIFICATE", "PUBLIC KEY"),
        good.replace("BEGIN CERTIFICATE", "BEGIN X509 CERTIFICATE"),
        good.replace("-----END", "----END"),
        format!("# a comment\n{good}"),
        format!("{good}# a comment"),
        format!("\n{good}"),
        format!("{good} "),
        good.replace(&base64, &format!("{base64} ")),
        good.replace(&base64, &format!("A: b\n\n{base64}")),
        good.replace(&base64, base64.trim_end_matches('=')),
        good.replace(&base64, &STANDARD.encode([&DER[..], &DER].concat())),
        good.replace(&base64, ""),
        [good.trim_end(), &pem(&OTHER)].concat(),
        base64.clone(),
    ] {
        assert_eq!(read(&form, &escaped(&bad, "")), Err(Malformed), "{bad:?}");
    }
    for bad in ["%", "%4", "%zz", "%+1", "%2", "%E2%82%AC"] {
        assert_eq!(read(&form, bad), Err(Malformed), "{bad}");
    }
}

#[test]
fn load_balancers_of_aws_send_a_chain_or_a_leaf() {
    let chain = escaped(&[pem(&DER), pem(&OTHER)].concat(), "+=/");
    let passthrough = ClientCertificateHeader::AwsPassthrough;
    assert_eq!(read(&passthrough, &chain), Ok(Some(sha256(&DER))));
    assert_eq!(
        read(&passthrough, &escaped(&pem(&DER), "")),
        Ok(Some(sha256(&DER)))
    );
    assert_eq!(
        read(&ClientCertificateHeader::AwsVerify, &chain),
        Err(SeveralCertificates)
    );
    let broken = escaped(&[pem(&DER), "-----BEGIN".to_owned()].concat(), "+=/");
    assert_eq!(read(&passthrough, &broken), Err(Malformed));
    // The field of the other mode is not read.
    let mut headers = HeaderMap::new();
    headers.insert(&AWS_LEAF, HeaderValue::from_str(&chain).expect("a value"));
    assert!(passthrough.read(&headers).expect("no fault").is_none());
}

#[test]
fn envoy_describes_one_certificate_by_its_parts() {
    let form = ClientCertificateHeader::Envoy;
    let cert = escaped(&pem(&DER), "");
    let chain = escaped(&[pem(&DER), pem(&OTHER)].concat(), "");
    let other = escaped(&pem(&OTHER), "");
    let hash = hex(&sha256(&DER));
    let good = Ok(Some(sha256(&DER)));
    for (value, expected) in [
        (format!("Hash={hash}"), good),
        (format!("Hash={}", hash.to_uppercase()), good),
        (format!("Hash=\"{hash}\""), good),
        (format!("hash={hash}"), good),
        (format!("Cert=\"{cert}\""), good),
        (format!("Chain=\"{chain}\""), good),
        (
            format!("Hash={hash};Cert=\"{cert}\";Chain=\"{chain}\""),
            good,
        ),
        (format!("URI=https://a/?b=c;Hash={hash}"), good),
        (format!("Subject=\"CN=a,O=\\\"b;c\\\"\";Hash={hash}"), good),
        (format!("By=a;By=b;URI=;DNS=c;DNS=d;Hash={hash}"), good),
        // Parts that disagree, and parts that occur twice.
        (format!("Hash={hash};Cert=\"{other}\""), Err(Contradicts)),
        (format!("Hash={hash};Chain=\"{other}\""), Err(Contradicts)),
        (
            format!("Cert=\"{cert}\";Chain=\"{other}\""),
            Err(Contradicts),
        ),
        (format!("Hash={hash};Hash={hash}"), Err(Contradicts)),
        (format!("Hash={hash};URI=a;hash={hash}"), Err(Contradicts)),
        (format!("Cert=\"{cert}\";Cert=\"{cert}\""), Err(Contradicts)),
        (format!("Cert=\"{chain}\""), Err(SeveralCertificates)),
        // An element of the client's own before or behind.
        (format!("Hash={hash},Hash={hash}"), Err(SeveralCertificates)),
        (format!("Hash={hash}, By=a"), Err(SeveralCertificates)),
        (format!("URI=a,Hash={hash}"), Err(SeveralCertificates)),
        (format!("Hash={hash},"), Err(SeveralCertificates)),
        // Another grammar.
        ("By=a;URI=b".to_owned(), Err(Malformed)),
        ("Hash=".to_owned(), Err(Malformed)),
        (format!("Hash={}", &hash[1..]), Err(Malformed)),
        (format!("Hash={hash}0"), Err(Malformed)),
        (format!("Hash=g{}", &hash[1..]), Err(Malformed)),
        (format!("Hash={hash};"), Err(Malformed)),
        (format!(";Hash={hash}"), Err(Malformed)),
        (format!("Hash={hash};;By=a"), Err(Malformed)),
        (format!("Hash={hash}; By=a"), Err(Malformed)),
        (format!("Hash ={hash}"), Err(Malformed)),
        (format!("={hash}"), Err(Malformed)),
        (hash.clone(), Err(Malformed)),
        (format!("Subject=\"a;Hash={hash}"), Err(Malformed)),
        (format!("Subject=\"a\"b;Hash={hash}"), Err(Malformed)),
        (format!("Subject=a\"b;Hash={hash}"), Err(Malformed)),
        (format!("Hash={hash};Subject=\"a\\"), Err(Malformed)),
    ] {
        assert_eq!(read(&form, &value), expected, "{value}");
    }
}

#[test]
fn removal_takes_every_field_that_the_proxy_would_send() {
    let names = [
        "client-cert",
        "client-cert-chain",
        "x-forwarded-client-cert",
        "x-ssl-client-cert",
        "x-amzn-mtls-clientcert",
        "x-amzn-mtls-clientcert-leaf",
        "x-amzn-mtls-clientcert-serial-number",
        "x-amzn-mtls-clientcert-issuer",
        "x-amzn-mtls-clientcert-subject",
        "x-amzn-mtls-clientcert-validity",
        "client_cert",
    ];
    for (form, removed) in forms().iter().zip([2, 1, 1, 6, 6]) {
        let mut headers = HeaderMap::new();
        for name in names {
            let name = HeaderName::from_static(name);
            headers.append(&name, HeaderValue::from_static("a"));
            headers.append(&name, HeaderValue::from_static("b"));
        }
        form.remove_from(&mut headers);
        assert_eq!(headers.keys_len(), names.len() - removed, "{form:?}");
        assert!(!headers.contains_key(form.field()));
    }
    assert!(!ClientCertificateHeader::NginxEscaped(AUTHORIZATION).is_usable());
    assert!(ClientCertificateHeader::NginxEscaped(X_CERT).is_usable());
}

/// One DER SEQUENCE with this content.
fn sequence(content: &[u8]) -> Vec<u8> {
    let [.., high, low] = content.len().to_be_bytes();
    let head = match content.len() {
        0..0x80 => vec![0x30, low],
        0x80..0x100 => vec![0x30, 0x81, low],
        _ => vec![0x30, 0x82, high, low],
    };
    [&head, content].concat()
}

/// Text that is near to the grammars: pieces of good fields, in any order.
fn pieces() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just("Hash=".to_owned()),
        Just("Cert=\"".to_owned()),
        Just("\"".to_owned()),
        Just(";".to_owned()),
        Just(",".to_owned()),
        Just("\\".to_owned()),
        Just(":".to_owned()),
        Just("%".to_owned()),
        Just(hex(&sha256(&DER))),
        Just(escaped(&pem(&DER), "")),
        Just(STANDARD.encode(DER)),
        "[ -~]{0,3}",
    ];
    proptest::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat().into_bytes())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_certificate_that_a_proxy_writes_is_read_again(
        content in proptest::collection::vec(any::<u8>(), 0..3000),
    ) {
        let der = sequence(&content);
        for form in forms() {
            prop_assert_eq!(read(&form, &written(&form, &der)), Ok(Some(sha256(&der))));
        }
    }

    #[test]
    fn any_bytes_are_read_without_a_panic_and_believed_only_as_a_certificate(
        bytes in prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..200),
            pieces(),
        ],
    ) {
        let Ok(value) = HeaderValue::from_bytes(&bytes) else {
            return Ok(());
        };
        for form in forms() {
            let mut headers = HeaderMap::new();
            headers.insert(form.field(), value.clone());
            if let Ok(Some(certificate)) = form.read(&headers) {
                prop_assert!(certificate.der().is_none_or(is_one_sequence));
            }
        }
    }
}
