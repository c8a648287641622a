//! The diagnosis of a server: each issuer by itself, in bounded time.

use std::time::Duration;

use crate::model::error::rejection::Outage;
use crate::runtime::lookup::engine::EndpointError;
use crate::server::decide::issuer_authority::KeySource;
use crate::server::diagnose::diagnosis::{Diagnosis, IssuerFindings};
use crate::server::diagnose::key_source::KeySourceCheck;
use crate::server::registry::{ConfiguredIssuer, remotes};
use crate::server::resource_server::ResourceServer;

/// Time for one issuer: three discovery documents, the key set and two endpoints. Real time.
const ISSUER_TIME: Duration = Duration::from_secs(30);

impl ResourceServer {
    /// Asks each issuer for its documents, and says what is wrong: discovery, another issuer in it, the
    /// key set and its keys, clocks, TLS, names and addresses, the introspection endpoint and our
    /// credentials there, userinfo, status lists. It runs before [`connect`](Self::connect), after it and
    /// without it, takes at most 30 s of real time for each issuer, one after the other, and changes
    /// nothing: keys that it fetches are looked at and dropped.
    ///
    /// The introspection endpoint is asked about a random text, which is no token, and so is the userinfo
    /// endpoint. For operators: on demand, not on a schedule.
    ///
    /// ```
    /// use portcullis::ResourceServer;
    /// use portcullis::explain::Severity;
    ///
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
    /// let issuer = portcullis::test_util::MockIssuer::new().serve().await;
    /// let server = ResourceServer::builder("https://api.example.com")
    ///     .issuer(portcullis::Issuer::oidc(format!("{}/", issuer.url()))) // a slash too many
    ///     .build()?;
    ///
    /// let diagnosis = server.diagnose().await.without("not_connected"); // it is only looked at
    /// assert_eq!(diagnosis.severity(), Severity::Error);
    /// let problem = diagnosis.problems().next().expect("a problem");
    /// assert_eq!(problem.name(), "issuer_mismatch.slash");
    /// println!("{diagnosis}");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[doc(alias("doctor", "health_check", "self_test"))]
    pub async fn diagnose(&self) -> Diagnosis {
        let mut of_server = IssuerFindings::of_server();
        if let Err(rejection) = self.0.check_clock(self.0.clock.now()) {
            of_server.error("clock_unset", rejection.to_string(), Some("earliest_time"));
        }
        if tokio::runtime::Handle::try_current().is_err() {
            let text = "no tokio runtime is running; call `diagnose()` inside one";
            of_server.error("no_runtime", text, None);
            return Diagnosis {
                findings: of_server.findings,
            };
        }
        let registry = self.0.registry.load_full();
        let needs_connect = registry.remotes().next().is_some();
        if needs_connect && !self.0.connection.is_begun() {
            let text = "`connect()` was not called on this server: without it every token that needs fetched keys is answered 503";
            of_server.warn("not_connected", text, None);
        }
        let mut all = of_server.findings;
        for issuer in &registry.issuers {
            let mut findings = IssuerFindings::of(&issuer.name);
            let checks = self.diagnose_issuer(issuer, &mut findings);
            if tokio::time::timeout(ISSUER_TIME, checks).await.is_err() {
                let text = "the checks of this issuer did not end within 30 s";
                findings.error("timeout", text, None);
            }
            all.extend(findings.findings);
        }
        Diagnosis { findings: all }
    }

    async fn diagnose_issuer(&self, issuer: &ConfiguredIssuer, findings: &mut IssuerFindings) {
        for authority in issuer.members() {
            if let KeySource::Static(keys) = &authority.keys {
                match keys.keys.len() {
                    0 => {}
                    _ if keys.validity().is_none() => {
                        let text = "its static keys were dropped by an operator";
                        findings.error("keys.dropped", text, Some("static_jwks"));
                    }
                    count => {
                        let text = match count {
                            1 => "1 static key, which is never fetched".to_owned(),
                            _ => format!("{count} static keys, which are never fetched"),
                        };
                        findings.good("keys", text);
                        for skipped in keys.keys.skipped().iter().filter(|one| one.is_notable()) {
                            let text = format!("static keys: {skipped}");
                            findings.warn("key_set.unusable_key", text, None);
                        }
                    }
                }
                break; // The names of an issuer share its keys.
            }
        }
        for keys in remotes(issuer.members()) {
            let leeway = issuer.members().next().map(|one| one.rules.leeway);
            let check = KeySourceCheck {
                source: keys.source(),
                now: self.0.clock.now(),
                leeway: leeway.unwrap_or_default(),
            };
            check.run(findings).await;
        }
        if let Some(introspected) = &issuer.introspected {
            report(
                findings,
                Endpoint::Introspection,
                introspected.probe().await,
            );
        }
        #[cfg(feature = "axum")]
        for lookup in issuer.userinfo.values() {
            report(findings, Endpoint::UserInfo, lookup.probe().await);
        }
        #[cfg(feature = "status-list")]
        for status in self.status_list_status() {
            if status.issuer() == &*issuer.name {
                if let Some(error) = status.last_error() {
                    findings.warn("status_list", error, Some("status_list"));
                }
            }
        }
    }
}

/// An endpoint that is sent tokens.
#[derive(Clone, Copy)]
enum Endpoint {
    Introspection,
    #[cfg(feature = "axum")]
    UserInfo,
}

impl Endpoint {
    const fn name(self) -> &'static str {
        match self {
            Self::Introspection => "introspection",
            #[cfg(feature = "axum")]
            Self::UserInfo => "userinfo",
        }
    }
}

fn report(findings: &mut IssuerFindings, endpoint: Endpoint, probed: Result<(), EndpointError>) {
    let name = endpoint.name();
    match probed {
        Ok(()) => {
            let text = format!("the {name} endpoint gives a verdict on a random text");
            findings.good(name, text);
        }
        Err(error) => match error.outage {
            Some(Outage::IntrospectionRefusedUs) => {
                let text = format!(
                    "{}; it refuses this server's client id, secret or key",
                    error.reason
                );
                let setting = Some("client_authentication");
                findings.error("introspection.credentials", text, setting);
            }
            Some(Outage::IntrospectionBusy | Outage::UserInfoBusy) => {
                let text = format!("{}; it limits the rate", error.reason);
                findings.warn(format!("{name}.busy"), text, None);
            }
            _ => findings.error(format!("{name}.failed"), &*error.reason, None),
        },
    }
}
