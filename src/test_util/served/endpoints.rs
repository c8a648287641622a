//! The responses of a served issuer's endpoints, except in a simulated outage.
//!
//! 1. Introspection and revocation answer a resource server that authenticates: in one way, by
//!    Basic or in the form (RFC 6749 section 2.3.1), or by a bearer token where the test names one.
//! 2. Userinfo answers a request with a good token. So does the token information service; it wants
//!    a form, and accepts a query only where the test allows it.
//! 3. A request for a signed introspection response gets one for that resource server (RFC 9701 section
//!    5).

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::header::{ACCEPT, IF_NONE_MATCH};
use serde_json::{Map, Value, json};

#[cfg(feature = "ssf")]
use super::event_queue::EventQueue;
use super::fault::Endpoint;
use super::wire::{Answer, Form, Request};
use crate::test_util::issuer::MockIssuer;

/// The media type of a signed introspection answer, and its `typ` (RFC 9701 section 5).
const INTROSPECTION_JWT: &str = "token-introspection+jwt";

/// The pages of a served issuer.
pub(super) struct Site {
    pub(super) issuer: MockIssuer,
    pub(super) url: String,
    settings: Mutex<Settings>,
}

/// What a test may change about the answers.
#[derive(Clone, Default)]
pub(super) struct Settings {
    pub(super) max_age: Option<Duration>,
    pub(super) entity_tags: bool,
    pub(super) signs_user_info: bool,
    pub(super) token_in_query: bool,
    pub(super) client_token: Option<String>,
    #[cfg(feature = "ssf")]
    pub(super) events: EventQueue,
}

impl Site {
    pub(super) fn new(issuer: MockIssuer, url: String) -> Self {
        Self {
            issuer,
            url,
            settings: Mutex::default(),
        }
    }

    pub(super) fn settings(&self) -> MutexGuard<'_, Settings> {
        // No code that could panic runs under this lock.
        self.settings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn url_of(&self, endpoint: Endpoint) -> String {
        match endpoint {
            Endpoint::KeySet => format!("{}{}", self.url, self.issuer.key_set_path()),
            _ => format!("{}{}", self.url, endpoint.path()),
        }
    }

    pub(super) fn discovery_document(&self) -> String {
        let url = &self.url;
        let methods = ["client_secret_basic", "client_secret_post"];
        json!({
            "issuer": self.issuer.issuer(),
            "jwks_uri": self.url_of(Endpoint::KeySet),
            "authorization_endpoint": format!("{url}/authorize"),
            "token_endpoint": format!("{url}/token"),
            "introspection_endpoint": self.url_of(Endpoint::Introspection),
            "introspection_endpoint_auth_methods_supported": methods,
            "revocation_endpoint": self.url_of(Endpoint::Revocation),
            "revocation_endpoint_auth_methods_supported": methods,
            "userinfo_endpoint": self.url_of(Endpoint::UserInfo),
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
        })
        .to_string()
    }

    /// The right answer.
    pub(super) fn answer(&self, endpoint: Endpoint, request: &Request) -> Answer {
        let in_query = self.settings().token_in_query;
        let methods: &[&str] = match endpoint {
            Endpoint::Discovery | Endpoint::KeySet | Endpoint::SsfConfiguration => &["GET"],
            #[cfg(feature = "status-list")]
            Endpoint::StatusList => &["GET"],
            Endpoint::UserInfo => &["GET", "POST"],
            Endpoint::TokenInformation if in_query => &["GET", "POST"],
            Endpoint::TokenInformation
            | Endpoint::Introspection
            | Endpoint::Revocation
            | Endpoint::SsfPoll => &["POST"],
            // A served issuer has none of these: no path leads to them.
            Endpoint::Authorization
            | Endpoint::Token
            | Endpoint::DeviceAuthorization
            | Endpoint::Registration
            | Endpoint::Logout => &[],
        };
        if !methods.contains(&request.method()) {
            return Answer::new(405, "").field("allow", &methods.join(", "));
        }
        match endpoint {
            Endpoint::Discovery => Answer::of_type(JSON, self.discovery_document()),
            Endpoint::KeySet => self.key_set(request),
            #[cfg(feature = "status-list")]
            Endpoint::StatusList => self.status_list(request),
            Endpoint::Introspection => self.introspection(request).unwrap_or_else(|no| no),
            Endpoint::TokenInformation => self.token_information(request),
            Endpoint::UserInfo => self.user_info(request),
            Endpoint::Revocation => self.revocation(request).unwrap_or_else(|no| no),
            Endpoint::SsfConfiguration => Answer::of_type(JSON, self.ssf_configuration()),
            Endpoint::SsfPoll => self.poll(request),
            Endpoint::Authorization
            | Endpoint::Token
            | Endpoint::DeviceAuthorization
            | Endpoint::Registration
            | Endpoint::Logout => Answer::new(404, ""),
        }
    }

    /// SSF 1.0 section 7.1.
    fn ssf_configuration(&self) -> String {
        json!({
            "spec_version": "1_0",
            "issuer": self.issuer.issuer(),
            "jwks_uri": self.url_of(Endpoint::KeySet),
            "delivery_methods_supported": ["urn:ietf:rfc:8935", "urn:ietf:rfc:8936"],
        })
        .to_string()
    }

    #[cfg(feature = "ssf")]
    fn poll(&self, request: &Request) -> Answer {
        self.settings().events.answer(request)
    }

    #[cfg(not(feature = "ssf"))]
    #[allow(clippy::unused_self)]
    fn poll(&self, _: &Request) -> Answer {
        Answer::new(404, "")
    }

    fn key_set(&self, request: &Request) -> Answer {
        let settings = self.settings().clone();
        // The ids name the set: no two keys of an issuer share one.
        let (tag, body) = (
            format!("\"{}\"", self.issuer.key_ids().join(".")),
            self.issuer.key_set(),
        );
        let known_tag = request.field(IF_NONE_MATCH.as_str());
        let mut answer = if settings.entity_tags && known_tag == Some(&*tag) {
            Answer::new(304, "")
        } else {
            Answer::of_type("application/jwk-set+json", body)
        };
        if settings.entity_tags {
            answer = answer.field("etag", &tag);
        }
        if let Some(age) = settings.max_age {
            answer = answer.field(
                "cache-control",
                &format!("public, max-age={}", age.as_secs()),
            );
        }
        answer
    }

    #[cfg(feature = "status-list")]
    fn status_list(&self, request: &Request) -> Answer {
        let path = request.path();
        let name = path.strip_prefix(Endpoint::StatusList.path());
        let list = self.issuer.status_list(name.unwrap_or_default());
        let token = list.served(&format!("{}{path}", self.url));
        Answer::of_type("application/statuslist+jwt", token)
    }

    fn introspection(&self, request: &Request) -> Result<Answer, Answer> {
        let form = request.form().ok_or_else(|| refused("invalid_request"))?;
        let client = self.client(request, &form)?;
        let token = form
            .one("token")
            .ok_or_else(|| refused("invalid_request"))?;
        let answer = self.issuer.introspect(token);
        let signed = format!("application/{INTROSPECTION_JWT}");
        let accepted = request.field(ACCEPT.as_str()).unwrap_or_default();
        if !accepted.contains(&signed) {
            return Ok(Answer::of_type(JSON, answer.to_string()));
        }
        let mut claims = Map::new();
        claims.insert("aud".into(), client.into());
        claims.insert("token_introspection".into(), answer);
        let jwt = self.issuer.sign_answer(INTROSPECTION_JWT, claims);
        Ok(Answer::of_type(&signed, jwt))
    }

    fn revocation(&self, request: &Request) -> Result<Answer, Answer> {
        let form = request.form().ok_or_else(|| refused("invalid_request"))?;
        self.client(request, &form)?;
        let token = form
            .one("token")
            .ok_or_else(|| refused("invalid_request"))?;
        self.issuer.revoke(token);
        Ok(Answer::new(200, ""))
    }

    fn token_information(&self, request: &Request) -> Answer {
        let form = match request.method() {
            "GET" => Some(request.query()),
            _ => request.form(),
        };
        let token = form.as_ref().and_then(|form| form.one("access_token"));
        match token.and_then(|token| self.issuer.token_information(token)) {
            Some(answer) => Answer::of_type(JSON, answer.to_string()),
            None => refused("invalid_token"),
        }
    }

    /// OpenID Connect Core section 5.3.
    fn user_info(&self, request: &Request) -> Answer {
        let found = request
            .bearer()
            .and_then(|token| self.issuer.user_info(token));
        let Some((mut claims, client)) = found else {
            return Answer::new(401, "")
                .field("www-authenticate", "Bearer error=\"invalid_token\"");
        };
        if !self.settings().signs_user_info {
            return Answer::of_type(JSON, Value::Object(claims).to_string());
        }
        // Core s5.3.2: a signed response names its issuer and the client.
        claims.extend(client.map(|client| ("aud".into(), client)));
        Answer::of_type("application/jwt", self.issuer.sign_answer("JWT", claims))
    }

    /// The client of the request.
    fn client(&self, request: &Request, form: &Form) -> Result<String, Answer> {
        let in_form = || {
            Some((
                form.one("client_id")?.into(),
                form.one("client_secret")?.into(),
            ))
        };
        let secrets: [Option<(String, String)>; 2] = [request.basic(), in_form()];
        let bearer = request.bearer();
        // RFC 6749 s2.3: not more than one method in a request.
        let methods = secrets.iter().flatten().count() + usize::from(bearer.is_some());
        if methods > 1 {
            return Err(refused("invalid_request"));
        }
        let (id, secret) = (
            MockIssuer::RESOURCE_SERVER_ID,
            MockIssuer::RESOURCE_SERVER_SECRET,
        );
        let by_secret = secrets
            .into_iter()
            .flatten()
            .any(|sent| sent.0 == id && sent.1 == secret);
        let by_token = bearer.is_some() && bearer == self.settings().client_token.as_deref();
        if by_secret || by_token {
            return Ok(id.into());
        }
        let body = json!({"error": "invalid_client"}).to_string();
        Err(Answer::new(401, body)
            .field("content-type", JSON)
            .field("www-authenticate", "Basic realm=\"mock\""))
    }
}

const JSON: &str = "application/json";

/// 400, as RFC 6749 section 5.2 writes it.
fn refused(error: &str) -> Answer {
    Answer::new(400, json!({"error": error}).to_string()).field("content-type", JSON)
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

    use super::*;
    use crate::Algorithm;
    use crate::test_util::certificate::TestCertificate;
    use crate::test_util::clock::ManualClock;
    use crate::test_util::proof::DpopKey;

    const HOUR: Duration = Duration::from_secs(3600);

    /// The secret, encoded.
    const SECRET: &str = "100%25+secret%3A+a%2Bb%26c%3Dd";

    fn site(clock: &ManualClock) -> Site {
        let issuer = MockIssuer::named("https://issuer.test")
            .with_algorithms([Algorithm::ES256])
            .with_clock(clock.clone());
        Site::new(issuer, "http://127.0.0.1:1".into())
    }

    fn ask(site: &Site, endpoint: Endpoint, line: &str, fields: &str, body: &str) -> Answer {
        let form = "content-type: application/x-www-form-urlencoded";
        let head = format!("{line} HTTP/1.1\r\n{form}\r\n{fields}\r\n\r\n");
        site.answer(endpoint, &Request::of(&head, body))
    }

    fn basic(secret: &str) -> String {
        format!(
            "authorization: Basic {}",
            STANDARD.encode(format!("api-1:{secret}"))
        )
    }

    fn introspect(site: &Site, token: &str) -> Value {
        let (fields, body) = (basic(SECRET), format!("token={token}"));
        let answer = ask(site, Endpoint::Introspection, "POST /", &fields, &body);
        serde_json::from_slice(&answer.body).unwrap()
    }

    fn part(token: &[u8], index: usize) -> Value {
        let part = token.split(|byte| *byte == b'.').nth(index).unwrap();
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
    }

    #[test]
    fn introspection_tells_the_state_of_every_token_that_was_issued() {
        let clock = ManualClock::new();
        let site = site(&clock);
        let token = site.issuer.token().scope("app/read");
        let inactive = json!({"active": false});
        for text in [token.issue(), token.sign()] {
            let answer = introspect(&site, &text);
            assert_eq!(answer["active"], true);
            assert_eq!(answer["token_type"], "Bearer");
            assert_eq!(answer["scope"], "app/read");
            assert_eq!(answer["sub"], MockIssuer::SUBJECT);
            site.issuer.revoke(&text);
            assert_eq!(introspect(&site, &text), inactive);
        }
        let (good, late) = (token.issue(), token.clone().expired().issue());
        let early = token.clone().not_before_in(HOUR / 2).issue();
        let liar = token.clone().expired().claim("active", "true").issue();
        assert_eq!(introspect(&site, &late), inactive);
        assert_eq!(introspect(&site, &early), inactive);
        assert_eq!(introspect(&site, &liar)["active"], "true");
        for unknown in ["unknown", &token.sign_with_wrong_key(), &token.unsigned()] {
            assert_eq!(introspect(&site, unknown), inactive);
        }
        assert_eq!(good.len(), 54);
        assert!(good.bytes().all(|byte| byte.is_ascii_alphanumeric()));
        clock.advance(HOUR / 2);
        assert_eq!(introspect(&site, &early)["active"], true);
        clock.advance(HOUR);
        assert_eq!(introspect(&site, &good), inactive);
    }

    #[test]
    fn introspection_states_the_key_of_a_bound_token_and_the_type_dpop() {
        let site = site(&ManualClock::new());
        let key = DpopKey::generate();
        let bound = introspect(&site, &site.issuer.token().bound_to_key(&key).issue());
        assert_eq!(bound["token_type"], "DPoP");
        assert_eq!(bound["cnf"]["jkt"], key.thumbprint());
        let certificate = TestCertificate::self_signed("client");
        let token = site.issuer.token();
        let token = token
            .bound_to_certificate(certificate.certificate())
            .issue();
        assert_eq!(introspect(&site, &token)["token_type"], "Bearer");
    }

    #[test]
    fn who_asks_must_say_who_it_is_in_one_way() {
        let site = site(&ManualClock::new());
        let token = site.issuer.token().issue();
        let status = |fields: &str, more: &str| {
            let body = format!("token={token}{more}");
            ask(&site, Endpoint::Introspection, "POST /", fields, &body).status()
        };
        let in_form = format!("&client_id=api-1&client_secret={SECRET}");
        assert_eq!(status(&basic(SECRET), ""), 200);
        assert_eq!(status("", &in_form), 200);
        assert_eq!(status("", ""), 401);
        assert_eq!(status(&basic("other"), ""), 401);
        assert_eq!(status("", "&client_id=api-1"), 401);
        assert_eq!(status(&basic(SECRET), &in_form), 400);
        assert_eq!(status(&basic(SECRET), &format!("&token={token}")), 400);
        assert_eq!(status("authorization: Bearer t0ken", ""), 401);
        site.settings().client_token = Some("t0ken".into());
        assert_eq!(status("authorization: Bearer t0ken", ""), 200);
        let get = ask(&site, Endpoint::Introspection, "GET /", &basic(SECRET), "");
        assert_eq!(get.status(), 405);
    }

    #[test]
    fn a_client_that_revokes_a_token_ends_it() {
        let site = site(&ManualClock::new());
        let token = site.issuer.token().issue();
        let revoke = |fields: &str, token: &str| {
            let body = format!("token={token}");
            ask(&site, Endpoint::Revocation, "POST /", fields, &body).status()
        };
        assert_eq!(revoke("", &token), 401);
        assert_eq!(introspect(&site, &token)["active"], true);
        assert_eq!(revoke(&basic(SECRET), "unknown"), 200);
        assert_eq!(revoke(&basic(SECRET), &token), 200);
        assert_eq!(introspect(&site, &token)["active"], false);
    }

    #[test]
    fn a_signed_answer_is_for_who_asks_and_is_no_token() {
        let site = site(&ManualClock::new());
        let token = site.issuer.token().issue();
        let accept = "accept: application/token-introspection+jwt";
        let (fields, body) = (
            format!("{}\r\n{accept}", basic(SECRET)),
            format!("token={token}"),
        );
        let answer = ask(&site, Endpoint::Introspection, "POST /", &fields, &body);
        assert!(
            answer
                .head()
                .contains("content-type: application/token-introspection+jwt\r\n")
        );
        assert_eq!(part(&answer.body, 0)["typ"], INTROSPECTION_JWT);
        let claims = part(&answer.body, 1);
        assert_eq!(claims["iss"], "https://issuer.test");
        assert_eq!(claims["aud"], MockIssuer::RESOURCE_SERVER_ID);
        assert_eq!(claims["token_introspection"]["active"], true);
        let jwt = String::from_utf8(answer.body).unwrap();
        assert_eq!(introspect(&site, &jwt)["active"], false);
    }

    #[test]
    fn token_information_is_given_for_good_tokens_alone() {
        let clock = ManualClock::new();
        let site = site(&clock);
        let token = site.issuer.token().scope("https://a.test/read").issue();
        let about = |token: &str| {
            let body = format!("access_token={token}");
            ask(&site, Endpoint::TokenInformation, "POST /", "", &body)
        };
        clock.advance(Duration::from_secs(600));
        let answer: Value = serde_json::from_slice(&about(&token).body).unwrap();
        let expected = json!({
            "audience": MockIssuer::CLIENT_ID,
            "user_id": MockIssuer::SUBJECT,
            "scope": "https://a.test/read",
            "expires_in": 3000,
        });
        assert_eq!(answer, expected);
        assert_eq!(about("unknown").status(), 400);
        let query = format!("GET /?access_token={token}");
        let by_query = || ask(&site, Endpoint::TokenInformation, &query, "", "").status();
        assert_eq!(by_query(), 405);
        site.settings().token_in_query = true;
        assert_eq!(by_query(), 200);
        site.issuer.revoke(&token);
        assert_eq!(about(&token).status(), 400);
    }

    #[test]
    fn userinfo_is_about_the_user_of_the_token() {
        let site = site(&ManualClock::new());
        site.issuer
            .set_user_info("alice", json!({"email": "alice@example.com"}));
        let about = |token: &str| {
            let fields = format!("authorization: Bearer {token}");
            ask(&site, Endpoint::UserInfo, "GET /", &fields, "")
        };
        let alice = site.issuer.token().subject("alice").sign();
        let bob = site.issuer.token().subject("bob").issue();
        let json = |answer: Answer| serde_json::from_slice::<Value>(&answer.body).unwrap();
        let expected = json!({"sub": "alice", "email": "alice@example.com"});
        assert_eq!(json(about(&alice)), expected);
        assert_eq!(json(about(&bob)), json!({"sub": "bob"}));
        assert_eq!(about("unknown").status(), 401);
        site.settings().signs_user_info = true;
        let signed = about(&alice);
        assert!(signed.head().contains("content-type: application/jwt\r\n"));
        let claims = part(&signed.body, 1);
        assert_eq!(claims["email"], "alice@example.com");
        assert_eq!(claims["iss"], "https://issuer.test");
        assert_eq!(claims["aud"], MockIssuer::CLIENT_ID);
        site.issuer.revoke(&alice);
        assert_eq!(about(&alice).status(), 401);
    }
}
