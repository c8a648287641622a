//! What a mock issuer issues.
//!
//! 1. Tokens look like those of the issuer's kind, and are valid unless a test changes them.
//! 2. What is not for an API, ID tokens and refresh tokens, looks real too.

use serde::Serialize;
use serde_json::{Map, Value};

use super::token_builder::{HOUR, TokenBuilder};
use crate::test_util::issuer::MockIssuer;
use crate::test_util::issuer::profile::{Facts, Kind, Profile, SIGN_IN_SCOPE};

impl MockIssuer {
    /// An access token of a user, [`SUBJECT`](Self::SUBJECT), good for an hour.
    pub fn token(&self) -> TokenBuilder {
        self.builder(Kind::Access)
    }

    /// An access token of a machine (client credentials): the subject is the client, no user is
    /// named, and there is no scope. Machines of Keycloak, Entra and Auth0 have a subject of their own,
    /// which belongs to the client; Keycloak and Okta write scopes that name no permission.
    pub fn client_token(&self) -> TokenBuilder {
        self.builder(Kind::Machine)
    }

    /// An ID token: made for the client, to be refused by every API.
    pub fn id_token(&self) -> TokenBuilder {
        self.builder(Kind::Id)
    }

    /// What looks like a refresh token, which every API must refuse. By default it is encrypted, as
    /// Cognito's are: five parts (RFC 7516 section 3.1), about 1.8 KB. For
    /// [`keycloak`](Self::keycloak) it is a JWT that is signed with a secret (HS512), for
    /// [`entra`](Self::entra), [`auth0`](Self::auth0) and [`okta`](Self::okta) an opaque string.
    #[must_use]
    pub fn refresh_token(&self) -> String {
        self.by_facts(Self::SUBJECT, Profile::refresh_token)
    }

    /// An access token of an AWorld user: `accountId` `acme`, `workspaceId` `acme-prod`,
    /// `userId` `user-1`, `principalId` `principal-1`, `context` `app`, `platform` `web`,
    /// `role` `editor`, and the scopes `app/read app/write`.
    pub fn aworld_user(&self) -> TokenBuilder {
        self.token()
            .account("acme")
            .workspace("acme-prod")
            .user("user-1")
            .principal("principal-1")
            .context("app")
            .platform("web")
            .role("editor")
            .scope("app/read app/write")
    }

    /// An access token of an AWorld principal: `principalId` `principal-1`, `context` `portal`,
    /// `platform` `web`, issued to [`PORTAL_CLIENT_ID`](Self::PORTAL_CLIENT_ID), with the scope
    /// of a sign-in, and no account, workspace, user or role.
    pub fn aworld_principal(&self) -> TokenBuilder {
        self.token()
            .client(Self::PORTAL_CLIENT_ID)
            .principal("principal-1")
            .context("portal")
            .platform("web")
            .scope(SIGN_IN_SCOPE)
    }

    /// An access token of an AWorld machine client: `accountId` `acme`, `workspaceId`
    /// `acme-prod`, `context` `app`, `platform` `m2m`, and the scopes `app/read app/write`.
    pub fn aworld_client(&self) -> TokenBuilder {
        self.client_token()
            .account("acme")
            .workspace("acme-prod")
            .context("app")
            .platform("m2m")
            .scope("app/read app/write")
    }

    /// Revokes a token: introspection reports it as inactive from now on.
    /// To take back what it never issued changes nothing (RFC 7009 section 2.2).
    pub fn revoke(&self, token: &str) {
        let now = self.now();
        self.register(|register| register.revoke(token, now));
    }

    /// The introspection response about a token at the current time (RFC 7662 section 2.2), as JSON: the
    /// claims of a good one, or `{"active":false}`. Change it and serve it with
    /// [`Fault::Body`](crate::test_util::Fault::Body).
    #[must_use]
    pub fn introspection(&self, token: &str) -> String {
        self.introspect(token).to_string()
    }

    /// Sets the userinfo claims of a user beside `sub`, or in place of it: an object, in place
    /// of what was set before. Default: `sub` alone.
    ///
    /// # Panics
    ///
    /// When `claims` cannot be written as a JSON object.
    #[allow(clippy::panic)] // Test tooling.
    pub fn set_user_info(&self, subject: &str, claims: impl Serialize) {
        let Ok(Value::Object(claims)) = serde_json::to_value(claims) else {
            panic!("what userinfo says must be writable as a json object");
        };
        self.register(|register| register.set_user(subject, claims));
    }

    pub(in crate::test_util) fn introspect(&self, token: &str) -> Value {
        let answer = self.registered(|register, now| register.introspection(token, now));
        self.by_profile(|profile| profile.introspected(answer))
    }

    pub(in crate::test_util) fn token_information(&self, token: &str) -> Option<Value> {
        self.registered(|register, now| register.information(token, now))
    }

    pub(in crate::test_util) fn user_info(
        &self,
        token: &str,
    ) -> Option<(Map<String, Value>, Option<Value>)> {
        self.registered(|register, now| register.user_info(token, now))
    }

    /// An answer of the issuer's own, signed. It is no access token, and the issuer knows none by
    /// that text.
    pub(in crate::test_util) fn sign_answer(
        &self,
        typ: &str,
        mut claims: Map<String, Value>,
    ) -> String {
        claims.insert("iss".into(), self.issuer().into());
        claims.insert("iat".into(), self.now().as_secs().into());
        TokenBuilder::new(self.clone(), Kind::Id, self.now(), Some(typ), claims).signed()
    }

    fn builder(&self, kind: Kind) -> TokenBuilder {
        let subject = match kind {
            Kind::Machine => Self::CLIENT_ID,
            Kind::Access | Kind::Id => Self::SUBJECT,
        };
        let now = self.now();
        let claims = self.by_facts(subject, |profile, facts| profile.claims(kind, facts));
        let typ = self.by_profile(|profile| profile.token_type(kind));
        TokenBuilder::new(self.clone(), kind, now, typ, claims)
    }

    fn by_facts<T>(&self, subject: &str, read: impl FnOnce(&Profile, &Facts<'_>) -> T) -> T {
        let (issuer, audience, now) = (self.issuer(), self.audience(), self.now());
        let facts = Facts {
            issuer: &issuer,
            audience,
            subject,
            client: Self::CLIENT_ID,
            now,
            expires_at: now.saturating_add(HOUR),
        };
        self.by_profile(|profile| read(profile, &facts))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use serde_json::json;

    use super::*;
    use crate::Algorithm;
    use crate::test_util::clock::ManualClock;

    fn part(token: &str, index: usize) -> Value {
        let part = token.split('.').nth(index).unwrap();
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
    }

    /// Whether some key of the set is named by the token and verifies it, by other code.
    fn verifies(issuer: &MockIssuer, token: &str) -> bool {
        use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, RSA_PKCS1_2048_8192_SHA256};
        use aws_lc_rs::signature::{RsaPublicKeyComponents, UnparsedPublicKey};
        let set: Value = serde_json::from_str(&issuer.key_set()).unwrap();
        let (input, signature) = token.rsplit_once('.').unwrap();
        let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
        let kid = part(token, 0)["kid"].clone();
        set["keys"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|jwk| jwk["kid"] == kid)
            .any(|jwk| {
                let member =
                    |name: &str| URL_SAFE_NO_PAD.decode(jwk[name].as_str().unwrap()).unwrap();
                let message = input.as_bytes();
                if jwk["kty"] == "RSA" {
                    RsaPublicKeyComponents {
                        n: member("n"),
                        e: member("e"),
                    }
                    .verify(&RSA_PKCS1_2048_8192_SHA256, message, &signature)
                    .is_ok()
                } else {
                    let point = [&[4][..], &member("x"), &member("y")].concat();
                    UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point)
                        .verify(message, &signature)
                        .is_ok()
                }
            })
    }

    #[test]
    fn good_tokens_verify_and_forgeries_do_not() {
        let issuer = MockIssuer::new();
        let token = issuer.token();
        assert!(verifies(&issuer, &token.sign()));
        assert!(verifies(
            &issuer,
            &token.clone().algorithm(Algorithm::ES256).sign()
        ));
        assert!(!verifies(&issuer, &token.sign_with_wrong_key()));
        assert!(!verifies(&issuer, &token.sign_with_unknown_key()));
        assert!(!verifies(&issuer, &token.unsigned()));
        assert!(!verifies(&issuer, &token.with_hmac_of_public_key()));
        assert!(!verifies(&issuer, &token.tampered_payload()));
        assert!(!verifies(&issuer, &token.tampered_signature()));
        assert_eq!(part(&token.tampered_payload(), 1)["tampered"], true);
        assert_eq!(part(&token.unsigned(), 0)["alg"], "none");
        assert!(token.unsigned().ends_with('.'));
    }

    #[test]
    fn keys_are_current_then_old_then_retired() {
        let issuer = MockIssuer::new().with_algorithms([Algorithm::ES256]);
        let first = issuer.token().sign();
        issuer.rotate();
        let second = issuer.token().sign();
        assert_eq!(part(&first, 0)["kid"], MockIssuer::FIRST_KEY_ID);
        assert_eq!(part(&second, 0)["kid"], "key-2");
        assert_eq!(issuer.key_ids(), ["key-1", "key-2"]);
        assert!(verifies(&issuer, &first) && verifies(&issuer, &second));
        assert!(verifies(&issuer, &issuer.token().key_id("key-1").sign()));
        issuer.retire_old_keys();
        assert_eq!(issuer.key_ids(), ["key-2"]);
        assert!(!verifies(&issuer, &first) && verifies(&issuer, &second));
        assert_eq!(
            part(&issuer.token().key_id("key-1").sign(), 0)["kid"],
            "key-1"
        );
    }

    #[test]
    fn tokens_take_their_time_from_the_clock() {
        let clock = ManualClock::new();
        let issuer = MockIssuer::new()
            .with_clock(clock.clone())
            .with_algorithms([Algorithm::EdDSA]);
        clock.advance(Duration::from_secs(100));
        let now = ManualClock::START.as_secs() + 100;
        let payload = part(
            &issuer.token().not_before_in(Duration::from_secs(5)).sign(),
            1,
        );
        assert_eq!(
            (&payload["iat"], &payload["nbf"]),
            (&json!(now), &json!(now + 5))
        );
        assert_eq!(payload["exp"], now + 3600);
        assert_eq!(part(&issuer.token().expired().sign(), 1)["exp"], now - 3600);
    }

    #[test]
    fn tokens_have_the_shape_of_their_kind() {
        let names = |value: &Value| {
            value
                .as_object()
                .unwrap()
                .keys()
                .cloned()
                .collect::<Vec<_>>()
                .join(" ")
        };
        let pool = MockIssuer::cognito("eu-west-1", "eu-west-1_AbCdEf");
        let token = pool.token().sign();
        assert_eq!(
            pool.issuer(),
            "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_AbCdEf"
        );
        assert_eq!(names(&part(&token, 0)), "alg kid");
        assert_eq!(
            names(&part(&token, 1)),
            "auth_time client_id event_id exp iat iss jti origin_jti scope sub token_use username version"
        );
        let machine = part(&pool.aworld_client().client("other").sign(), 1);
        assert_eq!(
            (&machine["sub"], &machine["client_id"]),
            (&json!("other"), &json!("other"))
        );
        assert!(machine.get("username").is_none());
        let id = part(&pool.id_token().client("other").sign(), 1);
        assert_eq!(
            (&id["aud"], &id["token_use"]),
            (&json!("other"), &json!("id"))
        );
        assert!(id.get("client_id").is_none());
        let strict = MockIssuer::rfc9068("https://as.example").with_algorithms([Algorithm::ES384]);
        assert_eq!(part(&strict.token().sign(), 0)["typ"], "at+jwt");
        assert_eq!(
            names(&part(&strict.token().sign(), 1)),
            "aud client_id exp iat iss jti sub"
        );
        let refresh = pool.refresh_token();
        assert_eq!(refresh.split('.').count(), 5);
        assert!((1700..1900).contains(&refresh.len()), "{}", refresh.len());
    }

    #[test]
    fn what_a_builder_is_told_is_what_it_writes() {
        let issuer = MockIssuer::new().with_algorithms([Algorithm::ES256]);
        let token = issuer
            .token()
            .without_header("kid")
            .without_header("typ")
            .without("jti")
            .claim("n", [1, 2]);
        assert_eq!(part(&token.sign(), 0), json!({"alg": "ES256"}));
        assert!(part(&token.sign(), 1).get("jti").is_none());
        let raw = token.payload_json("{}").header_json(r#"{"a":1}"#).sign();
        assert!(raw.starts_with("eyJhIjoxfQ.e30."));
        let debug = format!("{:?} {issuer:?}", issuer.token().subject("secret-subject"));
        assert!(!debug.contains("secret-subject"));
    }
}
