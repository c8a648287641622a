//! The crate `openidconnect` as a client that signs a user in at an authorization server.
//!
//! 1. The first line on standard output is `ready openidconnect`.
//! 2. Commands on standard input and answers on standard output are those of
//!    `sign-in-clients/client.mjs`.
//! 3. It ends with its standard input.

use std::io::BufRead as _;

use openidconnect::core::{
    CoreAuthenticationFlow, CoreClient, CoreErrorResponseType, CoreProviderMetadata,
    CoreRevocableToken, CoreTokenResponse, CoreUserInfoClaims,
};
use openidconnect::http::Uri;
use openidconnect::reqwest::blocking::{Client as Transport, ClientBuilder};
use openidconnect::reqwest::redirect::Policy;
use openidconnect::url::Url;
use openidconnect::{
    AccessToken, AccessTokenHash, AuthorizationCode, ClientId, ClientSecret, CsrfToken,
    EndpointMaybeSet, EndpointNotSet, EndpointSet, HttpClientError, HttpRequest, HttpResponse,
    IssuerUrl, Nonce, OAuth2TokenResponse as _, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl,
    RefreshToken, RequestTokenError, RevocationUrl, Scope, StandardErrorResponse, SyncHttpClient,
    TokenResponse as _,
};

type Client = CoreClient<
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;
type Failure = Box<dyn std::error::Error>;

struct User {
    transport: Transport,
    issuer: String,
    client: Option<Client>,
    csrf: Option<CsrfToken>,
    nonce: Option<Nonce>,
    verifier: Option<PkceCodeVerifier>,
    access: Option<AccessToken>,
    refresh: Option<RefreshToken>,
    before: Option<RefreshToken>,
}

impl User {
    fn obey(&mut self, words: &[&str]) -> Result<String, Failure> {
        match words {
            ["sign-in", issuer, client, redirect, scope] => {
                self.sign_in(issuer, client, redirect, scope)
            }
            ["callback", url] => self.callback(url),
            ["refresh"] => self.refresh(),
            ["machine", issuer, client, secret, scope @ ..] => {
                self.machine(issuer, client, secret, scope.first().copied())
            }
            ["token"] => Ok(self.access.as_ref().ok_or("no token")?.secret().clone()),
            ["old"] => {
                self.refresh = self.before.take();
                Ok("old".into())
            }
            ["revoke"] => {
                let token = self.access.clone().ok_or("no token")?;
                self.revoke(token.into())
            }
            ["revoke-refresh"] => {
                let token = self.refresh.clone().ok_or("no token")?;
                self.revoke(token.into())
            }
            other => Err(format!("no such command: {other:?}").into()),
        }
    }

    fn discover(
        &mut self,
        issuer: &str,
        client: &str,
        secret: Option<&str>,
    ) -> Result<Client, Failure> {
        self.issuer = issuer.into();
        let issuer = IssuerUrl::new(issuer.into())?;
        let provider = CoreProviderMetadata::discover(&issuer, &self.http())?;
        let secret = secret.map(|text| ClientSecret::new(text.into()));
        Ok(CoreClient::from_provider_metadata(
            provider,
            ClientId::new(client.into()),
            secret,
        ))
    }

    fn sign_in(
        &mut self,
        issuer: &str,
        client: &str,
        redirect: &str,
        scope: &str,
    ) -> Result<String, Failure> {
        let client = self.discover(issuer, client, None)?;
        let client = client.set_redirect_uri(RedirectUrl::new(redirect.into())?);
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let flow = CoreAuthenticationFlow::AuthorizationCode;
        // The library adds `openid`.
        let scopes = scope.split('+').filter(|scope| *scope != "openid");
        let (url, csrf, nonce) = client
            .authorize_url(flow, CsrfToken::new_random, Nonce::new_random)
            .add_scopes(scopes.map(|scope| Scope::new(scope.into())))
            .set_pkce_challenge(challenge)
            .url();
        (self.csrf, self.nonce, self.verifier) = (Some(csrf), Some(nonce), Some(verifier));
        self.client = Some(client);
        Ok(url.into())
    }

    fn callback(&mut self, url: &str) -> Result<String, Failure> {
        let url = Url::parse(url)?;
        let stated = |name: &str| {
            let mut pairs = url.query_pairs();
            pairs.find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
        };
        if let Some(error) = stated("error") {
            return Ok(error);
        }
        // The library leaves this to its user.
        if stated("state") != self.csrf.take().map(|csrf| csrf.secret().clone()) {
            return Err("another state".into());
        }
        let client = self.client.clone().ok_or("not signed in")?;
        let code = AuthorizationCode::new(stated("code").ok_or("no code")?);
        let verifier = self.verifier.take().ok_or("no verifier")?;
        let request = client.exchange_code(code)?.set_pkce_verifier(verifier);
        let tokens = request.request(&self.http()).map_err(told)?;
        let id_token = tokens.id_token().ok_or("no ID token")?;
        let checks = client.id_token_verifier();
        let claims = id_token.claims(&checks, self.nonce.as_ref().ok_or("no nonce")?)?;
        let hash = AccessTokenHash::from_token(
            tokens.access_token(),
            id_token.signing_alg()?,
            id_token.signing_key(&checks)?,
        )?;
        if claims.access_token_hash().is_some_and(|stated| *stated != hash) {
            return Err("another access token hash".into());
        }
        let subject = claims.subject().clone();
        let user: CoreUserInfoClaims = client
            .user_info(tokens.access_token().clone(), Some(subject))?
            .request(&self.http())?;
        let name = user.name().and_then(|names| names.get(None));
        let said = format!(
            "{} {} {}",
            user.subject().as_str(),
            name.map_or("undefined", |name| name.as_str()),
            tokens.token_type().as_ref()
        );
        self.keep(&tokens);
        Ok(said)
    }

    fn refresh(&mut self) -> Result<String, Failure> {
        let client = self.client.clone().ok_or("not signed in")?;
        let token = self.refresh.clone().ok_or("no refresh token")?;
        let request = client.exchange_refresh_token(&token)?;
        let tokens = request.request(&self.http()).map_err(told)?;
        Ok(if self.keep(&tokens) { "rotated" } else { "kept" }.into())
    }

    fn machine(
        &mut self,
        issuer: &str,
        client: &str,
        secret: &str,
        scope: Option<&str>,
    ) -> Result<String, Failure> {
        let client = self.discover(issuer, client, Some(secret))?;
        let scopes = scope.into_iter().flat_map(|scope| scope.split('+'));
        let request = client
            .exchange_client_credentials()?
            .add_scopes(scopes.map(|scope| Scope::new(scope.into())));
        let tokens = request.request(&self.http()).map_err(told)?;
        self.client = Some(client.clone());
        self.keep(&tokens);
        Ok(tokens.token_type().as_ref().to_owned())
    }

    fn revoke(&self, token: CoreRevocableToken) -> Result<String, Failure> {
        let client = self.client.clone().ok_or("not signed in")?;
        // The library does not read this address from the metadata, and refuses one without TLS.
        let url = format!("{}/revoke", self.issuer.replace("http://", "https://"));
        let client = client.set_revocation_url(RevocationUrl::new(url)?);
        client.revoke_token(token)?.request(&self.http())?;
        Ok("revoked".into())
    }

    fn keep(&mut self, tokens: &CoreTokenResponse) -> bool {
        self.access = Some(tokens.access_token().clone());
        let new = tokens.refresh_token().cloned();
        let old = self.refresh.as_ref().map(RefreshToken::secret);
        let rotated = new.is_some() && new.as_ref().map(RefreshToken::secret) != old;
        if rotated {
            self.before = std::mem::replace(&mut self.refresh, new);
        }
        rotated
    }

    /// Sends a request to loopback without TLS, which is not there.
    fn http(
        &self,
    ) -> impl Fn(HttpRequest) -> Result<HttpResponse, HttpClientError<openidconnect::reqwest::Error>>
    {
        let transport = self.transport.clone();
        move |mut request| {
            let plain = request.uri().to_string().replacen("https://", "http://", 1);
            if let Ok(plain) = plain.parse::<Uri>() {
                *request.uri_mut() = plain;
            }
            transport.call(request)
        }
    }
}

/// The `error` of the server's response.
fn told<E: std::error::Error + 'static>(
    error: RequestTokenError<E, StandardErrorResponse<CoreErrorResponseType>>,
) -> Failure {
    match error {
        RequestTokenError::ServerResponse(response) => response.error().as_ref().into(),
        other => format!("{other:?}").into(),
    }
}

fn main() {
    let transport = ClientBuilder::new().redirect(Policy::none()).no_proxy().build();
    let mut user = User {
        transport: transport.expect("a client"),
        issuer: String::new(),
        client: None,
        csrf: None,
        nonce: None,
        verifier: None,
        access: None,
        refresh: None,
        before: None,
    };
    println!("ready openidconnect");
    for line in std::io::stdin().lock().lines().map_while(Result::ok) {
        let words: Vec<&str> = line.split(' ').collect();
        let said = user.obey(&words).unwrap_or_else(|error| error.to_string());
        println!("answer {}", said.replace('\n', " "));
    }
}
