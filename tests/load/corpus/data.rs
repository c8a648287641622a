//! The corpus as it is written. A member that is not known here stops the run, so that no part
//! of a case is passed over in silence.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;
use serde_json::value::RawValue;

#[derive(Deserialize)]
pub(super) struct Corpus {
    pub(super) profiles: BTreeMap<String, Profile>,
    pub(super) jwks: BTreeMap<String, Box<RawValue>>,
    /// In base64 of DER.
    pub(super) certificates: BTreeMap<String, String>,
    pub(super) counts: Counts,
    pub(super) cases: Vec<Case>,
}

#[derive(Deserialize)]
pub(super) struct Counts {
    pub(super) total: usize,
}

/// One configuration of a resource server.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Profile {
    pub(super) issuers: BTreeMap<String, Trusted>,
    pub(super) audience: Option<Vec<String>>,
    pub(super) leeway_s: u64,
    pub(super) required_claims: Vec<String>,
    pub(super) origin: String,
    pub(super) cognito: Option<Cognito>,
    pub(super) alb: Option<Alb>,
    pub(super) jwks_cache: Option<KeySetLimits>,
    pub(super) resource_metadata: Option<String>,
    /// Issuers and ids of tokens.
    #[serde(default)]
    pub(super) denylist: Vec<(String, String)>,
    pub(super) introspection: Option<Introspection>,
    /// `required_claims` says the same in words that the library has.
    #[serde(rename = "typ")]
    _types: IgnoredAny,
    #[serde(rename = "routes")]
    _routes: IgnoredAny,
    pub(super) dpop: Option<Proofs>,
    pub(super) mtls: Option<Certificates>,
}

/// How DPoP proofs are accepted.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Proofs {
    pub(super) algs: Vec<String>,
    pub(super) max_age_s: u64,
    pub(super) future_s: u64,
    /// `optional` or `required`.
    pub(super) mode: String,
    /// A nonce of another server: the library makes its own.
    pub(super) nonce: Option<IgnoredAny>,
    /// Always `on`.
    #[serde(rename = "replay")]
    _replay: IgnoredAny,
}

/// How certificates of clients come.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Certificates {
    pub(super) trusted_proxy: Option<TrustedProxy>,
    /// Always that of RFC 8705.
    #[serde(rename = "mode")]
    _mode: IgnoredAny,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TrustedProxy {
    pub(super) addresses: Vec<String>,
    /// Always `Client-Cert`.
    #[serde(rename = "header")]
    _header: IgnoredAny,
}

/// An issuer of a profile: its keys have one of three origins.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Trusted {
    pub(super) jwks: Option<String>,
    pub(super) jwks_uri: Option<String>,
    pub(super) discovery: Option<String>,
    pub(super) algs: Vec<String>,
    pub(super) audience: Option<Vec<String>>,
    pub(super) tenants: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Cognito {
    pub(super) client_ids: Vec<String>,
    #[serde(rename = "token_use")]
    _token_use: IgnoredAny,
}

/// The issuer that is asked about tokens.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Introspection {
    pub(super) client_id: String,
    pub(super) client_secret: String,
    pub(super) cache_ttl_s: u64,
    pub(super) issuer: String,
    #[serde(default)]
    pub(super) client_ids: Vec<String>,
    pub(super) signed: Option<SignedAnswers>,
    /// It is played by a site on loopback.
    #[serde(rename = "endpoint")]
    _endpoint: IgnoredAny,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SignedAnswers {
    pub(super) jwks: String,
    pub(super) algs: Vec<String>,
    pub(super) audience: String,
    /// The same as that of the tokens.
    #[serde(rename = "issuer")]
    _issuer: IgnoredAny,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Alb {
    pub(super) signer: String,
}

/// The bounds on sizes and times that are not settings are the library's own.
#[derive(Deserialize)]
#[allow(clippy::struct_field_names)] // They are the corpus's.
pub(super) struct KeySetLimits {
    pub(super) refresh_s: u64,
    pub(super) unknown_kid_cooldown_s: u64,
    pub(super) max_stale_s: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Case {
    pub(super) id: String,
    pub(super) profile: String,
    pub(super) http: Http,
    pub(super) expect: Expect,
    pub(super) token: Option<Text>,
    pub(super) clock: Option<i64>,
    #[serde(default)]
    pub(super) requires: BTreeSet<Ability>,
    #[serde(default)]
    pub(super) steps: Vec<Step>,
    #[serde(default)]
    pub(super) jwks_response: Answers,
    #[serde(default)]
    pub(super) discovery_response: Answers,
    #[serde(default)]
    pub(super) expect_outbound: BTreeMap<String, Bound>,
    #[serde(default)]
    pub(super) outbound_headers_must_not: Vec<String>,
    #[serde(default)]
    pub(super) www_authenticate_must_contain: Vec<String>,
    #[serde(default)]
    pub(super) www_authenticate_must_not_contain: Vec<String>,
    #[serde(default)]
    pub(super) response_must_not_contain: Vec<String>,
    #[serde(default)]
    pub(super) response_headers_must_not: Vec<(String, String)>,
    #[serde(default)]
    pub(super) expect_headers: BTreeMap<String, String>,
    #[serde(default)]
    pub(super) expect_header_count: BTreeMap<String, usize>,
    #[serde(default)]
    pub(super) log_must_not_contain: Vec<String>,
    pub(super) principal_if_200: Option<BTreeMap<String, Value>>,
    pub(super) same_answer_as: Option<String>,
    #[serde(default)]
    pub(super) handler_must_not_run: bool,
    #[serde(default)]
    pub(super) config_must_fail: bool,
    pub(super) max_elapsed_ms: Option<u64>,
    pub(super) max_rss_growth_mb: Option<u64>,
    pub(super) tls_client_cert: Option<String>,
    #[serde(rename = "attack_number")]
    _attack_number: IgnoredAny,
    #[serde(rename = "group")]
    _group: IgnoredAny,
    #[serde(rename = "note")]
    _note: IgnoredAny,
    #[serde(rename = "sig")]
    _sig: Option<IgnoredAny>,
    #[serde(rename = "latitude")]
    _latitude: Option<IgnoredAny>,
    #[serde(rename = "latitude_note")]
    _latitude_note: Option<IgnoredAny>,
    /// The address of the connection's other end.
    pub(super) peer_addr: Option<IpAddr>,
    pub(super) introspection_response: Option<Told>,
    pub(super) expect_introspection: Option<Asked>,
    pub(super) max_concurrent_introspections: Option<usize>,
}

/// What the introspection endpoint answers.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum Told {
    ByToken {
        by_token: BTreeMap<String, Answer>,
        default: Box<Answer>,
    },
    Always(Box<Answer>),
}

/// How the introspection endpoint is to be asked.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    pub(super) method: String,
    pub(super) form: BTreeMap<String, String>,
    pub(super) max_calls: usize,
    pub(super) url_must_not_contain: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Step {
    pub(super) http: Http,
    pub(super) expect: Expect,
    pub(super) advance_s: Option<i64>,
    #[serde(default)]
    pub(super) jwks_response: Answers,
    pub(super) settle_ms: Option<u64>,
    pub(super) profile: Option<String>,
    pub(super) reload: Option<Reload>,
    pub(super) parallel: Option<usize>,
    pub(super) vary: Option<Vary>,
    pub(super) group: Option<u32>,
    #[serde(default)]
    pub(super) background: bool,
    pub(super) abort_after_ms: Option<u64>,
    pub(super) max_elapsed_ms: Option<u64>,
    #[serde(default)]
    pub(super) expect_outbound: BTreeMap<String, Bound>,
    #[serde(rename = "latitude")]
    _latitude: Option<IgnoredAny>,
    #[serde(rename = "latitude_note")]
    _latitude_note: Option<IgnoredAny>,
    pub(super) introspection_response: Option<Told>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Reload {
    pub(super) profile: String,
}

/// Requests whose last characters count up.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Vary {
    pub(super) replace_last: usize,
    pub(super) count: usize,
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Http {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) headers: Vec<(String, Text)>,
    pub(super) body: Option<String>,
    pub(super) content_length: Option<u64>,
    /// The path is written out in this form already.
    #[serde(rename = "target_form")]
    _target_form: Option<IgnoredAny>,
}

/// Text of latin-1, one byte a character.
#[derive(Clone, Deserialize)]
#[serde(untagged)]
pub(super) enum Text {
    Whole(String),
    Parts { parts: Vec<(String, usize)> },
}

impl Text {
    pub(super) fn spelled_out(&self) -> String {
        match self {
            Self::Whole(text) => text.clone(),
            Self::Parts { parts } => parts
                .iter()
                .map(|(text, count)| text.repeat(*count))
                .collect(),
        }
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        let text = self.spelled_out();
        if text.is_ascii() {
            return text.into_bytes();
        }
        text.chars()
            .map(|one| u8::try_from(one).expect("header values are latin-1"))
            .collect()
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Expect {
    pub(super) status: u16,
    pub(super) error: Option<String>,
    pub(super) scheme: Option<String>,
    pub(super) handler_called: bool,
    pub(super) principal: Option<BTreeMap<String, Value>>,
    #[serde(default)]
    pub(super) accept_also: Vec<Verdict>,
}

/// What was answered, as far as a client acts on it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Verdict {
    pub(super) status: u16,
    pub(super) error: Option<String>,
}

impl std::fmt::Display for Verdict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} {}",
            self.status,
            self.error.as_deref().unwrap_or("-")
        )
    }
}

/// By issuer, or by the address of a document.
pub(super) type Answers = BTreeMap<String, Answer>;

/// What an endpoint of an issuer answers.
#[derive(Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(clippy::struct_excessive_bools)] // Any of them may be asked for.
pub(super) struct Answer {
    pub(super) status: u16,
    #[serde(default)]
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Option<String>,
    pub(super) body_parts: Option<Vec<(String, usize)>>,
    pub(super) body_b64: Option<String>,
    pub(super) encode: Option<Encoding>,
    #[serde(default)]
    pub(super) delay_ms: u64,
    #[serde(default)]
    pub(super) refuse: bool,
    #[serde(default)]
    pub(super) reset: bool,
    #[serde(default)]
    pub(super) hang_after_headers: bool,
    #[serde(default)]
    pub(super) endless: bool,
    pub(super) trickle_bytes_per_s: Option<u32>,
    pub(super) tls: Option<Certificate>,
    /// The `Location` header says the same.
    #[serde(rename = "redirect_to")]
    _redirect_to: Option<IgnoredAny>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Encoding {
    Gzip,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Certificate {
    SelfSigned,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Bound {
    pub(super) max: usize,
}

/// What a harness must be able to do.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Ability {
    Clock,
    JwksMock,
    OutboundWatch,
    Concurrency,
    RawSocket,
    LogCapture,
    Timing,
    MemoryWatch,
    PeerAddr,
    IntrospectionMock,
    TlsClientCert,
}

impl Answer {
    /// The document, and nothing odd about it.
    pub(super) fn json(body: &str) -> Self {
        Self {
            status: 200,
            headers: vec![("Content-Type".to_owned(), "application/json".to_owned())],
            body: Some(body.to_owned()),
            ..Self::default()
        }
    }

    /// Whether it takes longer than it must.
    pub(super) fn is_slow(&self) -> bool {
        self.delay_ms > 0
            || self.hang_after_headers
            || self.endless
            || self.trickle_bytes_per_s.is_some()
    }
}

impl Told {
    fn answers(&self) -> Vec<&Answer> {
        match self {
            Self::Always(answer) => vec![answer],
            Self::ByToken { by_token, default } => by_token.values().chain([&**default]).collect(),
        }
    }
}

impl Corpus {
    pub(super) fn read() -> Self {
        let text = std::fs::read_to_string(folder().join("corpus.json")).expect("corpus.json");
        serde_json::from_str(&text).expect("corpus.json is the corpus")
    }
}

impl Case {
    /// What the clock is to show. Signed answers of the corpus are of one moment, and have an age.
    pub(super) fn clock(&self) -> Option<i64> {
        let of_signed_answers = (self.profile == "introspection_signed").then_some(1_700_000_000);
        self.clock.or(of_signed_answers)
    }

    pub(super) fn needs(&self, ability: Ability) -> bool {
        self.requires.contains(&ability)
    }

    /// Every request with what is expected of it.
    pub(super) fn exchanges(&self) -> impl Iterator<Item = (&Http, &Expect)> {
        let own = self.steps.is_empty().then_some((&self.http, &self.expect));
        own.into_iter()
            .chain(self.steps.iter().map(|step| (&step.http, &step.expect)))
    }

    /// Every answer that endpoints are told to give.
    pub(super) fn answers(&self) -> impl Iterator<Item = &Answer> {
        let steps = self.steps.iter();
        let told = steps.clone().map(|step| &step.introspection_response);
        let told = told.chain([&self.introspection_response]).flatten();
        self.jwks_response
            .values()
            .chain(steps.flat_map(|step| step.jwks_response.values()))
            .chain(told.flat_map(Told::answers))
    }
}

/// The ids that are skipped, each with its reason.
pub(super) fn skipped() -> BTreeMap<String, String> {
    listed("skipped.txt").collect()
}

/// The ids that are disputed, each with the answer that comes instead.
pub(super) fn disputed() -> BTreeMap<String, String> {
    listed("disputed.txt")
        .map(|(id, rest)| {
            let (answer, reason) = rest.split_once('\t').expect("an answer, a tab, a reason");
            assert!(!reason.is_empty(), "{id} is disputed without a reason");
            (id, answer.to_owned())
        })
        .collect()
}

/// Lines of an id, a tab, and something about it.
fn listed(file: &str) -> impl Iterator<Item = (String, String)> {
    let text = std::fs::read_to_string(folder().join(file)).expect("a list");
    let mut seen = BTreeSet::new();
    let lines: Vec<(String, String)> = text
        .lines()
        .map(|line| {
            let (id, rest) = line.split_once('\t').expect("an id, a tab, a reason");
            assert!(!rest.trim().is_empty(), "{id} is listed without a reason");
            assert!(seen.insert(id.to_owned()), "{id} is listed twice");
            (id.to_owned(), rest.to_owned())
        })
        .collect();
    lines.into_iter()
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus")
}
