//! Where an issuer's keys come from: discovery, the key set, the issuer's clock.

use std::time::Duration;

use crate::model::time::UnixTime;
use crate::model::url;
use crate::model::url::difference::UrlDifference;
use crate::runtime::http::probe::{ConnectionProblem, ProbeError, ProbeResponse};
use crate::runtime::jwks::key_store::{KeySetSource, Location};
use crate::runtime::util::excerpt::excerpt;
use crate::server::diagnose::diagnosis::IssuerFindings;
use crate::verify::jose::jwk_set::{KeySet, KeySetFault};
use crate::verify::json::object::{Object, Value};

/// Longest foreign text in a finding, in characters before they are escaped.
const MAX_FOUND_CHARS: usize = 128;

/// A difference of two clocks that whole seconds and a slow network explain.
const NO_SKEW: Duration = Duration::from_secs(5);

/// Variables that name proxies, in upper and lower case.
const PROXIES: [&str; 3] = ["https_proxy", "http_proxy", "all_proxy"];

/// One key set of an issuer, and what time it is here.
pub(super) struct KeySourceCheck<'s> {
    pub(super) source: &'s KeySetSource,
    pub(super) now: UnixTime,
    pub(super) leeway: Duration,
}

/// Why a discovery document cannot be used.
enum DocumentFault {
    OtherIssuer,
    Unusable,
}

impl KeySourceCheck<'_> {
    /// Asks for the documents, and tells what is wrong with them.
    pub(super) async fn run(&self, findings: &mut IssuerFindings) {
        let url = match &self.source.config.location {
            Location::KeySet(url) => url.clone(),
            Location::Discovery(candidates) => match self.discover(candidates, findings).await {
                Some(url) => url,
                None => return,
            },
        };
        self.check_key_set(&url, findings).await;
    }

    /// The address of the key set in the first document that can be used.
    async fn discover(
        &self,
        candidates: &[String],
        findings: &mut IssuerFindings,
    ) -> Option<String> {
        let mut statuses = Vec::new();
        let mut unusable = Vec::new();
        for candidate in candidates {
            let so_far = findings.findings.len();
            match self.source.fetcher.probe(candidate).await {
                Err(error) => {
                    self.unreachable("discovery", &error, findings);
                    return None;
                }
                Ok(response) if response.status == 200 => {
                    self.check_clock(&response, findings);
                    match self.check_document(candidate, &response.body, findings) {
                        Ok(url) => return Some(url),
                        Err(DocumentFault::OtherIssuer) => return None,
                        // As a server does: it may be a page that answers any path.
                        Err(DocumentFault::Unusable) => {
                            let of_this = findings.findings.split_off(so_far);
                            if unusable.is_empty() {
                                unusable = of_this;
                            }
                        }
                    }
                }
                Ok(response) => {
                    let shown = url::shown(candidate);
                    statuses.push(format!("`{shown}` answered {}", response.status));
                }
            }
        }
        if !unusable.is_empty() {
            findings.findings.extend(unusable);
            return None;
        }
        let text = format!(
            "no discovery document: {}; the issuer has another path, or none is published",
            statuses.join(", ")
        );
        findings.error("discovery.status", text, Some("key_set_url"));
        None
    }

    fn check_document(
        &self,
        address: &str,
        body: &[u8],
        findings: &mut IssuerFindings,
    ) -> Result<String, DocumentFault> {
        let shown = url::shown(address);
        let Ok(document) = Object::parse(body) else {
            let text = format!("`{shown}` is not one json object of distinct members");
            findings.error("discovery.malformed", text, Some("key_set_url"));
            return Err(DocumentFault::Unusable);
        };
        let text_of = |name| {
            let text = document.get(name).and_then(Value::as_text);
            text.filter(|text| !text.is_empty())
        };
        let config = &self.source.config;
        let Some(named) = text_of("issuer") else {
            let text = format!("`{shown}` has no string `issuer`");
            findings.error("discovery.malformed", text, Some("key_set_url"));
            return Err(DocumentFault::Unusable);
        };
        if !config.is_named(&named) {
            let difference = UrlDifference::of(&config.issuer, &named);
            let difference = difference.unwrap_or(UrlDifference::Several);
            let text = format!(
                "`{shown}` names the issuer `{}`; the two differ in {}. Configure what the tokens have as `iss`, to the last byte",
                excerpt(&named, MAX_FOUND_CHARS),
                difference.words()
            );
            let name = format!("issuer_mismatch.{}", difference.as_str());
            findings.error(name, text, Some("issuer"));
            return Err(DocumentFault::OtherIssuer);
        }
        let Some(uri) = text_of("jwks_uri") else {
            let text = format!("`{shown}` has no string `jwks_uri`");
            findings.error("discovery.malformed", text, Some("key_set_url"));
            return Err(DocumentFault::Unusable);
        };
        if let Err(phrase) = url::check(&uri, config.http_options.plain_http) {
            let text = format!("the `jwks_uri` of `{shown}` {phrase}");
            findings.error("discovery.malformed", text, Some("key_set_url"));
            return Err(DocumentFault::Unusable);
        }
        findings.good(
            "discovery",
            format!("`{shown}` names the configured issuer"),
        );
        Ok(match &config.key_set_origin {
            Some(origin) => url::at_origin(&uri, origin),
            None => uri.into_owned(),
        })
    }

    async fn check_key_set(&self, address: &str, findings: &mut IssuerFindings) {
        let shown = url::shown(address);
        let response = match self.source.fetcher.probe(address).await {
            Ok(response) => response,
            Err(error) => return self.unreachable("key_set", &error, findings),
        };
        if response.status != 200 {
            let redirects = match response.status {
                300..=399 => "; redirects are not followed",
                _ => "",
            };
            let text = format!("`{shown}` answered {}{redirects}", response.status);
            return findings.error("key_set.status", text, Some("key_set_url"));
        }
        if matches!(self.source.config.location, Location::KeySet(_)) {
            self.check_clock(&response, findings);
        }
        let config = &self.source.config;
        match KeySet::parse(&response.body, config.algorithms, config.most_keys) {
            Err(fault @ KeySetFault::NotAKeySet) => {
                let text = format!("`{shown}`: {fault}");
                findings.error("key_set.malformed", text, Some("key_set_url"));
            }
            Err(fault @ KeySetFault::NoUsableKey(_)) => {
                let text = format!(
                    "`{shown}`: {fault}; allowed are {}",
                    config.algorithms.names(", ")
                );
                findings.error("key_set.no_usable_key", text, Some("algorithms"));
            }
            Ok(set) => {
                let text = match set.len() {
                    1 => format!("`{shown}` has 1 usable key"),
                    count => format!("`{shown}` has {count} usable keys"),
                };
                findings.good("key_set", text);
                for skipped in set.skipped().iter().filter(|one| one.is_notable()) {
                    let text = format!("`{shown}`: {skipped}");
                    findings.warn("key_set.unusable_key", text, None);
                }
                if set.is_cut() {
                    let text = format!("`{shown}` has more entries than are read");
                    findings.warn("key_set.cut", text, Some("most_keys"));
                }
            }
        }
    }

    /// The issuer's clock against the server's.
    fn check_clock(&self, response: &ProbeResponse, findings: &mut IssuerFindings) {
        let Some(date) = response.date else {
            return;
        };
        let (here, there) = (self.now.as_secs(), date.as_secs());
        let apart = Duration::from_secs(here.abs_diff(there));
        if apart <= NO_SKEW {
            return findings.good("clock", "the issuer's clock and this one agree within 5 s");
        }
        let way = if here > there { "ahead of" } else { "behind" };
        let text = format!(
            "this clock is {} s {way} the issuer's, and the leeway is {} s; use a time server",
            apart.as_secs(),
            self.leeway.as_secs()
        );
        if apart > self.leeway {
            findings.error("clock_skew", text, Some("leeway"));
        } else {
            findings.warn("clock_skew", text, Some("leeway"));
        }
    }

    fn unreachable(&self, document: &str, error: &ProbeError, findings: &mut IssuerFindings) {
        let (hint, setting) = hint(error.problem);
        let mut text = format!("{}{hint}", error.text);
        let mut setting = setting;
        let is_ignored = !self.source.config.http_options.proxied;
        let may_need_proxy = matches!(
            error.problem,
            ConnectionProblem::Dns | ConnectionProblem::Refused | ConnectionProblem::TimedOut
        );
        if is_ignored && may_need_proxy && environment_names_a_proxy() {
            text.push_str("; the environment names a proxy, which is not used");
            setting = Some("proxy_from_environment");
        }
        let name = format!("{document}.{}", error.problem.as_str());
        findings.error(name, text, setting);
    }
}

/// What to do, and the setting to look at.
const fn hint(problem: ConnectionProblem) -> (&'static str, Option<&'static str>) {
    match problem {
        ConnectionProblem::UnknownRoot => (
            "; its certificate is signed by an authority that the system does not trust",
            Some("root_certificate"),
        ),
        ConnectionProblem::CertificateName => (
            "; its certificate is for another name: use the name that it has",
            None,
        ),
        ConnectionProblem::CertificateTime => (
            "; its certificate has expired or is not valid yet, or this machine's clock is wrong",
            None,
        ),
        ConnectionProblem::Tls => ("; is it a server for TLS?", None),
        ConnectionProblem::Dns => ("; the name cannot be resolved", None),
        ConnectionProblem::Refused => ("; nothing listens there", None),
        ConnectionProblem::TimedOut => ("; a firewall may drop the packets", None),
        ConnectionProblem::Proxy => (
            "; the proxy of the environment does not lead there",
            Some("proxy_from_environment"),
        ),
        ConnectionProblem::TooLarge => ("", Some("key_set_bytes")),
        ConnectionProblem::Address => ("", Some("plain_http")),
        ConnectionProblem::Other => ("", None),
    }
}

fn environment_names_a_proxy() -> bool {
    PROXIES.iter().any(|name| {
        let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        is_set(name) || is_set(&name.to_ascii_uppercase())
    })
}
