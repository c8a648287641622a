//! The servers of one case and everything around them: the issuers' sites, a clock, and the
//! test application behind one configuration or several.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::{Extension, Router};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use portcullis::binding::{Binding, ClientCertificate, Dpop, PeerAddress, TrustedPeers};
use portcullis::config::ClientAuthentication;
use portcullis::revocation::Revocation;
use portcullis::test_util::ManualClock;
use portcullis::time::{Clock, UnixTime};
use portcullis::{
    Algorithm, ConfigError, Issuer, ResourceServer, ResourceServerBuilder, TenantClaims,
};
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::task::block_in_place;

use super::app;
use super::data::{
    Ability, Answer, Answers, Case, Certificate, Corpus, Introspection, Profile, Proofs, Told,
    Trusted,
};
use super::site::{INTROSPECTION, Ledger, Site};

/// What the clock shows where a case does not say.
const NOW: i64 = 1_800_000_000;

/// Places for verified tokens in a server: more than any case has tokens, and few, because a debug
/// build takes longer to drop ten thousand empty ones than to answer the case.
const REMEMBERED_TOKENS: usize = 256;

const KEY_SET: &str = "/jwks.json";
pub(super) const DISCOVERY: &str = "/.well-known/openid-configuration";

/// The audience of the route that has a layer of its own.
const OTHER_AUDIENCE: &str = "https://api.example.com/other";

#[allow(clippy::struct_excessive_bools)] // four independent facts of a case
pub(super) struct World {
    corpus: Arc<Corpus>,
    clock: ManualClock,
    pub(super) ledger: Ledger,
    /// By issuer.
    sites: BTreeMap<String, Site>,
    /// Who is asked about tokens.
    asked: Site,
    /// Stands for the addresses that must get no request.
    elsewhere: Site,
    certificate: Option<Certificate>,
    is_slow: bool,
    has_second_layer: bool,
    /// Whether memory is measured, with as much room as a server has by default.
    is_weighed: bool,
    /// The certificate of the client's connection, and its address.
    client: Client,
    /// Whether its servers remember verified tokens.
    pub(super) remembers: bool,
}

/// The test application behind one configuration.
#[derive(Clone)]
pub(super) struct Application {
    pub(super) router: Router,
    server: ResourceServer,
}

impl World {
    /// An undisturbed world, for any number of cases without needs of their own.
    pub(super) async fn quiet(corpus: &Arc<Corpus>) -> Self {
        let ledger = Ledger::default();
        Self {
            corpus: Arc::clone(corpus),
            clock: ManualClock::at(UnixTime::from_secs(NOW)),
            sites: BTreeMap::new(),
            asked: Site::open(&ledger, true, None).await,
            elsewhere: Site::open(&ledger, false, None).await,
            ledger,
            certificate: None,
            is_slow: false,
            has_second_layer: true,
            is_weighed: false,
            client: Client::default(),
            remembers: true,
        }
    }

    /// The world of one case, before its first step.
    pub(super) async fn of(corpus: &Arc<Corpus>, case: &Case) -> Self {
        let mut world = Self::quiet(corpus).await;
        world.show(case.clock());
        world.client = Client {
            certificate: case.tls_client_cert.as_ref().map(|name| {
                let der = STANDARD.decode(&corpus.certificates[name]).expect("base64");
                ClientCertificate::from_der(der)
            }),
            address: case.peer_addr.map(PeerAddress),
        };
        world.certificate = case.answers().find_map(|answer| answer.tls);
        world.is_weighed = case.needs(Ability::MemoryWatch);
        world.has_second_layer = case
            .exchanges()
            .any(|(http, _)| http.path.starts_with("/layer2"));
        for issuer in corpus.profiles[&case.profile].issuers.keys() {
            world.open(issuer).await;
        }
        world.set_key_sets(&case.jwks_response).await;
        world.tell(case.introspection_response.as_ref()).await;
        for (issuer, answer) in &case.discovery_response {
            let answer = world.with_stand_ins(answer, &case.jwks_response);
            world.sites[issuer].answer(DISCOVERY, answer).await;
        }
        world
    }

    /// The application with this profile. Its issuers have been asked once, or are being asked
    /// while the first requests come where their answers take time.
    pub(super) async fn application(&mut self, profile: &str) -> Result<Application, ConfigError> {
        let corpus = Arc::clone(&self.corpus);
        let profile = &corpus.profiles[profile];
        for (issuer, trusted) in &profile.issuers {
            self.open(issuer).await;
            self.publish(issuer, trusted).await;
        }
        let server = built(self.builder(profile, None))?;
        self.connect(&server, profile).await;
        let second = if self.has_second_layer {
            let second = built(self.builder(profile, Some(OTHER_AUDIENCE)))?;
            self.connect(&second, profile).await;
            Some(second)
        } else {
            None
        };
        Ok(Application {
            router: self.client.connected(app::router(
                &server,
                second.as_ref(),
                trusted_peers(profile).as_ref(),
            )),
            server,
        })
    }

    /// Changes what the issuers, and others, answer.
    pub(super) async fn set_key_sets(&mut self, answers: &Answers) {
        self.is_slow = answers.values().any(Answer::is_slow);
        for (place, answer) in answers {
            let answer = self.with_stand_ins(answer, answers);
            let (site, path) = match self.sites.get(place) {
                Some(site) => (site, KEY_SET.to_owned()),
                None => self.place_of(place),
            };
            site.answer(&path, answer).await;
        }
    }

    /// Changes what is said of tokens, if anything is said anew.
    pub(super) async fn tell(&self, told: Option<&Told>) {
        match told {
            None => {}
            Some(Told::Always(answer)) => {
                self.asked.answer(INTROSPECTION, (**answer).clone()).await;
            }
            Some(Told::ByToken { by_token, default }) => {
                self.asked.answer(INTROSPECTION, (**default).clone()).await;
                for (token, answer) in by_token {
                    self.asked.answer_for(token, answer.clone());
                }
            }
        }
    }

    /// The most questions about tokens that were open at a time.
    pub(super) fn most_questions(&self) -> usize {
        self.asked.most_open()
    }

    /// Moves the clock; the wall clock back as well as forth.
    pub(super) fn advance(&self, seconds: i64) {
        let span = Duration::from_secs(seconds.unsigned_abs());
        if seconds < 0 {
            self.clock.set_wall(self.clock.now().saturating_sub(span));
        } else {
            self.clock.advance(span);
        }
    }

    /// Sets the wall clock, and nothing else, to what a case says.
    pub(super) fn show(&self, time: Option<i64>) {
        let time = UnixTime::from_secs(time.unwrap_or(NOW));
        self.clock.set_wall(time);
    }

    async fn open(&mut self, issuer: &str) {
        if !self.sites.contains_key(issuer) {
            let site = Site::open(&self.ledger, true, self.certificate).await;
            self.sites.insert(issuer.to_owned(), site);
        }
    }

    /// Puts up the key set of the profile, unless the case has put up another.
    async fn publish(&self, issuer: &str, trusted: &Trusted) {
        let site = &self.sites[issuer];
        if let Some(name) = trusted.jwks.as_ref().filter(|_| !site.knows(KEY_SET)) {
            let answer = Answer::json(self.corpus.jwks[name].get());
            site.answer(KEY_SET, answer).await;
        }
    }

    /// A server that cannot connect is used all the same: it must stay closed.
    async fn connect(&self, server: &ResourceServer, profile: &Profile) {
        for (issuer, id) in &profile.denylist {
            let revocation = Revocation::token(issuer, id);
            let revoked = server.revocations().revoke(revocation);
            revoked.expect("there is room");
        }
        let before = self.ledger.len();
        let connecting = tokio::spawn(server.clone().connect());
        if self.is_slow {
            self.ledger.more_than(before).await;
        } else {
            let _ = connecting.await.expect("connecting does not panic");
        }
    }

    fn builder(&self, profile: &Profile, audience: Option<&str>) -> ResourceServerBuilder {
        let mut builder = ResourceServer::builder(&profile.origin)
            .clock(self.clock.clone())
            // Some cases are about arithmetic with a clock at 1970, which is no time otherwise.
            .earliest_time(UnixTime::from_secs(0));
        if !self.remembers {
            builder = builder.without_token_cache();
        } else if !self.is_weighed {
            builder = builder.token_cache_entries(REMEMBERED_TOKENS);
        }
        if let Some(url) = &profile.resource_metadata {
            builder = builder.resource_metadata(url);
        }
        for (name, trusted) in &profile.issuers {
            for issuer in issuers(profile, name, trusted) {
                let issuer = self.with_keys(issuer, name, trusted);
                builder = builder.issuer(with_rules(issuer, profile, trusted, audience));
            }
        }
        if let Some(proofs) = &profile.dpop {
            builder = with_proofs(builder, proofs);
        }
        if let Some(asked) = &profile.introspection {
            builder = builder.issuer(self.introspected(profile, asked, audience));
        }
        builder
    }

    fn introspected(
        &self,
        profile: &Profile,
        asked: &Introspection,
        audience: Option<&str>,
    ) -> Issuer {
        let ours = ClientAuthentication::basic(&asked.client_id, &asked.client_secret);
        let mut issuer = Issuer::introspected(format!("{}{INTROSPECTION}", self.asked.origin()))
            .identified_as(&asked.issuer)
            .client_authentication(ours)
            .introspection_cache_life(Duration::from_secs(asked.cache_ttl_s))
            // Longer than any machine is busy with something else.
            .introspection_timeout(Duration::from_secs(10))
            .leeway(Duration::from_secs(profile.leeway_s))
            .tenant_claims(TenantClaims::by_workspace("workspace_id").without_accounts());
        // Where no JWT is verified, each goes to its issuer like any other token.
        if profile.issuers.is_empty() {
            issuer = issuer.introspect_jwts();
        }
        issuer = match (audience, &profile.audience) {
            (Some(audience), _) => issuer.audience(audience),
            (None, named) => named.iter().flatten().fold(issuer, Issuer::audience),
        };
        issuer = asked.client_ids.iter().fold(issuer, Issuer::client_id);
        if let Some(signed) = &asked.signed {
            let keys = self.corpus.jwks[&signed.jwks].get();
            issuer = issuer
                .signed_answers_for(&signed.audience)
                .algorithms(signed.algs.iter().filter_map(known))
                .key_set(keys);
        }
        issuer
    }

    fn with_keys(&self, issuer: Issuer, name: &str, trusted: &Trusted) -> Issuer {
        let origin = self.sites[name].origin();
        match (&trusted.jwks, &trusted.jwks_uri, &trusted.discovery) {
            (Some(_), None, None) => issuer.key_set_url(format!("{origin}{KEY_SET}")),
            (None, Some(uri), None) => issuer.key_set_url(uri),
            (None, None, Some(_)) => issuer.discovery_url(format!("{origin}{DISCOVERY}")),
            _ => panic!("the keys of {name} come from one place"),
        }
    }

    /// The site on loopback that plays the part of an address, and the path there.
    fn place_of(&self, url: &str) -> (&Site, String) {
        let at_issuer = self.sites.iter().find_map(|(issuer, site)| {
            let path = url.strip_prefix(issuer.as_str())?;
            path.starts_with('/').then(|| (site, path.to_owned()))
        });
        at_issuer.unwrap_or_else(|| {
            let (_, rest) = url.split_once("://").expect("an address");
            (&self.elsewhere, format!("/{rest}"))
        })
    }

    /// The answer with every address that the case has an answer for played by a site here.
    /// Plain http stays as it is in documents: it is what the case is about, and allowed here.
    fn with_stand_ins(&self, answer: &Answer, answers: &Answers) -> Answer {
        let mut answer = answer.clone();
        for url in answers
            .keys()
            .filter(|place| !self.sites.contains_key(*place))
        {
            let (site, path) = self.place_of(url);
            let stand_in = match url
                .split_once("://")
                .and_then(|(_, rest)| rest.split_once('@'))
            {
                None => format!("{}{path}", site.origin()),
                Some((user, _)) => {
                    let (scheme, host) = site.origin().split_once("://").expect("an address");
                    format!("{scheme}://{user}@{host}{path}")
                }
            };
            for (_, value) in &mut answer.headers {
                *value = value.replace(url.as_str(), &stand_in);
            }
            if let Some(body) = answer.body.as_mut().filter(|_| url.starts_with("https:")) {
                *body = body.replace(&format!("\"{url}\""), &format!("\"{stand_in}\""));
            }
        }
        answer
    }
}

impl Application {
    /// Ends when the state of a key set has changed, or after this time.
    pub(super) async fn settled(&self, at_most: Duration) {
        let state = || format!("{:?}", self.server.key_set_status());
        let before = state();
        let changed = async {
            let mut ticks = tokio::time::interval(Duration::from_millis(2));
            while state() == before {
                ticks.tick().await;
            }
        };
        let _ = tokio::time::timeout(at_most, changed).await;
    }
}

/// The other end of the connection.
#[derive(Default)]
struct Client {
    certificate: Option<ClientCertificate>,
    address: Option<PeerAddress>,
}

impl Client {
    /// The router behind a connection with this client.
    fn connected(&self, router: Router) -> Router {
        let router = match self.certificate.clone() {
            Some(certificate) => router.layer(Extension(certificate)),
            None => router,
        };
        match self.address {
            Some(address) => router.layer(Extension(address)),
            None => router,
        }
    }
}

fn trusted_peers(profile: &Profile) -> Option<TrustedPeers> {
    let proxy = profile.mtls.as_ref()?.trusted_proxy.as_ref()?;
    let peers = proxy.addresses.iter();
    Some(
        peers
            .map(|peer| peer.parse::<std::net::IpAddr>().expect("an address"))
            .collect(),
    )
}

fn with_proofs(builder: ResourceServerBuilder, proofs: &Proofs) -> ResourceServerBuilder {
    let dpop = Dpop::accepted()
        .algorithms(proofs.algs.iter().filter_map(known))
        .max_age(Duration::from_secs(proofs.max_age_s))
        .max_future(Duration::from_secs(proofs.future_s));
    let dpop = match proofs.nonce {
        Some(_) => dpop.require_nonces(),
        None => dpop,
    };
    match &*proofs.mode {
        "optional" => builder.dpop(dpop),
        "required" => builder.dpop(dpop).require_binding(Binding::Dpop),
        other => panic!("an unknown mode of proofs: {other}"),
    }
}

/// Makes a server. It reads root certificates, which takes a while, and must not keep a site of
/// another world from answering in time.
fn built(builder: ResourceServerBuilder) -> Result<ResourceServer, ConfigError> {
    match Handle::current().runtime_flavor() {
        RuntimeFlavor::MultiThread => block_in_place(|| builder.build()),
        _ => builder.build(),
    }
}

/// The issuers that a profile's entry stands for.
fn issuers(profile: &Profile, name: &str, trusted: &Trusted) -> Vec<Issuer> {
    if let Some(cognito) = &profile.cognito {
        let pool = name.rsplit('/').next().expect("a pool");
        let region = pool.split('_').next().expect("a region");
        let pool = Issuer::cognito(region, pool);
        let clients = cognito.client_ids.iter();
        return vec![clients.fold(pool, Issuer::client_id)];
    }
    if let Some(tenants) = &trusted.tenants {
        return tenants
            .iter()
            .map(|tenant| {
                Issuer::oidc(name.replace("{tenantid}", tenant)).require_claim("tid", tenant)
            })
            .collect();
    }
    if profile.required_claims.iter().any(|claim| claim == "jti") {
        return vec![Issuer::rfc9068(name)];
    }
    vec![Issuer::oidc(name)]
}

fn known(name: &String) -> Option<Algorithm> {
    Algorithm::all().find(|known| known.as_str() == name)
}

fn with_rules(
    issuer: Issuer,
    profile: &Profile,
    trusted: &Trusted,
    audience: Option<&str>,
) -> Issuer {
    let mut issuer = issuer
        .algorithms(trusted.algs.iter().filter_map(known))
        .leeway(Duration::from_secs(profile.leeway_s))
        .tenant_claims(TenantClaims::by_workspace("workspace_id").without_accounts());
    let named = trusted.audience.as_ref().or(profile.audience.as_ref());
    issuer = match (audience, named) {
        (Some(audience), _) => issuer.audience(audience),
        (None, named) => named.into_iter().flatten().fold(issuer, Issuer::audience),
    };
    if let Some(alb) = &profile.alb {
        issuer = issuer.require_header("signer", &alb.signer);
    }
    if let Some(limits) = &profile.jwks_cache {
        issuer = issuer
            .refresh_interval(Duration::from_secs(limits.refresh_s))
            .unknown_key_cooldown(Duration::from_secs(limits.unknown_kid_cooldown_s))
            .max_staleness(Duration::from_secs(limits.max_stale_s));
    }
    issuer
}
