//! The browser and the scripts of the page, by HTTP.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use portcullis::test_util::DpopKey;
use reqwest::{Client, Method, RequestBuilder, Response, redirect};
use serde_json::Value;

use super::{CLIENT_ID, Fault, SetUp};

/// Any text of 43 characters at least (RFC 7636 section 4.1). A browser makes a new one each time.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

/// The page in a browser: cookies of the authorization server, and tokens in memory.
pub(crate) struct Browser<'a> {
    set_up: &'a SetUp,
    http: Client,
    cookies: BTreeMap<String, String>,
    access_token: String,
    pub(crate) refresh_token: String,
    id_token: String,
    /// Makes proofs, where tokens are bound to it.
    pub(crate) key: Option<DpopKey>,
}

impl<'a> Browser<'a> {
    pub(crate) fn new(set_up: &'a SetUp) -> Result<Self, Fault> {
        Ok(Self {
            set_up,
            http: Client::builder()
                .redirect(redirect::Policy::none())
                .build()?,
            cookies: BTreeMap::new(),
            access_token: String::new(),
            refresh_token: String::new(),
            id_token: String::new(),
            key: None,
        })
    }

    /// The page, its scripts, and the metadata of the authorization server.
    pub(crate) async fn page(&self) -> Result<(), Fault> {
        let own = &self.set_up.front_end;
        for path in [
            "/",
            "/app.css",
            "/app.js",
            "/oauth.js",
            "/dpop.js",
            "/config.json",
        ] {
            let response = self.http.get(format!("{own}{path}")).send().await?;
            let policy = field(&response, "content-security-policy");
            if response.status() != 200 || !policy.contains("default-src 'none'") {
                return Err(format!("{path}: {} with `{policy}`", response.status()).into());
            }
        }
        let issuer = self.set_up.authorization.url();
        let url = format!("{issuer}/.well-known/openid-configuration");
        let response = self.as_script(self.http.get(url)).await?;
        let metadata: Value = serde_json::from_str(&response.text().await?)?;
        if metadata.get("issuer").and_then(Value::as_str) != Some(issuer) {
            return Err(format!("the metadata is another issuer's: {metadata}").into());
        }
        Ok(())
    }

    /// What a browser asks before it sends `Authorization` to another origin.
    pub(crate) async fn preflight(&self) -> Result<String, Fault> {
        let url = format!("{}/orders", self.set_up.api);
        let preflight = self
            .http
            .request(Method::OPTIONS, url)
            .header("access-control-request-method", "POST")
            .header("access-control-request-headers", "authorization");
        let response = self.as_script(preflight).await?;
        let allowed = field(&response, "access-control-allow-headers");
        let seen = format!("{} {allowed}", response.status().as_u16());
        Ok(seen)
    }

    /// Opens the authorization endpoint, signs in where it asks, and exchanges the code. The result is the
    /// scope of the token.
    pub(crate) async fn sign_in(&mut self, scope: &str, more: &str) -> Result<String, Fault> {
        let redirect_uri = format!("{}/", self.set_up.front_end);
        let state = format!("state-{}", self.cookies.len());
        let query = form(&[
            ("response_type", "code"),
            ("client_id", CLIENT_ID),
            ("redirect_uri", &redirect_uri),
            ("scope", scope),
            ("resource", &self.set_up.api),
            ("state", &state),
            (
                "code_challenge",
                &BASE64_URL_SAFE_NO_PAD.encode(digest(&SHA256, VERIFIER.as_bytes())),
            ),
            ("code_challenge_method", "S256"),
        ]);
        let issuer = self.set_up.authorization.url().to_owned();
        let url = format!("{issuer}/authorize?{query}{more}");
        let mut response = self.navigate(self.http.get(url)).await?;
        if response.status() == 200 {
            // The login page: the user picks Alice.
            let page = response.text().await?;
            let request = hidden(&page, "authorization_request")?;
            let csrf = hidden(&page, "csrf")?;
            let body = form(&[
                ("authorization_request", &request),
                ("csrf", &csrf),
                ("subject", "alice"),
            ]);
            let login = self
                .http
                .post(format!("{issuer}/login"))
                .header("origin", &issuer);
            response = self.navigate(with_form(login, body)).await?;
        }
        let location = field(&response, "location");
        let (page, answer) = location.split_once('?').unwrap_or_default();
        let answer: BTreeMap<String, String> = form_urlencoded::parse(answer.as_bytes())
            .into_owned()
            .collect();
        let value = |name: &str| answer.get(name).cloned().unwrap_or_default();
        if page != redirect_uri || value("state") != state || value("iss") != issuer {
            return Err(format!("the authorization response is `{location}`").into());
        }
        let body = form(&[
            ("grant_type", "authorization_code"),
            ("client_id", CLIENT_ID),
            ("code", &value("code")),
            ("redirect_uri", &redirect_uri),
            ("code_verifier", VERIFIER),
        ]);
        self.tokens(body).await
    }

    pub(crate) async fn refresh(&mut self, token: &str) -> Result<String, Fault> {
        let body = [
            ("grant_type", "refresh_token"),
            ("client_id", CLIENT_ID),
            ("refresh_token", token),
        ];
        let answer = self.tokens(form(&body)).await?;
        Ok(if answer.starts_with("400") {
            answer
        } else {
            "200".to_owned()
        })
    }

    /// The scope of the tokens, or status and error.
    async fn tokens(&mut self, body: String) -> Result<String, Fault> {
        let endpoint = format!("{}/token", self.set_up.authorization.url());
        let mut request = with_form(self.http.post(&endpoint), body);
        if let Some(key) = &self.key {
            request = request.header("dpop", key.proof("POST", &endpoint).sign());
        }
        let response = self.as_script(request).await?;
        let status = response.status();
        let answer: Value = serde_json::from_str(&response.text().await?)?;
        let text = |name: &str| {
            answer
                .get(name)
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        if status != 200 {
            return Ok(format!("{} {}", status.as_u16(), text("error")));
        }
        self.access_token = text("access_token");
        self.refresh_token = text("refresh_token");
        self.id_token = text("id_token");
        Ok(text("scope"))
    }

    pub(crate) async fn revoke(&self, token: &str) -> Result<String, Fault> {
        let endpoint = format!("{}/revoke", self.set_up.authorization.url());
        let body = form(&[("token", token), ("client_id", CLIENT_ID)]);
        let response = self
            .as_script(with_form(self.http.post(endpoint), body))
            .await?;
        Ok(response.status().as_str().to_owned())
    }

    /// Opens the logout page of the authorization server, which sends the browser back.
    pub(crate) async fn end_session(&mut self) -> Result<String, Fault> {
        let redirect_uri = format!("{}/", self.set_up.front_end);
        let query = form(&[
            ("client_id", CLIENT_ID),
            ("id_token_hint", &self.id_token),
            ("post_logout_redirect_uri", &redirect_uri),
        ]);
        let metadata = self.set_up.authorization.discovery_document();
        let metadata: Value = serde_json::from_str(&metadata)?;
        let endpoint = metadata.get("end_session_endpoint").and_then(Value::as_str);
        let url = format!("{}?{query}", endpoint.unwrap_or_default());
        let response = self.navigate(self.http.get(url)).await?;
        let location = field(&response, "location");
        let is_back = location.starts_with(&redirect_uri);
        Ok(if is_back {
            "back at the page".to_owned()
        } else {
            location
        })
    }

    /// Status, and the body or the challenge as the script reads it.
    pub(crate) async fn call(&self, method: &str, path: &str) -> Result<String, Fault> {
        let url = format!("{}{path}", self.set_up.api);
        let mut request = self.http.request(method.parse()?, &url);
        request = match &self.key {
            _ if self.access_token.is_empty() => request,
            None => request.bearer_auth(&self.access_token),
            Some(key) => {
                let proof = key.proof(method, &url).access_token(&self.access_token);
                let credential = format!("DPoP {}", self.access_token);
                request
                    .header("authorization", credential)
                    .header("dpop", proof.sign())
            }
        };
        let response = self.as_script(request).await?;
        let status = response.status();
        if status.is_success() {
            return Ok(format!(
                "{} {}",
                status.as_u16(),
                response.text().await?.trim()
            ));
        }
        // A script reads the challenge because the API exposes it.
        if !field(&response, "access-control-expose-headers").contains("www-authenticate") {
            return Err(format!("{path}: the challenge is not exposed").into());
        }
        let challenge = field(&response, "www-authenticate");
        let mut seen = status.as_str().to_owned();
        for name in ["error", "scope", "acr_values", "max_age"] {
            let Some((_, rest)) = challenge.split_once(&format!("{name}=\"")) else {
                continue;
            };
            let value = rest.split('"').next().unwrap_or_default();
            match name {
                "error" => write!(seen, " {value}")?,
                name => write!(seen, " {name}={value}")?,
            }
        }
        Ok(seen)
    }

    /// A request of a script: with `Origin`, and an answer that the page may read.
    async fn as_script(&self, request: RequestBuilder) -> Result<Response, Fault> {
        let origin = &self.set_up.front_end;
        let response = request.header("origin", origin).send().await?;
        let allowed = field(&response, "access-control-allow-origin");
        if allowed != *origin && allowed != "*" {
            return Err(format!("{}: `{allowed}` may read the answer", response.url()).into());
        }
        Ok(response)
    }

    /// A navigation: with the cookies of the authorization server, and without a redirect being followed.
    async fn navigate(&mut self, request: RequestBuilder) -> Result<Response, Fault> {
        let cookies: Vec<String> = self
            .cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let response = request.header("cookie", cookies.join("; ")).send().await?;
        for cookie in response.headers().get_all("set-cookie") {
            let pair = cookie.to_str()?.split(';').next().unwrap_or_default();
            let (name, value) = pair.split_once('=').unwrap_or_default();
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
        Ok(response)
    }
}

fn form(pairs: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new())
        .extend_pairs(pairs)
        .finish()
}

fn with_form(request: RequestBuilder, body: String) -> RequestBuilder {
    request
        .header("content-type", "application/x-www-form-urlencoded")
        .body(body)
}

/// The value of a hidden field of a form.
fn hidden(page: &str, name: &str) -> Result<String, Fault> {
    let (_, rest) = page
        .split_once(&format!("name=\"{name}\" value=\""))
        .ok_or(format!("the login page has no `{name}`"))?;
    let value = rest.split('"').next().unwrap_or_default();
    Ok(value
        .replace("&quot;", "\"")
        .replace("&#39;", "'")
        .replace("&amp;", "&"))
}

fn field(response: &Response, name: &str) -> String {
    let value = response
        .headers()
        .get(name)
        .and_then(|value| value.to_str().ok());
    value.unwrap_or_default().to_owned()
}
